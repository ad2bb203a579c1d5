// AclLog: what users were denied, newest first, for ACL LOG and INFO. Like denials within a minute are one entry with a
// count. Any thread; under one lock, which only denials take.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "server/base/sync.h"
#include "server/command/acl.h"
#include "server/command/config.h"

namespace synap {

struct AclEvent {
  AclDenial denial = AclDenial::kNone;
  AclContext context = AclContext::kTopLevel;
  std::string user;
  std::string object;
  const Command* running = nullptr;  // what CLIENT LIST shows as the client's command; null: its last one
};

struct AclLogEntry {
  AclEvent event;
  int64_t id = 0;
  uint64_t count = 1;
  int64_t created_ms = 0;
  int64_t updated_ms = 0;
  std::string client;  // the last one's line of CLIENT LIST
};

class AclLog {
 public:
  // Writes the client's line: its format belongs to CLIENT LIST.
  using DescribeClient = std::function<std::string(const SharedSession& client, const Command* running)>;

  // At start, before other threads.
  void set_describe(DescribeClient describe) { describe_ = std::move(describe); }

  void add(const AclEvent& event, const SharedSession& client, const Config& config);
  void reset();
  std::vector<AclLogEntry> newest(size_t count) const;
  // Denials since the start, for INFO.
  uint64_t denied(AclDenial denial) const {
    return denied_[static_cast<size_t>(denial)].load(std::memory_order_relaxed);
  }

 private:
  AclLogEntry* find_like(const AclEvent& event, int64_t now_ms) REQUIRES(mutex_);

  DescribeClient describe_;
  std::atomic<uint64_t> denied_[5] = {};
  mutable Mutex mutex_{LockRank::kMonitor};
  int64_t next_id_ GUARDED_BY(mutex_) = 0;
  std::deque<AclLogEntry> entries_ GUARDED_BY(mutex_);
};

}  // namespace synap
