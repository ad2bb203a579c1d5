#include "server/command/latency_monitor.h"

#include <algorithm>

#include "server/base/clock.h"

namespace synap {

std::vector<LatencySample> LatencyEvent::history() const {
  std::vector<LatencySample> result;
  for (size_t i = 0; i < kSamples; ++i) {
    const LatencySample& sample = samples[(next + i) % kSamples];
    if (sample.time_seconds != 0) result.push_back(sample);
  }
  return result;
}

void LatencyMonitor::add(std::string_view event_name, int64_t latency_ms) {
  const int64_t now = wall_clock_ms() / 1000;
  LockGuard guard(mutex_);
  auto it = events_.find(event_name);
  if (it == events_.end()) it = events_.emplace(event_name, LatencyEvent{}).first;
  LatencyEvent& event = it->second;
  event.worst_ms = std::max(event.worst_ms, latency_ms);
  LatencySample& previous = event.samples[(event.next + LatencyEvent::kSamples - 1) % LatencyEvent::kSamples];
  if (previous.time_seconds == now) {
    previous.latency_ms = std::max(previous.latency_ms, latency_ms);
    return;
  }
  event.samples[event.next] = LatencySample{now, latency_ms};
  event.next = (event.next + 1) % LatencyEvent::kSamples;
}

std::map<std::string, LatencyEvent, std::less<>> LatencyMonitor::events() const {
  LockGuard guard(mutex_);
  return events_;
}

size_t LatencyMonitor::reset(const std::vector<std::string_view>& names) {
  LockGuard guard(mutex_);
  if (names.empty()) {
    const size_t count = events_.size();
    events_.clear();
    return count;
  }
  size_t count = 0;
  for (const std::string_view name : names) {
    const auto it = events_.find(name);
    if (it == events_.end()) continue;
    events_.erase(it);
    ++count;
  }
  return count;
}

}  // namespace synap
