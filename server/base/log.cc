// See log.h. The date is computed here from a cached zone offset, because localtime_r takes a lock that a forked
// child could inherit locked.
#include "server/base/log.h"

#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "server/base/clock.h"
#include "server/base/number.h"

namespace synap {
namespace {

struct Date {
  int year;
  int month;  // 1–12
  int day;
  int hour;
  int minute;
  int second;
};

// Civil date from days since 1970 (Howard Hinnant's algorithm: years start in March, eras of 400 years).
Date date_of(int64_t seconds) {
  int64_t days = seconds / 86400;
  int64_t rest = seconds % 86400;
  if (rest < 0) rest += 86400, --days;
  const int64_t shifted = days + 719468;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const int64_t day_of_era = shifted - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  Date date{};
  date.day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  date.month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  date.year = static_cast<int>(year_of_era + era * 400 + (date.month <= 2 ? 1 : 0));
  date.hour = static_cast<int>(rest / 3600);
  date.minute = static_cast<int>(rest / 60 % 60);
  date.second = static_cast<int>(rest % 60);
  return date;
}

// snprintf is not async-signal-safe; this is all that a prefix needs.
class Cursor {
 public:
  explicit Cursor(char* out) : begin_(out), at_(out) {}
  Cursor& text(std::string_view bytes) {
    memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
    return *this;
  }
  Cursor& byte(char c) { return *at_++ = c, *this; }
  Cursor& number(int64_t value) { return at_ += format_int64(at_, value), *this; }
  Cursor& padded(int64_t value, int digits) {
    for (int64_t limit = 10; --digits > 0; limit *= 10) {
      if (value < limit) byte('0');
    }
    return number(value);
  }
  size_t length() const { return static_cast<size_t>(at_ - begin_); }

 private:
  char* const begin_;
  char* at_;
};

constexpr std::string_view kLevelNames[] = {"debug", "verbose", "notice", "warning"};

size_t index_of(LogLevel level) {
  return std::min(static_cast<size_t>(level), std::size(kLevelNames) - 1);
}

void write_fully(int fd, std::string_view bytes) {
  // A log line that cannot be written has nowhere to be reported.
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

// Appends `c` as JSON string content; at most six bytes.
size_t escape_json(char* out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') return out[0] = '\\', out[1] = c, 2;
  if (c == '\n') return memcpy(out, "\\n", 2), 2;
  if (byte >= 0x20 && byte != 0x7f) return out[0] = c, 1;
  constexpr char kHex[] = "0123456789abcdef";
  memcpy(out, "\\u00", 4);
  out[4] = kHex[byte >> 4];
  out[5] = kHex[byte & 15];
  return 6;
}

void log_formatted(LogLevel level, const char* format, va_list args) __attribute__((format(printf, 2, 0)));
void log_formatted(LogLevel level, const char* format, va_list args) {
  if (!log().enabled(level)) return;
  char message[Log::kLineMax - 256];
  const int length = vsnprintf(message, sizeof message, format, args);
  if (length < 0) return;
  log().write(level, std::string_view(message, std::min(static_cast<size_t>(length), sizeof message - 1)));
}

}  // namespace

Log& log() {
  static Log the_log;
  return the_log;
}

void Log::open(const LogTarget& target) {
  main_pid_ = getpid();
  standard_output_ = target.standard_output;
  format_.store(target.format, std::memory_order_relaxed);
  const size_t length = target.file.copy(file_, sizeof file_ - 1);
  file_[length] = '\0';
  if (syslog_) closelog();
  syslog_ = target.syslog;
  if (syslog_) {
    syslog_ident_[target.syslog_ident.copy(syslog_ident_, sizeof syslog_ident_ - 1)] = '\0';
    openlog(syslog_ident_, LOG_PID | LOG_NDELAY | LOG_NOWAIT, target.syslog_facility);
  }
  refresh_time_zone();
}

void Log::refresh_time_zone() {
  const time_t now = time(nullptr);
  tm local{};
  localtime_r(&now, &local);
  zone_offset_s_.store(static_cast<int32_t>(local.tm_gmtoff), std::memory_order_relaxed);
}

char Log::role_char() const {
  if (main_pid_ != 0 && getpid() != main_pid_) return 'C';
  switch (role_.load(std::memory_order_relaxed)) {
    case LogRole::kReplica:
      return 'S';
    case LogRole::kSentinel:
      return 'X';
    case LogRole::kMaster:
      break;
  }
  return 'M';
}

size_t Log::format_prefix(char* out, LogLevel level, int64_t wall_us) const {
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const Date date = date_of(wall_us / 1'000'000 + zone_offset_s_.load(std::memory_order_relaxed));
  Cursor cursor(out);
  cursor.number(getpid()).byte(':').byte(role_char()).byte(' ');
  cursor.padded(date.day, 2).byte(' ').text(kMonths[date.month - 1]).byte(' ').number(date.year).byte(' ');
  cursor.padded(date.hour, 2).byte(':').padded(date.minute, 2).byte(':').padded(date.second, 2);
  cursor.byte('.').padded(wall_us / 1000 % 1000, 3).byte(' ').byte(".-*#"[index_of(level)]).byte(' ');
  return cursor.length();
}

size_t Log::format_json(char* out, LogLevel level, int64_t wall_us, std::string_view message) const {
  const Date date = date_of(wall_us / 1'000'000);
  Cursor cursor(out);
  cursor.text("{\"time\":\"").number(date.year).byte('-').padded(date.month, 2).byte('-').padded(date.day, 2);
  cursor.byte('T').padded(date.hour, 2).byte(':').padded(date.minute, 2).byte(':').padded(date.second, 2);
  cursor.byte('.').padded(wall_us / 1000 % 1000, 3).text("Z\",\"level\":\"").text(kLevelNames[index_of(level)]);
  cursor.text("\",\"pid\":").number(getpid()).text(",\"role\":\"").byte(role_char()).text("\",\"message\":\"");
  size_t length = cursor.length();
  for (const char c : message) {
    if (length + 16 > kLineMax) break;
    length += escape_json(out + length, c);
  }
  memcpy(out + length, "\"}\n", 3);
  return length + 3;
}

int Log::open_descriptor() const {
  if (file_[0] != '\0') return ::open(file_, O_APPEND | O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  return standard_output_ ? STDOUT_FILENO : -1;
}

void Log::close_descriptor(int fd) {
  if (fd > STDERR_FILENO) ::close(fd);
}

void Log::write_raw(std::string_view bytes) const {
  const int fd = open_descriptor();
  if (fd < 0) return;
  write_fully(fd, bytes);
  close_descriptor(fd);
}

void Log::write_from_signal(LogLevel level, std::string_view message) const {
  if (!enabled(level)) return;
  char line[kLineMax];
  const int64_t now_us = wall_clock_us();
  size_t length = 0;
  if (format_.load(std::memory_order_relaxed) == LogFormat::kJson) {
    length = format_json(line, level, now_us, message);
  } else {
    length = format_prefix(line, level, now_us);
    const size_t fits = std::min(message.size(), kLineMax - length - 1);
    memcpy(line + length, message.data(), fits);
    length += fits;
    line[length++] = '\n';
  }
  write_raw(std::string_view(line, length));
}

void Log::write(LogLevel level, std::string_view message) {
  if (!enabled(level)) return;
  write_from_signal(level, message);
  if (syslog_ && getpid() == main_pid_) {  // a child could wait for ever for the lock in it
    static constexpr int kPriorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING};
    ::syslog(kPriorities[index_of(level)], "%.*s", static_cast<int>(message.size()), message.data());
  }
}

void log_debug(const char* format, ...) {
  va_list args;
  va_start(args, format);
  log_formatted(LogLevel::kDebug, format, args);
  va_end(args);
}

void log_verbose(const char* format, ...) {
  va_list args;
  va_start(args, format);
  log_formatted(LogLevel::kVerbose, format, args);
  va_end(args);
}

void log_notice(const char* format, ...) {
  va_list args;
  va_start(args, format);
  log_formatted(LogLevel::kNotice, format, args);
  va_end(args);
}

void log_warning(const char* format, ...) {
  va_list args;
  va_start(args, format);
  log_formatted(LogLevel::kWarning, format, args);
  va_end(args);
}

}  // namespace synap
