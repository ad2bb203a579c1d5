// Time of a command's run: the processor's time-stamp counter where it is invariant (x86-64), read in a few nanoseconds
// instead of the 20 to 30 of a clock call. Only for durations on one machine; calibrated once at the first use.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#else
#include <chrono>
#endif

namespace synap {

#if defined(__x86_64__)
inline uint64_t cycles_now() { return __rdtsc(); }
#else
inline uint64_t cycles_now() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}
#endif

// Nanoseconds per cycle, times 2^20.
uint64_t cycles_scale();

class CycleClock {
 public:
  CycleClock() : scale_(cycles_scale()) {}
  uint64_t nanoseconds(uint64_t cycles) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(cycles) * scale_) >> 20);
  }

 private:
  const uint64_t scale_;
};

}  // namespace synap
