// StreamBlock: a run of stream entries in one listpack, in exactly Redis's bytes, because RDB files and DUMP payloads
// carry them unchanged. Layout:
//   master:  live-count, deleted-count, field-count, field…, 0
//   entry:   flags, ms-delta, seq-delta, [field-count, field, value, … | value, …], element-count
// The second entry form (kSameFields) takes its field names from the master. The element-count of an entry, without
// itself, lets a reader walk backwards; the master's 0 stops it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "datatypes/encoding/listpack.h"
#include "datatypes/stream/stream_id.h"

namespace synap {

struct StreamBlockLimits {
  size_t bytes_max = 4096;   // stream-node-max-bytes, 0: no limit but the listpack's
  size_t entries_max = 100;  // stream-node-max-entries, 0: no limit
};

// Flags of an entry.
inline constexpr int64_t kStreamEntryDeleted = 1;
inline constexpr int64_t kStreamEntrySameFields = 2;

// A record of the stream's block index. The index owns `pack` (a Listpack's block); `id` is the master id.
struct StreamBlock {
  StreamId id;
  uint8_t* pack;

  ListpackView view() const { return ListpackView(pack); }
};

// The master entry, decoded.
struct StreamBlockHead {
  explicit StreamBlockHead(ListpackView pack);

  int64_t live_count;
  int64_t deleted_count;
  int64_t field_count;
  ListpackView::Position deleted_at;  // place of the deleted count
  ListpackView::Position fields_at;   // first field name, or the closing 0
  ListpackView::Position close_at;    // the closing 0
};

// One entry while a cursor stands on it; its fields are read once, in order.
class StreamEntry {
 public:
  StreamId id;
  int64_t field_count = 0;

  bool deleted() const { return (flags_ & kStreamEntryDeleted) != 0; }
  // The next pair. The views live until the next call (integers are written to this object) or the next change.
  void next_field(std::string_view* field, std::string_view* value);

 private:
  friend class StreamBlockCursor;

  const uint8_t* pack_ = nullptr;
  int64_t flags_ = 0;
  ListpackView::Position flags_at_ = 0;
  ListpackView::Position next_element_at_ = 0;  // next unread element
  ListpackView::Position next_master_field_at_ = 0;
  ListpackValue::Scratch field_text_;
  ListpackValue::Scratch value_text_;
};

// Walks the entries of one block, tombstones included, in either direction.
class StreamBlockCursor {
 public:
  StreamBlockCursor() = default;
  StreamBlockCursor(const StreamBlock& block, bool reverse);

  // False: no more.
  bool next(StreamEntry* entry);
  // Place of `entry`'s flags in its block, for stream_block_mark_deleted.
  static ListpackView::Position flags_at(const StreamEntry& entry) { return entry.flags_at_; }

 private:
  StreamId master_;
  const uint8_t* pack_ = nullptr;
  int64_t master_field_count_ = 0;
  ListpackView::Position master_fields_at_ = 0;
  // Forward: flags of the next entry. Backward: element-count (or the master's 0) of the next one.
  ListpackView::Position at_ = 0;
  bool reverse_ = false;
};

using StreamFields = std::span<const std::string_view>;  // field, value, field, value, …

// A new block with one entry, `id`.
StreamBlock stream_block_create(const StreamId& id, StreamFields fields);
// Whether one more entry with `text_bytes` of fields and values belongs in this block, not in a new one.
bool stream_block_accepts(const StreamBlock& block, size_t text_bytes, const StreamBlockLimits& limits);
void stream_block_append(StreamBlock* block, const StreamId& id, StreamFields fields);
// Turns the live entries with these flags (StreamBlockCursor::flags_at) into tombstones.
void stream_block_mark_deleted(StreamBlock* block, std::span<const ListpackView::Position> flags_at);
int64_t stream_block_live_count(const StreamBlock& block);
// The id of the last entry, tombstones included. False: no entries.
bool stream_block_last_id(const StreamBlock& block, StreamId* id);

// Whether these bytes from outside can be a block: everything a cursor trusts, and counts that agree with the flags.
bool stream_block_validate(std::string_view bytes);

}  // namespace synap
