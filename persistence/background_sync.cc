#include "persistence/background_sync.h"

#include <utility>

#include "server/base/assert.h"
#include "server/base/clock.h"
#include "server/keyspace/memory_counter.h"

namespace synap {

BackgroundSync::~BackgroundSync() {
  if (!thread_.joinable()) return;
  {
    LockGuard guard(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void BackgroundSync::start(File* file, std::function<void()> ended) {
  SYNAP_ASSERT(!started_);
  started_ = true;
  LockGuard guard(mutex_);
  file_ = file;
  ended_ = std::move(ended);
  changed_.notify_all();
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

BackgroundSync::Outcome BackgroundSync::wait() {
  SYNAP_ASSERT(started_);
  started_ = false;
  LockGuard guard(mutex_);
  while (file_ != nullptr) changed_.wait(mutex_);
  return outcome_;
}

void BackgroundSync::run() {
  memory_counter_join();
  for (;;) {
    File* file;
    std::function<void()> ended;
    {
      LockGuard guard(mutex_);
      while (file_ == nullptr && !stopping_) changed_.wait(mutex_);
      if (file_ == nullptr) return;
      file = file_;
      ended = std::exchange(ended_, nullptr);
    }
    const int64_t began_us = monotonic_us();
    Status status = file->sync();
    const int64_t took_us = monotonic_us() - began_us;
    ended();
    LockGuard guard(mutex_);
    outcome_ = {.status = std::move(status), .took_us = took_us};
    file_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace synap
