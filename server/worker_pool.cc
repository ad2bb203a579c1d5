#include "server/worker_pool.h"

#include <algorithm>
#include <utility>

#include "server/dispatch.h"
#include "server/keyspace/background.h"
#include "server/keyspace/memory_counter.h"

namespace synap {

WorkerPool::WorkerPool(std::vector<std::unique_ptr<Dispatcher>> dispatchers, size_t first_place)
    : dispatchers_(std::move(dispatchers)) {
  SYNAP_ASSERT(dispatchers_.size() >= 2);
  for (size_t i = 0; i < dispatchers_.size(); ++i) {
    threads_.emplace_back([this, i, first_place] { run(*dispatchers_[i], first_place + i); });
  }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::submit(Job job, bool may_wait) {
  LockGuard guard(mutex_);
  jobs_.push_back({std::move(job), may_wait});
  work_came_.notify_one();
}

bool WorkerPool::take(Queued* taken) {
  const bool may_wait = waiting_jobs_ + 1 < dispatchers_.size();
  const auto found = std::find_if(jobs_.begin(), jobs_.end(), [&](const Queued& job) { return may_wait || !job.may_wait; });
  if (found == jobs_.end()) return false;
  *taken = std::move(*found);
  jobs_.erase(found);
  waiting_jobs_ += taken->may_wait ? 1 : 0;
  return true;
}

void WorkerPool::run(Dispatcher& dispatcher, size_t place) {
  memory_counter_join();
  for (;;) {
    Queued queued;
    {
      LockGuard guard(mutex_);
      while (!take(&queued)) {
        if (stopping_ && jobs_.empty()) return;
        work_came_.wait(mutex_);
      }
    }
    reclamation_enter(place);
    queued.job(dispatcher);
    reclamation_leave(place);
    if (!queued.may_wait) continue;
    LockGuard guard(mutex_);
    --waiting_jobs_;
    work_came_.notify_one();  // another of its kind may start
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
