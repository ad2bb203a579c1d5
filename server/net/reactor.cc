#include "server/net/reactor.h"

#include <sched.h>
#include <uv.h>

#include <algorithm>
#include <utility>

#include "server/base/assert.h"
#include "server/base/clock.h"
#include "server/base/thread_scheduling.h"

namespace synap {

struct Reactor::Timer {
  uv_timer_t handle;
  uint64_t id;
  bool repeats;
  Reactor* reactor;
  Task task;
};

struct Reactor::Turn {
  uv_prepare_t prepare;
  uv_check_t check;
  Task before_poll, after_poll;
  bool single = false;  // run_turn()'s
};

struct Reactor::Watch {
  uv_poll_t handle;
  int fd;
  Task ready;
};

struct Reactor::Signal {
  uv_signal_t handle;
  Task task;
};

namespace {

// How often a reactor looks at its own load, and what it calls busy (share of a processor) and short.
constexpr uint64_t kLoadPeriodMs = 20;
constexpr double kBusyShare = 0.3;
constexpr int64_t kShortTurnUs = 150;

void close_handles(uv_loop_t* loop) {
  uv_walk(
      loop, [](uv_handle_t* handle, void*) { if (uv_is_closing(handle) == 0) uv_close(handle, nullptr); }, nullptr);
  uv_run(loop, UV_RUN_DEFAULT);
}

}  // namespace

Reactor::Reactor(size_t index)
    : index_(index),
      loop_(std::make_unique<uv_loop_t>()),
      wake_up_(std::make_unique<uv_async_t>()),
      read_buffer_(kReadBufferBytes),
      turn_(std::make_unique<Turn>()) {
  SYNAP_ASSERT(uv_loop_init(loop_.get()) == 0);
  loop_->data = this;
  wake_up_->data = this;
  const int failed = uv_async_init(loop_.get(), wake_up_.get(), [](uv_async_t* handle) {
    auto* self = static_cast<Reactor*>(handle->data);
    self->drain_mailbox();
    for (const Task& task : std::exchange(self->next_turn_, {})) task();
  });
  SYNAP_ASSERT(failed == 0);
  turn_->prepare.data = turn_->check.data = this;
  uv_prepare_init(loop_.get(), &turn_->prepare);
  uv_prepare_start(&turn_->prepare, [](uv_prepare_t* handle) {
    auto* self = static_cast<Reactor*>(handle->data);
    self->turns_.store(self->turn() + 1, std::memory_order_relaxed);
    if (self->turn_->single) return;
    self->before_poll();
    if (self->gives_way()) sched_yield();
  });
  uv_check_init(loop_.get(), &turn_->check);
  uv_check_start(&turn_->check, [](uv_check_t* handle) {
    auto* self = static_cast<Reactor*>(handle->data);
    if (self->turn_->after_poll) self->turn_->after_poll();
  });
}

Reactor::~Reactor() {
  close_handles(loop_.get());  // of a reactor that never ran: the start failed
  SYNAP_ASSERT(uv_loop_close(loop_.get()) == 0);
}

void Reactor::post(Task task) {
  if (mailbox_.push(std::move(task))) uv_async_send(wake_up_.get());
}

void Reactor::next_turn(Task task) {
  next_turn_.push_back(std::move(task));
  uv_async_send(wake_up_.get());
}

void Reactor::drain_mailbox() {
  mailbox_.drain([](Task&& task) { task(); });
}

// When processors are short, a reactor that wakes for each request takes them from the very clients that would send the
// next ones, and pays a system call to poll and two switches of context for one or two requests. So while it is busy
// with turns that short, those who wait for its processor go first; afterwards a poll finds more.
bool Reactor::gives_way() {
  const uint64_t now_ms = uv_now(loop_.get());
  if (const uint64_t elapsed_ms = now_ms - load_.since_ms; elapsed_ms >= kLoadPeriodMs) {
    const int64_t cpu_us = thread_cpu_us();
    const int64_t used_us = cpu_us - load_.cpu_us;
    const bool busy = static_cast<double>(used_us) > kBusyShare * 1000 * static_cast<double>(elapsed_ms);
    load_ = {.since_ms = now_ms,
             .cpu_us = cpu_us,
             .turns = turn(),
             .short_turns = busy && used_us < kShortTurnUs * static_cast<int64_t>(turn() - load_.turns)};
  }
  return load_.short_turns;
}

void Reactor::every(int64_t interval_ms, Task task) {
  auto timer = std::make_unique<Timer>();
  timer->id = next_timer_id_++;
  timer->repeats = true;
  timer->reactor = this;
  timer->task = std::move(task);
  timer->handle.data = timer.get();
  uv_timer_init(loop_.get(), &timer->handle);
  const auto interval = static_cast<uint64_t>(interval_ms);
  uv_timer_start(
      &timer->handle, [](uv_timer_t* handle) { static_cast<Timer*>(handle->data)->task(); }, interval, interval);
  const uint64_t id = timer->id;
  timers_.emplace(id, std::move(timer));
}

uint64_t Reactor::after(int64_t delay_ms, Task task) {
  auto timer = std::make_unique<Timer>();
  const uint64_t id = timer->id = next_timer_id_++;
  timer->repeats = false;
  timer->reactor = this;
  timer->task = std::move(task);
  timer->handle.data = timer.get();
  uv_update_time(loop_.get());  // the turn may have lasted
  uv_timer_init(loop_.get(), &timer->handle);
  uv_timer_start(
      &timer->handle,
      [](uv_timer_t* handle) {
        auto* fired = static_cast<Timer*>(handle->data);
        const Task run = std::move(fired->task);
        fired->reactor->cancel(fired->id);
        run();
      },
      static_cast<uint64_t>(std::max<int64_t>(delay_ms, 0)), 0);
  timers_.emplace(id, std::move(timer));
  return id;
}

void Reactor::cancel(uint64_t timer_id) {
  const auto it = timers_.find(timer_id);
  if (it == timers_.end()) return;
  Timer* timer = it->second.release();
  timers_.erase(it);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer->handle),
           [](uv_handle_t* handle) { delete static_cast<Timer*>(handle->data); });
}

void Reactor::on_turn(Task before_poll, Task after_poll) {
  turn_->before_poll = std::move(before_poll);
  turn_->after_poll = std::move(after_poll);
}

void Reactor::before_poll() {
  if (turn_->before_poll) turn_->before_poll();
}

void Reactor::watch_readable(int fd, Task ready) {
  auto watch = std::make_unique<Watch>();
  watch->fd = fd;
  watch->ready = std::move(ready);
  watch->handle.data = watch.get();
  SYNAP_ASSERT(uv_poll_init(loop_.get(), &watch->handle, fd) == 0);
  uv_poll_start(&watch->handle, UV_READABLE,
                [](uv_poll_t* handle, int, int) { static_cast<Watch*>(handle->data)->ready(); });
  watches_.push_back(std::move(watch));
}

void Reactor::unwatch(int fd) {
  const auto it = std::find_if(watches_.begin(), watches_.end(),
                               [fd](const std::unique_ptr<Watch>& watch) { return watch->fd == fd; });
  if (it == watches_.end()) return;
  Watch* watch = it->release();
  watches_.erase(it);
  uv_close(reinterpret_cast<uv_handle_t*>(&watch->handle),
           [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
}

void Reactor::on_signal(int signal_number, Task task) {
  auto signal = std::make_unique<Signal>();
  signal->task = std::move(task);
  signal->handle.data = signal.get();
  uv_signal_init(loop_.get(), &signal->handle);
  uv_signal_start(
      &signal->handle, [](uv_signal_t* handle, int) { static_cast<Signal*>(handle->data)->task(); }, signal_number);
  signals_.push_back(std::move(signal));
}

void Reactor::stop() {
  post([this] {
    stopped_ = true;
    leave();
  });
}

void Reactor::run() {
  schedule_as_reactor();
  while (run_turns()) {
  }
  end();
}

bool Reactor::run_turns() { return run_loop(UV_RUN_DEFAULT); }

bool Reactor::run_turn() {
  turn_->single = true;
  const bool goes_on = run_loop(UV_RUN_NOWAIT);
  turn_->single = false;
  return goes_on;
}

// What the last events left to be done before the next poll is done now: nobody knows when that will be.
bool Reactor::run_loop(int mode) {
  current_ = this;
  uv_run(loop_.get(), static_cast<uv_run_mode>(mode));
  if (!stopped_) before_poll();
  current_ = nullptr;
  return !stopped_;
}

void Reactor::leave() { uv_stop(loop_.get()); }

int Reactor::poll_fd() const { return uv_backend_fd(loop_.get()); }

int64_t Reactor::wait_ms() {
  uv_update_time(loop_.get());
  return uv_backend_timeout(loop_.get());
}

void Reactor::end() {
  current_ = this;
  close_handles(loop_.get());
  current_ = nullptr;
}

}  // namespace synap
