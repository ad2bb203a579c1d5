#include "server/keyspace/shard_guard.h"

#include <doctest/doctest.h>

#include <vector>

using namespace synap;

namespace {

struct CountingWaiter final : LockWaiter {
  void wake() override { ++woken; }
  int woken = 0;
};

constexpr ShardMask kThree = 0b111;

ShardGuard taken(Keyspace* keyspace, GuardRegistry* registry, ShardMask mask, LockMode mode) {
  ShardGuard guard;
  REQUIRE(guard.try_take(keyspace, registry, mask, mode) == -1);
  return guard;
}

bool is_free(Keyspace* keyspace, GuardRegistry* registry, ShardMask mask, LockMode mode) {
  ShardGuard guard;
  const bool free = guard.try_take(keyspace, registry, mask, mode) == -1;
  if (free) guard.release();
  return free;
}

}  // namespace

TEST_CASE("shard_guard: a writer lets others read until it upgrades") {
  Keyspace keyspace(1);
  GuardRegistry registry(false);
  ShardGuard writer = taken(&keyspace, &registry, kThree, LockMode::kExclusive);
  CHECK_FALSE(is_free(&keyspace, &registry, 1, LockMode::kShared));
  writer.downgrade();
  CHECK(is_free(&keyspace, &registry, kThree, LockMode::kShared));
  CHECK_FALSE(is_free(&keyspace, &registry, 1, LockMode::kExclusive));
  CHECK(writer.try_upgrade());
  CHECK(writer.covers(kThree, true));
  CHECK_FALSE(is_free(&keyspace, &registry, 0b100, LockMode::kShared));
  writer.release();
  CHECK(is_free(&keyspace, &registry, kThree, LockMode::kExclusive));
}

TEST_CASE("shard_guard: an upgrade that meets readers leaves everything as it was") {
  Keyspace keyspace(1);
  GuardRegistry registry(false);
  ShardGuard one = taken(&keyspace, &registry, kThree, LockMode::kExclusive);
  one.downgrade();
  ShardGuard other = taken(&keyspace, &registry, 0b110, LockMode::kShared);
  CHECK_FALSE(one.try_upgrade());
  CHECK_FALSE(other.try_upgrade());
  CHECK(one.mode() == LockMode::kShared);
  CHECK(is_free(&keyspace, &registry, kThree, LockMode::kShared));
  other.release();
  CHECK(one.try_upgrade());
  one.release();
  CHECK(is_free(&keyspace, &registry, kThree, LockMode::kExclusive));
}

TEST_CASE("shard_guard: a downgrade wakes who waits to read") {
  Keyspace keyspace(1);
  GuardRegistry registry(false);
  CountingWaiter waiter;
  ShardGuard writer = taken(&keyspace, &registry, 1, LockMode::kExclusive);
  REQUIRE(keyspace.shard(0).lock.wait(&waiter, LockMode::kShared, false));
  writer.downgrade();
  CHECK(waiter.woken == 1);
  writer.release();
}

TEST_CASE("shard_guard: a growing guard that lets go keeps only its claim") {
  Keyspace keyspace(1);
  GuardRegistry registry(false);
  ShardGuard holder = taken(&keyspace, &registry, 0b100, LockMode::kExclusive);
  CountingWaiter nobody;
  REQUIRE(registry.try_take_growing(&nobody));
  ShardGuard growing;
  growing.begin_growing(&keyspace, &registry, LockMode::kExclusive);
  CHECK(growing.try_grow(kThree) == 2);
  growing.let_go();
  CHECK(is_free(&keyspace, &registry, 0b011, LockMode::kExclusive));
  holder.release();
  CHECK_FALSE(is_free(&keyspace, &registry, 0b100, LockMode::kShared));  // claimed
  CHECK(growing.try_grow(kThree) == -1);
  growing.release();
  CHECK(is_free(&keyspace, &registry, kThree, LockMode::kExclusive));
}

TEST_CASE("shard_guard: a growing guard that gives up leaves no claim") {
  Keyspace keyspace(1);
  GuardRegistry registry(false);
  ShardGuard two = taken(&keyspace, &registry, 0b100, LockMode::kExclusive);
  CountingWaiter nobody;
  REQUIRE(registry.try_take_growing(&nobody));
  ShardGuard growing;
  growing.begin_growing(&keyspace, &registry, LockMode::kExclusive);
  CHECK(growing.try_grow(kThree) == 2);
  growing.let_go();
  two.release();
  ShardGuard zero = taken(&keyspace, &registry, 0b001, LockMode::kShared);
  CHECK(growing.try_grow(kThree) == 0);  // now two shards are claimed and none is held
  CountingWaiter waiter;
  CHECK(keyspace.shard(2).lock.wait(&waiter, LockMode::kShared, false));
  growing.release();
  CHECK(waiter.woken == 1);
  CHECK(is_free(&keyspace, &registry, 0b110, LockMode::kExclusive));
  CHECK(is_free(&keyspace, &registry, 0b001, LockMode::kShared));
  zero.release();
}

TEST_CASE("shard_guard: the growing right is passed on by whoever does not want it any more") {
  GuardRegistry registry(false);
  std::vector<CountingWaiter> waiters(3);
  REQUIRE(registry.try_take_growing(&waiters[0]));
  REQUIRE_FALSE(registry.try_take_growing(&waiters[1]));
  REQUIRE_FALSE(registry.try_take_growing(&waiters[2]));
  registry.pass_on_growing();  // somebody has it
  CHECK(waiters[1].woken == 0);
  registry.release_growing();
  CHECK(waiters[1].woken == 1);
  CHECK(waiters[2].woken == 0);
  registry.pass_on_growing();
  CHECK(waiters[2].woken == 1);
  registry.pass_on_growing();
  CHECK(registry.try_take_growing(&waiters[0]));
  registry.release_growing();
}

TEST_CASE("shard_guard: alone, a guard is only a mask and becomes real when it leaves") {
  Keyspace keyspace(1);
  GuardRegistry registry(true);
  ShardGuard guard = taken(&keyspace, &registry, kThree, LockMode::kExclusive);
  CHECK_FALSE(guard.physical());
  guard.downgrade();
  guard.make_physical();
  registry.hand_over();
  CHECK(is_free(&keyspace, &registry, kThree, LockMode::kShared));
  CHECK(guard.try_upgrade());
  CHECK_FALSE(is_free(&keyspace, &registry, 0b1, LockMode::kShared));
  guard.release();
  registry.take_back();
}
