// Active expiry: each reactor samples its share of the shards by timer, a slice at a time. Keys that are due are found by
// walking the table's marks (entries with an expiry), so keys without one cost a look at their bucket and nothing more.
// A shard that somebody holds is left for the next round.

#include <algorithm>

#include "datatypes/hash/hash.h"
#include "persistence/journal.h"
#include "server/base/clock.h"
#include "server/dispatch.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

// As Redis: keys looked at before the share of due ones is judged, and the share that is tolerated, in percent, at
// active-expire-effort 1.
constexpr size_t kKeysPerLoop = 20;
constexpr size_t kAcceptableStalePercent = 10;
constexpr size_t kBucketsPerLoop = 400;
constexpr size_t kFieldsPerHash = 1000;

}  // namespace

void Dispatcher::expire_cycle(size_t reactor, size_t reactors, int64_t budget_us) {
  if (!server_.active_expire.load(std::memory_order_relaxed) || environment_.replica) return;
  if (server_.state->has(kStatePausedWrites | kStatePausedAll)) return;
  const int64_t deadline_us = monotonic_us() + budget_us;
  const size_t mine = (kShards - reactor + reactors - 1) / reactors;
  for (size_t i = 0; i < mine && monotonic_us() < deadline_us; ++i) {
    const size_t index = reactor + (next_expiry_shard_++ % mine) * reactors;
    ShardGuard guard;
    if (guard.try_take(server_.keyspace, server_.guards, ShardMask{1} << index, LockMode::kExclusive) >= 0) continue;
    environment_.journaling = server_.journal->active();
    Shard& shard = server_.keyspace->shard(index);
    for (int db = 0; db < server_.keyspace->databases(); ++db) {
      DbSlice& slice = shard.dbs[static_cast<size_t>(db)];
      if (slice.expiring != 0) expire_database(shard, index, db, deadline_us);
      if (!slice.field_expiries.empty()) expire_fields(slice, db, deadline_us);
    }
    journal_effects();
    serve_ready(&guard);
    guard.release();
  }
}

void Dispatcher::expire_database(Shard& shard, size_t, int db, int64_t deadline_us) {
  DbSlice& slice = shard.dbs[static_cast<size_t>(db)];
  const auto effort = static_cast<size_t>(environment_.config->active_expire_effort - 1);
  const size_t keys_per_loop = kKeysPerLoop + kKeysPerLoop / 4 * effort;
  const size_t acceptable = kAcceptableStalePercent - std::min<size_t>(effort, kAcceptableStalePercent - 1);
  std::vector<Entry*> due;
  for (bool again = true; again && slice.expiring != 0 && monotonic_us() < deadline_us;) {
    size_t sampled = 0;
    int64_t mean_ttl_ms = 0;
    int64_t living = 0;
    due.clear();
    for (size_t bucket = 0; bucket < kBucketsPerLoop && sampled < keys_per_loop; ++bucket) {
      slice.expire_cursor = slice.table.sample_marked(slice.expire_cursor, [&](Entry* entry) {
        ++sampled;
        if (entry->expired(environment_.now_ms)) {
          due.push_back(entry);
        } else {
          // Step by step: the sum of some that never come may be more than a number holds.
          mean_ttl_ms += (entry->expiry_ms() - environment_.now_ms - mean_ttl_ms) / ++living;
        }
      });
      if (slice.expire_cursor == 0) break;  // once around
    }
    for (Entry* entry : due) expire_key(slice, db, entry);
    if (living != 0) {
      std::atomic<int64_t>& known = server_.mean_ttl_ms[static_cast<size_t>(db)];
      const int64_t old = known.load(std::memory_order_relaxed);
      known.store(old == 0 ? mean_ttl_ms : old + (mean_ttl_ms - old) / 50, std::memory_order_relaxed);
    }
    slice.expired_stale_share =
        sampled == 0 ? 0 : static_cast<double>(due.size()) / static_cast<double>(sampled);
    again = sampled != 0 && due.size() * 100 > sampled * acceptable;
  }
}

void Dispatcher::expire_key(DbSlice& slice, int db, Entry* entry) {
  const std::string_view key = entry->key();
  const uint64_t hash = hash_bytes(key);
  slice.take(hash, key);
  Shard& shard = server_.keyspace->shard_of(hash);
  keyspace_stats_.count(keyspace_stats_.expired);
  if (environment_.journaling) {
    const std::string_view deletion[] = {environment_.config->lazyfree_lazy_expire ? "UNLINK" : "DEL", key};
    effects_.append(db, deletion);
    journal_effects();  // each deletion stands for itself
  }
  keyspace_stats_.count(keyspace_stats_.changes);
  if ((environment_.config->notify_keyspace_events & kEventExpired) != 0) {
    environment_.observer->keyspace_event(db, kEventExpired, "expired", key);
  }
  shard.watches.touch_expired(db, key);
  if (!shard.waiters.empty()) shard.waiters.key_changed(db, key, true);
  if (server_.caches_exist()) environment_.observer->key_changed(key, nullptr);
  dispose_entry(entry, environment_.config->lazyfree_lazy_expire);
}

// Fields whose time has come, hash by hash, the earliest first.
void Dispatcher::expire_fields(DbSlice& slice, int db, int64_t deadline_us) {
  while (!slice.field_expiries.empty() && slice.field_expiries.begin()->first <= environment_.now_ms &&
         monotonic_us() < deadline_us) {
    expire_hash(slice, db, slice.field_expiries.begin()->second, kFieldsPerHash);
  }
}

// Removes up to `fields_max` due fields, and the key when none is left.
void Dispatcher::expire_hash(DbSlice& slice, int db, Entry* entry, size_t fields_max) {
  std::vector<std::string> expired;
  const int64_t before_ms = next_field_expiry_ms(entry);
  entry->object<Hash>()->expire_due(environment_.now_ms, fields_max,
                                    [&](std::string_view field) { expired.emplace_back(field); });
  slice.field_expiry_changed(entry, before_ms);
  if (!expired.empty()) fields_expired(slice, db, entry, expired);
}

// These fields are gone from the hash: effects, events, and the key's end when it is empty.
void Dispatcher::fields_expired(DbSlice& slice, int db, Entry* entry, std::span<const std::string> fields) {
  const std::string key(entry->key());
  const uint64_t hash = hash_bytes(key);
  keyspace_stats_.count(keyspace_stats_.expired_fields, fields.size());
  if (environment_.journaling) {
    for (const std::string& field : fields) {
      const std::string_view deletion[] = {"HDEL", key, field};
      effects_.append(db, deletion);
    }
    journal_effects();
  }
  keyspace_stats_.count(keyspace_stats_.changes, fields.size());
  const uint32_t events = environment_.config->notify_keyspace_events;
  if ((events & kEventHash) != 0) environment_.observer->keyspace_event(db, kEventHash, "hexpired", key);
  const bool emptied = entry->object<Hash>()->empty();
  if (emptied) {
    dispose_entry(slice.take(hash, key));
    if ((events & kEventGeneric) != 0) environment_.observer->keyspace_event(db, kEventGeneric, "del", key);
  }
  Shard& shard = server_.keyspace->shard_of(hash);
  shard.watches.touch(db, key);
  if (!shard.waiters.empty()) shard.waiters.key_changed(db, key, emptied);
  if (server_.caches_exist()) environment_.observer->key_changed(key, nullptr);
}

// What a read found past its expiry, after its guard was released: deleted if the shard is free now, else left to active
// expiry.
void Dispatcher::delete_seen_expired(int db, std::span<const ExpiredSeen> seen) {
  if (server_.state->has(kStatePausedWrites | kStatePausedAll)) return;  // nothing changes in a pause
  for (const ExpiredSeen& one : seen) {
    const uint64_t hash = hash_bytes(one.key);
    ShardGuard guard;
    if (guard.try_take(server_.keyspace, server_.guards, shard_bit(hash), LockMode::kExclusive) >= 0) continue;
    environment_.journaling = server_.journal->active();
    DbSlice& slice = server_.keyspace->slice(db, hash);
    Entry* entry = slice.find(hash, one.key);
    if (entry == nullptr) {
      // Somebody else deleted it meanwhile.
    } else if (entry->expired(environment_.now_ms)) {
      expire_key(slice, db, entry);
    } else if (one.what == ExpiredSeen::What::kAllDueFields) {
      if (next_field_expiry_ms(entry) != 0) expire_hash(slice, db, entry, SIZE_MAX);
    } else if (one.what == ExpiredSeen::What::kField && next_field_expiry_ms(entry) != 0) {
      Hash& fields = *entry->object<Hash>();
      const int64_t before_ms = fields.next_expiry_ms();
      if (fields.remove_if_due(one.field, environment_.now_ms)) {
        slice.field_expiry_changed(entry, before_ms);
        fields_expired(slice, db, entry, std::span(&one.field, 1));
      }
    }
    serve_ready(&guard);
    guard.release();
  }
}

}  // namespace synap
