// ShardLock: the lock of one shard. An atomic word that no thread owns (a guard may be taken on a reactor and released on
// a worker), shared by readers or held by one writer. It never blocks a thread: try_lock fails, and the command that
// wanted it waits in the lock's queue until a release wakes it to try again.
#pragma once

#include <atomic>
#include <cstdint>

#include "server/base/sync.h"

namespace synap {

enum class LockMode : uint8_t { kShared, kExclusive };

// Something that waits for a shard: embedded in a parked command. wake() is called on the releasing thread, with no lock
// held, and must only hand the command back to its reactor.
struct LockWaiter {
  virtual void wake() = 0;
  LockWaiter* next = nullptr;

 protected:
  ~LockWaiter() = default;
};

class ShardLock {
 public:
  bool try_lock(LockMode mode) { return mode == LockMode::kShared ? try_lock_shared() : try_lock_exclusive(); }
  void unlock(LockMode mode) { mode == LockMode::kShared ? unlock_shared() : unlock_exclusive(); }

  // Queues the waiter unless the lock could be taken now; true when queued. The waiter is woken once, by the next
  // release that leaves the lock free, and must try again. A claimant does not wait for its own claim.
  bool wait(LockWaiter* waiter, LockMode mode, bool claimant);

  // Its only reader becomes its writer. False: there are other readers.
  bool try_upgrade() {
    uint32_t word = word_.load(std::memory_order_relaxed);
    while ((word & kReaders) == 1) {
      const uint32_t upgraded = (word - 1) | kWriter;
      if (word_.compare_exchange_weak(word, upgraded, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  // Its writer becomes one of its readers.
  void downgrade() {
    const uint32_t before = word_.fetch_sub(kWriter - 1, std::memory_order_release);
    if ((before & kWaiting) != 0) wake_waiters();
  }

  // The growing guard's claim: while it is set nobody else may enter, so the holders drain and the claimant gets in.
  void claim() { word_.fetch_or(kClaimed, std::memory_order_relaxed); }
  // The claimant gives up; whoever waited because of the claim tries again.
  void unclaim() {
    word_.fetch_and(~kClaimed, std::memory_order_relaxed);
    wake_waiters();
  }
  bool try_lock_claimed(LockMode mode);

  // Wakes all who wait, to look again whether they still want to.
  void wake_waiters();
  // Whether anybody waits; wakes them if readers share the lock. Readers that take turns never leave it free, so no release
  // would wake a writer. Who waits for a writer or a claimant, or is one, will be woken.
  bool look_after_waiters();

  bool held() const { return (word_.load(std::memory_order_relaxed) & (kWriter | kReaders)) != 0; }

 private:
  static constexpr uint32_t kWriter = 1U << 31;
  static constexpr uint32_t kWaiting = 1U << 30;
  static constexpr uint32_t kClaimed = 1U << 29;
  static constexpr uint32_t kReaders = kClaimed - 1;

  bool try_lock_shared() {
    uint32_t word = word_.load(std::memory_order_relaxed);
    while ((word & (kWriter | kClaimed)) == 0) {
      if (word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  bool try_lock_exclusive() {
    uint32_t word = word_.load(std::memory_order_relaxed);
    while ((word & (kWriter | kClaimed | kReaders)) == 0) {
      if (word_.compare_exchange_weak(word, word | kWriter, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  void unlock_shared() {
    const uint32_t before = word_.fetch_sub(1, std::memory_order_release);
    if ((before & kReaders) == 1 && (before & kWaiting) != 0) wake_waiters();
  }
  void unlock_exclusive() {
    const uint32_t before = word_.fetch_and(~kWriter, std::memory_order_release);
    if ((before & kWaiting) != 0) wake_waiters();
  }
  std::atomic<uint32_t> word_{0};
  Mutex mutex_{LockRank::kBlocking};
  LockWaiter* first_ GUARDED_BY(mutex_) = nullptr;
  LockWaiter* last_ GUARDED_BY(mutex_) = nullptr;
};

// Waits for the lock on a thread that may sleep (a worker).
void lock_blocking(ShardLock& lock, LockMode mode);

}  // namespace synap
