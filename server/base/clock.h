// The system's clocks. Commands do not read these: they use the time that their loop turn took once.
#pragma once

#include <ctime>

#include <cstdint>

namespace synap {

inline int64_t read_clock_us(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

inline int64_t wall_clock_us() {
  return read_clock_us(CLOCK_REALTIME);
}
inline int64_t wall_clock_ms() {
  return wall_clock_us() / 1000;
}
inline int64_t monotonic_us() {
  return read_clock_us(CLOCK_MONOTONIC);
}
// How long the calling thread has used a processor.
inline int64_t thread_cpu_us() {
  return read_clock_us(CLOCK_THREAD_CPUTIME_ID);
}

}  // namespace synap
