#include "datatypes/stream/stream_block.h"

#include <array>
#include <vector>

#include "server/base/assert.h"

namespace synap {

namespace {

using Position = ListpackView::Position;

constexpr int64_t kEntryFixedElements = 3;  // flags, ms-delta, seq-delta

int64_t take_integer(ListpackView pack, Position* at) {
  const ListpackValue value = pack.read(*at, at);
  if (value.is_integer()) [[likely]]
    return value.integer;
  // Redis never stores an integer as text, but an old file may.
  int64_t number = 0;
  const bool spelled = value.to_integer(&number);
  SYNAP_DCHECK(spelled);
  static_cast<void>(spelled);
  return number;
}

int64_t integer_at(ListpackView pack, Position at) {
  return take_integer(pack, &at);
}

Position skip_forward(ListpackView pack, Position at, int64_t count) {
  while (count-- > 0) at = pack.next(at);
  return at;
}

Position skip_backward(ListpackView pack, Position at, int64_t count) {
  while (count-- > 0) at = pack.prev(at);
  return at;
}

bool same_fields(ListpackView pack, const StreamBlockHead& head, StreamFields fields) {
  if (head.field_count != static_cast<int64_t>(fields.size() / 2)) return false;
  Position at = head.fields_at;
  for (size_t i = 0; i < fields.size(); i += 2) {
    if (!pack.equals(at, fields[i])) return false;
    at = pack.next(at);
  }
  return true;
}

ListpackValue number_value(int64_t number) {
  return {.integer = number};
}
ListpackValue text_value(std::string_view text) {
  return {.data = text.empty() ? "" : text.data(), .size = text.size()};
}

void append_entry(Listpack* pack, const StreamId& master, const StreamId& id, StreamFields fields, bool same) {
  constexpr size_t kValuesOnStack = 32;
  std::array<ListpackValue, kValuesOnStack> few;
  std::vector<ListpackValue> many;
  const auto field_count = static_cast<int64_t>(fields.size() / 2);
  const int64_t element_count = kEntryFixedElements + (same ? field_count : 1 + 2 * field_count);
  ListpackValue* begin = few.data();
  if (static_cast<size_t>(element_count) + 1 > kValuesOnStack) {
    many.resize(static_cast<size_t>(element_count) + 1);
    begin = many.data();
  }
  ListpackValue* at = begin;
  *at++ = number_value(same ? kStreamEntrySameFields : 0);
  *at++ = number_value(static_cast<int64_t>(id.ms - master.ms));
  *at++ = number_value(static_cast<int64_t>(id.seq - master.seq));
  if (!same) *at++ = number_value(field_count);
  for (size_t i = same ? 1 : 0; i < fields.size(); i += same ? 2 : 1) *at++ = text_value(fields[i]);
  *at++ = number_value(element_count);
  pack->append_values({begin, at});
}

void bump(Listpack* pack, Position at, int64_t change) {
  pack->replace_integer(at, integer_at(pack->view(), at) + change);
}

}  // namespace

StreamBlockHead::StreamBlockHead(ListpackView pack) {
  Position at = pack.first();
  live_count = take_integer(pack, &at);
  deleted_at = at;
  deleted_count = take_integer(pack, &at);
  field_count = take_integer(pack, &at);
  fields_at = at;
  close_at = skip_forward(pack, at, field_count);
}

void StreamEntry::next_field(std::string_view* field, std::string_view* value) {
  const ListpackView pack(pack_);
  Position* name_at = (flags_ & kStreamEntrySameFields) != 0 ? &next_master_field_at_ : &next_element_at_;
  *field = pack.read(*name_at, name_at).text(field_text_);
  *value = pack.read(next_element_at_, &next_element_at_).text(value_text_);
}

StreamBlockCursor::StreamBlockCursor(const StreamBlock& block, bool reverse)
    : master_(block.id), pack_(block.pack), reverse_(reverse) {
  const StreamBlockHead head(block.view());
  master_field_count_ = head.field_count;
  master_fields_at_ = head.fields_at;
  at_ = reverse ? block.view().last() : block.view().next(head.close_at);
}

bool StreamBlockCursor::next(StreamEntry* entry) {
  if (at_ == ListpackView::kNone) return false;
  const ListpackView pack(pack_);
  Position at = at_;
  if (reverse_) {
    const int64_t element_count = integer_at(pack, at);
    if (element_count == 0) {
      at_ = ListpackView::kNone;
      return false;
    }
    at = skip_backward(pack, at, element_count);
    at_ = pack.prev(at);
  }
  entry->pack_ = pack_;
  entry->flags_at_ = at;
  entry->flags_ = take_integer(pack, &at);
  entry->id.ms = master_.ms + static_cast<uint64_t>(take_integer(pack, &at));
  entry->id.seq = master_.seq + static_cast<uint64_t>(take_integer(pack, &at));
  const bool same = (entry->flags_ & kStreamEntrySameFields) != 0;
  entry->field_count = same ? master_field_count_ : take_integer(pack, &at);
  entry->next_element_at_ = at;
  entry->next_master_field_at_ = master_fields_at_;
  if (!reverse_) at_ = skip_forward(pack, at, (same ? 1 : 2) * entry->field_count + 1);
  return true;
}

StreamBlock stream_block_create(const StreamId& id, StreamFields fields) {
  Listpack pack;
  pack.append_integer(1);
  pack.append_integer(0);
  pack.append_integer(static_cast<int64_t>(fields.size() / 2));
  for (size_t i = 0; i < fields.size(); i += 2) pack.append(fields[i]);
  pack.append_integer(0);
  append_entry(&pack, id, id, fields, true);
  return {id, pack.release()};
}

bool stream_block_accepts(const StreamBlock& block, size_t text_bytes, const StreamBlockLimits& limits) {
  size_t bytes_max = limits.bytes_max;
  if (bytes_max == 0 || bytes_max > ListpackView::kBytesMax) bytes_max = ListpackView::kBytesMax;
  const ListpackView pack = block.view();
  if (pack.bytes() + text_bytes >= bytes_max) return false;
  if (limits.entries_max == 0) return true;
  Position at = pack.first();
  const int64_t live_count = take_integer(pack, &at);
  return live_count + integer_at(pack, at) < static_cast<int64_t>(limits.entries_max);
}

void stream_block_append(StreamBlock* block, const StreamId& id, StreamFields fields) {
  Listpack pack = Listpack::adopt(block->pack);
  bump(&pack, pack.view().first(), 1);
  const bool same = same_fields(pack.view(), StreamBlockHead(pack.view()), fields);
  append_entry(&pack, block->id, id, fields, same);
  block->pack = pack.release();
}

void stream_block_mark_deleted(StreamBlock* block, std::span<const Position> flags_at) {
  Listpack pack = Listpack::adopt(block->pack);
  // Flags keep their size (they are below 128), so all places hold; the counts may not, so they come last.
  for (const Position at : flags_at) pack.replace_integer(at, integer_at(pack.view(), at) | kStreamEntryDeleted);
  const auto count = static_cast<int64_t>(flags_at.size());
  const Position live_at = pack.view().first();
  bump(&pack, live_at, -count);
  bump(&pack, pack.view().next(live_at), count);
  block->pack = pack.release();
}

int64_t stream_block_live_count(const StreamBlock& block) {
  return integer_at(block.view(), block.view().first());
}

bool stream_block_last_id(const StreamBlock& block, StreamId* id) {
  StreamEntry entry;
  if (!StreamBlockCursor(block, true).next(&entry)) return false;
  *id = entry.id;
  return true;
}

namespace {

// Checks a block element by element, as they pass.
class BlockChecker {
 public:
  bool check(const ListpackValue& value) {
    if (pairs_left_ > 0) {
      --pairs_left_;
      return true;
    }
    int64_t number = 0;
    if (!value.to_integer(&number)) return false;
    switch (expect_) {
      case Expect::kLive:
        return expect_count(number, &live_count_, Expect::kDeleted);
      case Expect::kDeleted:
        return expect_count(number, &deleted_count_, Expect::kMasterFields);
      case Expect::kMasterFields:
        pairs_left_ = number;
        return expect_count(number, &master_field_count_, Expect::kClose);
      case Expect::kClose:
        expect_ = Expect::kFlags;
        return number == 0;
      case Expect::kFlags:
        return begin_entry(number);
      case Expect::kMs:
        expect_ = Expect::kSeq;
        return true;
      case Expect::kSeq:
        expect_ = same_fields_ ? Expect::kElements : Expect::kFields;
        pairs_left_ = same_fields_ ? master_field_count_ : 0;
        element_count_ = kEntryFixedElements + pairs_left_;
        return true;
      case Expect::kFields:
        if (number < 0 || number > kFieldsMax) return false;
        expect_ = Expect::kElements;
        pairs_left_ = 2 * number;
        element_count_ = kEntryFixedElements + 1 + pairs_left_;
        return true;
      case Expect::kElements:
        expect_ = Expect::kFlags;
        return number == element_count_;
    }
    return false;
  }

  bool complete() const {
    return expect_ == Expect::kFlags && live_seen_ == live_count_ && deleted_seen_ == deleted_count_;
  }

 private:
  enum class Expect { kLive, kDeleted, kMasterFields, kClose, kFlags, kMs, kSeq, kFields, kElements };
  static constexpr int64_t kFieldsMax = INT32_MAX;

  bool expect_count(int64_t number, int64_t* count, Expect next) {
    *count = number;
    expect_ = next;
    return number >= 0 && number <= kFieldsMax;
  }

  bool begin_entry(int64_t flags) {
    if ((flags & ~(kStreamEntryDeleted | kStreamEntrySameFields)) != 0) return false;
    same_fields_ = (flags & kStreamEntrySameFields) != 0;
    ++((flags & kStreamEntryDeleted) != 0 ? deleted_seen_ : live_seen_);
    expect_ = Expect::kMs;
    return true;
  }

  Expect expect_ = Expect::kLive;
  int64_t pairs_left_ = 0;  // elements that may be anything
  int64_t live_count_ = 0;
  int64_t deleted_count_ = 0;
  int64_t master_field_count_ = 0;
  int64_t live_seen_ = 0;
  int64_t deleted_seen_ = 0;
  int64_t element_count_ = 0;
  bool same_fields_ = false;
};

}  // namespace

bool stream_block_validate(std::string_view bytes) {
  BlockChecker checker;
  return ListpackView::validate(bytes, true,
                                [&](const ListpackValue& value, size_t) { return checker.check(value); }) &&
         checker.complete();
}

}  // namespace synap
