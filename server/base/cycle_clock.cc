#include "server/base/cycle_clock.h"

#include <chrono>

namespace synap {

namespace {

uint64_t measure_scale() {
#if defined(__x86_64__)
  using Clock = std::chrono::steady_clock;
  constexpr auto kSpan = std::chrono::milliseconds(5);
  const Clock::time_point begin = Clock::now();
  const uint64_t begin_cycles = cycles_now();
  while (Clock::now() - begin < kSpan) {
  }
  const uint64_t cycles = cycles_now() - begin_cycles;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
  return (static_cast<uint64_t>(ns) << 20) / cycles;
#else
  return uint64_t{1} << 20;
#endif
}

}  // namespace

uint64_t cycles_scale() {
  static const uint64_t scale = measure_scale();
  return scale;
}

}  // namespace synap
