#include "server/keyspace/eviction.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/base/random.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

// Buckets a round of sampling visits at most: one holds 8 slots, filled to a half or more. Keys with an expiry are found
// by their slots' marks, so a bucket without one costs a line.
constexpr size_t kBucketsPerSample = 4;
constexpr size_t kMarkedBucketsMax = 2000;

// Visits up to `wanted` keys from a place chosen at random. Keys lie in the order of their hashes, so neighbours are no more
// alike than any two. Of the keys in the buckets that were met a run is taken from a random one on, so that each slot of a
// bucket is as likely as the others.
template <class Visit>
size_t visit_some(const EntryTable& table, bool marked, size_t wanted, Visit visit) {
  std::vector<Entry*> met;
  met.reserve(2 * wanted);
  const size_t buckets = marked ? kMarkedBucketsMax : wanted * kBucketsPerSample;
  uint64_t cursor = thread_random().next() >> (64 - EntryTable::kCursorBits);
  const auto note = [&](Entry* entry) { met.push_back(entry); };
  for (size_t i = 0; i < buckets && met.size() < wanted; ++i) {
    cursor = marked ? table.sample_marked(cursor, note) : table.scan(cursor, note);
  }
  if (met.empty()) return 0;
  const size_t first = thread_random().below(met.size());
  const size_t count = std::min(met.size(), wanted);
  for (size_t i = 0; i < count; ++i) visit(met[(first + i) % met.size()]);
  return count;
}

}  // namespace

uint64_t eviction_score(const Entry* entry, EvictionOrder order, const AccessClock& clock) {
  switch (order) {
    case EvictionOrder::kLru:
      return static_cast<uint64_t>(clock.idle_seconds(entry->access_clock()));
    case EvictionOrder::kLfu:
      return 255 - clock.frequency(entry->access_clock());
    case EvictionOrder::kTtl:
      return UINT64_MAX - static_cast<uint64_t>(entry->expiry_ms());
    case EvictionOrder::kRandom:
      break;
  }
  return 0;
}

void EvictionPool::offer(const Entry* entry, uint64_t score, int db) {
  if (count_ == kCapacity && score <= candidates_[0].score) return;
  const std::string_view key = entry->key();
  for (size_t i = 0; i < count_; ++i) {
    if (candidates_[i].score == score && candidates_[i].db == db && candidates_[i].key == key) return;
  }
  // The worst makes room; the rest moves so that the order stays.
  size_t at = 0;
  EvictionCandidate fresh;
  if (count_ == kCapacity) {
    fresh = std::move(candidates_[0]);
    for (; at + 1 < kCapacity && candidates_[at + 1].score < score; ++at) candidates_[at] = std::move(candidates_[at + 1]);
  } else {
    at = count_++;
    for (; at > 0 && candidates_[at - 1].score >= score; --at) candidates_[at] = std::move(candidates_[at - 1]);
  }
  fresh.score = score;
  fresh.hash = hash_bytes(key);
  fresh.db = db;
  fresh.key.assign(key);
  candidates_[at] = std::move(fresh);
}

size_t sample_shard(Shard& shard, const EvictionRules& rules, const AccessClock& clock, EvictionPool* pool) {
  size_t seen = 0;
  for (size_t db = 0; db < shard.dbs.size(); ++db) {
    const DbSlice& slice = shard.dbs[db];
    if (rules.only_volatile ? slice.expiring == 0 : slice.table.empty()) continue;
    seen += visit_some(slice.table, rules.only_volatile, rules.samples, [&](const Entry* entry) {
      pool->offer(entry, eviction_score(entry, rules.order, clock), static_cast<int>(db));
    });
  }
  return seen;
}

Entry* random_entry(Shard& shard, bool only_volatile, int* db) {
  const size_t databases = shard.dbs.size();
  const size_t first = thread_random().below(databases);
  for (size_t i = 0; i < databases; ++i) {
    const size_t index = (first + i) % databases;
    const DbSlice& slice = shard.dbs[index];
    if (only_volatile ? slice.expiring == 0 : slice.table.empty()) continue;
    *db = static_cast<int>(index);
    if (!only_volatile) return slice.table.random([] { return thread_random().next(); });
    Entry* met = nullptr;
    visit_some(slice.table, true, 1, [&](Entry* entry) { met = entry; });
    if (met != nullptr) return met;
  }
  return nullptr;
}

bool anything_to_evict(Keyspace& keyspace, bool only_volatile) {
  for (int db = 0; db < keyspace.databases(); ++db) {
    if ((only_volatile ? keyspace.expiring_count(db) : keyspace.key_count(db)) != 0) return true;
  }
  return false;
}

}  // namespace synap
