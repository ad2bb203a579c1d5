// Options of the process, its log, and what it shows of itself.
#include <clocale>
#include <cstdlib>
#include <ctime>

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "server/base/number.h"
#include "server/base/quoted_args.h"
#include "server/base/text.h"
#include "server/command/process_title.h"
#include "server/options_list.h"

namespace synap {
namespace {

constexpr OptionName kSupervisedNames[] = {{"upstart", static_cast<int64_t>(Supervised::kUpstart)},
                                           {"systemd", static_cast<int64_t>(Supervised::kSystemd)},
                                           {"auto", static_cast<int64_t>(Supervised::kAuto)},
                                           {"no", static_cast<int64_t>(Supervised::kNo)}};
constexpr OptionName kLevelNames[] = {{"debug", static_cast<int64_t>(Verbosity::kDebug)},
                                      {"verbose", static_cast<int64_t>(Verbosity::kVerbose)},
                                      {"notice", static_cast<int64_t>(Verbosity::kNotice)},
                                      {"warning", static_cast<int64_t>(Verbosity::kWarning)},
                                      {"nothing", static_cast<int64_t>(Verbosity::kNothing)}};
// "legacy" is Valkey's name for the usual lines.
constexpr OptionName kLogFormats[] = {{"text", static_cast<int64_t>(LogLines::kText)},
                                      {"json", static_cast<int64_t>(LogLines::kJson)},
                                      {"legacy", static_cast<int64_t>(LogLines::kText)}};
constexpr OptionName kTimestampFormats[] = {{"legacy", static_cast<int64_t>(LogTimestamp::kLegacy)},
                                            {"iso8601", static_cast<int64_t>(LogTimestamp::kIso8601)},
                                            {"milliseconds", static_cast<int64_t>(LogTimestamp::kMilliseconds)}};
// syslog's own numbers, unshifted.
constexpr OptionName kFacilities[] = {{"user", 1},    {"local0", 16}, {"local1", 17}, {"local2", 18}, {"local3", 19},
                                      {"local4", 20}, {"local5", 21}, {"local6", 22}, {"local7", 23}};
constexpr OptionName kOomNames[] = {{"no", static_cast<int64_t>(OomScoreAdj::kNo)},
                                    {"yes", static_cast<int64_t>(OomScoreAdj::kRelative)},
                                    {"relative", static_cast<int64_t>(OomScoreAdj::kRelative)},
                                    {"absolute", static_cast<int64_t>(OomScoreAdj::kAbsolute)}};
constexpr OptionName kShutdownNames[] = {{"default", 0},
                                         {"save", kShutdownSave},
                                         {"nosave", kShutdownNosave},
                                         {"now", kShutdownNow},
                                         {"force", kShutdownForce}};

Status refuse(const char* text) {
  return Status(StatusCode::kSyntax, text);
}

// --- dir: kept absolute, so that reading it needs no system call. The store's callback enters it.

std::string working_directory() {
  std::error_code error;
  return std::filesystem::current_path(error).string();
}

Status parse_dir(OptionWords words, bool /*append*/, Config* config) {
  if (words.size() != 1) return refuse("wrong number of arguments");
  if (words[0].empty()) return refuse("dir can't be empty");
  std::string path(words[0]);
  if (path[0] != '/') path.insert(0, (config->dir.empty() ? working_directory() : config->dir) + '/');
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
  if (real == nullptr) return refuse(strerror(errno));
  std::error_code error;
  if (!std::filesystem::is_directory(real.get(), error)) return refuse(strerror(ENOTDIR));
  if (access(real.get(), X_OK) != 0) return refuse(strerror(errno));
  config->dir = real.get();
  return {};
}

std::string format_dir(const Config& config) {
  return config.dir.empty() ? working_directory() : config.dir;
}

std::vector<std::string> rewrite_dir(const Config& config) {
  return {quote_arg(format_dir(config))};
}

// --- oom-score-adj-values

Status parse_oom_values(OptionWords words, bool /*append*/, Config* config) {
  if (words.size() != config->oom_score_adj_values.size()) return refuse("wrong number of arguments");
  auto values = config->oom_score_adj_values;
  for (size_t i = 0; i < words.size(); ++i) {
    if (!parse_int64(words[i], &values[i]) || values[i] < -2000 || values[i] > 2000) {
      return refuse("Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
    }
  }
  config->oom_score_adj_values = values;
  return {};
}

std::string format_oom_values(const Config& config) {
  const auto& values = config.oom_score_adj_values;
  return to_text(values[0]) + ' ' + to_text(values[1]) + ' ' + to_text(values[2]);
}

// --- latency-tracking-info-percentiles

Status parse_percentiles(OptionWords words, bool /*append*/, Config* config) {
  if (words.size() == 1 && words[0].empty()) words = {};
  std::vector<double> percentiles(words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    if (!parse_double(words[i], &percentiles[i])) {
      return refuse("Invalid latency-tracking-info-percentiles parameters");
    }
    if (percentiles[i] < 0 || percentiles[i] > 100) {
      return refuse("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
    }
  }
  config->latency_tracking_info_percentiles = std::move(percentiles);
  return {};
}

std::string format_percentiles(const Config& config) {
  std::string text;
  for (const double percentile : config.latency_tracking_info_percentiles) {
    std::string number = format_text("%f", percentile);
    number.erase(number.find_last_not_of('0') + 1);
    if (number.back() == '.') number.pop_back();
    if (!text.empty()) text += ' ';
    text += number;
  }
  return text;
}

// --- checks

const char* check_title(const Config& config) {
  const std::optional<std::string> title = process_title(config, {.name = "any", .config_file = {}});
  return title.has_value() && !title->empty() ? nullptr : "template format is invalid or contains unknown variables";
}

const char* check_locale(const Config& config) {
  const locale_t locale = newlocale(LC_COLLATE_MASK, config.locale_collate.c_str(), nullptr);
  if (locale == nullptr) return "Invalid locale name";
  freelocale(locale);
  return nullptr;
}

const char* check_shutdown(const Config& config) {
  constexpr uint32_t kBoth = kShutdownSave | kShutdownNosave;
  const bool clash = (config.shutdown_on_sigint & kBoth) == kBoth || (config.shutdown_on_sigterm & kBoth) == kBoth;
  return clash ? "shutdown options SAVE and NOSAVE can't be used simultaneously" : nullptr;
}

constexpr Option kRows[] = {
    boolean_option("daemonize", &Config::daemonize, kImmutable),
    choice_option("supervised", choice_member<&Config::supervised>(), kSupervisedNames, kImmutable),
    optional_text_option("pidfile", &Config::pidfile, kImmutable),
    special_option("dir", {parse_dir, format_dir, rewrite_dir, true}, kGuarded | kDenyLoading),
    boolean_option("always-show-logo", &Config::always_show_logo, kImmutable),
    boolean_option("set-proc-title", &Config::set_proc_title, kImmutable),
    text_option("proc-title-template", &Config::proc_title_template).checked(check_title),
    text_option("locale-collate", &Config::locale_collate).checked(check_locale),
    number_option("databases", &Config::databases, 1, kIntMax, kImmutable),
    number_option("hz", &Config::hz, 0, kIntMax),
    boolean_option("dynamic-hz", &Config::dynamic_hz, kRemembered),

    choice_option("loglevel", choice_member<&Config::loglevel>(), kLevelNames),
    text_option("logfile", &Config::logfile, kImmutable),
    choice_option("log-format", choice_member<&Config::log_format>(), kLogFormats),
    choice_option("log-timestamp-format", choice_member<&Config::log_timestamp_format>(), kTimestampFormats,
                  kRemembered),
    boolean_option("syslog-enabled", &Config::syslog_enabled, kImmutable),
    text_option("syslog-ident", &Config::syslog_ident, kImmutable),
    choice_option("syslog-facility", choice_member<&Config::syslog_facility>(), kFacilities, kImmutable),
    boolean_option("hide-user-data-from-log", &Config::hide_user_data_from_log),
    boolean_option("crash-log-enabled", &Config::crash_log_enabled),
    boolean_option("crash-memcheck-enabled", &Config::crash_memcheck_enabled, kRemembered),
    boolean_option("use-exit-on-panic", &Config::use_exit_on_panic, kHidden | kRemembered),
    boolean_option("enable-debug-assert", &Config::enable_debug_assert, kImmutable | kHidden | kRemembered),
    text_option("debug-context", &Config::debug_context, kHidden | kRemembered),

    boolean_option("disable-thp", &Config::disable_thp, kImmutable),
    choice_option("oom-score-adj", choice_member<&Config::oom_score_adj>(), kOomNames),
    special_option("oom-score-adj-values", {parse_oom_values, format_oom_values}, kMultiArg),
    optional_text_option("server-cpulist", &Config::server_cpulist, kImmutable | kRemembered).aka("server_cpulist"),
    optional_text_option("bio-cpulist", &Config::bio_cpulist, kImmutable | kRemembered).aka("bio_cpulist"),
    optional_text_option("aof-rewrite-cpulist", &Config::aof_rewrite_cpulist, kImmutable | kRemembered)
        .aka("aof_rewrite_cpulist"),
    optional_text_option("bgsave-cpulist", &Config::bgsave_cpulist, kImmutable | kRemembered).aka("bgsave_cpulist"),
    text_option("ignore-warnings", &Config::ignore_warnings, kRemembered),

    number_option("shutdown-timeout", &Config::shutdown_timeout, 0, kIntMax),
    flags_option("shutdown-on-sigint", choice_member<&Config::shutdown_on_sigint>(), kShutdownNames)
        .checked(check_shutdown),
    flags_option("shutdown-on-sigterm", choice_member<&Config::shutdown_on_sigterm>(), kShutdownNames)
        .checked(check_shutdown),

    number_option("slowlog-log-slower-than", &Config::slowlog_log_slower_than, -1, kLongMax),
    number_option("slowlog-max-len", &Config::slowlog_max_len, 0, kLongMax),
    number_option("latency-monitor-threshold", &Config::latency_monitor_threshold, 0, kLongMax),
    boolean_option("latency-tracking", &Config::latency_tracking),
    special_option("latency-tracking-info-percentiles", {parse_percentiles, format_percentiles, nullptr, true},
                   kMultiArg),
    number_option("watchdog-period", &Config::watchdog_period, 0, kIntMax, kHidden | kRemembered),
    text_option("availability-zone", &Config::availability_zone),
    boolean_option("extended-redis-compatibility", &Config::extended_redis_compatibility, kHidden | kRemembered),
};

}  // namespace

const std::span<const Option> kProcessOptions = kRows;

}  // namespace synap
