// Statistics of commands and traffic. Each thread that runs commands owns one ThreadStatistics and writes it with
// relaxed stores; INFO sums all of them. CONFIG RESETSTAT posts a reset to the owners' next look (generation).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/sync.h"

namespace synap {

// A counter written by one thread and read by any.
class Counter {
 public:
  void add(uint64_t n = 1) { value_.store(get() + n, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }
  void reset() { value_.store(0, std::memory_order_relaxed); }
  void raise_to(uint64_t n) {
    if (n > get()) value_.store(n, std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t> value_{0};
};

// Durations in nanoseconds by power of two, four steps each: percentiles within 19 %. Written by one thread, which makes
// the counters with its first record: of 400 commands most never run.
class LatencyHistogram {
 public:
  static constexpr size_t kBuckets = 160;  // up to 2^40 ns
  using Counts = std::array<Counter, kBuckets>;

  LatencyHistogram() = default;
  ~LatencyHistogram() { delete counts_.load(std::memory_order_relaxed); }
  LatencyHistogram(const LatencyHistogram&) = delete;
  LatencyHistogram& operator=(const LatencyHistogram&) = delete;

  void record(uint64_t ns) {
    Counts* counts = counts_.load(std::memory_order_relaxed);
    if (counts == nullptr) [[unlikely]] {
      counts = std::make_unique<Counts>().release();
      counts_.store(counts, std::memory_order_release);
    }
    (*counts)[bucket_of(ns)].add();
  }
  uint64_t count(size_t bucket) const {
    const Counts* counts = counts_.load(std::memory_order_acquire);
    return counts == nullptr ? 0 : (*counts)[bucket].get();
  }
  static size_t bucket_of(uint64_t ns) {
    if (ns < 4) return static_cast<size_t>(ns);
    const auto power = static_cast<size_t>(std::bit_width(ns)) - 1;
    const size_t bucket = (power - 1) * 4 + ((ns >> (power - 2)) & 3);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }
  // The largest duration a bucket holds.
  static uint64_t upper_bound(size_t bucket) {
    if (bucket < 4) return bucket;
    const size_t power = bucket / 4 + 1;
    return ((uint64_t{4} + bucket % 4 + 1) << (power - 2)) - 1;
  }
  void reset() {
    Counts* counts = counts_.load(std::memory_order_acquire);
    if (counts == nullptr) return;
    for (Counter& counter : *counts) counter.reset();
  }

 private:
  std::atomic<Counts*> counts_{nullptr};
};

struct CommandStatistics {
  Counter calls, nanoseconds, rejected, failed;
  LatencyHistogram latency;
};

struct ThreadStatistics {
  explicit ThreadStatistics(size_t rows) : per_command(rows) {}

  std::vector<CommandStatistics> per_command;  // by CommandTable::index_of
  Counter commands, connections, rejected_connections, net_in_bytes, net_out_bytes, errors;
  Counter output_limit_disconnections, query_limit_disconnections, evicted_clients, slow_lane_commands, parked_commands;
  Counter reads, writes;                       // of sockets
  Counter turns, turn_ns, turn_ns_max, turn_commands_max, cron_us;  // of the reactor's loop: what it did between polls
  Counter acl_denied_auth, acl_denied_command, acl_denied_key, acl_denied_channel;

  // Errors by their code. Rare, so under a lock.
  void count_error(std::string_view code);
  std::map<std::string, uint64_t, std::less<>> errors_by_code() const;
  void reset();

 private:
  static constexpr size_t kErrorCodesMax = 128;  // as Redis: scripts could invent codes without end
  mutable Mutex mutex_{LockRank::kStatistics};
  std::map<std::string, uint64_t, std::less<>> errors_by_code_ GUARDED_BY(mutex_);
};

// All threads' statistics.
class Statistics {
 public:
  explicit Statistics(size_t commands) : commands_(commands) {}
  ThreadStatistics* add_thread();
  // visit(const ThreadStatistics&)
  template <class Visit>
  void for_each(Visit visit) const {
    LockGuard guard(mutex_);
    for (const auto& thread : threads_) visit(*thread);
  }
  template <class Member>
  uint64_t sum(Member member) const {
    uint64_t total = 0;
    for_each([&](const ThreadStatistics& thread) { total += (thread.*member).get(); });
    return total;
  }
  void reset();
  // The largest of a counter that each thread raises to its own maximum.
  template <class Member>
  uint64_t max(Member member) const {
    uint64_t largest = 0;
    for_each([&](const ThreadStatistics& thread) { largest = std::max(largest, (thread.*member).get()); });
    return largest;
  }
  size_t threads() const { return thread_count_.load(std::memory_order_relaxed); }

 private:
  const size_t commands_;
  std::atomic<size_t> thread_count_{0};
  mutable Mutex mutex_{LockRank::kServer};
  std::vector<std::unique_ptr<ThreadStatistics>> threads_ GUARDED_BY(mutex_);
};

}  // namespace synap
