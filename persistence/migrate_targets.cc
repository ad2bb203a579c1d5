#include "persistence/migrate_targets.h"

#include <algorithm>
#include <utility>

namespace synap {

MigrateTarget MigrateTargets::take(const std::string& name) {
  LockGuard guard(mutex_);
  auto node = kept_.extract(name);
  return node.empty() ? MigrateTarget() : std::move(node.mapped());
}

void MigrateTargets::put_back(const std::string& name, MigrateTarget target, int64_t now_ms) {
  target.used_ms = now_ms;
  LockGuard guard(mutex_);
  if (kept_.size() >= kKeptMax) {
    const auto idlest = std::min_element(
        kept_.begin(), kept_.end(), [](const auto& a, const auto& b) { return a.second.used_ms < b.second.used_ms; });
    kept_.erase(idlest);
  }
  kept_.insert_or_assign(name, std::move(target));
}

void MigrateTargets::close_idle(int64_t now_ms) {
  LockGuard guard(mutex_);
  std::erase_if(kept_, [&](const auto& kept) { return now_ms - kept.second.used_ms > kIdleMs; });
}

size_t MigrateTargets::count() const {
  LockGuard guard(mutex_);
  return kept_.size();
}

}  // namespace synap
