#include "server/command/slowlog.h"

#include <algorithm>
#include <utility>

#include "server/command/context.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

constexpr size_t kArgsMax = 32;
constexpr size_t kArgBytesMax = 128;

std::string shortened(std::string_view arg) {
  if (arg.size() <= kArgBytesMax) return std::string(arg);
  return std::string(arg.substr(0, kArgBytesMax)) + "... (" + std::to_string(arg.size() - kArgBytesMax) + " more bytes)";
}

}  // namespace

void Slowlog::add(Context& ctx, int64_t duration_us) {
  const Config& config = ctx.server().config->current();  // the command may just have changed it
  if (config.slowlog_max_len == 0) return;
  SlowlogEntry entry;
  entry.time_seconds = ctx.now_ms() / 1000;
  entry.duration_us = duration_us;
  const size_t kept = std::min(ctx.argc(), kArgsMax);
  for (size_t i = 0; i < kept; ++i) {
    if (i == kArgsMax - 1 && ctx.argc() > kArgsMax) {
      entry.args.push_back("... (" + std::to_string(ctx.argc() - kArgsMax + 1) + " more arguments)");
    } else {
      entry.args.push_back(ctx.command().hides(ctx.args(), i) ? "(redacted)" : shortened(ctx.arg(i)));
    }
  }
  {
    const SharedSession& shared = *ctx.session().shared;
    LockGuard guard(shared.mutex);
    entry.peer = shared.peer;
    entry.client_name = shared.name;
  }
  const auto max_entries = static_cast<size_t>(config.slowlog_max_len);
  LockGuard guard(mutex_);
  entry.id = next_id_++;
  entries_.push_front(std::move(entry));
  while (entries_.size() > max_entries) entries_.pop_back();
}

void Slowlog::trim(size_t max_entries) {
  LockGuard guard(mutex_);
  while (entries_.size() > max_entries) entries_.pop_back();
}

void Slowlog::reset() {
  LockGuard guard(mutex_);
  entries_.clear();
}

size_t Slowlog::size() const {
  LockGuard guard(mutex_);
  return entries_.size();
}

std::vector<SlowlogEntry> Slowlog::newest(int64_t count) const {
  LockGuard guard(mutex_);
  const size_t n = count < 0 ? entries_.size() : std::min(entries_.size(), static_cast<size_t>(count));
  return {entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(n)};
}

}  // namespace synap
