// MigrateTargets: the connections that MIGRATE keeps open to other servers, because keys tend to leave in long rows.
// Any thread; a connection that is taken out belongs to its taker.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "server/base/sync.h"
#include "server/net/peer_connection.h"

namespace synap {

struct MigrateTarget {
  std::unique_ptr<PeerConnection> connection;
  int64_t db = -1;  // that is selected there; -1: unknown
  int64_t used_ms = 0;
};

class MigrateTargets {
 public:
  static constexpr size_t kKeptMax = 64;
  static constexpr int64_t kIdleMs = 10'000;

  // By "host:port"; without a connection when none is kept.
  MigrateTarget take(const std::string& name);
  void put_back(const std::string& name, MigrateTarget target, int64_t now_ms);
  // Closes those that were not used for a while.
  void close_idle(int64_t now_ms);
  size_t count() const;

 private:
  mutable Mutex mutex_{LockRank::kLeaf};
  std::map<std::string, MigrateTarget> kept_ GUARDED_BY(mutex_);
};

}  // namespace synap
