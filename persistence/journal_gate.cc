#include "persistence/journal_gate.h"

#include <utility>

namespace synap {

void JournalGate::set_active(bool active) {
  if (this->active() == active) return;
  if (active) {
    if (places_ == nullptr) places_ = std::make_unique<std::atomic<uint64_t>[]>(kPlaces);
    released_.store(0, std::memory_order_seq_cst);
    return;
  }
  released_.store(kEverything, std::memory_order_seq_cst);
  wake_waiting();
}

void JournalGate::release(uint64_t offset) {
  uint64_t known = released();
  do {
    if (known == kEverything) return;
  } while (!released_.compare_exchange_weak(known, offset, std::memory_order_seq_cst));
  wake_waiting();
}

void JournalGate::set_wake(size_t reactors, std::function<void(size_t reactor)> wake) {
  reactors_ = reactors;
  wake_ = std::move(wake);
}

void JournalGate::wake_waiting() {
  for (size_t i = 0; i < reactors_; ++i) {
    if (waiting_[i].exchange(false, std::memory_order_seq_cst)) wake_(i);
  }
}

}  // namespace synap
