#include "server/keyspace/shard_guard.h"

#include <thread>

namespace synap {

namespace {

constexpr int kUpgradeRounds = 4000;
constexpr int kRoundsBetweenYields = 100;

}  // namespace

bool GuardRegistry::try_take_growing(LockWaiter* waiter) {
  LockGuard guard(mutex_);
  if (!growing_taken_) {
    growing_taken_ = true;
    return true;
  }
  if (waiter == nullptr) return false;
  waiter->next = nullptr;
  (last_waiting_ == nullptr ? first_waiting_ : last_waiting_->next) = waiter;
  last_waiting_ = waiter;
  return false;
}

void GuardRegistry::release_growing() {
  LockWaiter* waiter;
  {
    LockGuard guard(mutex_);
    SYNAP_ASSERT(growing_taken_);
    growing_taken_ = false;
    waiter = first_waiting_;
    if (waiter != nullptr) first_waiting_ = waiter->next;
    if (first_waiting_ == nullptr) last_waiting_ = nullptr;
  }
  if (waiter != nullptr) waiter->wake();
}

void GuardRegistry::pass_on_growing() {
  LockWaiter* waiter = nullptr;
  {
    LockGuard guard(mutex_);
    if (growing_taken_) return;  // it passes on when that ends
    waiter = first_waiting_;
    if (waiter != nullptr) first_waiting_ = waiter->next;
    if (first_waiting_ == nullptr) last_waiting_ = nullptr;
  }
  if (waiter != nullptr) waiter->wake();
}

void GuardRegistry::wake_waiters() {
  LockWaiter* waiter;
  {
    LockGuard guard(mutex_);
    waiter = first_waiting_;
    first_waiting_ = last_waiting_ = nullptr;
  }
  while (waiter != nullptr) {
    LockWaiter* next = waiter->next;
    waiter->wake();
    waiter = next;
  }
}

ShardGuard ShardGuard::of_one(Keyspace* keyspace, size_t shard) {
  lock_blocking(keyspace->shard(shard).lock, LockMode::kExclusive);
  ShardGuard guard;
  guard.keyspace_ = keyspace;
  guard.mode_ = LockMode::kExclusive;
  guard.mask_ = ShardMask{1} << shard;
  guard.physical_ = true;
  return guard;
}

int ShardGuard::try_take(Keyspace* keyspace, GuardRegistry* registry, ShardMask mask, LockMode mode) {
  SYNAP_DCHECK(!held());
  keyspace_ = keyspace;
  registry_ = registry;
  mode_ = mode;
  physical_ = !registry->alone();
  if (!physical_) {
    mask_ = mask;
    return -1;
  }
  for (ShardMask rest = mask; rest != 0; rest &= rest - 1) {
    const int index = std::countr_zero(rest);
    if (keyspace->shard(static_cast<size_t>(index)).lock.try_lock(mode)) continue;
    unlock(mask & ~rest);
    return index;
  }
  mask_ = mask;
  return -1;
}

void ShardGuard::begin_growing(Keyspace* keyspace, GuardRegistry* registry, LockMode mode) {
  SYNAP_DCHECK(!held());
  keyspace_ = keyspace;
  registry_ = registry;
  mode_ = mode;
  physical_ = true;
  growing_ = true;
}

int ShardGuard::try_grow(ShardMask mask) {
  SYNAP_ASSERT(growing_);
  for (ShardMask rest = mask & ~mask_; rest != 0; rest &= rest - 1) {
    const int index = std::countr_zero(rest);
    ShardLock& lock = keyspace_->shard(static_cast<size_t>(index)).lock;
    if (!lock.try_lock_claimed(mode_)) {
      lock.claim();
      claimed_ |= ShardMask{1} << index;
      return index;
    }
    mask_ |= ShardMask{1} << index;
    claimed_ &= ~mask_;
  }
  return -1;
}

void ShardGuard::let_go() {
  SYNAP_ASSERT(growing_);
  unlock(std::exchange(mask_, 0));
}

bool ShardGuard::try_extend(ShardMask mask) {
  if (growing_) return try_grow(mask) < 0;
  SYNAP_ASSERT(!physical_);
  mask_ |= mask;
  return true;
}

bool ShardGuard::try_add(ShardMask mask) {
  const ShardMask missing = mask & ~mask_;
  for (ShardMask rest = missing; physical_ && rest != 0; rest &= rest - 1) {
    if (keyspace_->shard(static_cast<size_t>(std::countr_zero(rest))).lock.try_lock(mode_)) continue;
    unlock(missing & ~rest);
    return false;
  }
  mask_ |= missing;
  return true;
}

void ShardGuard::promote_to_growing() {
  if (growing_) return;
  make_physical();
  const bool taken = registry_->try_take_growing(nullptr);
  SYNAP_ASSERT(taken);  // it was alone
  growing_ = true;
}

void ShardGuard::downgrade() {
  SYNAP_ASSERT(!growing_ && mode_ == LockMode::kExclusive);
  mode_ = LockMode::kShared;
  for (ShardMask rest = physical_ ? mask_ : 0; rest != 0; rest &= rest - 1) {
    keyspace_->shard(static_cast<size_t>(std::countr_zero(rest))).lock.downgrade();
  }
}

bool ShardGuard::try_upgrade() {
  if (mode_ == LockMode::kExclusive) return true;
  int rounds = kUpgradeRounds;
  for (ShardMask rest = physical_ ? mask_ : 0; rest != 0; rest &= rest - 1) {
    ShardLock& lock = keyspace_->shard(static_cast<size_t>(std::countr_zero(rest))).lock;
    while (!lock.try_upgrade()) {
      if (--rounds > 0) {
        __builtin_ia32_pause();
        if (rounds % kRoundsBetweenYields == 0) std::this_thread::yield();
        continue;
      }
      for (ShardMask upgraded = mask_ & ~rest; upgraded != 0; upgraded &= upgraded - 1) {
        keyspace_->shard(static_cast<size_t>(std::countr_zero(upgraded))).lock.downgrade();
      }
      return false;
    }
  }
  mode_ = LockMode::kExclusive;
  return true;
}

void ShardGuard::make_physical() {
  if (physical_) return;
  physical_ = true;
  for (ShardMask rest = mask_; rest != 0; rest &= rest - 1) {
    const bool locked = keyspace_->shard(static_cast<size_t>(std::countr_zero(rest))).lock.try_lock(mode_);
    SYNAP_ASSERT(locked);  // nobody else could hold one
  }
}

void ShardGuard::unlock(ShardMask mask) {
  for (ShardMask rest = mask; rest != 0; rest &= rest - 1) {
    keyspace_->shard(static_cast<size_t>(std::countr_zero(rest))).lock.unlock(mode_);
  }
}

void ShardGuard::release() {
  const ShardMask mask = std::exchange(mask_, 0);
  if (physical_) unlock(mask);
  physical_ = false;
  for (ShardMask rest = std::exchange(claimed_, 0); rest != 0; rest &= rest - 1) {
    keyspace_->shard(static_cast<size_t>(std::countr_zero(rest))).lock.unclaim();
  }
  if (growing_) {
    growing_ = false;
    registry_->release_growing();
  }
}

}  // namespace synap
