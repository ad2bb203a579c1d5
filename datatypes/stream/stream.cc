#include "datatypes/stream/stream.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>
#include <vector>

#include "server/base/assert.h"

namespace synap {

namespace {

// Redis refuses entries whose texts sum to more than a listpack may hold.
constexpr size_t kEntryTextBytesMax = ListpackView::kBytesMax;

size_t text_bytes_of(StreamFields fields) {
  size_t bytes = 0;
  for (const std::string_view text : fields) bytes += text.size();
  return bytes;
}

// The position of the first differing byte of two ids in Redis's radix tree, where ids are 16 big-endian bytes.
int common_prefix_bytes(const StreamId& a, const StreamId& b) {
  if (a.ms != b.ms) return std::countl_zero(a.ms ^ b.ms) / 8;
  return 8 + std::countl_zero(a.seq ^ b.seq) / 8;
}

}  // namespace

Stream::Body::~Body() {
  for (auto at = blocks.begin(); at != blocks.end(); at = blocks.next(at)) std::free(blocks[at].pack);
}

const Stream::Body& Stream::empty_body() {
  static const Body kEmpty;
  return kEmpty;
}

Stream Stream::copy() const {
  Stream result;
  if (body_ == nullptr) return result;
  Body& twin = result.change();
  for (auto at = body_->blocks.begin(); at != body_->blocks.end(); at = body_->blocks.next(at)) {
    const StreamBlock& block = body_->blocks[at];
    twin.blocks.append({block.id, Listpack::copy_of(block.view().raw()).release()});
  }
  twin.pack_bytes = body_->pack_bytes;
  twin.length = body_->length;
  twin.entries_added = body_->entries_added;
  twin.first_id = body_->first_id;
  twin.last_id = body_->last_id;
  twin.max_deleted_id = body_->max_deleted_id;
  for (const auto& [name, group] : body_->groups) twin.groups.emplace(name, group.copy());
  return result;
}

Result<StreamId> Stream::next_id(const StreamIdRequest& request, int64_t now_ms) const {
  StreamId id = request.id;
  if (request.kind == StreamIdRequest::Kind::kAuto) {
    id = {static_cast<uint64_t>(now_ms), 0};
    if (id.ms <= last_id().ms) {  // the clock stands still or went back
      id = last_id();
      id.increment();
    }
  } else if (request.kind == StreamIdRequest::Kind::kAutoSeq && id.ms == last_id().ms) {
    if (last_id().seq == UINT64_MAX) return StatusCode::kOutOfRange;
    id.seq = last_id().seq + 1;
  }
  if (id <= last_id()) return StatusCode::kOutOfRange;
  return id;
}

bool Stream::fits(StreamFields fields) {
  return text_bytes_of(fields) <= kEntryTextBytesMax;
}

void Stream::append(const StreamId& id, StreamFields fields, const StreamBlockLimits& limits) {
  SYNAP_DCHECK(id > last_id());
  const size_t text_bytes = text_bytes_of(fields);
  change();
  Blocks& blocks = body_->blocks;
  if (!blocks.empty() && stream_block_accepts(blocks.back(), text_bytes, limits)) {
    StreamBlock& tail = blocks[blocks.last()];
    body_->pack_bytes -= tail.view().memory_bytes();
    stream_block_append(&tail, id, fields);
  } else {
    blocks.append(stream_block_create(id, fields));
  }
  body_->pack_bytes += blocks.back().view().memory_bytes();
  ++body_->entries_added;
  body_->last_id = id;
  if (++body_->length == 1) body_->first_id = id;
}

bool Stream::contains(const StreamId& id) const {
  return StreamCursor(*this, id, id).next();
}

bool Stream::erase(const StreamId& id) {
  StreamCursor cursor(*this, id, id);
  if (!cursor.next()) return false;
  StreamBlock& block = body_->blocks[cursor.block_];
  if (stream_block_live_count(block) == 1) {
    remove_block(cursor.block_);
  } else {
    const ListpackView::Position flags_at = StreamBlockCursor::flags_at(cursor.entry_);
    body_->pack_bytes -= block.view().memory_bytes();
    stream_block_mark_deleted(&block, {&flags_at, 1});
    body_->pack_bytes += block.view().memory_bytes();
  }
  --body_->length;
  if (id > body_->max_deleted_id) body_->max_deleted_id = id;
  if (id == body_->first_id || body_->length == 0) refresh_first_id();
  return true;
}

uint64_t Stream::trim(const StreamTrim& how, StreamId* reached) {
  if (body_ == nullptr) return 0;
  if (how.references != StreamReferences::kKeep) return trim_by_references(how, reached);
  using Strategy = StreamTrim::Strategy;
  Blocks& blocks = body_->blocks;
  uint64_t removed = 0;
  while (how.strategy != Strategy::kNone && !blocks.empty()) {
    if (how.strategy == Strategy::kMaxLen && length() <= how.length_max) break;
    StreamBlock& block = blocks[blocks.begin()];
    const auto live_count = static_cast<uint64_t>(stream_block_live_count(block));
    if (how.limit != 0 && removed + live_count > how.limit) break;
    StreamId block_last_id;
    const bool whole = how.strategy == Strategy::kMaxLen
                           ? length() - live_count >= how.length_max
                           : !stream_block_last_id(block, &block_last_id) || block_last_id < how.id_min;
    if (whole) {
      remove_block(blocks.begin());
      body_->length -= live_count;
      removed += live_count;
      continue;
    }
    if (!how.approximate) removed += trim_inside_block(&block, how);
    break;
  }
  if (removed > 0) refresh_first_id();
  return removed;
}

// Block by block as trim(), but entry by entry inside: some stay, or are pending in groups. Entries that stay do not end
// it, so later ones may go instead.
uint64_t Stream::trim_by_references(const StreamTrim& how, StreamId* reached) {
  const bool by_length = how.strategy == StreamTrim::Strategy::kMaxLen;
  const StreamId deleted_before = max_deleted_id();
  uint64_t removed = 0;
  StreamId from = StreamId::min();
  std::vector<StreamId> doomed;
  while (how.strategy != StreamTrim::Strategy::kNone) {
    const Blocks::Position at = body_->blocks.lower_bound(from);
    if (at == body_->blocks.end() || (by_length && length() <= how.length_max)) break;
    const StreamBlock& block = body_->blocks[at];
    const auto live_count = static_cast<uint64_t>(stream_block_live_count(block));
    if (how.limit != 0 && removed + live_count > how.limit) break;
    StreamId block_last_id;
    const bool whole = by_length ? length() - live_count >= how.length_max
                                 : !stream_block_last_id(block, &block_last_id) || block_last_id < how.id_min;
    if (!whole && (how.approximate || (!by_length && block.id >= how.id_min))) break;
    doomed.clear();
    from = block.id;
    const bool is_last = !from.increment();
    StreamBlockCursor cursor(block, false);
    for (StreamEntry entry; cursor.next(&entry);) {
      if (by_length ? length() - doomed.size() <= how.length_max : entry.id >= how.id_min) break;
      const bool stays = how.references == StreamReferences::kOnlyAcknowledged && referenced_by_groups(entry.id);
      if (!entry.deleted() && !stays) doomed.push_back(entry.id);
    }
    for (const StreamId& id : doomed) {
      if (how.references == StreamReferences::kDelete) forget_references(id);
      erase(id);
    }
    removed += doomed.size();
    if (is_last) break;
  }
  set_max_deleted_id(deleted_before);  // trimming does not count as deleting
  if (reached != nullptr) {
    const Blocks::Position at = body_->blocks.lower_bound(from);
    *reached = last_id();
    if (at != body_->blocks.end()) {
      *reached = body_->blocks[at].id;
    } else if (!reached->increment()) {
      *reached = StreamId::max();
    }
  }
  return removed;
}

uint64_t Stream::trim_inside_block(StreamBlock* block, const StreamTrim& how) {
  std::vector<ListpackView::Position> doomed;
  StreamBlockCursor cursor(*block, false);
  StreamEntry entry;
  while (cursor.next(&entry)) {
    const bool stop = how.strategy == StreamTrim::Strategy::kMaxLen ? length() - doomed.size() <= how.length_max
                                                                    : entry.id >= how.id_min;
    if (stop) break;
    if (!entry.deleted()) doomed.push_back(StreamBlockCursor::flags_at(entry));
  }
  if (doomed.empty()) return 0;
  body_->pack_bytes -= block->view().memory_bytes();
  stream_block_mark_deleted(block, doomed);
  body_->pack_bytes += block->view().memory_bytes();
  body_->length -= doomed.size();
  return doomed.size();
}

void Stream::remove_block(Blocks::Position at) {
  StreamBlock& block = body_->blocks[at];
  body_->pack_bytes -= block.view().memory_bytes();
  std::free(block.pack);
  body_->blocks.erase(at);
}

void Stream::refresh_first_id() {
  body_->first_id = {};
  if (length() == 0) return;
  StreamCursor cursor(*this, StreamId::min(), StreamId::max());
  body_->first_id = cursor.next() ? cursor.entry().id : StreamId::max();
}

bool Stream::last_entry_id(StreamId* id) const {
  StreamCursor cursor(*this, StreamId::min(), StreamId::max(), StreamCursor::Direction::kReverse);
  if (!cursor.next()) return false;
  *id = cursor.entry().id;
  return true;
}

StreamId Stream::first_recorded_id() const {
  StreamCursor cursor(*this, StreamId::min(), StreamId::max(), StreamCursor::Direction::kForward, true);
  return cursor.next() ? cursor.entry().id : StreamId::max();
}

uint64_t Stream::estimate_count(const StreamId& start, const StreamId& end) const {
  if (start > end || blocks().empty()) return 0;
  const auto first = blocks().last_at_or_before(start);
  const auto last = blocks().last_at_or_before(end);
  if (last == blocks().end()) return 0;
  const uint64_t first_rank = first == blocks().end() ? 0 : Blocks::rank_estimate(first);
  const uint64_t block_count = std::min<uint64_t>(Blocks::rank_estimate(last) - first_rank + 1, blocks().size());
  return block_count * (length() / blocks().size() + 1);
}

const ConsumerGroup* Stream::find_group(std::string_view name) const {
  const auto found = groups().find(name);
  return found == groups().end() ? nullptr : &found->second;
}

ConsumerGroup* Stream::create_group(std::string_view name, const StreamId& last_id, int64_t entries_read) {
  const auto [place, created] = change().groups.try_emplace(std::string(name), last_id, entries_read);
  return created ? &place->second : nullptr;
}

bool Stream::destroy_group(std::string_view name) {
  if (body_ == nullptr) return false;
  const auto found = body_->groups.find(name);
  if (found == body_->groups.end()) return false;
  body_->groups.erase(found);
  return true;
}

void Stream::advance_group(ConsumerGroup* group, const StreamId& id) const {
  if (group->entries_read != ConsumerGroup::kEntriesReadUnknown && !range_has_tombstones(id)) {
    ++group->entries_read;
  } else if (entries_added() > 0) {
    group->entries_read = estimate_entries_read(id);
  }
  group->last_id = id;
}

// Whether an entry at or after `start` was deleted by XDEL while entries before it remain, so counting is off.
bool Stream::range_has_tombstones(const StreamId& start) const {
  if (length() == 0 || max_deleted_id().is_zero()) return false;
  return first_id() <= max_deleted_id() && start <= max_deleted_id();
}

std::optional<int64_t> Stream::group_lag(const ConsumerGroup& group) const {
  if (entries_added() == 0) return 0;
  const auto added = static_cast<int64_t>(entries_added());
  int64_t read = group.entries_read;
  if (read == ConsumerGroup::kEntriesReadUnknown || range_has_tombstones(group.last_id)) {
    read = estimate_entries_read(group.last_id);
    if (read == ConsumerGroup::kEntriesReadUnknown) return std::nullopt;
  }
  return added - read;
}

int64_t Stream::estimate_entries_read(const StreamId& id) const {
  const auto added = static_cast<int64_t>(entries_added());
  if (added == 0) return 0;
  if (length() == 0 && id <= last_id()) return added;
  if (id == last_id()) return added;
  if (id > last_id()) return ConsumerGroup::kEntriesReadUnknown;
  if (max_deleted_id().is_zero() || max_deleted_id() < first_id()) {
    if (id < first_id()) return added - static_cast<int64_t>(length());
    if (id == first_id()) return added - static_cast<int64_t>(length()) + 1;
  }
  return ConsumerGroup::kEntriesReadUnknown;
}

bool Stream::referenced_by_groups(const StreamId& id) const {
  for (const auto& [name, group] : groups()) {
    if (id > group.last_id || group.find_pending(id) != nullptr) return true;
  }
  return false;
}

bool Stream::forget_references(const StreamId& id) {
  bool found = false;
  if (body_ == nullptr) return false;
  for (auto& [name, group] : body_->groups) found |= group.acknowledge(id);
  return found;
}

bool Stream::load_block(const StreamId& master_id, std::string_view listpack) {
  if (!stream_block_validate(listpack)) return false;
  const StreamBlock block{master_id, Listpack::copy_of(listpack).release()};
  if (!change().blocks.insert(block)) {
    std::free(block.pack);
    return false;
  }
  body_->pack_bytes += block.view().memory_bytes();
  body_->length += static_cast<uint64_t>(stream_block_live_count(block));
  return true;
}

bool Stream::load_totals(const Totals& totals) {
  if (totals.length != length()) return false;
  if (!blocks().empty() && blocks().back().id > totals.last_id) return false;
  change();
  body_->first_id = totals.first_id;
  body_->last_id = totals.last_id;
  body_->max_deleted_id = totals.max_deleted_id;
  body_->entries_added = totals.entries_added;
  return true;
}

Stream::Totals Stream::totals_before_redis7(uint64_t length, const StreamId& last_id) const {
  Totals totals{.length = length, .first_id = {}, .last_id = last_id, .max_deleted_id = {}, .entries_added = length};
  StreamCursor cursor(*this, StreamId::min(), StreamId::max());
  if (cursor.next()) totals.first_id = cursor.entry().id;
  return totals;
}

uint64_t Stream::relocate(uint64_t cursor, size_t count, BlockMover& mover) {
  if (body_ == nullptr) return 0;
  if (cursor == 0) {
    for (auto& [name, group] : body_->groups) group.relocate(mover);
  }
  return body_->blocks.move_arrays(static_cast<uint32_t>(cursor), count, mover,
                                   [&mover](StreamBlock& block) { block.pack = mover.moved(block.pack); });
}

size_t Stream::memory_bytes() const {
  constexpr size_t kNodeBytes = 4 * sizeof(void*) + sizeof(Groups::value_type);
  size_t bytes = sizeof(Body) + blocks().memory_bytes() + body().pack_bytes;
  for (const auto& [name, group] : groups()) {
    bytes += kNodeBytes + (name.size() > 15 ? name.capacity() + 1 : 0) + group.memory_bytes();
  }
  return bytes;
}

size_t Stream::free_effort() const {
  size_t effort = 1 + blocks().size();
  for (const auto& [name, group] : groups()) effort += 1 + group.consumers().size() + group.pending().size() / 64;
  return effort;
}

uint64_t Stream::radix_tree_nodes() const {
  constexpr int kKeyBytes = 16;
  const Blocks& blocks = body().blocks;
  if (blocks.empty()) return 1;
  // Depths of the branching nodes above the current leaf. A node with one child spans the bytes between two of
  // them, if any; a leaf is a node, too.
  std::vector<int> branches;
  uint64_t nodes = 0;
  const auto close = [&](int depth) { nodes += 1 + (depth > (branches.empty() ? 0 : branches.back() + 1)); };
  const StreamId* previous = nullptr;
  for (auto at = blocks.begin(); at != blocks.end(); at = blocks.next(at)) {
    const StreamId& id = blocks[at].id;
    if (previous != nullptr) {
      const int depth = common_prefix_bytes(*previous, id);
      // The previous leaf hangs under the deeper of its two neighbours' branches.
      if (branches.empty() || branches.back() < depth) branches.push_back(depth);
      close(kKeyBytes);
      while (branches.back() > depth) {
        const int done = branches.back();
        branches.pop_back();
        if (branches.empty() || branches.back() < depth) branches.push_back(depth);
        close(done);
      }
    }
    previous = &id;
  }
  close(kKeyBytes);
  while (!branches.empty()) {
    const int done = branches.back();
    branches.pop_back();
    close(done);
  }
  return nodes;
}

StreamCursor::StreamCursor(const Stream& stream, const StreamId& start, const StreamId& end, Direction direction,
                           bool with_deleted)
    : blocks_(stream.blocks()),
      start_(start),
      end_(end),
      reverse_(direction == Direction::kReverse),
      with_deleted_(with_deleted) {
  next_block_ = blocks_.last_at_or_before(reverse_ ? end : start);
  if (next_block_ == blocks_.end() && !reverse_) next_block_ = blocks_.begin();
}

bool StreamCursor::next() {
  for (;;) {
    while (in_block_.next(&entry_)) {
      if (reverse_ ? entry_.id < start_ : entry_.id > end_) {
        next_block_ = blocks_.end();
        in_block_ = {};
        return false;
      }
      if (reverse_ ? entry_.id > end_ : entry_.id < start_) continue;
      if (with_deleted_ || !entry_.deleted()) return true;
    }
    if (next_block_ == blocks_.end()) return false;
    block_ = next_block_;
    next_block_ = reverse_ ? blocks_.previous(block_) : blocks_.next(block_);
    in_block_ = StreamBlockCursor(blocks_[block_], reverse_);
  }
}

}  // namespace synap
