// What to evict: the order that a policy gives to keys, and the pool of the best candidates that sampling has found so
// far, as in Redis. Knows neither limits nor locks: server/dispatch_eviction.cc decides when, under which shard's lock, and
// tells the world.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "server/keyspace/access_clock.h"
#include "server/keyspace/keyspace.h"

namespace synap {

enum class EvictionOrder : uint8_t { kLru, kLfu, kTtl, kRandom };

struct EvictionRules {
  EvictionOrder order = EvictionOrder::kLru;
  bool only_volatile = false;  // only keys with an expiry
  size_t samples = 5;          // keys looked at per database and round
};

// The larger, the sooner it goes.
uint64_t eviction_score(const Entry* entry, EvictionOrder order, const AccessClock& clock);

// A key that may be evicted. It may have been used, changed or deleted since it was sampled.
struct EvictionCandidate {
  uint64_t score = 0;
  uint64_t hash = 0;
  int db = 0;
  std::string key;
};

// The best candidates so far, worst first. Belongs to one thread.
class EvictionPool {
 public:
  static constexpr size_t kCapacity = 16;

  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  const EvictionCandidate& best() const { return candidates_[count_ - 1]; }
  EvictionCandidate take_best() { return std::move(candidates_[--count_]); }
  // Keeps it if it is better than the worst or there is room; a key that is in already keeps its place.
  void offer(const Entry* entry, uint64_t score, int db);
  void clear() { count_ = 0; }

 private:
  std::array<EvictionCandidate, kCapacity> candidates_;
  size_t count_ = 0;
};

// Offers about `rules.samples` keys of each database's part in the shard to the pool. Needs the shard's lock. Returns how
// many were looked at; 0 means that the shard holds nothing to evict, or that what there is was not met this time.
size_t sample_shard(Shard& shard, const EvictionRules& rules, const AccessClock& clock, EvictionPool* pool);

// One key of the shard at random, for the random policies: null when none was met.
Entry* random_entry(Shard& shard, bool only_volatile, int* db);

// Whether any shard holds a key that the rules allow to evict. Reads counters without locks.
bool anything_to_evict(Keyspace& keyspace, bool only_volatile);

}  // namespace synap
