// ReactorThreads: which thread runs which reactor. While there is little to do, or no processor that would be free for a
// second thread, the first thread runs all reactors in turns and the others sleep: fewer polls and switches serve the same
// requests, and processors stay with those who need them, the clients perhaps. As soon as one thread is not enough and a
// processor idles, every reactor gets its own thread; they come together again when one is enough, or when all processors
// are busy and their turns are so short that they take them from each other. A reactor changes threads between two turns of
// its loop only, under the mutex, and does not notice. While they are together a long turn of one holds up all, as it does
// with a single reactor.
//
//                   ┌─── busy, and a processor idles: hand_out() ───▶┐
//   first thread ───┤                                                ├─── own thread
//                   └◀── take_over() ── handed over ◀── leaving ◀────┘
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "server/base/sync.h"
#include "server/net/reactor.h"

namespace synap {

class ReactorThreads {
 public:
  // They must outlive this object.
  explicit ReactorThreads(const std::vector<Reactor*>& reactors);
  ~ReactorThreads();
  ReactorThreads(const ReactorThreads&) = delete;
  ReactorThreads& operator=(const ReactorThreads&) = delete;

  // Runs all reactors until each was stopped, the first one always on the calling thread. Every thread calls `begin` first,
  // and the others `rest` each time before they sleep because they have no reactor.
  using Call = std::function<void()>;
  void run(const Call& begin, const Call& rest);

  // Any thread.
  void keep_apart(bool always) { always_apart_.store(always, std::memory_order_relaxed); }
  // Any thread. Whether each reactor has, or is about to get, its own thread.
  bool apart() const { return apart_.load(std::memory_order_relaxed); }
  // Any thread. How many reactors share a thread.
  size_t per_thread() const { return apart() ? 1 : seats_.size(); }

 private:
  enum class Runner : uint8_t { kFirstThread, kOwnThread, kLeaving, kHandedOver, kEnded };
  // A reactor, and its own thread unless it is the first one.
  struct Seat {
    Reactor* reactor = nullptr;
    Runner runner = Runner::kFirstThread;  // under mutex_
    std::thread thread;
    // The first thread's.
    bool held = false;     // it runs it
    bool watched = false;  // by poll_fd_
    bool ready = false;
    int64_t due_us = 0;    // when its next turn is due whether or not it is ready
    clockid_t cpu_clock{};
  };
  // What happened since the last look, on average.
  struct Usage {
    double processors;            // that all threads together used
    std::optional<double> idle;   // processors; not known if there was no reason to ask both now and then
    double turn_us;               // of processor time a turn
    double pass_us;               // the same for a pass of run_ready()
  };

  // The first thread's.
  void lead();
  void run_only(Seat* seat);
  void run_ready();
  void watch(Seat* seat, bool wanted);
  void hold(Seat* seat);
  void let_go(Seat* seat, Runner next);
  void end(Seat* seat);
  void hand_out();
  void gather();
  void take_over();
  void look();
  Usage usage_since_last_look();
  // The other threads'.
  void serve(Seat* seat, const Call& rest);
  bool wait_for_reactor(const Seat& seat);
  void hand_over(Seat* seat);

  std::deque<Seat> seats_;
  Seat& first_;
  size_t held_count_ = 0;
  const int poll_fd_;  // readable when a reactor that is held is; epoll(7)
  std::atomic<bool> apart_{false};
  std::atomic<bool> always_apart_{false};

  // The first thread's.
  uint64_t passes_ = 0;
  bool yields_ = false;
  int calm_looks_ = 0;  // at which one thread would have been enough, less those at which not
  struct {
    int64_t now_us = 0, cpu_us = 0;
    uint64_t turns = 0, passes = 0;
    std::optional<int64_t> idle_us;
  } last_;  // as of the last look

  Mutex mutex_{LockRank::kWorkers};
  CondVar changed_;
  bool ending_ GUARDED_BY(mutex_) = false;  // the first reactor was stopped: nobody takes over any more
};

}  // namespace synap
