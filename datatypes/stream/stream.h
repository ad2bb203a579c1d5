// Stream: an append-only log of entries with consumer groups; one pointer, because it lives inside a keyspace entry.
// An all-zero word is an empty stream. Entries sit in listpack blocks of Redis's bytes under a sorted index of master
// ids. The type knows ids, entries and groups; commands, replies and what is journaled are in the stream_*_commands.cc
// files. Const functions write nothing: readers may run in parallel.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "datatypes/stream/consumer_group.h"
#include "datatypes/stream/id_chunks.h"
#include "datatypes/stream/stream_block.h"
#include "datatypes/stream/stream_id.h"
#include "server/base/block_mover.h"
#include "server/base/status.h"

namespace synap {

// What XADD asks for: "*", "ms-*" or a full id.
struct StreamIdRequest {
  enum class Kind { kAuto, kAutoSeq, kExplicit };
  Kind kind = Kind::kAuto;
  StreamId id = {};
};

// What becomes of the groups' references to entries that go: left as they are, dropped, or only entries go that no group
// waits for.
enum class StreamReferences { kKeep, kDelete, kOnlyAcknowledged };

struct StreamTrim {
  enum class Strategy { kNone, kMaxLen, kMinId };
  Strategy strategy = Strategy::kNone;
  bool approximate = false;  // whole blocks only
  uint64_t limit = 0;        // entries removed at most; 0: no limit
  uint64_t length_max = 0;
  StreamId id_min = {};
  StreamReferences references = StreamReferences::kKeep;
};

class Stream {
 public:
  using Groups = std::map<std::string, ConsumerGroup, std::less<>>;  // in name order, as Redis lists them

  Stream() = default;
  ~Stream() = default;
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = default;
  Stream copy() const;

  uint64_t length() const { return body().length; }
  const StreamId& first_id() const { return body().first_id; }  // of the first live entry, or 0-0
  const StreamId& last_id() const { return body().last_id; }    // the last id ever given
  const StreamId& max_deleted_id() const { return body().max_deleted_id; }
  uint64_t entries_added() const { return body().entries_added; }

  // The id that an entry added now would get. kOutOfRange: not above the last id.
  Result<StreamId> next_id(const StreamIdRequest& request, int64_t now_ms) const;
  // Whether an entry of these texts fits a listpack.
  static bool fits(StreamFields fields);
  // `id` is above last_id(), and the fields fit.
  void append(const StreamId& id, StreamFields fields, const StreamBlockLimits& limits);
  bool contains(const StreamId& id) const;
  // XDEL of one id. False: no such entry.
  bool erase(const StreamId& id);
  // Returns how many entries went. Where references decide, `reached` is the id from which on none was looked at.
  uint64_t trim(const StreamTrim& how, StreamId* reached = nullptr);
  // The greatest id of an entry that is still there. False: no entries.
  bool last_entry_id(StreamId* id) const;
  // The id of the first entry, tombstones included; the greatest id when there is none (what XTRIM ~ propagates).
  StreamId first_recorded_id() const;

  // About how many entries lie from `start` to `end`, without visiting them.
  uint64_t estimate_count(const StreamId& start, const StreamId& end) const;

  // XSETID; the caller has checked the ids.
  void set_last_id(const StreamId& id) { change().last_id = id; }
  void set_entries_added(uint64_t count) { change().entries_added = count; }
  void set_max_deleted_id(const StreamId& id) { change().max_deleted_id = id; }

  const Groups& groups() const { return body().groups; }
  const ConsumerGroup* find_group(std::string_view name) const;
  ConsumerGroup* find_group(std::string_view name) {
    return const_cast<ConsumerGroup*>(std::as_const(*this).find_group(name));
  }
  // Null: there is one of this name.
  ConsumerGroup* create_group(std::string_view name, const StreamId& last_id, int64_t entries_read);
  bool destroy_group(std::string_view name);
  // Moves the group's last id on to `id`, which it is being given, and counts it.
  void advance_group(ConsumerGroup* group, const StreamId& id) const;
  // Entries added but not yet read by the group; nothing when deletions make that unknowable.
  std::optional<int64_t> group_lag(const ConsumerGroup& group) const;
  // How many entries were added up to `id`; kEntriesReadUnknown when that cannot be told.
  int64_t estimate_entries_read(const StreamId& id) const;
  // Whether a group still waits for this entry: has it pending, or has not been given it.
  bool referenced_by_groups(const StreamId& id) const;
  // Drops `id` from every group's pending entries. False: no group had it.
  bool forget_references(const StreamId& id);

  // For RDB: blocks in order; a loaded stream is built from load_block…, then load_totals, then groups.
  using Blocks = IdChunks<StreamBlock>;
  const Blocks& blocks() const { return body().blocks; }
  struct Totals {
    uint64_t length = 0;
    StreamId first_id = {};
    StreamId last_id = {};
    StreamId max_deleted_id = {};
    uint64_t entries_added = 0;
  };
  // False: not a stream block, or a second one with this master id.
  bool load_block(const StreamId& master_id, std::string_view listpack);
  // False: the blocks hold another number of entries or a block begins after the last id.
  bool load_totals(const Totals& totals);
  // The totals that old RDB types leave out, from the blocks and these two.
  Totals totals_before_redis7(uint64_t length, const StreamId& last_id) const;

  // Moves the blocks of memory it is made of from `cursor` on, those of about `count` listpacks. The next cursor, 0 at the end.
  uint64_t relocate(uint64_t cursor, size_t count, BlockMover& mover);

  size_t memory_bytes() const;
  // About how many allocations freeing takes.
  size_t free_effort() const;
  // Nodes that Redis's radix tree would have for these blocks (XINFO STREAM).
  uint64_t radix_tree_nodes() const;

 private:
  friend class StreamCursor;

  struct Body {
    Body() = default;
    ~Body();
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;

    Blocks blocks;
    size_t pack_bytes = 0;  // allocated for the blocks' listpacks
    uint64_t length = 0;
    uint64_t entries_added = 0;
    StreamId first_id = {};
    StreamId last_id = {};
    StreamId max_deleted_id = {};
    Groups groups;
  };

  static const Body& empty_body();
  const Body& body() const { return body_ == nullptr ? empty_body() : *body_; }
  Body& change() {
    if (body_ == nullptr) body_ = std::make_unique<Body>();
    return *body_;
  }

  bool range_has_tombstones(const StreamId& start) const;
  void remove_block(Blocks::Position at);
  uint64_t trim_inside_block(StreamBlock* block, const StreamTrim& how);
  uint64_t trim_by_references(const StreamTrim& how, StreamId* reached);
  void refresh_first_id();

  std::unique_ptr<Body> body_;
};
static_assert(sizeof(Stream) == 8);

// Walks the live entries with start <= id <= end, in either direction. A change of the stream ends its validity.
class StreamCursor {
 public:
  enum class Direction { kForward, kReverse };

  StreamCursor(const Stream& stream, const StreamId& start, const StreamId& end,
               Direction direction = Direction::kForward, bool with_deleted = false);

  bool next();
  StreamEntry& entry() { return entry_; }

 private:
  friend class Stream;

  const Stream::Blocks& blocks_;
  StreamId start_;
  StreamId end_;
  bool reverse_;
  bool with_deleted_;
  Stream::Blocks::Position next_block_;
  Stream::Blocks::Position block_;
  StreamBlockCursor in_block_;
  StreamEntry entry_;
};

}  // namespace synap
