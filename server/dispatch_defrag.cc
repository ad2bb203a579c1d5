// Active defragmentation (activedefrag): while the slabs of small blocks have more room than the thresholds allow, each
// reactor walks its share of the shards in slices of half a millisecond, as many as the cycle percentage gives, and moves
// entries, strings, tables' own memory and the parts of containers to fuller slabs; the first reactor also what is in no
// shard. A slice holds one shard, if nobody else does; between two of them clients are served. What cannot be moved ends it
// for a while.

#include <algorithm>
#include <utility>
#include <vector>

#include "persistence/persistence.h"
#include "scripting/scripting.h"
#include "server/base/clock.h"
#include "server/command/latency_monitor.h"
#include "server/command/memory_usage.h"
#include "server/dispatch.h"
#include "server/keyspace/background.h"
#include "server/keyspace/type_ops.h"
#include "server/net/reactor_threads.h"

namespace synap {

namespace {

constexpr int64_t kSliceUs = 500;
// On the first reactor, behind its shards: see defrag_shardless().
constexpr size_t kShardlessParts = 2;
// A pause is a timer's, in whole milliseconds: shorter ones add up, and the slices until then follow one another, each
// after the sockets had their turn.
constexpr int64_t kPauseMinUs = 1000;
// A shard that others hold is tried this often, in slices of its own, before the next one's turn.
constexpr size_t kRefusalsMax = 50;
// Where a whole round over the keyspace moves less than one block in so many, what is left cannot be moved: pinned, in
// use, or not of the keyspace. Going round and round would only burn time.
constexpr uint64_t kFruitlessShare = 1000;
constexpr int64_t kRestUs = 30'000'000;
// It is worth another look before, if the holes grow by one part in so many.
constexpr size_t kRestGrowthShare = 8;
// A reactor that is done with its share looks this often whether the others are.
constexpr int64_t kOthersMs = 5;

// What has begun goes on to the end of its round, or until half of what is allowed is left: it would soon begin again.
int wanted_percent(const Config& config, const AllocatorFigures& figures, bool amid_round) {
  const double share = 100 * (figures.fragmentation() - 1);
  const auto lower = static_cast<double>(config.active_defrag_threshold_lower);
  const auto upper = static_cast<double>(std::max(config.active_defrag_threshold_upper, config.active_defrag_threshold_lower + 1));
  if (share < (amid_round ? lower / 2 : lower)) return 0;
  if (!amid_round && figures.holes < static_cast<size_t>(config.active_defrag_ignore_bytes)) return 0;
  const auto least = static_cast<double>(config.active_defrag_cycle_min);
  const auto most = static_cast<double>(config.active_defrag_cycle_max);
  const double wanted = least + (share - lower) * (most - least) / (upper - lower);
  return static_cast<int>(std::clamp(wanted, least, std::max(least, most)));
}

// True: not now, the last whole round found next to nothing to move, and there are hardly more holes since.
bool rests(DefragProgress& seen, size_t holes) {
  if (seen.rest_until_us == 0) return false;
  seen.rest_holes = std::min(seen.rest_holes, holes);
  if (monotonic_us() < seen.rest_until_us && holes - seen.rest_holes <= seen.rest_holes / kRestGrowthShare) return true;
  seen.rest_until_us = 0;
  return false;
}

// At the end of a round.
void begin_next_round(DefragFigures& defrag, size_t holes) {
  DefragProgress& seen = defrag.progress;
  const uint64_t moved = defrag.moved.load(std::memory_order_relaxed);
  const uint64_t asked = defrag.asked.load(std::memory_order_relaxed);
  const bool left_out = defrag.left_out.exchange(false, std::memory_order_relaxed);
  if (seen.whole && !left_out && (moved - seen.moved) * kFruitlessShare <= asked - seen.asked) {
    seen.rest_until_us = monotonic_us() + kRestUs;
    seen.rest_holes = holes;
  }
  seen.moved = moved;
  seen.asked = asked;
  seen.whole = true;
  defrag.shares_done.store(0, std::memory_order_release);
}

uint64_t all_shares(const Server& server) { return ~uint64_t{0} >> (64 - server.clients->reactor_count()); }

bool all_done(const Server& server) {
  return server.defrag.shares_done.load(std::memory_order_acquire) == all_shares(server);
}

}  // namespace

// By timer, and whenever a round is done: how much of the time is worth spending, in percent; 0: none.
void decide_defrag(Server& server) {
  const Config& config = server.config->current();
  DefragFigures& defrag = server.defrag;
  const bool runs = defrag.running_percent.load(std::memory_order_relaxed) != 0;
  // Until nobody can be reading what was moved last, its old places are in use: neither the figures nor what another
  // round would find tell anything. (A loader may keep them to its end.)
  const bool round_done = all_done(server) && (server.state->has(kStateLoading) ||
                                               reclamation_released(defrag.shares_done_at.load(std::memory_order_relaxed)));
  // Beside a child every moved byte would be copied by the kernel as well.
  const bool child = server.persistence != nullptr && server.persistence->child().running();
  int percent = 0;
  if (config.activedefrag || round_done) {
    const AllocatorFigures figures = allocator_figures();
    if (round_done) begin_next_round(defrag, figures.holes);
    const bool resting = rests(defrag.progress, figures.holes);
    if (config.activedefrag && !child && !resting) percent = wanted_percent(config, figures, runs && !round_done);
  }
  if (runs && percent == 0 && !round_done) defrag.progress.whole = false;
  defrag.running_percent.store(percent, std::memory_order_relaxed);
  const int64_t since_us = defrag.since_us.load(std::memory_order_relaxed);
  if (percent != 0 && since_us == 0) defrag.since_us.store(monotonic_us(), std::memory_order_relaxed);
  if (percent == 0 && since_us != 0) {
    defrag.total_us.fetch_add(monotonic_us() - since_us, std::memory_order_relaxed);
    defrag.since_us.store(0, std::memory_order_relaxed);
  }
}

void Dispatcher::schedule_defrag(Reactor& reactor) {
  if (server_.defrag.running_percent.load(std::memory_order_relaxed) == 0 || defrag_.scheduled) return;
  defrag_.scheduled = true;
  reactor.next_turn([this, &reactor] { continue_defrag(reactor); });
}

// One slice, and what comes after it: the next turn's, or a pause so that slices take their percentage of the time.
void Dispatcher::continue_defrag(Reactor& reactor) {
  defrag_.scheduled = false;
  const int percent = server_.defrag.running_percent.load(std::memory_order_relaxed);
  // At start the loader writes to the keyspace without a guard.
  if (percent == 0 || server_.state->has(kStateLoading)) {
    defrag_.pause_owed_us = 0;
    return;
  }
  auto again = [this, &reactor] { continue_defrag(reactor); };
  if ((server_.defrag.shares_done.load(std::memory_order_acquire) >> reactor.index() & 1) != 0) {
    if (reactor.index() == 0 && all_done(server_)) decide_defrag(server_);
    defrag_.scheduled = true;
    reactor.after(kOthersMs, std::move(again));
    return;
  }
  begin_turn();
  const int64_t began_us = monotonic_us();
  defrag_slice(reactor.index(), server_.clients->reactor_count(), false, began_us + kSliceUs);
  const int64_t ended_us = monotonic_us();
  const int64_t threshold_ms = environment_.config->latency_monitor_threshold;
  const int64_t took_ms = (ended_us - began_us) / 1000;
  if (threshold_ms > 0 && took_ms >= threshold_ms) server_.latency->add("active-defrag-cycle", took_ms);
  const int64_t paused_us = began_us - std::exchange(defrag_.ended_us, ended_us);
  defrag_.pause_owed_us = std::max<int64_t>(defrag_.pause_owed_us - paused_us, 0);
  const auto reactors_here = static_cast<int64_t>(server_.reactor_threads->per_thread());  // they share the thread's time
  defrag_.pause_owed_us += (ended_us - began_us) * (100 * reactors_here - percent) / percent;
  // Not turn after turn, while a shard is in use.
  if (defrag_.refusals != 0) defrag_.pause_owed_us = std::max(defrag_.pause_owed_us, kPauseMinUs);
  defrag_.scheduled = true;
  if (defrag_.pause_owed_us < kPauseMinUs) return reactor.next_turn(std::move(again));
  reactor.after(defrag_.pause_owed_us / 1000, std::move(again));
}

// Each so many commands a slice of its percentage of the time that they took.
void Dispatcher::defrag_beside_replay() {
  constexpr uint64_t kCommands = 1024;
  constexpr int64_t kReplaySliceUsMax = 10'000;
  constexpr int64_t kDecideUs = 20'000;
  if (++replayed_ % kCommands != 0) return;
  const int64_t began_us = monotonic_us();
  // DEBUG LOADAOF may keep the first reactor from its timers.
  if (server_.clients->reactor(0).on_thread() && began_us - decided_us_ >= kDecideUs) {
    decided_us_ = began_us;
    decide_defrag(server_);
  }
  const int64_t percent = server_.defrag.running_percent.load(std::memory_order_relaxed);
  const int64_t worked_us = began_us - std::exchange(defrag_.ended_us, began_us);
  if (percent == 0 || all_done(server_)) return;
  const int64_t slice_us = std::min(worked_us * percent / std::max<int64_t>(100 - percent, 1), kReplaySliceUsMax);
  defrag_slice(0, 1, true, began_us + slice_us);
  defrag_.ended_us = monotonic_us();
}

// Ends with its time, or with the reactor's share of the round.
void Dispatcher::defrag_slice(size_t reactor, size_t reactors, bool owns_all, int64_t deadline_us) {
  const size_t mine = (kShards - reactor + reactors - 1) / reactors;
  const size_t parts = mine + (reactor == 0 ? kShardlessParts : 0);
  if (std::exchange(defrag_.parts, parts) != parts) defrag_.go_to(0);
  while (monotonic_us() < deadline_us) {
    // What this thread's cache keeps would hold slabs that are otherwise empty.
    if (defrag_.at_begin()) Defragmenter::flush_thread_cache();
    const size_t index = reactor + defrag_.shard * reactors;
    ShardGuard guard;
    if (defrag_.shard >= mine) {
      if (!defrag_shardless(defrag_.shard - mine, deadline_us)) break;
    } else if (owns_all || guard.try_take(server_.keyspace, server_.guards, ShardMask{1} << index, LockMode::kExclusive) < 0) {
      const bool finished = defrag_shard(server_.keyspace->shard(index), deadline_us);
      guard.release();
      defrag_.refusals = 0;
      if (!finished) break;
    } else if (++defrag_.refusals < kRefusalsMax) {
      break;
    } else {
      server_.defrag.left_out.store(true, std::memory_order_relaxed);
    }
    defrag_.go_to((defrag_.shard + 1) % parts);
    if (defrag_.shard == 0) {
      count_defrag();
      return end_defrag_share(owns_all ? all_shares(server_) : uint64_t{1} << reactor);
    }
  }
  count_defrag();
}

void Dispatcher::count_defrag() {
  DefragFigures& defrag = server_.defrag;
  const uint64_t moved = defrag_.mover.hits() - std::exchange(defrag_.counted_hits, defrag_.mover.hits());
  const uint64_t left = defrag_.mover.misses() - std::exchange(defrag_.counted_misses, defrag_.mover.misses());
  defrag.moved.fetch_add(moved, std::memory_order_relaxed);
  defrag.asked.fetch_add(moved + left, std::memory_order_relaxed);
  defrag.hits.fetch_add(moved, std::memory_order_relaxed);
  defrag.misses.fetch_add(left, std::memory_order_relaxed);
}

// A round is done when each reactor has done its share. Whether there is another one is then seen at once: those that go
// round and round until a timer finds that it is enough look at everything in vain.
void Dispatcher::end_defrag_share(uint64_t shares) {
  const uint64_t all = all_shares(server_);
  server_.defrag.shares_done_at.store(reclamation_now(), std::memory_order_relaxed);
  if ((server_.defrag.shares_done.fetch_or(shares, std::memory_order_acq_rel) | shares) != all) return;
  Reactor& first = server_.clients->reactor(0);
  if (first.on_thread()) return decide_defrag(server_);
  first.post([&server = server_] { decide_defrag(server); });
}

// Goes on where the slice before stopped. False: time is up.
bool Dispatcher::defrag_shard(Shard& shard, int64_t deadline_us) {
  std::vector<Entry*> met;
  while (static_cast<size_t>(defrag_.db) < shard.dbs.size()) {
    DbSlice& slice = shard.dbs[static_cast<size_t>(defrag_.db)];
    // The last bucket's big values are finished before the next one.
    if (!defrag_big_values(slice, deadline_us) || monotonic_us() >= deadline_us) return false;
    if (defrag_.last_bucket_done) {
      ++defrag_.db;
      defrag_.last_bucket_done = false;
      continue;
    }
    met.clear();
    slice.table.move_memory(defrag_.cursor, defrag_.mover);
    defrag_.cursor = slice.table.scan(defrag_.cursor, [&met](Entry* entry) { met.push_back(entry); });
    for (Entry* entry : met) defrag_entry(slice, entry);
    defrag_.last_bucket_done = defrag_.cursor == 0;
  }
  return true;
}

void Dispatcher::defrag_entry(DbSlice& slice, Entry* entry) {
  BlockMover& mover = defrag_.mover;
  const uint64_t moved_before = defrag_.mover.hits();
  if (mover.wants(entry)) {
    // The slot and the index of field expiries know the entry by its address.
    const int64_t before_ms = next_field_expiry_ms(entry);
    decltype(slice.field_expiries)::node_type known;
    if (before_ms != 0) known = slice.field_expiries.extract({before_ms, entry});
    EntryTable::Slot* slot = slice.table.find(hash_bytes(entry->key()), entry->key());
    entry = static_cast<Entry*>(mover.move(entry));
    slot->set_item(entry);
    if (!known.empty()) {
      known.value().second = entry;
      slice.field_expiries.insert(std::move(known));
    }
  }
  const uint64_t rest = relocate_value(entry, 0, defrag_step(), mover);
  const bool moved = defrag_.mover.hits() != moved_before;
  (moved ? server_.defrag.key_hits : server_.defrag.key_misses).fetch_add(1, std::memory_order_relaxed);
  if (rest != 0) defrag_.big_values.push_back({std::string(entry->key()), rest});
}

bool Dispatcher::defrag_big_values(DbSlice& slice, int64_t deadline_us) {
  while (!defrag_.big_values.empty()) {
    if (monotonic_us() >= deadline_us) return false;
    DefragPlace::BigValue& value = defrag_.big_values.back();
    Entry* entry = slice.find(hash_bytes(value.key), value.key);
    value.cursor = entry == nullptr ? 0 : relocate_value(entry, value.cursor, defrag_step(), defrag_.mover);
    if (value.cursor == 0) defrag_.big_values.pop_back();
  }
  return true;
}

// Scripts' bodies, and the channels that clients listen to.
bool Dispatcher::defrag_shardless(size_t part, int64_t deadline_us) {
  do {
    if (monotonic_us() >= deadline_us) return false;
    defrag_.cursor = part == 0 ? server_.scripting->cache().relocate(defrag_.cursor, defrag_step(), defrag_.mover)
                               : server_.pubsub->relocate(defrag_.cursor, defrag_step(), defrag_.mover);
  } while (defrag_.cursor != 0);
  return true;
}

// Elements at once: between two steps the clock is looked at.
size_t Dispatcher::defrag_step() const {
  constexpr int64_t kElementsMax = 256;
  return static_cast<size_t>(std::min(environment_.config->active_defrag_max_scan_fields, kElementsMax));
}

}  // namespace synap
