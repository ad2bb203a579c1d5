#include "server/command/server_api.h"

#include <algorithm>
#include <utility>

#include "server/keyspace/background.h"
#include "server/keyspace/hot_values.h"

namespace synap {

void PostponedClients::add(uint64_t client_id) {
  LockGuard guard(mutex_);
  ids_.push_back(client_id);
}

void PostponedClients::retry_all(ClientDirectory* clients) {
  std::vector<uint64_t> ids;
  {
    LockGuard guard(mutex_);
    ids = std::exchange(ids_, {});
  }
  for (const uint64_t id : ids) clients->post(id, [](ClientPort& port) { port.retry_postponed(); });
}

void PauseState::pause(StateBits* state, int64_t until_ms, bool writes_only) {
  LockGuard guard(mutex_);
  if (until_ms > until_ms_.load(std::memory_order_relaxed)) until_ms_.store(until_ms, std::memory_order_relaxed);
  state->set(writes_only ? kStatePausedWrites : kStatePausedAll);
}

void PauseState::unpause(StateBits* state, ClientDirectory* clients) {
  LockGuard guard(mutex_);
  end(state, clients);
}

void PauseState::check(StateBits* state, ClientDirectory* clients, int64_t now_ms) {
  if (!state->has(kStatePausedWrites | kStatePausedAll)) return;
  LockGuard guard(mutex_);
  if (until_ms() <= now_ms) end(state, clients);
}

void PauseState::end(StateBits* state, ClientDirectory* clients) {
  state->clear(kStatePausedWrites | kStatePausedAll);
  until_ms_.store(0, std::memory_order_relaxed);
  postponed_.retry_all(clients);
}

void Server::add_keyspace_stats(KeyspaceStats* stats) {
  LockGuard guard(mutex_);
  keyspace_stats_.push_back(stats);
}

uint64_t Server::sum_keyspace(std::atomic<uint64_t> KeyspaceStats::*member) const {
  LockGuard guard(mutex_);
  uint64_t sum = 0;
  for (const KeyspaceStats* stats : keyspace_stats_) sum += (stats->*member).load(std::memory_order_relaxed);
  return sum;
}

void Server::reset_statistics() {
  statistics->reset();
  background_reset_stats();
  for (auto* counter : {&defrag.hits, &defrag.misses, &defrag.key_hits, &defrag.key_misses}) counter->store(0, std::memory_order_relaxed);
  defrag.total_us.store(0, std::memory_order_relaxed);
  defrag.since_us.store(0, std::memory_order_relaxed);  // from the next tick on, should it go on
  hot_values->reset_statistics();
  LockGuard guard(mutex_);
  for (KeyspaceStats* stats : keyspace_stats_) {
    for (auto* counter : {&stats->hits, &stats->misses, &stats->expired, &stats->expired_fields, &stats->evicted}) {
      counter->store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace synap
