// WorkerPool: the threads of the slow lane. Each has a Dispatcher of its own; jobs run in the order they come.
//
// A job that holds its guard never waits. One that takes shards as it goes (KEYS) may have to wait for a shard, even for
// one whose holder waits for a guard that another job holds. So such jobs never occupy all threads: whoever holds a guard
// always finds one.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "server/base/sync.h"

namespace synap {

class Dispatcher;

class WorkerPool {
 public:
  using Job = std::function<void(Dispatcher&)>;

  // `first_place`: of the workers among those that reclamation waits for.
  WorkerPool(std::vector<std::unique_ptr<Dispatcher>> dispatchers, size_t first_place);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Any thread. `may_wait`: the job takes shards as it goes.
  void submit(Job job, bool may_wait);
  // Waits for the jobs under way and ends the threads.
  void stop();

 private:
  struct Queued {
    Job job;
    bool may_wait;
  };

  void run(Dispatcher& dispatcher, size_t place);
  // The first job that may start now; false: none.
  bool take(Queued* taken) REQUIRES(mutex_);

  std::vector<std::unique_ptr<Dispatcher>> dispatchers_;
  std::vector<std::thread> threads_;
  Mutex mutex_{LockRank::kWorkers};
  CondVar work_came_;
  std::deque<Queued> jobs_ GUARDED_BY(mutex_);
  size_t waiting_jobs_ GUARDED_BY(mutex_) = 0;  // under way, of those that may wait
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace synap
