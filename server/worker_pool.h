// WorkerPool: the threads of the slow lane. Each has a Dispatcher of its own; jobs run in the order they come.
//
// A job that holds its guard never waits. One that takes shards as it goes (KEYS) may have to wait for a shard, even for
// one whose holder waits for a guard that another job holds; one that talks to another server (MIGRATE) waits for that.
// So neither kind ever occupies all threads: whoever holds a guard and has only to compute always finds one.
#pragma once

#include <array>
#include <cstdint>
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

  enum class Kind : uint8_t { kComputes, kTakesShards, kTalks };

  // Any thread.
  void submit(Job job, Kind kind);
  // Waits for the jobs under way and ends the threads.
  void stop();

 private:
  struct Queued {
    Job job;
    Kind kind;
  };

  void run(Dispatcher& dispatcher, size_t place);
  // Waits for a job that may start. False: stopped, and nothing is left.
  bool await(Queued* taken);
  // The first job that may start now; false: none.
  bool take(Queued* taken) REQUIRES(mutex_);

  std::vector<std::unique_ptr<Dispatcher>> dispatchers_;
  std::vector<std::thread> threads_;
  Mutex mutex_{LockRank::kWorkers};
  CondVar work_came_;
  std::deque<Queued> jobs_ GUARDED_BY(mutex_);
  std::array<size_t, 3> under_way_ GUARDED_BY(mutex_) = {};  // by kind
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace synap
