#include "server/keyspace/access_clock.h"

#include <algorithm>

#include "server/base/random.h"

namespace synap {

uint32_t AccessClock::frequency(uint32_t clock) const {
  const uint32_t counter = clock & 0xff;
  if (lfu_decay_minutes <= 0) return counter;
  const uint32_t elapsed = (minutes_now - (clock >> 8)) & 0xffff;
  const uint32_t periods = elapsed / static_cast<uint32_t>(lfu_decay_minutes);
  return counter - std::min(counter, periods);
}

uint32_t AccessClock::lfu_touched(uint32_t clock) const {
  uint32_t counter = frequency(clock);
  if (counter < 255) {
    const double above = counter > kLfuInitial ? counter - kLfuInitial : 0;
    if (thread_random().unit() < 1.0 / (above * lfu_log_factor + 1)) ++counter;
  }
  return minutes_now << 8 | counter;
}

}  // namespace synap
