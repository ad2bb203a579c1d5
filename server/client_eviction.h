// maxmemory-clients: when the clients together take more memory than that, the biggest are closed until they do not. Each
// client tells what it takes now (its own reactor's thread); whoever passes the limit picks the victims, and each victim
// is closed by its own reactor.
#pragma once

#include <atomic>
#include <cstdint>

#include "server/base/sync.h"
#include "server/command/server_api.h"

namespace synap {

class ClientEviction {
 public:
  explicit ClientEviction(Server* server) : server_(server) {}

  // Any thread. A client's share has changed by so much; a growing one may close others or itself, a little later.
  void account(int64_t delta_bytes);
  // After the configuration changed, or a client became evictable.
  void check();
 private:
  void evict(uint64_t limit_bytes);

  Server* const server_;
  std::atomic<int64_t> total_bytes_{0};
  Mutex mutex_{LockRank::kReplication};  // one picks at a time; taken below the configuration's, above the directory's
};

}  // namespace synap
