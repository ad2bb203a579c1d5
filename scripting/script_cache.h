// ScriptCache: the bodies of scripts by SHA1, shared by all reactors. What a reactor compiled from them is its own (see
// scripting.h); it keeps a reference and looks at `live` before each use, so the hot path takes no lock here.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "scripting/script_flags.h"
#include "server/base/block_mover.h"
#include "server/base/sync.h"
#include "server/keyspace/movable_text.h"

namespace synap {

struct CachedScript {
  CachedScript(std::string_view sha_of_body, std::string_view text) : sha(sha_of_body), body(text) {}

  const std::string sha;  // 40 lower-case hex digits
  MovableText body;       // given up once the script is not live
  ScriptShebang shebang;
  std::atomic<bool> live{true};           // false once flushed or evicted
  std::atomic<uint64_t> last_used{0};     // ticks of the cache
  std::atomic<bool> is_evictable{false};  // came by EVAL, not by SCRIPT LOAD
};

class ScriptCache {
 public:
  // Scripts that came by EVAL are kept up to this number, the least recently used goes first.
  static constexpr size_t kEvictableMax = 500;

  // Returns the script of that body, new or old. One from SCRIPT LOAD is never evicted any more.
  std::shared_ptr<CachedScript> add(std::string_view sha, std::string_view body, const ScriptShebang& shebang,
                                    bool by_eval);
  // Null when there is none. Any case of hex digits.
  std::shared_ptr<CachedScript> find(std::string_view sha) const;
  void flush();
  // How often that was: threads then forget what they compiled.
  uint64_t flushes() const { return flushes_.load(std::memory_order_relaxed); }
  void touch(CachedScript* script) {
    if (script->is_evictable.load(std::memory_order_relaxed)) {
      script->last_used.store(ticks_.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
    }
  }

  // How many scripts came that keep to their declared keys: usually none, and then nobody need look them up early.
  bool has_promising() const { return promising_.load(std::memory_order_relaxed); }

  // Moves bodies, about `count` from `cursor` on. The next cursor, 0 at the end.
  uint64_t relocate(uint64_t cursor, size_t count, BlockMover& mover);

  size_t count() const;
  size_t memory_bytes() const;
  void reset_statistics() { evicted_.store(0, std::memory_order_relaxed); }
  uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }

 private:
  void evict_one() REQUIRES(mutex_);
  static void end(CachedScript* script);

  mutable Mutex mutex_{LockRank::kScripts};
  std::unordered_map<std::string, std::shared_ptr<CachedScript>> scripts_ GUARDED_BY(mutex_);
  size_t evictable_ GUARDED_BY(mutex_) = 0;
  size_t body_bytes_ GUARDED_BY(mutex_) = 0;
  std::atomic<uint64_t> ticks_{1};
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> flushes_{0};
  std::atomic<bool> promising_{false};
};

}  // namespace synap
