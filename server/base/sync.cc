// See sync.h. Ranks held are a bit set per thread: taking a rank asserts that no equal or higher bit is set.
#include "server/base/sync.h"

namespace synap {
namespace {

bool mutexes_are_forbidden = false;  // set once, in a forked child

#ifdef SYNAP_DEBUG_CHECKS
thread_local uint32_t held_ranks = 0;

uint32_t bit_of(LockRank rank) {
  return 1u << static_cast<uint32_t>(rank);
}
void note_order(LockRank rank) {
  SYNAP_ASSERT(held_ranks < bit_of(rank));
}
void note_locked(LockRank rank) {
  held_ranks |= bit_of(rank);
}
void note_unlocked(LockRank rank) {
  SYNAP_ASSERT((held_ranks & bit_of(rank)) != 0);
  held_ranks &= ~bit_of(rank);
}
#else
void note_order(LockRank) {}
void note_locked(LockRank) {}
void note_unlocked(LockRank) {}
#endif

}  // namespace

void forbid_mutexes() { mutexes_are_forbidden = true; }

void Mutex::lock() {
  SYNAP_ASSERT(!mutexes_are_forbidden);
  note_order(rank_);
  mutex_.lock();
  note_locked(rank_);
}

bool Mutex::try_lock() {
  note_order(rank_);
  if (!mutex_.try_lock()) return false;
  note_locked(rank_);
  return true;
}

void Mutex::unlock() {
  note_unlocked(rank_);
  mutex_.unlock();
}

void CondVar::wait(Mutex& mutex) {
  std::unique_lock<std::mutex> held(mutex.mutex_, std::adopt_lock);
  condition_.wait(held);
  held.release();
}

bool CondVar::wait_for_us(Mutex& mutex, int64_t timeout_us) {
  std::unique_lock<std::mutex> held(mutex.mutex_, std::adopt_lock);
  const auto result = condition_.wait_for(held, std::chrono::microseconds(timeout_us));
  held.release();
  return result == std::cv_status::no_timeout;
}

}  // namespace synap
