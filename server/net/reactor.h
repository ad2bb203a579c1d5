// Reactor: a libuv loop. Everything that belongs to a reactor (connections, timers) is touched inside its loop only, which
// one thread at a time runs, "its thread"; post() is the one door for others. server/net/ is the only place that sees
// <uv.h>.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "server/base/mpsc_queue.h"

struct uv_loop_s;
struct uv_async_s;

namespace synap {

class Reactor {
 public:
  using Task = std::function<void()>;

  explicit Reactor(size_t index);
  ~Reactor();  // after run() or end()
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  size_t index() const { return index_; }
  // Whether the caller is inside this reactor's loop. (Its thread may run other reactors', too.)
  bool on_thread() const { return current_ == this; }

  // Any thread. Runs the task on this reactor's thread, in the order of the posts of each thread.
  void post(Task task);
  // On the thread. Runs the task in the loop's next turn, after the sockets that are ready had theirs: for the next piece
  // of long work. (What is posted may run sooner, by run_posted().)
  void next_turn(Task task);
  // On the thread, not inside a task: runs what was posted until now.
  void run_posted() {
    if (!mailbox_.empty()) drain_mailbox();
  }

  // Before run(), or on the thread. Called every interval until the reactor ends.
  void every(int64_t interval_ms, Task task);
  // On the thread. Called once; the returned id may be cancelled until then.
  uint64_t after(int64_t delay_ms, Task task);
  void cancel(uint64_t timer_id);
  // `before_poll` is called before the loop waits for events or its thread leaves it, `after_poll` right after the events.
  void on_turn(Task before_poll, Task after_poll);
  // Calls `ready` whenever the descriptor is readable, until unwatch.
  void watch_readable(int fd, Task ready);
  void unwatch(int fd);
  // SIGTERM, SIGINT and the like, on this reactor's thread.
  void on_signal(int signal_number, Task task);

  // Any thread.
  void stop();
  // Runs the loop on the calling thread until stop(). Then closes all handles.
  void run();

  // For who runs several (server/net/reactor_threads): run() in parts, each of them on any thread, one at a time.
  // Runs the loop until leave() or stop(). False: it was stopped.
  bool run_turns();
  // Runs one turn, waiting for nothing. False: it was stopped.
  bool run_turn();
  // Inside the loop: run_turns() ends after this turn.
  void leave();
  // Outside of the loop. The descriptor is readable when there is something to do (epoll(7)), and after so many ms there is
  // whether or not it is (-1: never).
  int poll_fd() const;
  int64_t wait_ms();
  // When it was stopped. Closes what is left; connections were closed by their owner before.
  void end();

  // The buffer that sockets of this reactor are read into: valid until the next read.
  std::span<char> read_buffer() { return std::span(read_buffer_).subspan(kept_bytes_); }
  // What was read to the front of it stays where it is until forget_reads(): at most kKeptReadsMax short ones.
  static constexpr size_t kKeptReadsMax = 16;
  static constexpr size_t kKeptReadBytesMax = 2048;
  void keep_read(size_t bytes) { kept_bytes_ += bytes; }
  void forget_reads() { kept_bytes_ = 0; }
  // Any thread. Counts the loop's turns.
  uint64_t turn() const { return turns_.load(std::memory_order_relaxed); }
  uv_loop_s* loop() { return loop_.get(); }

 private:
  struct Timer;
  struct Turn;
  struct Watch;
  struct Signal;
  struct Load {  // as of the last time it was looked at
    uint64_t since_ms = 0;
    int64_t cpu_us = 0;
    uint64_t turns = 0;
    bool short_turns = false;
  };
  static constexpr size_t kReadBufferBytes = 64 * 1024 + kKeptReadsMax * kKeptReadBytesMax;

  void drain_mailbox();
  void before_poll();
  bool run_loop(int mode);
  bool gives_way();

  static inline constinit thread_local const Reactor* current_ = nullptr;

  const size_t index_;
  bool stopped_ = false;
  std::unique_ptr<uv_loop_s> loop_;
  std::unique_ptr<uv_async_s> wake_up_;
  MpscQueue<Task> mailbox_;
  std::vector<Task> next_turn_;
  std::vector<char> read_buffer_;
  size_t kept_bytes_ = 0;
  std::atomic<uint64_t> turns_{1};
  Load load_;
  uint64_t next_timer_id_ = 1;
  std::unordered_map<uint64_t, std::unique_ptr<Timer>> timers_;
  std::unique_ptr<Turn> turn_;
  std::vector<std::unique_ptr<Watch>> watches_;
  std::vector<std::unique_ptr<Signal>> signals_;
};

}  // namespace synap
