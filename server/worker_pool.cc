#include "server/worker_pool.h"

#include <utility>

#include "server/dispatch.h"
#include "server/keyspace/background.h"
#include "server/keyspace/memory_counter.h"

namespace synap {

WorkerPool::WorkerPool(std::vector<std::unique_ptr<Dispatcher>> dispatchers, size_t first_place)
    : dispatchers_(std::move(dispatchers)) {
  for (size_t i = 0; i < dispatchers_.size(); ++i) {
    threads_.emplace_back([this, i, first_place] { run(*dispatchers_[i], first_place + i); });
  }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::submit(Job job) {
  LockGuard guard(mutex_);
  jobs_.push_back(std::move(job));
  work_came_.notify_one();
}

void WorkerPool::run(Dispatcher& dispatcher, size_t place) {
  memory_counter_join();
  for (;;) {
    Job job;
    {
      LockGuard guard(mutex_);
      while (jobs_.empty() && !stopping_) work_came_.wait(mutex_);
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    reclamation_enter(place);
    job(dispatcher);
    reclamation_leave(place);
  }
}

void WorkerPool::stop() {
  {
    LockGuard guard(mutex_);
    stopping_ = true;
    work_came_.notify_all();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace synap
