// See crash_report.h. A second crash while reporting dies at once: the handlers are reset first. Other threads that
// crash meanwhile wait for the first one's report to end the process.
#include "server/base/crash_report.h"

#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "server/base/assert.h"
#include "server/base/log.h"
#include "server/base/number.h"

namespace synap {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

// A signal handler gets no argument of ours; these are its only link to the rest.
std::atomic<CrashSection> crash_section{nullptr};
std::atomic<pid_t> reporting_thread{0};

// A line of the report, built without snprintf.
class Line {
 public:
  Line& text(std::string_view bytes) {
    const size_t fits = std::min(bytes.size(), sizeof bytes_ - length_);
    memcpy(bytes_ + length_, bytes.data(), fits);
    length_ += fits;
    return *this;
  }
  Line& number(int64_t value) {
    char digits[kInt64CharsMax];
    return text(std::string_view(digits, format_int64(digits, value)));
  }
  Line& address(const void* pointer) {
    char digits[18] = "0x";
    size_t length = 2;
    const auto value = reinterpret_cast<uintptr_t>(pointer);
    int shift = 60;
    while (shift > 0 && (value >> shift) == 0) shift -= 4;
    for (; shift >= 0; shift -= 4) digits[length++] = "0123456789abcdef"[(value >> shift) & 15];
    return text(std::string_view(digits, length));
  }
  void write() const { log().write_from_signal(LogLevel::kWarning, std::string_view(bytes_, length_)); }

 private:
  char bytes_[1024];
  size_t length_ = 0;
};

void restore_default_signals() {
  for (const int number : kSignals) signal(number, SIG_DFL);
}

// Only one thread reports; another that comes second sleeps until the process ends.
void begin_report() {
  restore_default_signals();
  const pid_t self = gettid();
  pid_t reporter = 0;
  if (!reporting_thread.compare_exchange_strong(reporter, self)) {
    if (reporter == self) abort();
    for (;;) pause();
  }
  log().write_raw("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
}

void end_report() {
  const int fd = log().open_descriptor();
  const CrashSection section = crash_section.load();
  if (fd >= 0 && section != nullptr) section(fd);
  Log::close_descriptor(fd);
  log().write_raw(
      "\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n"
      "       Please report the crash to Synap's maintainers, with this report and how to repeat it.\n");
}

void on_crash(int number, siginfo_t* info, void*) {
  begin_report();
  Line().text("Redis 7.4.1 crashed by signal: ").number(number).text(", si_code: ").number(info->si_code).write();
  if (number == SIGSEGV || number == SIGBUS) {
    Line().text("Accessing address: ").address(info->si_addr).write();
  }
  if (info->si_code <= 0) Line().text("Killed by PID: ").number(info->si_pid).write();
  log_stack_trace();
  end_report();
  raise(number);
}

// Somebody asks where the thread is: as Redis, whether its watchdog is on or not.
void on_alarm(int, siginfo_t* info, void*) {
  const int saved_errno = errno;
  log().write_raw("\n--- WATCHDOG TIMER EXPIRED ---\n");
  Line().text("Received SIGALRM").write();
  if (info->si_code <= 0) Line().text("Sent by PID: ").number(info->si_pid).write();
  log_stack_trace();
  log().write_raw("--------\n");
  errno = saved_errno;
}

[[noreturn]] void report_and_abort() {
  log_stack_trace();
  end_report();
  abort();
}

}  // namespace

void install_crash_handlers(CrashSection section) {
  crash_section.store(section);
  // The first backtrace loads libgcc, which allocates: do it now, not in the handler.
  void* frames[2];
  backtrace(frames, 2);
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_NODEFER | SA_RESETHAND | SA_SIGINFO;
  action.sa_sigaction = on_crash;
  for (const int number : kSignals) sigaction(number, &action, nullptr);
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  action.sa_sigaction = on_alarm;
  sigaction(SIGALRM, &action, nullptr);
}

void remove_crash_handlers() {
  restore_default_signals();
}

void log_stack_trace() {
  log().write_raw("\n------ STACK TRACE ------\n");
  void* frames[100];
  const int count = backtrace(frames, 100);
  const int fd = log().open_descriptor();
  if (fd >= 0) backtrace_symbols_fd(frames, count, fd);
  Log::close_descriptor(fd);
  log().write_raw("\n------ STACK TRACE DONE ------\n");
}

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  begin_report();
  Line().text("=== ASSERTION FAILED ===").write();
  Line().text("==> ").text(file).text(":").number(line).text(" '").text(expression).text("' is not true").write();
  report_and_abort();
}

void panic(const char* message, const char* file, int line) noexcept {
  begin_report();
  Line().text("!!! Software Failure. Press left mouse button to continue").write();
  Line().text("Guru Meditation: ").text(message).text(" #").text(file).text(":").number(line).write();
  report_and_abort();
}

}  // namespace synap
