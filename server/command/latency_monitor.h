// LatencyMonitor: spikes by event name, as LATENCY shows them: per event the last 160 seconds that had one, each with its
// worst latency, and the worst of all time. Any thread; only spikes take the lock.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/sync.h"

namespace synap {

struct LatencySample {
  int64_t time_seconds = 0;
  int64_t latency_ms = 0;
};

struct LatencyEvent {
  static constexpr size_t kSamples = 160;
  std::array<LatencySample, kSamples> samples;
  size_t next = 0;
  int64_t worst_ms = 0;

  // Oldest first.
  std::vector<LatencySample> history() const;
};

class LatencyMonitor {
 public:
  void add(std::string_view event, int64_t latency_ms);
  std::map<std::string, LatencyEvent, std::less<>> events() const;
  // How many of the named events (all, if none is named) were there and are forgotten now.
  size_t reset(const std::vector<std::string_view>& names);

 private:
  mutable Mutex mutex_{LockRank::kStatistics};
  std::map<std::string, LatencyEvent, std::less<>> events_ GUARDED_BY(mutex_);
};

}  // namespace synap
