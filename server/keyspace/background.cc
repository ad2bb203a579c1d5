#include "server/keyspace/background.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <list>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "server/base/assert.h"
#include "server/base/sync.h"
#include "server/base/thread_scheduling.h"
#include "server/keyspace/defragmenter.h"
#include "server/keyspace/entry.h"

namespace synap {

namespace {

// The process has one; it lives as long as the process, so that values may be freed during exit.
class BackgroundThread {
 public:
  void post(std::function<void()> work, size_t objects, size_t bytes) {
    if (forked_child_) return work();
    LockGuard guard(mutex_);
    pending_.fetch_add(objects, std::memory_order_relaxed);
    pending_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    queue_.push_back(Job{std::move(work), objects, bytes});
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    work_came_.notify_one();
  }

  void drain() {
    LockGuard guard(mutex_);
    while (!queue_.empty() || busy_) idle_.wait(mutex_);
  }

  void stop() {
    std::thread stopped;
    {
      LockGuard guard(mutex_);
      stopping_ = true;
      work_came_.notify_one();
      stopped = std::move(thread_);
    }
    if (stopped.joinable()) stopped.join();
    LockGuard guard(mutex_);
    stopping_ = false;
  }

  void after_fork_child() { forked_child_ = true; }

  size_t pending() const { return pending_.load(std::memory_order_relaxed); }
  size_t freed() const { return freed_.load(std::memory_order_relaxed); }
  size_t pending_bytes() const { return pending_bytes_.load(std::memory_order_relaxed); }
  void reset_stats() { freed_.store(0, std::memory_order_relaxed); }

 private:
  struct Job {
    std::function<void()> work;
    size_t objects;
    size_t bytes;
  };

  void run() {
    schedule_as_worker();
    mutex_.lock();
    for (;;) {
      while (queue_.empty() && !stopping_) work_came_.wait(mutex_);
      if (queue_.empty()) break;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      busy_ = true;
      mutex_.unlock();
      job.work();
      job.work = nullptr;
      // What this thread's cache kept of all that it freed would hold slabs that are otherwise empty.
      if (pending_.load(std::memory_order_relaxed) == job.objects) Defragmenter::flush_thread_cache();
      pending_.fetch_sub(job.objects, std::memory_order_relaxed);
      pending_bytes_.fetch_sub(job.bytes, std::memory_order_relaxed);
      freed_.fetch_add(job.objects, std::memory_order_relaxed);
      mutex_.lock();
      busy_ = false;
      if (queue_.empty()) idle_.notify_all();
    }
    mutex_.unlock();
  }

  Mutex mutex_{LockRank::kWorkers};
  CondVar work_came_, idle_;
  std::deque<Job> queue_ GUARDED_BY(mutex_);
  std::thread thread_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool busy_ GUARDED_BY(mutex_) = false;
  bool forked_child_ = false;
  std::atomic<size_t> pending_{0}, freed_{0}, pending_bytes_{0};
};

// Retired memory waits until every reactor has passed its loop's top twice since (epochs of retirement), and every
// worker has begun its job since or is idle.
class Reclamation {
 public:
  void start(size_t reactors, size_t workers) {
    LockGuard guard(mutex_);
    passed_.assign(reactors, 0);
    passed_.resize(reactors + workers, kIdle);
    immediate_.store(reactors + workers <= 1, std::memory_order_relaxed);
  }

  void retire(void* memory, void (*release)(void*)) {
    if (immediate_.load(std::memory_order_relaxed)) return release(memory);
    LockGuard guard(mutex_);
    const uint64_t epoch = epoch_.load(std::memory_order_relaxed);
    if (retired_.empty() || retired_.back().epoch != epoch) retired_.push_back({.epoch = epoch, .items = {}});
    retired_.back().items.push_back({memory, release});
    waiting_.store(true, std::memory_order_relaxed);
  }

  void quiescent(size_t reactor) {
    if (!waiting_.load(std::memory_order_relaxed)) return;
    std::list<Retired> due;
    size_t items = 0;
    {
      LockGuard guard(mutex_);
      passed_[reactor] = epoch_.load(std::memory_order_relaxed);
      const uint64_t oldest = *std::min_element(passed_.begin(), passed_.end());
      auto end = retired_.begin();
      for (; end != retired_.end() && end->epoch < oldest; ++end) items += end->items.size();
      due.splice(due.end(), retired_, retired_.begin(), end);
      epoch_.fetch_add(1, std::memory_order_relaxed);
      waiting_.store(!retired_.empty(), std::memory_order_relaxed);
      if (items > kReleasedAtOnceMax) ++batches_posted_;
    }
    if (items <= kReleasedAtOnceMax) return release_all(due);
    background_free(
        [this, posted = std::make_shared<std::list<Retired>>(std::move(due))] {
          release_all(*posted);
          LockGuard guard(mutex_);
          --batches_posted_;
        },
        0);
  }

  uint64_t now() {
    LockGuard guard(mutex_);
    return epoch_.load(std::memory_order_relaxed);
  }
  bool released(uint64_t then) {
    LockGuard guard(mutex_);
    return batches_posted_ == 0 && (retired_.empty() || retired_.front().epoch > then);
  }

  void enter(size_t place) {
    LockGuard guard(mutex_);
    passed_[place] = epoch_.load(std::memory_order_relaxed);
  }
  void leave(size_t place) {
    LockGuard guard(mutex_);
    passed_[place] = kIdle;
  }

 private:
  static constexpr uint64_t kIdle = UINT64_MAX;
  struct Retired {
    struct Item {
      void* memory;
      void (*release)(void*);
    };
    uint64_t epoch;
    std::deque<Item> items;
  };
  // A long job holds back what all tables retire meanwhile: the reactor at whose turn it falls due is not to free it all.
  static constexpr size_t kReleasedAtOnceMax = 256;

  static void release_all(const std::list<Retired>& due) {
    for (const Retired& retired : due) {
      for (const Retired::Item& item : retired.items) item.release(item.memory);
    }
  }

  Mutex mutex_{LockRank::kLeaf};
  std::atomic<bool> immediate_{true};
  std::atomic<bool> waiting_{false};
  std::atomic<uint64_t> epoch_{1};
  std::vector<uint64_t> passed_ GUARDED_BY(mutex_);
  std::list<Retired> retired_ GUARDED_BY(mutex_);
  size_t batches_posted_ GUARDED_BY(mutex_) = 0;  // to the background thread, and not released yet
};

BackgroundThread& background() {
  static auto* const thread = new BackgroundThread;
  return *thread;
}

Reclamation& reclamation() {
  static auto* const instance = new Reclamation;
  return *instance;
}

}  // namespace

void background_free(std::function<void()> work, size_t objects, size_t bytes) {
  background().post(std::move(work), objects, bytes);
}
void background_drain() { background().drain(); }
size_t background_pending_objects() { return background().pending(); }
size_t background_freed_objects() { return background().freed(); }
size_t background_pending_bytes() { return background().pending_bytes(); }
void background_reset_stats() { background().reset_stats(); }
void background_stop() { background().stop(); }
void background_after_fork_child() { background().after_fork_child(); }

void reclamation_start(size_t reactors, size_t workers) { reclamation().start(reactors, workers); }
void reclamation_quiescent(size_t reactor) { reclamation().quiescent(reactor); }
void reclamation_enter(size_t place) { reclamation().enter(place); }
void reclamation_leave(size_t place) { reclamation().leave(place); }
void reclamation_retire(void* memory, void (*release)(void*)) { reclamation().retire(memory, release); }
uint64_t reclamation_now() { return reclamation().now(); }
bool reclamation_released(uint64_t then) { return reclamation().released(then); }
void retire_table_memory(void* memory) { reclamation().retire(memory, std::free); }

}  // namespace synap
