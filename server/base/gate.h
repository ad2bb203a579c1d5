// A Gate counts who is inside something that must not be torn down under them (an idea of Seastar's).
// close() lets nobody else in and waits until everybody has left; a gate may not die with somebody inside.
#pragma once

#include <atomic>
#include <cstdint>

#include "server/base/assert.h"

namespace synap {

class Gate {
 public:
  Gate() = default;
  ~Gate() { SYNAP_ASSERT(inside() == 0); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // False when the gate is closed; then leave() must not be called.
  bool enter();
  void leave();
  // Blocks the calling thread: never from inside, never on a reactor that others wait for.
  void close();

  uint64_t inside() const { return state_.load(std::memory_order_acquire) / kOne; }
  bool closed() const { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }

 private:
  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kOne = 2;
  std::atomic<uint64_t> state_{0};  // twice the count, plus one when closed
};

// Holds a gate open for its own lifetime, if it could enter.
class GateHold {
 public:
  explicit GateHold(Gate& gate) : gate_(gate.enter() ? &gate : nullptr) {}
  ~GateHold() {
    if (gate_ != nullptr) gate_->leave();
  }
  GateHold(const GateHold&) = delete;
  GateHold& operator=(const GateHold&) = delete;
  explicit operator bool() const { return gate_ != nullptr; }

 private:
  Gate* const gate_;
};

}  // namespace synap
