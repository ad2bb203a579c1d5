#include "server/command/acl_log.h"

#include <algorithm>
#include <utility>

#include "server/base/clock.h"

namespace synap {

namespace {

// Denials are alike when nothing but their number tells them apart, within this time.
constexpr int64_t kLikeWithinMs = 60'000;
// How many of the newest entries are looked at for a like one.
constexpr size_t kLookedAtMax = 10;

}  // namespace

AclLogEntry* AclLog::find_like(const AclEvent& event, int64_t now_ms) {
  const size_t looked_at = std::min(entries_.size(), kLookedAtMax);
  for (size_t i = 0; i < looked_at; ++i) {
    const AclLogEntry& entry = entries_[i];
    const AclEvent& other = entry.event;
    const bool alike = other.denial == event.denial && other.context == event.context && other.object == event.object &&
                       other.user == event.user && std::abs(now_ms - entry.updated_ms) <= kLikeWithinMs;
    if (!alike) continue;
    std::rotate(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(i),
                entries_.begin() + static_cast<std::ptrdiff_t>(i) + 1);  // it is the newest now
    return &entries_.front();
  }
  return nullptr;
}

void AclLog::add(const AclEvent& event, const SharedSession& client, const Config& config) {
  denied_[static_cast<size_t>(event.denial)].fetch_add(1, std::memory_order_relaxed);
  const auto entries_max = static_cast<size_t>(config.acllog_max_len);
  std::string line = entries_max == 0 || !describe_ ? std::string() : describe_(client, event.running);
  const int64_t now_ms = wall_clock_ms();
  LockGuard guard(mutex_);
  if (entries_max != 0) {
    AclLogEntry* like = find_like(event, now_ms);
    if (like != nullptr) {
      ++like->count;
      like->updated_ms = now_ms;
      like->client = std::move(line);
      return;
    }
    entries_.push_front(AclLogEntry{event, next_id_++, 1, now_ms, now_ms, std::move(line)});
  }
  while (entries_.size() > entries_max) entries_.pop_back();
}

void AclLog::reset() {
  LockGuard guard(mutex_);
  entries_.clear();
}

std::vector<AclLogEntry> AclLog::newest(size_t count) const {
  LockGuard guard(mutex_);
  const size_t n = std::min(count, entries_.size());
  return {entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(n)};
}

}  // namespace synap
