// ShardGuard: the right to touch some shards. Only dispatch makes one. A fixed guard takes all its shards or none and
// never waits while it holds. A growing guard may take more while it holds some; at most one exists at a time, so it and
// the waiters that hold nothing cannot deadlock. Guards may be handed from a reactor to a worker and back.
//
// With one reactor and nothing handed over, a guard is only a mask: `physical` false means the lock words are untouched,
// which is safe because no other thread can hold or want one (GuardRegistry).
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "server/keyspace/keyspace.h"

namespace synap {

// Who may exist beside the reactor: decides whether guards need the lock words at all.
class GuardRegistry {
 public:
  explicit GuardRegistry(bool single_reactor) : single_reactor_(single_reactor) {}

  // Called on the one reactor. True: no other thread holds a guard or can get one.
  bool alone() const { return single_reactor_ && handed_over_ == 0; }
  // The single reactor hands a guard to a worker, or suspends a script that keeps one; and gets it back.
  void hand_over() {
    if (single_reactor_) ++handed_over_;
  }
  // When the reactor is alone again its guards are mere masks: nobody will release the growing right, so all who wait for
  // it are woken.
  void take_back() {
    if (single_reactor_ && --handed_over_ == 0) wake_waiters();
  }

  // The growing right. False: somebody has it; the waiter, if there is one, is queued and will be woken.
  bool try_take_growing(LockWaiter* waiter);
  void release_growing();
  // For whoever was woken to take the growing right and does not want it any more: the next may.
  void pass_on_growing();
  // Wakes all who wait for the growing right, to look again whether they still want to.
  void wake_waiters();

 private:
  const bool single_reactor_;
  int handed_over_ = 0;  // touched by the one reactor; unused with several
  Mutex mutex_{LockRank::kBlocking};
  bool growing_taken_ GUARDED_BY(mutex_) = false;
  LockWaiter* first_waiting_ GUARDED_BY(mutex_) = nullptr;
  LockWaiter* last_waiting_ GUARDED_BY(mutex_) = nullptr;
};

class ShardGuard {
 public:
  ShardGuard() = default;
  ~ShardGuard() { SYNAP_ASSERT(mask_ == 0 && !growing_); }
  ShardGuard(const ShardGuard&) = delete;
  ShardGuard& operator=(const ShardGuard&) = delete;
  ShardGuard(ShardGuard&& other) noexcept { *this = std::move(other); }
  ShardGuard& operator=(ShardGuard&& other) noexcept {
    SYNAP_ASSERT(mask_ == 0 && !growing_);
    keyspace_ = other.keyspace_;
    registry_ = other.registry_;
    mask_ = std::exchange(other.mask_, 0);
    mode_ = other.mode_;
    physical_ = std::exchange(other.physical_, false);
    growing_ = std::exchange(other.growing_, false);
    claimed_ = std::exchange(other.claimed_, 0);
    return *this;
  }

  // For whoever owns the whole keyspace in another way (loading): covers all shards, takes nothing.
  static ShardGuard of_owner() {
    ShardGuard guard;
    guard.mask_ = kAllShardsMask;
    guard.mode_ = LockMode::kExclusive;
    return guard;
  }

  // For a worker's job that holds nothing: waits for one shard, for writing.
  static ShardGuard of_one(Keyspace* keyspace, size_t shard);

  // Takes all shards of `mask` or none. On failure returns the index of the shard that was missed, else -1.
  int try_take(Keyspace* keyspace, GuardRegistry* registry, ShardMask mask, LockMode mode);

  // Growing: needs the growing right (GuardRegistry::try_take_growing), which the guard then owns.
  void begin_growing(Keyspace* keyspace, GuardRegistry* registry, LockMode mode);
  // Takes the shards of `mask` not held yet, claiming the first that is busy: its index, or -1 when all are held. A claim
  // ends when its shard is taken or the guard is released.
  int try_grow(ShardMask mask);

  // A growing guard that has changed nothing yet gives its shards back while it waits for one that is held for long: only
  // that one, which it claimed, is kept from others.
  void let_go();

  // More shards for a guard that is alone (a mere mask) or growing. False: a shard is busy (and claimed).
  bool try_extend(ShardMask mask);
  // More shards for any guard, all or none, only those that are free now: whoever never waits cannot deadlock.
  bool try_add(ShardMask mask);
  // Before a sliced command gives its reactor to others: becomes physical and growing. Only for a guard that is alone
  // or growing already.
  void promote_to_growing();

  // A fixed guard for writing lets others read until try_upgrade(), which waits some hundred microseconds at most for
  // readers to leave; false: it is as before, for reading.
  void downgrade();
  bool try_upgrade();

  // Makes a guard that was only a mask a real one, before it leaves the reactor.
  void make_physical();

  void release();

  bool covers(ShardMask mask, bool writing) const {
    return (mask & ~mask_) == 0 && (!writing || mode_ == LockMode::kExclusive);
  }
  ShardMask mask() const { return mask_; }
  LockMode mode() const { return mode_; }
  bool physical() const { return physical_; }
  bool growing() const { return growing_; }
  bool held() const { return mask_ != 0 || growing_; }

 private:
  void unlock(ShardMask mask);

  Keyspace* keyspace_ = nullptr;
  GuardRegistry* registry_ = nullptr;
  ShardMask mask_ = 0;
  ShardMask claimed_ = 0;  // by a growing guard, and not had yet
  LockMode mode_ = LockMode::kShared;
  bool physical_ = false;
  bool growing_ = false;
};

}  // namespace synap
