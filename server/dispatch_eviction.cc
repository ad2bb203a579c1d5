// The memory limit: before a command runs, the thread that runs it looks whether the server is over maxmemory and, as its
// policy says, evicts keys until it is not, in shards that it can lock without waiting. Where nothing can be evicted the
// state word says so, and commands that need memory are refused. Must never be called while a guard is held.

#include <algorithm>
#include <cmath>

#include "persistence/journal.h"
#include "server/base/clock.h"
#include "server/base/random.h"
#include "server/command/latency_monitor.h"
#include "server/dispatch.h"
#include "server/keyspace/background.h"
#include "server/keyspace/eviction.h"
#include "server/keyspace/memory_counter.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

// How often the clock and the time limit are looked at, in evicted keys, as in Redis.
constexpr size_t kKeysBetweenChecks = 16;
// How much of the messages that are still to be sent is not counted: this, or a share of maxmemory if that is more.
constexpr size_t kUncountedMessageBytes = 4 * 1024 * 1024;
constexpr size_t kUncountedMessageShare = 16;
// Shards sampled for one key before it is left to a later turn: each is met, empty and busy ones too.
constexpr size_t kRoundsMax = 2 * kShards;

// As Redis: maxmemory-eviction-tenacity 10 is half a millisecond, then 15 % more a step, 100 has no limit.
int64_t eviction_time_limit_us(int64_t tenacity) {
  constexpr int64_t kLinearSteps = 10;
  constexpr int64_t kLinearStepUs = 50;
  if (tenacity <= kLinearSteps) return kLinearStepUs * tenacity;
  if (tenacity >= 100) return INT64_MAX;
  return static_cast<int64_t>(kLinearSteps * kLinearStepUs * std::pow(1.15, static_cast<double>(tenacity - kLinearSteps)));
}

EvictionRules rules_of(const Config& config) {
  EvictionRules rules;
  rules.samples = static_cast<size_t>(config.maxmemory_samples);
  switch (config.maxmemory_policy) {
    case MaxmemoryPolicy::kVolatileLru:
      rules.only_volatile = true;
      break;
    case MaxmemoryPolicy::kVolatileLfu:
      rules.only_volatile = true;
      rules.order = EvictionOrder::kLfu;
      break;
    case MaxmemoryPolicy::kVolatileRandom:
      rules.only_volatile = true;
      rules.order = EvictionOrder::kRandom;
      break;
    case MaxmemoryPolicy::kVolatileTtl:
      rules.only_volatile = true;
      rules.order = EvictionOrder::kTtl;
      break;
    case MaxmemoryPolicy::kAllkeysLfu:
      rules.order = EvictionOrder::kLfu;
      break;
    case MaxmemoryPolicy::kAllkeysRandom:
      rules.order = EvictionOrder::kRandom;
      break;
    case MaxmemoryPolicy::kAllkeysLru:
    case MaxmemoryPolicy::kNoEviction:
      break;
  }
  return rules;
}

}  // namespace

// What counts for maxmemory: all that is allocated, without what evicting makes grow for a while (the buffers of replicas
// and of the append-only file, messages to clients) and without what the background thread is about to free.
size_t counted_memory_bytes(const Server& server) {
  const auto limit = static_cast<size_t>(server.config->current().maxmemory);
  const size_t messages = std::min(server.message_bytes.load(std::memory_order_relaxed),
                                   std::max(kUncountedMessageBytes, limit / kUncountedMessageShare));
  const size_t exempt = server.aof_buffer_bytes.load(std::memory_order_relaxed) +
                        server.replica_buffer_bytes.load(std::memory_order_relaxed) + messages +
                        background_pending_bytes();
  const size_t used = memory_counter_total();
  return used - std::min(used, exempt);
}

// Whether the limit is passed. A thread far below it looks only at its own counter: the sum over all threads is taken
// again when it has used up its share of the headroom, and once a turn (MemoryCheck is forgotten in begin_turn).
bool Dispatcher::over_memory_limit() {
  const auto limit = server_.config->current().maxmemory;
  if (limit == 0) return false;
  const int64_t own = memory_counter_own();
  const bool known = kCountsByThread && limit == memory_check_.limit && memory_check_.headroom > 0;
  if (known && own - memory_check_.own < memory_check_.headroom) return false;
  const int64_t room = limit - static_cast<int64_t>(counted_memory_bytes(server_));
  const auto threads = static_cast<int64_t>(server_.statistics->threads());
  memory_check_ = {.limit = limit, .own = own, .headroom = std::max<int64_t>(room, 0) / threads};
  return room < 0;
}

void Dispatcher::keep_memory_limit(Reactor& reactor) {
  if (!over_memory_limit()) return set_out_of_memory(false);
  const Config& config = server_.config->current();
  constexpr uint32_t kNotNow = kStateLoading | kStateAsyncLoading | kStatePausedAll | kStatePausedWrites;
  if (server_.state->has(kNotNow) || (environment_.replica && config.replica_ignore_maxmemory)) {
    return set_out_of_memory(false);
  }
  const int64_t begin_us = monotonic_us();
  if (server_.over_limit_since_us.load(std::memory_order_relaxed) == 0) {
    server_.over_limit_since_us.store(begin_us, std::memory_order_relaxed);
  }
  if (config.maxmemory_policy == MaxmemoryPolicy::kNoEviction) return set_out_of_memory(true);
  const EvictionRules rules = rules_of(config);
  const int64_t limit_us = eviction_time_limit_us(config.maxmemory_eviction_tenacity);
  bool refused = false;
  bool unfinished = false;
  for (size_t evicted = 1; over_memory_limit(); ++evicted) {
    if (!evict_one(rules)) {
      unfinished = anything_to_evict(*server_.keyspace, rules.only_volatile);  // in shards that others hold
      refused = !unfinished;
      break;
    }
    if (evicted % kKeysBetweenChecks != 0 || monotonic_us() - begin_us < limit_us) continue;
    unfinished = true;
    break;
  }
  if (unfinished) continue_eviction(reactor);
  set_out_of_memory(refused);
  const int64_t elapsed_ms = (monotonic_us() - begin_us) / 1000;
  if (config.latency_monitor_threshold > 0 && elapsed_ms >= config.latency_monitor_threshold) {
    server_.latency->add("eviction-cycle", elapsed_ms);
  }
}

// The rest of a long eviction, a slice per turn, so that clients are served meanwhile.
void Dispatcher::continue_eviction(Reactor& reactor) {
  if (std::exchange(eviction_scheduled_, true)) return;
  reactor.after(1, [this, &reactor] {
    eviction_scheduled_ = false;
    begin_turn();
    keep_memory_limit(reactor);
  });
}

void Dispatcher::set_out_of_memory(bool refused) {
  if (server_.state->has(kStateOutOfMemory) != refused) server_.state->assign(kStateOutOfMemory, refused);
  if (refused || eviction_scheduled_) return;
  const int64_t since_us = server_.over_limit_since_us.exchange(0, std::memory_order_relaxed);
  if (since_us != 0) server_.over_limit_us.fetch_add(monotonic_us() - since_us, std::memory_order_relaxed);
}

// False: none was found in the shards that could be had.
bool Dispatcher::evict_one(const EvictionRules& rules) {
  if (pool_rules_.order != rules.order || pool_rules_.only_volatile != rules.only_volatile) eviction_pool_.clear();
  pool_rules_ = rules;
  const size_t first = thread_random().below(kShards);
  for (size_t round = 0; round < kRoundsMax; ++round) {
    const size_t index = (first + round) % kShards;
    ShardGuard guard;
    if (guard.try_take(server_.keyspace, server_.guards, ShardMask{1} << index, LockMode::kExclusive) >= 0) continue;
    environment_.journaling = server_.journal->active();
    Shard& shard = server_.keyspace->shard(index);
    bool evicted = false;
    if (rules.order == EvictionOrder::kRandom) {
      int db = 0;
      Entry* entry = random_entry(shard, rules.only_volatile, &db);
      evicted = entry != nullptr;
      if (evicted) evict_entry(&guard, db, entry);
    } else {
      sample_shard(shard, rules, environment_.access_clock, &eviction_pool_);
    }
    guard.release();
    if (evicted || evict_best(rules)) return true;
  }
  return false;
}

// The best of the pool that is still there and unused since it was sampled.
bool Dispatcher::evict_best(const EvictionRules& rules) {
  while (!eviction_pool_.empty()) {
    const EvictionCandidate candidate = eviction_pool_.take_best();
    ShardGuard guard;
    if (guard.try_take(server_.keyspace, server_.guards, shard_bit(candidate.hash), LockMode::kExclusive) >= 0) continue;
    environment_.journaling = server_.journal->active();
    Entry* entry = server_.keyspace->slice(candidate.db, candidate.hash).find(candidate.hash, candidate.key);
    bool evicted = false;
    if (entry != nullptr && (!rules.only_volatile || entry->has_expiry())) {
      const uint64_t score = eviction_score(entry, rules.order, environment_.access_clock);
      evicted = score >= candidate.score || eviction_pool_.empty();
      if (evicted) {
        evict_entry(&guard, candidate.db, entry);
      } else {
        eviction_pool_.offer(entry, score, candidate.db);
      }
    }
    guard.release();
    if (evicted) return true;
  }
  return false;
}

void Dispatcher::evict_entry(ShardGuard* guard, int db, Entry* entry) {
  const bool lazy = environment_.config->lazyfree_lazy_eviction;
  const std::string_view key = entry->key();
  const uint64_t hash = hash_bytes(key);
  Shard& shard = server_.keyspace->shard_of(hash);
  shard.dbs[static_cast<size_t>(db)].take(hash, key);
  keyspace_stats_.count(keyspace_stats_.evicted);
  if (environment_.journaling) {
    const std::string_view deletion[] = {lazy ? "UNLINK" : "DEL", key};
    effects_.append(db, deletion);
    journal_effects();
  }
  if ((environment_.config->notify_keyspace_events & kEventEvicted) != 0) {
    environment_.observer->keyspace_event(db, kEventEvicted, "evicted", key);
  }
  shard.watches.touch(db, key);
  if (!shard.waiters.empty()) shard.waiters.key_changed(db, key, true);
  if (server_.caches_exist()) environment_.observer->key_changed(key, nullptr);
  dispose_entry(entry, lazy);
  serve_ready(guard);
}

}  // namespace synap
