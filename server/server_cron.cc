// What the server does with time: each reactor's share ten times a second (expiry, idle clients, defragmentation), once for all
// on reactor 0 (rates, snapshots and rewrites that are due, memory), and old configurations' end. Never waits for anything.
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/cycle_clock.h"
#include "server/command/memory_usage.h"
#include "server/keyspace/background.h"
#include "server/keyspace/defragmenter.h"
#include "server/keyspace/memory_counter.h"
#include "server/server_impl.h"

namespace synap {

namespace {

// Active expiry: its share of a cron interval at most, as Redis's 25 %.
constexpr int64_t kExpireShare = 4;  // the divisor
constexpr int64_t kConfigGraceUs = 10'000'000;
// Of a reactor, between two crons: with fewer it is quiet.
constexpr uint64_t kQuietCommands = 100;

}  // namespace

void Synap::Impl::cron(Lane& lane) {
  lane.dispatcher->begin_turn();  // timers run before the poll's check phase
  const uint64_t began = cycles_now();
  lane_cron(lane, lane.dispatcher->environment().now_ms);
  if (lane.reactor->index() == 0) server_cron(lane, lane.dispatcher->environment().now_ms);
  lane.cron_ns += CycleClock().nanoseconds(cycles_now() - began);
  lane.dispatcher->statistics().cron_us.add(lane.cron_ns / 1000);
  lane.cron_ns %= 1000;
}

// What each reactor does for its share.
void Synap::Impl::lane_cron(Lane& lane, int64_t now_ms) {
  if (!server.cron_paused.load(std::memory_order_relaxed) && !state.has(kStateLoading)) {
    const int64_t began_us = monotonic_us();
    lane.dispatcher->expire_cycle(lane.reactor->index(), lanes.size(), expiry_budget_us());
    const int64_t took_ms = (monotonic_us() - began_us) / 1000;
    const int64_t threshold_ms = config.current().latency_monitor_threshold;
    if (threshold_ms > 0 && took_ms >= threshold_ms) latency.add("expire-cycle", took_ms);
  }
  std::vector<Client*> all;  // cron may close some
  for (const auto& [id, client] : lane.clients) all.push_back(client.get());
  for (Client* client : all) client->cron(now_ms);
  scripting.forget_flushed(lane.dispatcher.get());
  lane.dispatcher->schedule_defrag(*lane.reactor);
  flush_if_quiet(lane);
}

// The allocator looks through a thread's cache only as the thread allocates. What a quiet one keeps of its last burst
// would hold slabs for as long as it is quiet, a few hundred blocks some megabytes: holes that no move can close.
void Synap::Impl::flush_if_quiet(Lane& lane) {
  const uint64_t now = lane.dispatcher->statistics().commands.get();
  if (now - std::exchange(lane.cron_commands, now) < kQuietCommands) Defragmenter::flush_thread_cache();
}

// Reactors on one thread share its time.
int64_t Synap::Impl::expiry_budget_us() const {
  return kCronMs * 1000 / kExpireShare / static_cast<int64_t>(reactor_threads->per_thread());
}

// What is done once for all, on reactor 0.
void Synap::Impl::server_cron(Lane& lane, int64_t now_ms) {
  sample_rates();
  server.pause.check(&state, clients.get(), now_ms);
  if (server.caches_exist()) tracking->keep_limit(static_cast<size_t>(config.current().tracking_table_max_keys));
  save_if_due(lane, now_ms);
  rewrite_if_due(lane, now_ms);
  persistence->migrate_targets().close_idle(now_ms);
  memory_counter_settle();
  decide_defrag(server);
  lane.dispatcher->keep_memory_limit(*lane.reactor);
  const size_t used = used_memory_bytes();
  if (used > server.peak_memory_bytes.load(std::memory_order_relaxed)) {
    server.peak_memory_bytes.store(used, std::memory_order_relaxed);
  }
}

void Synap::Impl::sample_rates() {
  const int64_t now_us = monotonic_us();
  const auto sample = [&](RateMeter* meter, Counter ThreadStatistics::*counter, std::atomic<int64_t>* rate) {
    rate->store(meter->sample(now_us, statistics.sum(counter)), std::memory_order_relaxed);
  };
  sample(&commands_rate, &ThreadStatistics::commands, &server.operations_per_second);
  sample(&input_rate, &ThreadStatistics::net_in_bytes, &server.input_bytes_per_second);
  sample(&output_rate, &ThreadStatistics::net_out_bytes, &server.output_bytes_per_second);
  sample(&turn_rate, &ThreadStatistics::turns, &server.turns_per_second);
  sample(&turn_ns_rate, &ThreadStatistics::turn_ns, &server.turn_ns_per_second);
}

// Old configurations are freed once no thread can hold one: reactors have passed a turn and workers a job; threads that
// only look one up for a moment (AOF, log) have had a while.
void Synap::Impl::retire_configs() {
  struct Old {
    int64_t since_us;
    std::unique_ptr<const Config> config;
  };
  config.set_retire([old = std::make_shared<std::deque<Old>>()](std::unique_ptr<const Config> retired) {
    const int64_t now_us = monotonic_us();
    old->push_back({now_us, std::move(retired)});
    while (old->front().since_us + kConfigGraceUs < now_us) {
      auto* memory = const_cast<Config*>(old->front().config.release());
      reclamation_retire(memory, [](void* snapshot) { delete static_cast<Config*>(snapshot); });
      old->pop_front();
    }
  });
}

void Synap::Impl::save_if_due(Lane& lane, int64_t now_ms) {
  if (background_save_waits || !persistence->wants_background(now_ms)) return;
  background_save_waits = true;
  lane.dispatcher->with_shards(*lane.reactor, kAllShardsMask, [this](ShardGuard*) {
    background_save_waits = false;
    static_cast<void>(persistence->start_background(wall_clock_ms(), false));  // a failure is logged and tried again
  });
}

void Synap::Impl::rewrite_if_due(Lane& lane, int64_t now_ms) {
  if (rewrite_waits || !aof->wants_rewrite(now_ms)) return;
  rewrite_waits = true;
  lane.dispatcher->with_keyspace(*lane.reactor, [this](ShardGuard*) {
    rewrite_waits = false;
    static_cast<void>(aof->start_rewrite(wall_clock_ms()));  // a failure is logged and tried again
  });
}

// Any thread. The AOF was switched on and wants its base.
void Synap::Impl::rewrite_soon() {
  Lane& lane = lanes.front();
  lane.reactor->post([this, &lane] { rewrite_if_due(lane, wall_clock_ms()); });
}

}  // namespace synap
