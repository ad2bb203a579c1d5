// The 24-bit access clock of an entry, as Redis keeps it for maxmemory policies: under LRU policies seconds since some
// epoch, modulo 2^24; under LFU policies 16 bits of minutes (last decrement) and an 8-bit logarithmic counter.
#pragma once

#include <cstdint>

namespace synap {

struct AccessClock {
  bool lfu = false;
  uint32_t lru_now = 0;      // seconds, 24 bits
  uint32_t minutes_now = 0;  // 16 bits
  int lfu_log_factor = 10;
  int lfu_decay_minutes = 1;

  void set_time(int64_t now_ms) {
    lru_now = static_cast<uint32_t>(now_ms / 1000) & kLruMax;
    minutes_now = static_cast<uint32_t>(now_ms / 60000) & 0xffff;
  }

  // The clock of a new entry.
  uint32_t fresh() const { return lfu ? minutes_now << 8 | kLfuInitial : lru_now; }
  // The clock after one more access.
  uint32_t touched(uint32_t clock) const { return lfu ? lfu_touched(clock) : lru_now; }
  // Seconds since the last access, for an LRU clock.
  int64_t idle_seconds(uint32_t clock) const { return (lru_now - clock) & kLruMax; }
  // The counter of an LFU clock after the decay due now.
  uint32_t frequency(uint32_t clock) const;

  static constexpr uint32_t kLruMax = (1U << 24) - 1;
  static constexpr uint32_t kLfuInitial = 5;

 private:
  uint32_t lfu_touched(uint32_t clock) const;
};

}  // namespace synap
