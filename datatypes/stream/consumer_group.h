// ConsumerGroup: who of a group has been given which entries of a stream and has not acknowledged them yet.
// The group's pending records hold the facts (owner, time, count); a consumer's own list holds ids only, so the two
// agree by construction: every id in a consumer's list has a record in the group that names that consumer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "datatypes/stream/id_chunks.h"
#include "datatypes/stream/stream_id.h"
#include "server/base/block_mover.h"

namespace synap {

struct StreamConsumer;

struct PendingEntry {
  StreamId id;
  StreamConsumer* consumer;
  int64_t delivery_time_ms;
  uint64_t delivery_count;
};

struct PendingId {
  StreamId id;
};

struct StreamConsumer {
  static constexpr int64_t kNeverActive = -1;

  std::string_view name;  // the key in the group's map
  int64_t seen_time_ms = 0;
  int64_t active_time_ms = kNeverActive;
  IdChunks<PendingId> pending;
};

class ConsumerGroup {
 public:
  static constexpr int64_t kEntriesReadUnknown = -1;
  // In name order, as Redis lists them.
  using Consumers = std::map<std::string, StreamConsumer, std::less<>>;

  ConsumerGroup(const StreamId& last, int64_t entries) : last_id(last), entries_read(entries) {}
  ConsumerGroup(ConsumerGroup&&) = default;
  ConsumerGroup(const ConsumerGroup&) = delete;
  ConsumerGroup& operator=(const ConsumerGroup&) = delete;

  StreamId last_id;
  int64_t entries_read;  // kEntriesReadUnknown: the lag is computed another way, or not at all

  const Consumers& consumers() const { return consumers_; }
  const IdChunks<PendingEntry>& pending() const { return pending_; }

  const StreamConsumer* find_consumer(std::string_view name) const;
  StreamConsumer* find_consumer(std::string_view name) {
    return const_cast<StreamConsumer*>(std::as_const(*this).find_consumer(name));
  }
  // There is none of this name yet.
  StreamConsumer* create_consumer(std::string_view name, int64_t now_ms);
  // Forgets a consumer and all that is pending for it. Returns how many entries that were.
  size_t delete_consumer(std::string_view name);

  const PendingEntry* find_pending(const StreamId& id) const { return pending_.find(id); }
  // A delivery: a new record, or an old one (XGROUP SETID went back) taken over as if new.
  void deliver(const StreamId& id, StreamConsumer* consumer, int64_t now_ms);
  // A repeated delivery to the owner. `id` is pending.
  void redeliver(const StreamId& id, int64_t now_ms);
  // Sets owner, time and count (a claim); creates the record when there is none.
  void assign(const StreamId& id, StreamConsumer* consumer, int64_t delivery_time_ms, uint64_t delivery_count);
  // Drops the record. False: not pending.
  bool acknowledge(const StreamId& id);

  // Loading: a record without an owner yet, then its owner. False: duplicate, unknown, or owned already.
  bool load_pending(const StreamId& id, int64_t delivery_time_ms, uint64_t delivery_count);
  bool load_owner(const StreamId& id, StreamConsumer* consumer);
  // Whether every record found its owner.
  bool owners_complete() const;

  // Active defragmentation of all the records' arrays.
  void relocate(BlockMover& mover);

  ConsumerGroup copy() const;
  size_t memory_bytes() const;

 private:
  IdChunks<PendingEntry> pending_;
  Consumers consumers_;
};

}  // namespace synap
