#include "server/worker_pool.h"

#include <algorithm>
#include <utility>

#include "server/base/thread_scheduling.h"
#include "server/dispatch.h"
#include "server/keyspace/background.h"
#include "server/keyspace/defragmenter.h"
#include "server/keyspace/memory_counter.h"

namespace synap {

WorkerPool::WorkerPool(std::vector<std::unique_ptr<Dispatcher>> dispatchers, size_t first_place)
    : dispatchers_(std::move(dispatchers)) {
  SYNAP_ASSERT(dispatchers_.size() >= 3);
  for (size_t i = 0; i < dispatchers_.size(); ++i) {
    threads_.emplace_back([this, i, first_place] { run(*dispatchers_[i], first_place + i); });
  }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::submit(Job job, Kind kind) {
  {
    LockGuard guard(mutex_);
    jobs_.push_back({std::move(job), kind});
  }
  work_came_.notify_one();  // a worker that wakes at once finds the mutex free
}

bool WorkerPool::take(Queued* taken) {
  const size_t taking = under_way_[static_cast<size_t>(Kind::kTakesShards)];
  const size_t talking = under_way_[static_cast<size_t>(Kind::kTalks)];
  const bool may_take = taking + 2 < dispatchers_.size();
  const auto found = std::find_if(jobs_.begin(), jobs_.end(), [&](const Queued& queued) {
    return queued.kind == Kind::kComputes || (queued.kind == Kind::kTakesShards ? may_take : talking == 0);
  });
  if (found == jobs_.end()) return false;
  *taken = std::move(*found);
  jobs_.erase(found);
  ++under_way_[static_cast<size_t>(taken->kind)];
  return true;
}

bool WorkerPool::await(Queued* taken) {
  constexpr int64_t kIdleUs = 100'000;
  bool cached = true;  // the allocator may keep something for this thread
  mutex_.lock();
  while (!take(taken)) {
    if (stopping_ && jobs_.empty()) {
      mutex_.unlock();
      return false;
    }
    if (!cached) {
      work_came_.wait(mutex_);
    } else if (!work_came_.wait_for_us(mutex_, kIdleUs)) {
      // Each block that the last job left there may hold an otherwise empty slab, and the next job may be far off.
      mutex_.unlock();
      Defragmenter::flush_thread_cache();
      cached = false;
      mutex_.lock();
    }
  }
  mutex_.unlock();
  return true;
}

void WorkerPool::run(Dispatcher& dispatcher, size_t place) {
  schedule_as_worker();
  memory_counter_join();
  for (Queued queued; await(&queued); queued = {}) {
    reclamation_enter(place);
    queued.job(dispatcher);
    reclamation_leave(place);
    LockGuard guard(mutex_);
    --under_way_[static_cast<size_t>(queued.kind)];
    if (queued.kind != Kind::kComputes) work_came_.notify_one();  // another of its kind may start
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
