// The listpack format: <total bytes u32><count u16><entry>…<0xFF>, little endian. An entry is <encoding><data><back
// length>, where the back length is the size of encoding and data in groups of 7 bits, readable backwards. The encoding
// byte:
//   0xxxxxxx integer 0…127 · 10xxxxxx string below 64 bytes · 110xxxxx+1 13-bit integer · 1110xxxx+1 string below 4096
//   0xF0+4 longer string · 0xF1 … 0xF4 integers of 2, 3, 4 and 8 bytes · 0xFF the end
#include "datatypes/encoding/listpack.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "server/base/number.h"

namespace synap {

static_assert(std::endian::native == std::endian::little, "the format is little endian and read in place");

namespace {

constexpr uint8_t kString32 = 0xF0;
constexpr uint8_t kInteger16 = 0xF1;
constexpr size_t kNumberCharsMax = 20;  // longer texts are never integers

// The limits are Redis's, which leave one value of each group unused; packs must match them byte for byte.
size_t back_length_bytes(size_t entry) {
  if (entry <= 127) return 1;
  if (entry < 16383) return 2;
  if (entry < 2097151) return 3;
  if (entry < 268435455) return 4;
  return 5;
}

void write_back_length(uint8_t* out, size_t entry) {
  const size_t count = back_length_bytes(entry);
  if (count == 1) {
    out[0] = static_cast<uint8_t>(entry);
    return;
  }
  for (size_t i = count; i-- > 0;) {
    out[i] = static_cast<uint8_t>((entry & 127) | (i == 0 ? 0 : 128));
    entry >>= 7;
  }
}

// An element in its encoding: `head`, then `body`, then the back length.
struct EncodedEntry {
  explicit EncodedEntry(int64_t number) { encode_integer(number); }
  explicit EncodedEntry(std::string_view text) {
    int64_t number;
    if (text.size() <= kNumberCharsMax && parse_int64(text, &number)) {
      encode_integer(number);
      return;
    }
    body = text;
    const size_t size = text.size();
    if (size < 64) {
      put_head(static_cast<uint8_t>(0x80 | size), 0, 0);
    } else if (size < 4096) {
      put_head(static_cast<uint8_t>(0xE0 | (size >> 8)), size & 0xFF, 1);
    } else {
      put_head(kString32, size, 4);
    }
  }

  size_t content_bytes() const { return head_bytes + body.size(); }
  size_t bytes() const { return content_bytes() + back_length_bytes(content_bytes()); }
  void write(uint8_t* out) const {
    // Nearly always one or two bytes: not worth a call.
    out[0] = head[0];
    if (head_bytes > 1) out[1] = head[1];
    if (head_bytes > 2) std::memcpy(out + 2, head + 2, head_bytes - 2);
    if (!body.empty()) std::memcpy(out + head_bytes, body.data(), body.size());
    write_back_length(out + content_bytes(), content_bytes());
  }

  uint8_t head[9];
  size_t head_bytes = 0;
  std::string_view body;

 private:
  void put_head(uint8_t code, uint64_t payload, size_t payload_bytes) {
    head[0] = code;
    std::memcpy(head + 1, &payload, payload_bytes);
    head_bytes = 1 + payload_bytes;
  }
  void encode_integer(int64_t number) {
    const auto bits = static_cast<uint64_t>(number);
    if (number >= 0 && number <= 127) {
      put_head(static_cast<uint8_t>(number), 0, 0);
    } else if (number >= -4096 && number <= 4095) {
      put_head(static_cast<uint8_t>(0xC0 | ((bits >> 8) & 0x1F)), bits & 0xFF, 1);
    } else if (number >= INT16_MIN && number <= INT16_MAX) {
      put_head(kInteger16, bits, 2);
    } else if (number >= -(1 << 23) && number < (1 << 23)) {
      put_head(kInteger16 + 1, bits, 3);
    } else if (number >= INT32_MIN && number <= INT32_MAX) {
      put_head(kInteger16 + 2, bits, 4);
    } else {
      put_head(kInteger16 + 3, bits, 8);
    }
  }
};

// Bytes of encoding and data of the entry at `entry`, of which `available` may be read. 0 for an invalid or cut one.
uint64_t checked_content_bytes(const uint8_t* entry, size_t available) {
  static constexpr uint8_t kIntegerBytes[] = {3, 4, 5, 9};
  const uint8_t code = entry[0];
  if (code < 0x80) return 1;
  if (code < 0xC0) return 1u + (code & 0x3F);
  if (code < 0xE0) return 2;
  if (code < 0xF0) return available < 2 ? 0 : 2u + ((code & 0x0Fu) << 8 | entry[1]);
  if (code == kString32) {
    uint32_t size;
    if (available < 5) return 0;
    std::memcpy(&size, entry + 1, sizeof(size));
    return 5 + uint64_t{size};
  }
  return code <= 0xF4 ? kIntegerBytes[code - kInteger16] : 0;
}

// The back length that ends at `last`. Corrupt ones cannot occur in a validated pack.
size_t read_back_length(const uint8_t* last, size_t* bytes) {
  size_t value = 0;
  unsigned shift = 0;
  const uint8_t* at = last;
  while (true) {
    value |= static_cast<size_t>(*at & 127) << shift;
    if (!(*at & 128) || shift >= 28) break;
    shift += 7;
    --at;
  }
  *bytes = static_cast<size_t>(last - at) + 1;
  return value;
}

}  // namespace

std::string_view ListpackValue::text(Scratch& scratch) const {
  if (!is_integer()) return {data, size};
  return {scratch, format_int64(scratch, integer)};
}

std::string ListpackValue::to_string() const {
  Scratch scratch;
  return std::string(text(scratch));
}

bool ListpackValue::equals(std::string_view other) const {
  if (!is_integer()) return std::string_view(data, size) == other;
  int64_t number;
  return other.size() <= kNumberCharsMax && parse_int64(other, &number) && number == integer;
}

bool ListpackValue::to_integer(int64_t* out) const {
  if (!is_integer()) return parse_int64({data, size}, out);
  *out = integer;
  return true;
}

ListpackMatcher::ListpackMatcher(std::string_view wanted)
    : wanted_(wanted), is_integer_(wanted.size() <= kNumberCharsMax && parse_int64(wanted, &integer_)) {}

ListpackView::Position ListpackView::skip_long(Position at) const {
  const uint64_t content = checked_content_bytes(data_ + at, SIZE_MAX);
  SYNAP_DCHECK(content != 0);
  return static_cast<Position>(at + content + back_length_bytes(content));
}

ListpackView::Position ListpackView::prev(Position at) const {
  if (at == kHeaderBytes) return kNone;
  size_t back_bytes;
  const size_t content = read_back_length(data_ + at - 1, &back_bytes);
  return static_cast<Position>(at - back_bytes - content);
}

// What read() does not know itself: the longer integers and the longest strings.
ListpackValue ListpackView::read_long(Position at, Position* after) const {
  const uint8_t* entry = data_ + at;
  const uint8_t code = entry[0];
  ListpackValue value;
  uint64_t content;
  if (code == kString32) {
    uint32_t size;
    std::memcpy(&size, entry + 1, sizeof(size));
    value.data = reinterpret_cast<const char*>(entry + 5);
    value.size = size;
    content = 5 + uint64_t{size};
  } else {
    const auto load = [entry](auto number, size_t from) {
      std::memcpy(&number, entry + from, sizeof(number));
      return number;
    };
    switch (code - kInteger16) {
      case 0:
        value.integer = load(int16_t{}, 1);
        content = 3;
        break;
      case 1:
        value.integer = load(int8_t{}, 3) * 65536 + load(uint16_t{}, 1);
        content = 4;
        break;
      case 2:
        value.integer = load(int32_t{}, 1);
        content = 5;
        break;
      default:
        value.integer = load(int64_t{}, 1);
        content = 9;
    }
  }
  const auto behind = static_cast<Position>(at + content + back_length_bytes(content));
  *after = data_[behind] == kEnd ? kNone : behind;
  return value;
}

size_t ListpackView::count_by_walking() const {
  size_t count = 0;
  for (Position at = first(); at != kNone; at = next(at)) ++count;
  return count;
}

ListpackView::Position ListpackView::seek(int64_t index) const {
  const uint16_t count = header_count();
  bool from_tail = index < 0;
  if (count != kCountUnknown) {
    if (from_tail) index += count;
    if (index < 0 || index >= count) return kNone;
    from_tail = index > count / 2;
    if (from_tail) index -= count;
  }
  Position at = from_tail ? last() : first();
  if (from_tail) {
    for (; ++index < 0 && at != kNone;) at = prev(at);
  } else {
    for (; index-- > 0 && at != kNone;) at = next(at);
  }
  return at;
}

ListpackView::Position ListpackView::find(std::string_view needle, Position from, unsigned skip_count) const {
  enum { kUntried, kNumber, kText } kind = kUntried;
  int64_t number = 0;
  Position after;
  for (Position at = from; at != kNone; at = after) {
    const ListpackValue value = read(at, &after);
    if (!value.is_integer()) {
      if (std::string_view(value.data, value.size) == needle) return at;
    } else {
      if (kind == kUntried) kind = needle.size() <= kNumberCharsMax && parse_int64(needle, &number) ? kNumber : kText;
      if (kind == kNumber && value.integer == number) return at;
    }
    for (unsigned i = 0; i < skip_count && after != kNone; ++i) after = next(after);
  }
  return kNone;
}

bool ListpackView::validate(std::string_view bytes, bool deep, const EntryCheck& check) {
  if (bytes.size() < kHeaderBytes + 1 || bytes.size() > UINT32_MAX) return false;
  const ListpackView view(reinterpret_cast<const uint8_t*>(bytes.data()));
  if (view.bytes() != bytes.size() || view.data_[bytes.size() - 1] != kEnd) return false;
  if (!deep) return true;

  size_t count = 0;
  size_t at = kHeaderBytes;
  const size_t end = bytes.size() - 1;
  while (at < end) {
    const uint64_t content = checked_content_bytes(view.data_ + at, end - at);
    if (content == 0) return false;
    const uint64_t entry = content + back_length_bytes(content);
    if (entry > end - at) return false;
    uint8_t expected[5];
    write_back_length(expected, content);
    if (std::memcmp(expected, view.data_ + at + content, entry - content) != 0) return false;
    if (check && !check(view.get(static_cast<Position>(at)), view.header_count())) return false;
    at += entry;
    ++count;
  }
  return view.header_count() == kCountUnknown || view.header_count() == count;
}

size_t ListpackView::entry_bytes_for(std::string_view text) {
  return EncodedEntry(text).bytes();
}
size_t ListpackView::entry_bytes_for(int64_t number) {
  return EncodedEntry(number).bytes();
}

void ListpackView::random_with_repeats(Random& random, size_t count, unsigned stride,
                                       std::vector<Position>* out) const {
  const size_t groups = length() / stride;
  if (groups == 0) return;
  std::vector<std::pair<size_t, size_t>> picks(count);  // group, place in the answer
  for (size_t i = 0; i < count; ++i) picks[i] = {random.below(groups), i};
  std::sort(picks.begin(), picks.end());
  const size_t base = out->size();
  out->resize(base + count);
  size_t group = 0;
  Position at = first();
  for (const auto& [picked, place] : picks) {
    for (; group < picked; ++group) {
      for (unsigned i = 0; i < stride; ++i) at = next(at);
    }
    (*out)[base + place] = at;
  }
}

void ListpackView::random_unique(Random& random, size_t count, unsigned stride, std::vector<Position>* out) const {
  const size_t groups = length() / stride;
  size_t wanted = std::min(count, groups);
  size_t left = groups;
  for (Position at = first(); wanted > 0; --left) {
    // Selection sampling: each of the `left` groups still ahead is equally likely to be among the `wanted`.
    if (random.below(left) < wanted) {
      out->push_back(at);
      --wanted;
    }
    for (unsigned i = 0; i < stride && at != kNone; ++i) at = next(at);
  }
}

Listpack::Listpack() : data_(block_allocate(ListpackView::kHeaderBytes + 1)) {
  set_header(ListpackView::kHeaderBytes + 1, 0);
  data_[ListpackView::kHeaderBytes] = ListpackView::kEnd;
}

Listpack Listpack::copy_of(std::string_view bytes) {
  uint8_t* block = block_allocate(bytes.size());
  std::memcpy(block, bytes.data(), bytes.size());
  return Listpack(block);
}

void Listpack::set_header(size_t bytes, size_t count) {
  const auto total = static_cast<uint32_t>(bytes);
  const auto stored_count = static_cast<uint16_t>(std::min<size_t>(count, ListpackView::kCountUnknown));
  std::memcpy(data_, &total, sizeof(total));
  std::memcpy(data_ + sizeof(total), &stored_count, sizeof(stored_count));
}

// Replaces `removed_bytes` at `at` by room for `added_bytes` and brings the header up to date. An unknown count stays
// unknown, as in Redis: only a walk could tell.
void Listpack::splice(Position at, size_t removed_bytes, size_t added_bytes, int64_t count_change) {
  const size_t old_bytes = bytes();
  const size_t new_bytes = old_bytes - removed_bytes + added_bytes;
  SYNAP_ASSERT(new_bytes <= UINT32_MAX);
  const size_t tail_bytes = old_bytes - at - removed_bytes;
  if (added_bytes == removed_bytes && count_change == 0) return;
  if (new_bytes > old_bytes) data_ = block_resize(data_, old_bytes, new_bytes);
  std::memmove(data_ + at + added_bytes, data_ + at + removed_bytes, tail_bytes);
  if (new_bytes < old_bytes) data_ = block_resize(data_, old_bytes, new_bytes);
  size_t count = view().header_count();
  if (count != ListpackView::kCountUnknown) count = static_cast<size_t>(static_cast<int64_t>(count) + count_change);
  set_header(new_bytes, count);
}

void Listpack::insert_before(Position at, std::string_view text) {
  const EncodedEntry entry(text);
  splice(at, 0, entry.bytes(), 1);
  entry.write(data_ + at);
}

void Listpack::insert_before_integer(Position at, int64_t number) {
  const EncodedEntry entry(number);
  splice(at, 0, entry.bytes(), 1);
  entry.write(data_ + at);
}

Listpack::Position Listpack::insert_after(Position at, std::string_view text) {
  const Position after = view().skip(at);
  insert_before(after, text);
  return after;
}

void Listpack::replace(Position at, std::string_view text) {
  const EncodedEntry entry(text);
  splice(at, view().entry_bytes(at), entry.bytes(), 0);
  entry.write(data_ + at);
}

void Listpack::replace_integer(Position at, int64_t number) {
  const EncodedEntry entry(number);
  splice(at, view().entry_bytes(at), entry.bytes(), 0);
  entry.write(data_ + at);
}

void Listpack::append_many(std::span<const std::string_view> texts) {
  size_t added = 0;
  for (const std::string_view text : texts) added += ListpackView::entry_bytes_for(text);
  Position at = view().end();
  splice(at, 0, added, static_cast<int64_t>(texts.size()));
  for (const std::string_view text : texts) {
    const EncodedEntry entry(text);
    entry.write(data_ + at);
    at += static_cast<Position>(entry.bytes());
  }
}

void Listpack::append_values(std::span<const ListpackValue> values) {
  constexpr size_t kBatch = 16;
  std::array<std::optional<EncodedEntry>, kBatch> entries;
  for (size_t first = 0; first < values.size(); first += kBatch) {
    const std::span<const ListpackValue> batch = values.subspan(first, std::min(kBatch, values.size() - first));
    size_t added = 0;
    for (size_t i = 0; i < batch.size(); ++i) {
      const ListpackValue& value = batch[i];
      value.is_integer() ? entries[i].emplace(value.integer)
                         : entries[i].emplace(std::string_view(value.data, value.size));
      added += entries[i]->bytes();
    }
    Position at = view().end();
    splice(at, 0, added, static_cast<int64_t>(batch.size()));
    for (size_t i = 0; i < batch.size(); ++i) {
      entries[i]->write(data_ + at);
      at += static_cast<Position>(entries[i]->bytes());
    }
  }
}

void Listpack::append_pack(ListpackView other) {
  const std::string_view entries = other.raw().substr(ListpackView::kHeaderBytes);
  const Position at = view().end();
  splice(at, 0, entries.size() - 1, static_cast<int64_t>(other.length()));
  std::memcpy(data_ + at, entries.data(), entries.size() - 1);
}

void Listpack::prepend_pack(ListpackView other) {
  const std::string_view entries = other.raw().substr(ListpackView::kHeaderBytes);
  splice(ListpackView::kHeaderBytes, 0, entries.size() - 1, static_cast<int64_t>(other.length()));
  std::memcpy(data_ + ListpackView::kHeaderBytes, entries.data(), entries.size() - 1);
}

Listpack::Position Listpack::erase(Position at, size_t count) {
  const Position end = view().end();
  Position after = at;
  size_t removed = 0;
  for (; removed < count && after != end; ++removed) after = view().skip(after);
  splice(at, after - at, 0, -static_cast<int64_t>(removed));
  return data_[at] == ListpackView::kEnd ? kNone : at;
}

void Listpack::erase_range(int64_t index, size_t count) {
  if (count == 0) return;
  const Position at = view().seek(index);
  if (at != kNone) erase(at, count);
}

void Listpack::erase_many(std::span<const Position> positions) {
  if (positions.empty()) return;
  const size_t old_bytes = bytes();
  size_t write_at = positions.front();
  for (size_t i = 0; i < positions.size(); ++i) {
    const size_t keep_from = view().skip(positions[i]);
    const size_t keep_to = i + 1 < positions.size() ? positions[i + 1] : old_bytes;
    std::memmove(data_ + write_at, data_ + keep_from, keep_to - keep_from);
    write_at += keep_to - keep_from;
  }
  size_t count = view().header_count();
  if (count != ListpackView::kCountUnknown) count -= positions.size();
  data_ = block_resize(data_, old_bytes, write_at);
  set_header(write_at, count);
}

Listpack Listpack::split_off(Position at) {
  const size_t old_bytes = bytes();
  const size_t tail_bytes = old_bytes - at;
  size_t tail_count = 0;
  const Position end = view().end();
  for (Position i = at; i != end; i = view().skip(i)) ++tail_count;
  const size_t count = view().length();

  Listpack tail(block_allocate(ListpackView::kHeaderBytes + tail_bytes));
  std::memcpy(tail.data_ + ListpackView::kHeaderBytes, data_ + at, tail_bytes);
  tail.set_header(ListpackView::kHeaderBytes + tail_bytes, tail_count);
  data_[at] = ListpackView::kEnd;
  data_ = block_resize(data_, old_bytes, size_t{at} + 1);
  set_header(size_t{at} + 1, count - tail_count);
  return tail;
}

}  // namespace synap
