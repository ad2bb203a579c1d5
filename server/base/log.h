// The log: Redis's levels and line format ("<pid>:<role> <date> <level char> message"), JSON on request, to standard
// output, a file (opened for each line, so that it can be moved away) or syslog.
// Any thread may log, also in a forked child: a line is one write(2), and no lock is taken (syslog takes its own).
// Never logs on the path of a command that succeeds.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace synap {

enum class LogLevel : uint8_t { kDebug, kVerbose, kNotice, kWarning, kNothing };
enum class LogFormat : uint8_t { kText, kJson };
enum class LogRole : uint8_t { kMaster, kReplica, kSentinel };  // a forked child is recognised by its pid

struct LogTarget {
  std::string file;  // empty: standard output
  LogFormat format = LogFormat::kText;
  bool standard_output = true;  // false once daemonized
  bool syslog = false;
  std::string syslog_ident = "redis";
  int syslog_facility = 16 << 3;  // LOG_LOCAL0
};

class Log {
 public:
  static constexpr size_t kLineMax = 8192;  // longer messages are cut

  // At start, before other threads exist, and again after daemonizing. Remembers the pid as the main process.
  void open(const LogTarget& target);
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  bool enabled(LogLevel level) const { return level >= this->level(); }
  void set_role(LogRole role) { role_.store(role, std::memory_order_relaxed); }
  void set_format(LogFormat format) { format_.store(format, std::memory_order_relaxed); }
  // Reads the system's time zone again; the server calls it now and then, for summer time.
  void refresh_time_zone();

  void write(LogLevel level, std::string_view message);
  // The bytes as they are, no prefix. Async-signal-safe, like write_from_signal: neither allocates nor locks.
  void write_raw(std::string_view bytes) const;
  void write_from_signal(LogLevel level, std::string_view message) const;

  // "1234:M 05 Nov 2026 10:11:12.345 * ". Async-signal-safe; out holds 64 bytes.
  size_t format_prefix(char* out, LogLevel level, int64_t wall_us) const;

  // A descriptor on the log's target, for what can only write to one (backtraces); close_descriptor ends its use.
  int open_descriptor() const;
  static void close_descriptor(int fd);

 private:
  char role_char() const;
  size_t format_json(char* out, LogLevel level, int64_t wall_us, std::string_view message) const;

  std::atomic<LogLevel> level_{LogLevel::kNotice};
  std::atomic<LogRole> role_{LogRole::kMaster};
  std::atomic<LogFormat> format_{LogFormat::kText};
  std::atomic<int32_t> zone_offset_s_{0};
  pid_t main_pid_ = 0;
  bool standard_output_ = true;
  bool syslog_ = false;
  char file_[4096] = {};         // plain bytes, readable from a signal handler
  char syslog_ident_[256] = {};  // openlog keeps the pointer
};

// The process's log: like standard error, the one thing that every part may use without being given it.
Log& log();

void log_debug(const char* format, ...) __attribute__((format(printf, 1, 2)));
void log_verbose(const char* format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char* format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace synap
