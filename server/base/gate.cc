// See gate.h.
#include "server/base/gate.h"

namespace synap {

bool Gate::enter() {
  uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kClosed) != 0) return false;
  } while (!state_.compare_exchange_weak(state, state + kOne, std::memory_order_acquire, std::memory_order_relaxed));
  return true;
}

void Gate::leave() {
  const uint64_t before = state_.fetch_sub(kOne, std::memory_order_acq_rel);
  SYNAP_ASSERT(before >= kOne);
  if (before == kOne + kClosed) state_.notify_all();
}

void Gate::close() {
  uint64_t state = state_.fetch_or(kClosed, std::memory_order_acq_rel) | kClosed;
  while (state != kClosed) {
    state_.wait(state, std::memory_order_acquire);
    state = state_.load(std::memory_order_acquire);
  }
}

}  // namespace synap
