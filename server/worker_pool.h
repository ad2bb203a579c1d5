// WorkerPool: the threads of the slow lane. Each has a Dispatcher of its own; jobs run in the order they come.
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

  // Any thread.
  void submit(Job job);
  // Waits for the jobs under way and ends the threads.
  void stop();

 private:
  void run(Dispatcher& dispatcher, size_t place);

  std::vector<std::unique_ptr<Dispatcher>> dispatchers_;
  std::vector<std::thread> threads_;
  Mutex mutex_{LockRank::kWorkers};
  CondVar work_came_;
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace synap
