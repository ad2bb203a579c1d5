#include "server/command/monitor.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "server/base/clock.h"
#include "server/base/quoted_args.h"
#include "server/command/client_directory.h"
#include "server/command/context.h"

namespace synap {

// `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"` as Redis prints it.
std::string MonitorFeed::line_of(Context& ctx) {
  const int64_t now_us = wall_clock_us();
  char time[40];
  std::snprintf(time, sizeof time, "+%lld.%06lld", static_cast<long long>(now_us / 1000000),
                static_cast<long long>(now_us % 1000000));
  std::string line = std::string(time) + " [" + std::to_string(ctx.db()) + " ";
  if (ctx.session().has(kSessionScript)) {
    line += "lua";
  } else {
    const SharedSession& shared = *ctx.session().shared;
    LockGuard guard(shared.mutex);
    line += shared.peer;
  }
  line += "]";
  for (size_t i = 0; i < ctx.argc(); ++i) {
    line += " ";
    line += ctx.command().hides(ctx.args(), i) ? "\"(redacted)\"" : quote_arg(ctx.arg(i));
  }
  return line + "\r\n";
}

void MonitorFeed::add(uint64_t client_id) {
  LockGuard guard(mutex_);
  ids_.push_back(client_id);
  count_.store(ids_.size(), std::memory_order_relaxed);
}

void MonitorFeed::remove(uint64_t client_id) {
  LockGuard guard(mutex_);
  ids_.erase(std::remove(ids_.begin(), ids_.end(), client_id), ids_.end());
  count_.store(ids_.size(), std::memory_order_relaxed);
}

void MonitorFeed::feed(std::string text) {
  const auto line = std::make_shared<const std::string>(std::move(text));
  std::vector<uint64_t> ids;
  {
    LockGuard guard(mutex_);
    ids = ids_;
  }
  for (const uint64_t id : ids) {
    clients_->post(id, [line](ClientPort& port) { port.deliver(*line); });
  }
}

}  // namespace synap
