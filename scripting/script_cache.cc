#include "scripting/script_cache.h"

#include "server/base/text.h"

namespace synap {

std::shared_ptr<CachedScript> ScriptCache::add(std::string_view sha, std::string_view body,
                                               const ScriptShebang& shebang, bool by_eval) {
  LockGuard lock(mutex_);
  const auto found = scripts_.find(std::string(sha));
  if (found != scripts_.end()) {
    CachedScript& script = *found->second;
    if (!by_eval && script.is_evictable.exchange(false, std::memory_order_relaxed)) --evictable_;
    return found->second;
  }
  if (by_eval) {
    while (evictable_ >= kEvictableMax) evict_one();
    ++evictable_;
  }
  auto script = std::make_shared<CachedScript>(sha, body);
  script->shebang = shebang;
  script->is_evictable.store(by_eval, std::memory_order_relaxed);
  script->last_used.store(ticks_.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
  body_bytes_ += body.size();
  const bool promises = (shebang.flags & kScriptNoShebang) == 0 && (shebang.flags & kScriptDeclaredKeysOnly) != 0;
  if (promises) promising_.store(true, std::memory_order_relaxed);
  scripts_.emplace(sha, script);
  return script;
}

void ScriptCache::evict_one() {
  auto oldest = scripts_.end();
  for (auto at = scripts_.begin(); at != scripts_.end(); ++at) {
    if (!at->second->is_evictable.load(std::memory_order_relaxed)) continue;
    if (oldest == scripts_.end() || at->second->last_used.load(std::memory_order_relaxed) <
                                        oldest->second->last_used.load(std::memory_order_relaxed)) {
      oldest = at;
    }
  }
  SYNAP_ASSERT(oldest != scripts_.end());
  end(oldest->second.get());
  body_bytes_ -= oldest->second->body.size();
  scripts_.erase(oldest);
  --evictable_;
  evicted_.fetch_add(1, std::memory_order_relaxed);
}

// What threads compiled keeps the object until they look; the body need not wait for that.
void ScriptCache::end(CachedScript* script) {
  script->live.store(false, std::memory_order_release);
  script->body.give_up();
}

std::shared_ptr<CachedScript> ScriptCache::find(std::string_view sha) const {
  const std::string name = to_lower(sha);
  LockGuard lock(mutex_);
  const auto found = scripts_.find(name);
  return found == scripts_.end() ? nullptr : found->second;
}

void ScriptCache::flush() {
  LockGuard lock(mutex_);
  for (const auto& [sha, script] : scripts_) end(script.get());
  scripts_.clear();
  flushes_.fetch_add(1, std::memory_order_relaxed);
  evictable_ = 0;
  body_bytes_ = 0;
}

uint64_t ScriptCache::relocate(uint64_t cursor, size_t count, BlockMover& mover) {
  LockGuard lock(mutex_);
  const size_t buckets = scripts_.bucket_count();
  for (size_t seen = 0; cursor < buckets && seen < count; ++cursor, ++seen) {
    for (auto at = scripts_.begin(cursor); at != scripts_.end(cursor); ++at) at->second->body.relocate(mover);
  }
  return cursor < buckets ? cursor : 0;
}

size_t ScriptCache::count() const {
  LockGuard lock(mutex_);
  return scripts_.size();
}

size_t ScriptCache::memory_bytes() const {
  LockGuard lock(mutex_);
  return body_bytes_ + scripts_.size() * (sizeof(CachedScript) + 2 * 48);
}

}  // namespace synap
