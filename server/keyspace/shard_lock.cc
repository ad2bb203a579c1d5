#include "server/keyspace/shard_lock.h"

#include <semaphore>

namespace synap {

bool ShardLock::try_lock_claimed(LockMode mode) {
  uint32_t word = word_.load(std::memory_order_relaxed);
  const uint32_t blockers = mode == LockMode::kShared ? kWriter : kWriter | kReaders;
  while ((word & blockers) == 0) {
    const uint32_t locked = mode == LockMode::kShared ? word + 1 : word | kWriter;
    if (word_.compare_exchange_weak(word, locked & ~kClaimed, std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

bool ShardLock::wait(LockWaiter* waiter, LockMode mode, bool claimant) {
  LockGuard guard(mutex_);
  // The bit first, then the look: a release after this sees the bit, one before it is seen here.
  word_.fetch_or(kWaiting, std::memory_order_seq_cst);
  const uint32_t blockers = (mode == LockMode::kShared ? kWriter : kWriter | kReaders) | (claimant ? 0 : kClaimed);
  if ((word_.load(std::memory_order_seq_cst) & blockers) == 0) {
    if (first_ == nullptr) word_.fetch_and(~kWaiting, std::memory_order_relaxed);
    return false;
  }
  waiter->next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = waiter;
  last_ = waiter;
  return true;
}

namespace {

struct SleepingWaiter final : LockWaiter {
  void wake() override { woken.release(); }
  std::binary_semaphore woken{0};
};

}  // namespace

void lock_blocking(ShardLock& lock, LockMode mode) {
  while (!lock.try_lock(mode)) {
    SleepingWaiter waiter;
    if (lock.wait(&waiter, mode, false)) waiter.woken.acquire();
  }
}

bool ShardLock::look_after_waiters() {
  const uint32_t word = word_.load(std::memory_order_relaxed);
  if ((word & kWaiting) == 0) return false;
  if ((word & (kWriter | kClaimed)) == 0) wake_waiters();
  return true;
}

void ShardLock::wake_waiters() {
  LockWaiter* waiter;
  {
    LockGuard guard(mutex_);
    waiter = first_;
    first_ = last_ = nullptr;
    word_.fetch_and(~kWaiting, std::memory_order_relaxed);
  }
  while (waiter != nullptr) {
    LockWaiter* next = waiter->next;  // the waiter may be gone once it was woken
    waiter->wake();
    waiter = next;
  }
}

}  // namespace synap
