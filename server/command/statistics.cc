#include "server/command/statistics.h"

#include <algorithm>

namespace synap {

namespace {

// The server's own codes are told apart however many others scripts invent.
constexpr std::string_view kOwnCodes[] = {
    "ASK",         "BUSY",     "BUSYGROUP", "BUSYKEY",    "CROSSSLOT", "DENIED",  "ERR",     "EXECABORT", "INVALIDOBJ", "IOERR",
    "LOADING",     "MASTERDOWN", "MISCONF", "MOVED",      "NOAUTH",    "NOGOODSLAVE", "NOGROUP", "NOMASTERLINK", "NOPERM", "NOPROTO",
    "NOREPLICAS",  "NOSCRIPT", "NOTBUSY",   "NOTREADY",   "OOM",       "READONLY", "TRYAGAIN", "UNBLOCKED", "UNKILLABLE", "WRONGPASS",
    "WRONGTYPE",
};
constexpr std::string_view kOtherCodes = "ERRORSTATS_OVERFLOW";

bool is_own(std::string_view code) {
  return std::find(std::begin(kOwnCodes), std::end(kOwnCodes), code) != std::end(kOwnCodes);
}

}  // namespace

void ThreadStatistics::count_error(std::string_view code) {
  errors.add();
  LockGuard guard(mutex_);
  auto it = errors_by_code_.find(code);
  if (it == errors_by_code_.end() && errors_by_code_.size() >= kErrorCodesMax && !is_own(code)) {
    code = kOtherCodes;
    it = errors_by_code_.find(code);
  }
  it == errors_by_code_.end() ? static_cast<void>(errors_by_code_.emplace(code, 1)) : static_cast<void>(++it->second);
}

std::map<std::string, uint64_t, std::less<>> ThreadStatistics::errors_by_code() const {
  LockGuard guard(mutex_);
  return errors_by_code_;
}

void ThreadStatistics::reset() {
  for (CommandStatistics& command : per_command) {
    command.calls.reset();
    command.nanoseconds.reset();
    command.rejected.reset();
    command.failed.reset();
    command.latency.reset();
  }
  for (Counter* counter : {&commands, &connections, &rejected_connections, &net_in_bytes, &net_out_bytes, &errors,
                           &output_limit_disconnections, &query_limit_disconnections, &evicted_clients,
                           &slow_lane_commands, &parked_commands, &reads, &writes, &turns, &turn_ns,
                           &turn_ns_max, &turn_commands_max, &cron_us, &acl_denied_auth, &acl_denied_command,
                           &acl_denied_key, &acl_denied_channel}) {
    counter->reset();
  }
  LockGuard guard(mutex_);
  errors_by_code_.clear();
}

ThreadStatistics* Statistics::add_thread() {
  LockGuard guard(mutex_);
  threads_.push_back(std::make_unique<ThreadStatistics>(commands_));
  thread_count_.store(threads_.size(), std::memory_order_relaxed);
  return threads_.back().get();
}

void Statistics::reset() {
  LockGuard guard(mutex_);
  for (const auto& thread : threads_) thread->reset();
}

}  // namespace synap
