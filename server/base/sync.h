// Locks that know their place. A Mutex has a rank; a thread may only take a lock of higher rank than all it holds
// (checked in SYNAP_DEBUG_CHECKS builds), so no two threads can wait for each other. The annotations let clang's
// -Wthread-safety prove that guarded data is touched only under its lock.
// The shards' locks are not these: see server/keyspace. Every Mutex is a leaf below them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "server/base/assert.h"

#if defined(__clang__)
#define SYNAP_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define SYNAP_THREAD_ANNOTATION(x)
#endif
#define CAPABILITY(x) SYNAP_THREAD_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY SYNAP_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) SYNAP_THREAD_ANNOTATION(guarded_by(x))
#define PT_GUARDED_BY(x) SYNAP_THREAD_ANNOTATION(pt_guarded_by(x))
#define REQUIRES(...) SYNAP_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) SYNAP_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) SYNAP_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define RELEASE(...) SYNAP_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define EXCLUDES(...) SYNAP_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS SYNAP_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace synap {

// Ascending: what is named later may be taken while what is named earlier is held.
enum class LockRank : uint8_t {
  kServer,       // start and stop of the server's parts
  kConfig,       // writers of the configuration; readers take no lock
  kAcl,          // users and their rules
  kScripts,      // script cache and function libraries
  kReplication,  // state of the replication links
  kClients,      // registry of clients by id
  kPubsub,       // channels and patterns
  kTracking,     // clients that cache keys
  kTrackedKeys,  // which keys these are
  kBlocking,     // waiters
  kMonitor,      // MONITOR's listeners and the slow log
  kJournal,      // the journal's append position
  kFiles,        // AOF writer, snapshot state
  kWorkers,      // queues of the slow lane and background threads
  kStatistics,   // rarely written counters, latency events
  kMailbox,      // wake-up of another reactor
  kLeaf,         // whatever calls nothing at all
};

class CAPABILITY("mutex") Mutex {
 public:
  explicit Mutex(LockRank rank) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() ACQUIRE();
  bool try_lock() TRY_ACQUIRE(true);
  void unlock() RELEASE();

  LockRank rank() const { return rank_; }

 private:
  friend class CondVar;
  std::mutex mutex_;
  const LockRank rank_;
};

// In a forked child: a thread that had a Mutex at the fork is not there to give it back, so none may be taken (asserted).
void forbid_mutexes();

class SCOPED_CAPABILITY LockGuard {
 public:
  explicit LockGuard(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~LockGuard() RELEASE() { mutex_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Mutex& mutex_;
};

// Waits may wake without a reason: always wait in a loop that tests the condition.
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex);
  bool wait_for_us(Mutex& mutex, int64_t timeout_us) REQUIRES(mutex);  // false when the time ran out
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace synap
