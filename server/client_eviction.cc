#include "server/client_eviction.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "server/client.h"
#include "server/command/client_memory.h"

namespace synap {

void ClientEviction::account(int64_t delta_bytes) {
  total_bytes_.fetch_add(delta_bytes, std::memory_order_relaxed);
  if (delta_bytes > 0) check();
}

void ClientEviction::check() {
  const uint64_t limit = client_memory_limit(server_->config->current());
  if (limit != 0 && total_bytes_.load(std::memory_order_relaxed) > static_cast<int64_t>(limit)) evict(limit);
}

void ClientEviction::evict(uint64_t limit_bytes) {
  struct Victim {
    uint64_t bytes;
    std::shared_ptr<SharedSession> client;
  };
  std::vector<Victim> candidates;
  uint64_t total = 0;
  LockGuard guard(mutex_);
  for (const std::shared_ptr<SharedSession>& client : server_->clients->all()) {
    if (!client_is_evictable(client->flags.load(std::memory_order_relaxed))) continue;
    candidates.push_back({client_memory_bytes(*client), client});
    total += candidates.back().bytes;
  }
  std::sort(candidates.begin(), candidates.end(), [](const Victim& a, const Victim& b) { return a.bytes > b.bytes; });
  for (const Victim& victim : candidates) {
    if (total <= limit_bytes) break;
    total -= victim.bytes;
    victim.client->evicted.store(true, std::memory_order_relaxed);
    server_->clients->post(victim.client->id, [](ClientPort& port) { static_cast<Client&>(port).evict(); });
  }
}

}  // namespace synap
