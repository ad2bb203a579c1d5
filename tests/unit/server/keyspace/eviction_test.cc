#include "server/keyspace/eviction.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "server/keyspace/memory_counter.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

Entry* make_entry(const std::string& key, uint32_t clock, int64_t expiry_ms = kNoExpiry) {
  return Entry::make({.type = ValueType::kString,
                      .storage = Storage::kInt,
                      .key = key,
                      .expiry_ms = expiry_ms,
                      .word = 1,
                      .access_clock = clock});
}

// A keyspace of `keys` keys, of which every `volatile_every`th has an expiry; the key's number is its access clock.
struct Filled {
  Filled(size_t keys, size_t volatile_every) : keyspace(1) {
    for (size_t i = 0; i < keys; ++i) {
      const std::string key = "key:" + std::to_string(i);
      const bool expires = volatile_every != 0 && i % volatile_every == 0;
      Entry* entry = make_entry(key, static_cast<uint32_t>(i), expires ? static_cast<int64_t>(i) : kNoExpiry);
      keyspace.slice(0, hash_bytes(key)).add(hash_bytes(key), entry);
    }
  }
  Keyspace keyspace;
};

}  // namespace

TEST_CASE("Scores: idle seconds, rarity, and the end that comes first") {
  AccessClock clock;
  clock.lru_now = 100;
  Entry* older = make_entry("a", 10, 5000);
  Entry* newer = make_entry("b", 90, 9000);
  CHECK(eviction_score(older, EvictionOrder::kLru, clock) == 90);
  CHECK(eviction_score(older, EvictionOrder::kLru, clock) > eviction_score(newer, EvictionOrder::kLru, clock));
  CHECK(eviction_score(older, EvictionOrder::kTtl, clock) > eviction_score(newer, EvictionOrder::kTtl, clock));
  clock.minutes_now = 1;
  older->set_access_clock(1U << 8 | 200);
  newer->set_access_clock(1U << 8 | 3);
  CHECK(eviction_score(newer, EvictionOrder::kLfu, clock) > eviction_score(older, EvictionOrder::kLfu, clock));
  free_entry(older);
  free_entry(newer);
}

TEST_CASE("A pool keeps the best, each once, best last") {
  EvictionPool pool;
  std::vector<Entry*> entries;
  for (uint64_t i = 0; i < 100; ++i) {
    const uint64_t score = i * 37 % 100;
    entries.push_back(make_entry("key:" + std::to_string(score), 0));
    pool.offer(entries.back(), score, 0);
    pool.offer(entries.back(), score, 0);
  }
  CHECK(pool.size() == EvictionPool::kCapacity);
  for (uint64_t wanted = 99; !pool.empty(); --wanted) {
    CHECK(pool.best().score == wanted);
    const EvictionCandidate candidate = pool.take_best();
    CHECK(candidate.key == "key:" + std::to_string(wanted));
    CHECK(candidate.hash == hash_bytes(candidate.key));
    if (pool.empty()) CHECK(wanted == 100 - EvictionPool::kCapacity);
  }
  for (Entry* entry : entries) free_entry(entry);
}

TEST_CASE("Sampling reaches every key, and only volatile ones where asked") {
  Filled filled(6400, 10);
  AccessClock clock;
  Shard& shard = filled.keyspace.shard(7);
  const size_t here = shard.dbs[0].table.size();
  std::set<std::string> met, met_volatile;
  for (int i = 0; i < 20000; ++i) {
    EvictionPool pool;
    CHECK(sample_shard(shard, {.order = EvictionOrder::kLru, .samples = 5}, clock, &pool) >= 5);
    while (!pool.empty()) met.insert(pool.take_best().key);
    sample_shard(shard, {.order = EvictionOrder::kTtl, .only_volatile = true, .samples = 3}, clock, &pool);
    while (!pool.empty()) {
      const EvictionCandidate candidate = pool.take_best();
      met_volatile.insert(candidate.key);
      CHECK(shard.dbs[0].find(candidate.hash, candidate.key)->has_expiry());
    }
    int db = 7;
    CHECK(random_entry(shard, false, &db) != nullptr);
    CHECK(db == 0);
    CHECK(random_entry(shard, true, &db)->has_expiry());
  }
  CHECK(met.size() == here);
  CHECK(met_volatile.size() == shard.dbs[0].expiring);
}

TEST_CASE("Nothing is evicted where nothing is") {
  Filled empty(0, 0);
  AccessClock clock;
  EvictionPool pool;
  int db;
  CHECK(sample_shard(empty.keyspace.shard(0), {}, clock, &pool) == 0);
  CHECK(random_entry(empty.keyspace.shard(0), false, &db) == nullptr);
  CHECK_FALSE(anything_to_evict(empty.keyspace, false));
  Filled lasting(100, 0);
  CHECK(anything_to_evict(lasting.keyspace, false));
  CHECK_FALSE(anything_to_evict(lasting.keyspace, true));
}

TEST_CASE("Allocated bytes are counted over threads that come, free each other's memory and go") {
  if (!kCountsByThread) return;
  memory_counter_join();
  memory_counter_settle();
  const size_t before = memory_counter_total();
  constexpr size_t kBytes = 1 << 20;
  std::vector<void*> blocks;
  std::thread([&] {
    memory_counter_join();
    for (int i = 0; i < 32; ++i) blocks.push_back(std::malloc(kBytes));
  }).join();
  const size_t with_blocks = memory_counter_total();
  CHECK(with_blocks - before >= 32 * kBytes);
  CHECK(with_blocks - before < 33 * kBytes + 200000);
  const int64_t own = memory_counter_own();
  for (void* block : blocks) std::free(block);
  CHECK(own - memory_counter_own() >= static_cast<int64_t>(32 * kBytes));
  CHECK(memory_counter_total() < before + 200000);
  memory_counter_settle();
  CHECK(memory_counter_total() < before + 200000);
}

}  // namespace synap
