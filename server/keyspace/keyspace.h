// Keyspace: all databases, cut into 64 shards by the top bits of a key's hash (the same shard in every database). A shard
// holds its slice of every database and one lock. Data is reached only while the shard is held; who holds it is decided
// by ShardGuard (shard_guard.h) alone, and nothing in here locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/published.h"
#include "server/keyspace/entry.h"
#include "server/keyspace/shard_lock.h"
#include "server/keyspace/waiters.h"
#include "server/keyspace/watch.h"

namespace synap {

inline constexpr int kShardBits = EntryTraits::kSkipBits;
inline constexpr size_t kShards = size_t{1} << kShardBits;

// A set of shards, bit i for shard i.
using ShardMask = uint64_t;
inline constexpr ShardMask kAllShardsMask = ~ShardMask{0};
static_assert(kShards == 64);

constexpr size_t shard_index(uint64_t hash) { return static_cast<size_t>(hash >> (64 - kShardBits)); }
constexpr ShardMask shard_bit(uint64_t hash) { return ShardMask{1} << shard_index(hash); }

// One database's keys in one shard.
class DbSlice {
 public:
  EntryTable table;
  Published<size_t> expiring = 0;  // entries with an expiry (their slots are marked)
  uint64_t expire_cursor = 0;     // where active expiry goes on
  std::set<std::pair<int64_t, Entry*>> field_expiries;  // hashes with field TTLs, by their first field's expiry in ms
  Published<size_t> field_expiring = 0;  // how many those are
  double expired_stale_share = 0;  // of the keys sampled last, how many were due

  Entry* find(uint64_t hash, std::string_view key) const { return table.find_item(hash, key); }
  // The key must be absent; the entry is the table's now.
  void add(uint64_t hash, Entry* entry);
  // Puts another entry of the same key in its place; the old one is the caller's.
  void replace_at(EntryTable::Slot* slot, Entry* fresh);
  // The same by search; the old entry's memory is freed, not what its value owns.
  void replace(uint64_t hash, Entry* old_entry, Entry* fresh);
  // A hash of this slice was changed; before that its first field expired at `before_ms` (0: none had a TTL).
  void field_expiry_changed(Entry* entry, int64_t before_ms);
  // Takes the entry out of the table; it is the caller's.
  Entry* take(uint64_t hash, std::string_view key);
};

// Aligned, for its lock's line goes from processor to processor.
struct alignas(64) Shard {
  ShardLock lock;
  std::vector<DbSlice> dbs;
  WaiterTable waiters;
  WatchTable watches;
};

class Keyspace {
 public:
  explicit Keyspace(int databases);
  ~Keyspace();
  Keyspace(const Keyspace&) = delete;
  Keyspace& operator=(const Keyspace&) = delete;

  int databases() const { return databases_; }
  Shard& shard(size_t index) { return *shards_[index]; }
  Shard& shard_of(uint64_t hash) { return *shards_[shard_index(hash)]; }
  DbSlice& slice(int db, uint64_t hash) { return shard_of(hash).dbs[static_cast<size_t>(db)]; }

  // Sums over the shards without locking: exact only while nothing changes, good enough for INFO.
  size_t key_count(int db) const;
  size_t expiring_count(int db) const;
  size_t field_expiring_count(int db) const;  // hashes with field TTLs

 private:
  const int databases_;
  std::array<std::unique_ptr<Shard>, kShards> shards_;
};

}  // namespace synap
