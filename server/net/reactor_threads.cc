#include "server/net/reactor_threads.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "server/base/assert.h"
#include "server/base/clock.h"
#include "server/base/thread_scheduling.h"

namespace synap {

namespace {

constexpr int64_t kLookMs = 100;
// In processors: what the first thread uses before others may help it, what has to idle for them, and what all of them
// use together when one is enough again, for so many looks.
constexpr double kBusy = 0.8;
constexpr double kIdle = 0.25;
constexpr double kCalm = 0.5;
constexpr int kCalmLooks = 20;
constexpr double kWorthAsking = 0.2;  // below it nobody looks what the others leave: that file is long on big machines

// Instead of how long the processors have idled.
constexpr int64_t kUnknown = -1, kNotAsked = -2;

// How long the processors that this process may use have idled since the machine started, or kUnknown.
int64_t idle_us_of_processors() {
  cpu_set_t usable;
  FILE* file = std::fopen("/proc/stat", "re");
  if (file == nullptr) return kUnknown;
  int64_t ticks = -1;
  char line[512];
  if (sched_getaffinity(0, sizeof usable, &usable) == 0) {
    while (std::fgets(line, sizeof line, file) != nullptr) {
      unsigned processor = 0;
      long long idle = 0, waits = 0;
      if (std::sscanf(line, "cpu%u %*u %*u %*u %lld %lld", &processor, &idle, &waits) != 3) continue;
      if (processor < CPU_SETSIZE && CPU_ISSET(processor, &usable)) ticks = std::max<int64_t>(ticks, 0) + idle + waits;
    }
  }
  std::fclose(file);
  return ticks < 0 ? kUnknown : ticks * 1'000'000 / sysconf(_SC_CLK_TCK);
}

}  // namespace

ReactorThreads::ReactorThreads(const std::vector<Reactor*>& reactors)
    : seats_(reactors.size()), first_(seats_.front()), poll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  SYNAP_ASSERT(poll_fd_ >= 0);
  for (size_t i = 0; i < reactors.size(); ++i) seats_[i].reactor = reactors[i];
}

ReactorThreads::~ReactorThreads() { close(poll_fd_); }

void ReactorThreads::run(const std::function<void()>& begin) {
  begin();
  schedule_as_reactor();
  for (Seat& seat : seats_) {
    hold(&seat);
    if (&seat != &first_) {
      seat.thread = std::thread([this, &seat, &begin] {
        begin();
        schedule_as_reactor();
        serve(&seat);
      });
    }
    const pthread_t thread = &seat == &first_ ? pthread_self() : seat.thread.native_handle();
    SYNAP_ASSERT(pthread_getcpuclockid(thread, &seat.cpu_clock) == 0);
  }
  if (seats_.size() > 1) {
    look();
    first_.reactor->every(kLookMs, [this] { look(); });
  }
  lead();
  for (Seat& seat : seats_) {
    if (seat.thread.joinable()) seat.thread.join();
  }
}

// --- The first thread.

void ReactorThreads::lead() {
  while (held_count_ != 0) {
    if (held_count_ > 1) {
      run_ready();
    } else {
      run_only(&*std::find_if(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.held; }));
    }
    if (apart()) hand_out();
  }
}

void ReactorThreads::run_only(Seat* seat) {
  if (!seat->reactor->run_turns()) return end(seat);
  seat->due_us = 0;
}

// A turn of each reactor whose sockets, posts or timers want one; waits for that.
void ReactorThreads::run_ready() {
  int64_t now_us = monotonic_us();
  int64_t due_us = INT64_MAX;
  for (const Seat& seat : seats_) {
    if (seat.held) due_us = std::min(due_us, seat.due_us);
  }
  const int64_t wait_ms = due_us == INT64_MAX ? -1 : std::max<int64_t>(due_us - now_us + 999, 0) / 1000;
  epoll_event events[16];
  const int count = epoll_wait(poll_fd_, events, 16, static_cast<int>(wait_ms));
  for (int i = 0; i < count; ++i) static_cast<Seat*>(events[i].data.ptr)->ready = true;
  if (wait_ms != 0) now_us = monotonic_us();
  for (Seat& seat : seats_) {
    if (!seat.held || (!std::exchange(seat.ready, false) && seat.due_us > now_us)) continue;
    if (!seat.reactor->run_turn()) {
      end(&seat);
      continue;
    }
    const int64_t next_ms = seat.reactor->wait_ms();
    seat.due_us = next_ms < 0 ? INT64_MAX : monotonic_us() + next_ms * 1000;
  }
}

void ReactorThreads::hold(Seat* seat) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = seat}};
  SYNAP_ASSERT(epoll_ctl(poll_fd_, EPOLL_CTL_ADD, seat->reactor->poll_fd(), &event) == 0);
  seat->held = true;
  seat->ready = false;
  seat->due_us = 0;
  ++held_count_;
}

void ReactorThreads::let_go(Seat* seat, Runner next) {
  SYNAP_ASSERT(epoll_ctl(poll_fd_, EPOLL_CTL_DEL, seat->reactor->poll_fd(), nullptr) == 0);
  seat->held = false;
  --held_count_;
  LockGuard guard(mutex_);
  seat->runner = next;
  changed_.notify_all();
}

// It was stopped.
void ReactorThreads::end(Seat* seat) {
  if (seat == &first_) {
    LockGuard guard(mutex_);
    ending_ = true;
    for (Seat& other : seats_) {
      if (other.runner == Runner::kHandedOver) other.runner = Runner::kOwnThread;
    }
    changed_.notify_all();
  }
  let_go(seat, Runner::kEnded);
  seat->reactor->end();
}

void ReactorThreads::hand_out() {
  for (Seat& seat : seats_) {
    if (seat.held && &seat != &first_) let_go(&seat, Runner::kOwnThread);
  }
}

// The other threads' reactors are asked to leave them. Each is held when its last turn there is over.
void ReactorThreads::gather() {
  LockGuard guard(mutex_);
  for (Seat& seat : seats_) {
    if (seat.runner != Runner::kOwnThread) continue;
    seat.runner = Runner::kLeaving;
    seat.reactor->post([reactor = seat.reactor] { reactor->leave(); });
  }
}

void ReactorThreads::take_over() {
  std::vector<Seat*> taken;
  {
    LockGuard guard(mutex_);
    if (ending_) return;
    for (Seat& seat : seats_) {
      if (seat.runner != Runner::kHandedOver) continue;
      seat.runner = Runner::kFirstThread;
      taken.push_back(&seat);
    }
  }
  for (Seat* seat : taken) hold(seat);
  first_.reactor->leave();  // lead() has more than one now
}

// A timer of the first reactor.
void ReactorThreads::look() {
  const int64_t now_us = monotonic_us();
  const int64_t elapsed_us = std::max<int64_t>(now_us - std::exchange(looked_us_, now_us), 1);
  int64_t cpu_us = 0;
  for (const Seat& seat : seats_) cpu_us += read_clock_us(seat.cpu_clock);
  const double used = static_cast<double>(cpu_us - std::exchange(cpu_us_, cpu_us)) / static_cast<double>(elapsed_us);
  const bool always_apart = always_apart_.load(std::memory_order_relaxed);
  if (!apart()) {
    const bool may_help = processors_idle(used, elapsed_us) >= kIdle && used >= kBusy;
    if (may_help || always_apart) apart_.store(true, std::memory_order_relaxed);
    calm_looks_ = 0;
  } else if (always_apart) {
    calm_looks_ = kCalmLooks;  // once they need not be apart any more there is nothing to wait for
  } else {
    calm_looks_ = used < kCalm ? calm_looks_ + 1 : 0;
    if (calm_looks_ < kCalmLooks) return;
    apart_.store(false, std::memory_order_relaxed);
    gather();
  }
}

// On average since the last look; 0 if it is not known as of then. Where the system does not tell: enough.
double ReactorThreads::processors_idle(double used, int64_t elapsed_us) {
  const int64_t idle_us = used < kWorthAsking ? kNotAsked : idle_us_of_processors();
  const int64_t before_us = std::exchange(idle_us_, idle_us);
  if (idle_us == kUnknown) return kIdle;
  if (idle_us == kNotAsked || before_us < 0) return 0;
  return static_cast<double>(idle_us - before_us) / static_cast<double>(elapsed_us);
}

// --- The other threads.

void ReactorThreads::serve(Seat* seat) {
  while (wait_for_reactor(*seat)) {
    if (seat->reactor->run_turns()) {
      hand_over(seat);
      continue;
    }
    seat->reactor->end();
    LockGuard guard(mutex_);
    seat->runner = Runner::kEnded;
  }
}

// False: it was stopped, there is nothing left to run.
bool ReactorThreads::wait_for_reactor(const Seat& seat) {
  LockGuard guard(mutex_);
  while (seat.runner == Runner::kFirstThread || seat.runner == Runner::kHandedOver) changed_.wait(mutex_);
  return seat.runner != Runner::kEnded;
}

void ReactorThreads::hand_over(Seat* seat) {
  LockGuard guard(mutex_);
  if (ending_) {
    seat->runner = Runner::kOwnThread;
    return;
  }
  seat->runner = Runner::kHandedOver;
  first_.reactor->post([this] { take_over(); });
}

}  // namespace synap
