// MonitorFeed: the clients in MONITOR mode. Every command is shown to them after it ran (a script before what it runs), in
// the order of execution of each thread; the line is encoded once.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "server/base/sync.h"

namespace synap {

class ClientDirectory;
class Context;

class MonitorFeed {
 public:
  explicit MonitorFeed(ClientDirectory* clients) : clients_(clients) {}

  bool active() const { return count_.load(std::memory_order_relaxed) != 0; }
  void add(uint64_t client_id);
  void remove(uint64_t client_id);
  // Made before the command runs, which may take its arguments over.
  static std::string line_of(Context& ctx);
  void feed(std::string line);

 private:
  ClientDirectory* const clients_;
  std::atomic<size_t> count_{0};
  Mutex mutex_{LockRank::kMonitor};
  std::vector<uint64_t> ids_ GUARDED_BY(mutex_);
};

}  // namespace synap
