#include "server/keyspace/shard_lock.h"

#include <doctest/doctest.h>

namespace synap {
namespace {

struct CountedWaiter final : LockWaiter {
  void wake() override { ++woken; }
  int woken = 0;
};

TEST_CASE("a lock's waiters are looked after while readers have it, not while a release will wake them") {
  ShardLock lock;
  CHECK_FALSE(lock.look_after_waiters());
  CountedWaiter waiter;
  SUBCASE("readers") {
    REQUIRE(lock.try_lock(LockMode::kShared));
    REQUIRE(lock.try_lock(LockMode::kShared));
    REQUIRE(lock.wait(&waiter, LockMode::kExclusive, false));
    lock.unlock(LockMode::kShared);
    CHECK(waiter.woken == 0);
    CHECK(lock.look_after_waiters());
    CHECK(waiter.woken == 1);
    CHECK_FALSE(lock.look_after_waiters());
    lock.unlock(LockMode::kShared);
    CHECK(waiter.woken == 1);
  }
  SUBCASE("a writer") {
    REQUIRE(lock.try_lock(LockMode::kExclusive));
    REQUIRE(lock.wait(&waiter, LockMode::kShared, false));
    CHECK(lock.look_after_waiters());
    CHECK(waiter.woken == 0);
    lock.unlock(LockMode::kExclusive);
    CHECK(waiter.woken == 1);
  }
  SUBCASE("a claimant") {
    REQUIRE(lock.try_lock(LockMode::kShared));
    lock.claim();
    REQUIRE(lock.wait(&waiter, LockMode::kExclusive, true));
    CHECK(lock.look_after_waiters());
    CHECK(waiter.woken == 0);
    lock.unlock(LockMode::kShared);
    CHECK(waiter.woken == 1);
    CHECK(lock.try_lock_claimed(LockMode::kExclusive));
    lock.unlock(LockMode::kExclusive);
  }
}

}  // namespace
}  // namespace synap
