// The last words of a crashing server: a report with the signal or failed assertion and the stack, between the two
// lines that Redis's tools look for. Everything here is async-signal-safe once install_crash_handlers has run.
#pragma once

namespace synap {

// Writes one more section of the report (clients, current command) to `fd`; must be async-signal-safe.
using CrashSection = void (*)(int fd);

// Handles SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT: reports, then dies of the same signal. `section` may be null.
void install_crash_handlers(CrashSection section);
void remove_crash_handlers();

// Reports like a failed assertion, with a message in place of the expression.
[[noreturn]] void panic(const char* message, const char* file, int line) noexcept;

// The stack of the calling thread between the STACK TRACE lines, into the log; also for the watchdog.
void log_stack_trace();

}  // namespace synap
