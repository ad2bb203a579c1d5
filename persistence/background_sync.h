// BackgroundSync: a file is synced on a thread of its own, so that its writer goes on writing while the disk takes its time.
// Thread: the writer's, except for the callback.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "persistence/file.h"
#include "server/base/status.h"
#include "server/base/sync.h"

namespace synap {

class BackgroundSync {
 public:
  BackgroundSync() = default;
  ~BackgroundSync();
  BackgroundSync(const BackgroundSync&) = delete;
  BackgroundSync& operator=(const BackgroundSync&) = delete;

  // One at a time: wait() comes before the next, and before the file's end. `ended` is called on the other thread, just
  // before wait() returns.
  void start(File* file, std::function<void()> ended);
  bool started() const { return started_; }
  struct Outcome {
    Status status;
    int64_t took_us = 0;
  };
  // Returns when the sync has ended.
  Outcome wait();

 private:
  void run();

  bool started_ = false;  // and wait() not called since
  Mutex mutex_{LockRank::kWorkers};
  CondVar changed_;
  File* file_ GUARDED_BY(mutex_) = nullptr;  // while it is being synced
  std::function<void()> ended_ GUARDED_BY(mutex_);
  Outcome outcome_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace synap
