#include "server/net/reactor_threads.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include "server/base/assert.h"
#include "server/base/clock.h"
#include "server/base/thread_scheduling.h"

namespace synap {

namespace {

constexpr int64_t kLookMs = 200;  // the kernel tells of idle processors in hundredths of a second
// In processors: what the first thread uses before others may help it, and what has to idle for them; what all of them use
// together when one is enough again.
constexpr double kBusy = 0.8;
constexpr double kIdle = 0.27;
constexpr double kCalm = 0.5;
constexpr int kCalmLooks = 5;  // and it must have been so at most of that many looks
// Apart, with less than this idle and turns shorter than that they are in each other's way.
constexpr double kCrowded = 0.1;
constexpr double kShortTurnUs = 40;
// Below this use nobody asks what the others leave: the kernel takes long to tell on big machines.
constexpr double kWorthAsking = 0.2;
// Together, while they use this much in passes that short, they yield (as Reactor::gives_way).
constexpr double kYieldingUse = 0.3;
constexpr double kShortPassUs = 150;

// How long the processors that this process may use have idled since the machine started. Where the system does not tell:
// as if one of them idled always.
int64_t idle_us_of_processors() {
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return monotonic_us();
  FILE* file = std::fopen("/proc/stat", "re");
  if (file == nullptr) return monotonic_us();
  int64_t ticks = 0;
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr && std::strncmp(line, "cpu", 3) == 0) {
    unsigned processor = 0;
    long long idle = 0, waits = 0;
    if (line[3] == ' ') continue;  // their sum
    if (std::sscanf(line, "cpu%u %*u %*u %*u %lld %lld", &processor, &idle, &waits) != 3) continue;
    if (processor < CPU_SETSIZE && CPU_ISSET(processor, &usable)) ticks += idle + waits;
  }
  std::fclose(file);
  return ticks * 1'000'000 / sysconf(_SC_CLK_TCK);
}

}  // namespace

ReactorThreads::ReactorThreads(const std::vector<Reactor*>& reactors)
    : seats_(reactors.size()), first_(seats_.front()), poll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  SYNAP_ASSERT(poll_fd_ >= 0);
  for (size_t i = 0; i < reactors.size(); ++i) seats_[i].reactor = reactors[i];
}

ReactorThreads::~ReactorThreads() { close(poll_fd_); }

void ReactorThreads::run(const Call& begin, const Call& rest) {
  begin();
  schedule_as_reactor();
  for (Seat& seat : seats_) {
    hold(&seat);
    if (&seat != &first_) {
      seat.thread = std::thread([this, &seat, &begin, &rest] {
        begin();
        schedule_as_reactor();
        serve(&seat, rest);
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
  watch(seat, false);
  if (!seat->reactor->run_turns()) return end(seat);
  seat->due_us = 0;
}

// A turn of each reactor whose sockets, posts or timers want one; waits for that.
void ReactorThreads::run_ready() {
  ++passes_;
  if (yields_) sched_yield();
  int64_t now_us = monotonic_us();
  int64_t due_us = INT64_MAX;
  for (Seat& seat : seats_) {
    if (!seat.held) continue;
    watch(&seat, true);
    due_us = std::min(due_us, seat.due_us);
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

void ReactorThreads::watch(Seat* seat, bool wanted) {
  if (std::exchange(seat->watched, wanted) == wanted) return;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = seat}};
  SYNAP_ASSERT(epoll_ctl(poll_fd_, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, seat->reactor->poll_fd(), &event) == 0);
}

void ReactorThreads::hold(Seat* seat) {
  seat->held = true;
  seat->ready = false;
  seat->due_us = 0;
  ++held_count_;
}

void ReactorThreads::let_go(Seat* seat, Runner next) {
  watch(seat, false);
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
  apart_.store(false, std::memory_order_relaxed);
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
    SYNAP_ASSERT(!ending_);
    for (Seat& seat : seats_) {
      if (seat.runner != Runner::kHandedOver) continue;
      seat.runner = Runner::kFirstThread;
      taken.push_back(&seat);
    }
  }
  for (Seat* seat : taken) hold(seat);
  first_.reactor->leave();  // lead() has more than one now
}

// From time to time, on the first thread.
void ReactorThreads::look() {
  const Usage usage = usage_since_last_look();
  const bool always_apart = always_apart_.load(std::memory_order_relaxed);
  if (!apart()) {
    yields_ = usage.processors > kYieldingUse && usage.pass_us < kShortPassUs;
    const bool can_be_helped = usage.processors >= kBusy && usage.idle.value_or(0) >= kIdle;
    if (can_be_helped || always_apart) apart_.store(true, std::memory_order_relaxed);  // lead() hands them out
    calm_looks_ = 0;
  } else if (!always_apart) {
    const bool short_turns = usage.turn_us < kShortTurnUs;
    const bool one_is_enough = usage.processors < kCalm || (short_turns && usage.idle.value_or(1) < kCrowded);
    if (one_is_enough) ++calm_looks_;
    if (!one_is_enough && !short_turns) calm_looks_ = std::max(calm_looks_ - 2, 0);
    if (calm_looks_ > kCalmLooks) gather();
  }
  // Once they need not be apart any more the next look brings them together.
  if (always_apart) calm_looks_ = 2 * kCalmLooks;
}

ReactorThreads::Usage ReactorThreads::usage_since_last_look() {
  const auto before = last_;
  last_ = {};
  last_.now_us = monotonic_us();
  last_.passes = passes_;
  for (const Seat& seat : seats_) {
    last_.cpu_us += read_clock_us(seat.cpu_clock);
    last_.turns += seat.reactor->turn();
  }
  const auto elapsed_us = static_cast<double>(std::max<int64_t>(last_.now_us - before.now_us, 1));
  const auto cpu_us = static_cast<double>(last_.cpu_us - before.cpu_us);
  const auto per = [cpu_us](uint64_t count) { return cpu_us / static_cast<double>(std::max<uint64_t>(count, 1)); };
  Usage usage{.processors = cpu_us / elapsed_us,
              .idle = {},
              .turn_us = per(last_.turns - before.turns),
              .pass_us = per(last_.passes - before.passes)};
  if (usage.processors >= kWorthAsking) last_.idle_us = idle_us_of_processors();
  if (last_.idle_us && before.idle_us) usage.idle = static_cast<double>(*last_.idle_us - *before.idle_us) / elapsed_us;
  return usage;
}

// --- The other threads.

void ReactorThreads::serve(Seat* seat, const Call& rest) {
  rest();
  while (wait_for_reactor(*seat)) {
    if (seat->reactor->run_turns()) {
      hand_over(seat);
      rest();
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
