// Active defragmentation (activedefrag): while the allocator wastes more than the thresholds allow, each reactor walks its
// share of the shards in slices of half a millisecond, as many as the cycle percentage gives, and moves entries, strings
// and the parts of containers to fuller slabs. A shard that somebody holds is left for the next round.

#include <algorithm>
#include <utility>
#include <vector>

#include "persistence/persistence.h"
#include "server/base/clock.h"
#include "server/command/memory_usage.h"
#include "server/dispatch.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

constexpr int64_t kSliceUs = 500;

}  // namespace

// By timer on one reactor: how much of the time is worth spending, in percent; 0: none.
void decide_defrag(Server& server) {
  const Config& config = server.config->current();
  DefragFigures& defrag = server.defrag;
  int percent = 0;
  // Beside a child every moved byte would be copied by the kernel as well.
  const bool child = server.persistence != nullptr && server.persistence->child().running();
  if (config.activedefrag && !child) {
    const AllocatorFigures figures = allocator_figures();
    const size_t wasted = figures.active - std::min(figures.active, figures.allocated);
    const double share = figures.allocated == 0 ? 0 : 100.0 * static_cast<double>(wasted) / static_cast<double>(figures.allocated);
    const auto lower = static_cast<double>(config.active_defrag_threshold_lower);
    const auto upper = static_cast<double>(std::max(config.active_defrag_threshold_upper, config.active_defrag_threshold_lower + 1));
    if (share > lower && wasted > static_cast<size_t>(config.active_defrag_ignore_bytes)) {
      const auto least = static_cast<double>(config.active_defrag_cycle_min);
      const auto most = static_cast<double>(config.active_defrag_cycle_max);
      const double wanted = least + (share - lower) * (most - least) / (upper - lower);
      percent = static_cast<int>(std::clamp(wanted, least, std::max(least, most)));
    }
  }
  defrag.running_percent.store(percent, std::memory_order_relaxed);
  const int64_t since_us = defrag.since_us.load(std::memory_order_relaxed);
  if (percent != 0 && since_us == 0) defrag.since_us.store(monotonic_us(), std::memory_order_relaxed);
  if (percent == 0 && since_us != 0) {
    defrag.total_us.fetch_add(monotonic_us() - since_us, std::memory_order_relaxed);
    defrag.since_us.store(0, std::memory_order_relaxed);
  }
}

void Dispatcher::schedule_defrag(Reactor& reactor) {
  const int percent = server_.defrag.running_percent.load(std::memory_order_relaxed);
  if (percent == 0 || std::exchange(defrag_.scheduled, true)) return;
  const int64_t pause_ms = std::max<int64_t>(1, kSliceUs * (100 - percent) / percent / 1000);
  reactor.after(pause_ms, [this, &reactor] {
    defrag_.scheduled = false;
    begin_turn();
    defrag_slice(reactor.index(), server_.clients->reactor_count());
    schedule_defrag(reactor);
  });
}

void Dispatcher::defrag_slice(size_t reactor, size_t reactors) {
  const int64_t deadline_us = monotonic_us() + kSliceUs;
  const size_t mine = (kShards - reactor + reactors - 1) / reactors;
  const uint64_t hits = defrag_.mover.hits();
  const uint64_t misses = defrag_.mover.misses();
  if (defrag_.shard == 0 && defrag_.db == 0 && defrag_.cursor == 0) Defragmenter::flush_thread_cache();
  for (size_t steps = 0; steps < mine && monotonic_us() < deadline_us; ++steps) {
    const size_t index = reactor + defrag_.shard % mine * reactors;
    ShardGuard guard;
    if (guard.try_take(server_.keyspace, server_.guards, ShardMask{1} << index, LockMode::kExclusive) < 0) {
      const bool finished = defrag_shard(server_.keyspace->shard(index), deadline_us);
      guard.release();
      if (!finished) break;
    }
    defrag_.shard = (defrag_.shard + 1) % mine;
    defrag_.db = 0;
    defrag_.cursor = 0;
    defrag_.key.clear();
  }
  server_.defrag.hits.fetch_add(defrag_.mover.hits() - hits, std::memory_order_relaxed);
  server_.defrag.misses.fetch_add(defrag_.mover.misses() - misses, std::memory_order_relaxed);
}

// Goes on where the slice before stopped. False: time is up.
bool Dispatcher::defrag_shard(Shard& shard, int64_t deadline_us) {
  std::vector<Entry*> met;
  while (static_cast<size_t>(defrag_.db) < shard.dbs.size()) {
    DbSlice& slice = shard.dbs[static_cast<size_t>(defrag_.db)];
    if (!defrag_.key.empty() && !defrag_big_value(slice, deadline_us)) return false;
    if (monotonic_us() >= deadline_us) return false;
    met.clear();
    const uint64_t next = slice.table.scan(defrag_.cursor, [&met](Entry* entry) { met.push_back(entry); });
    for (Entry* entry : met) defrag_entry(slice, entry);
    defrag_.cursor = next;
    if (next == 0 && defrag_.key.empty()) ++defrag_.db;
    if (next == 0 && !defrag_.key.empty()) {
      // The last bucket's big value is finished before the next database begins.
      if (!defrag_big_value(slice, deadline_us)) return false;
      ++defrag_.db;
    }
  }
  return true;
}

void Dispatcher::defrag_entry(DbSlice& slice, Entry* entry) {
  BlockMover& mover = defrag_.mover;
  const uint64_t moved_before = defrag_.mover.hits();
  if (mover.wants(entry)) {
    // The slot and the index of field expiries know the entry by its address.
    const int64_t before_ms = next_field_expiry_ms(entry);
    if (before_ms != 0) slice.field_expiries.erase({before_ms, entry});
    EntryTable::Slot* slot = slice.table.find(hash_bytes(entry->key()), entry->key());
    entry = static_cast<Entry*>(mover.move(entry));
    slot->set_item(entry);
    if (before_ms != 0) slice.field_expiries.emplace(before_ms, entry);
  }
  const auto elements_max = static_cast<size_t>(environment_.config->active_defrag_max_scan_fields);
  const uint64_t rest = relocate_value(entry, 0, elements_max, mover);
  const bool moved = defrag_.mover.hits() != moved_before;
  (moved ? server_.defrag.key_hits : server_.defrag.key_misses).fetch_add(1, std::memory_order_relaxed);
  if (rest == 0) return;
  // Only one value's rest is remembered: another big one of the same bucket is taken up in the next round.
  defrag_.key.assign(entry->key());
  defrag_.element_cursor = rest;
}

bool Dispatcher::defrag_big_value(DbSlice& slice, int64_t deadline_us) {
  while (!defrag_.key.empty()) {
    if (monotonic_us() >= deadline_us) return false;
    Entry* entry = slice.find(hash_bytes(defrag_.key), defrag_.key);
    const auto elements_max = static_cast<size_t>(environment_.config->active_defrag_max_scan_fields);
    defrag_.element_cursor = entry == nullptr ? 0 : relocate_value(entry, defrag_.element_cursor, elements_max, defrag_.mover);
    if (defrag_.element_cursor == 0) defrag_.key.clear();
  }
  return true;
}

}  // namespace synap
