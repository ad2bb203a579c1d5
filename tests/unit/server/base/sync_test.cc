// Locks, gate and mailbox under threads.
#include "server/base/sync.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "server/base/gate.h"
#include "server/base/mpsc_queue.h"

namespace synap {
namespace {

// Runs `code` in a child whose output is dropped; true if it died of SIGABRT.
template <class Code>
bool aborts(Code code) {
  static_cast<void>(fflush(stdout));  // or the child would print it again
  const pid_t child = fork();
  if (child == 0) {
    static_cast<void>(!freopen("/dev/null", "w", stdout));
    signal(SIGABRT, SIG_DFL);
    code();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST_CASE("a mutex excludes") {
  Mutex mutex(LockRank::kLeaf);
  int counter = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        LockGuard guard(mutex);
        ++counter;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(counter == 40'000);
}

#ifdef SYNAP_DEBUG_CHECKS
TEST_CASE("ranks must ascend") {
  Mutex low(LockRank::kPubsub);
  Mutex high(LockRank::kJournal);
  CHECK_FALSE(aborts([&] {
    LockGuard first(low);
    LockGuard second(high);
  }));
  CHECK(aborts([&] {
    LockGuard first(high);
    LockGuard second(low);
  }));
  CHECK(aborts([&] {
    LockGuard first(high);
    Mutex twin(LockRank::kJournal);
    LockGuard second(twin);
  }));
}
#endif

TEST_CASE("a condition wakes its waiter") {
  Mutex mutex(LockRank::kLeaf);
  CondVar condition;
  bool ready = false;
  std::thread setter([&] {
    LockGuard guard(mutex);
    ready = true;
    condition.notify_all();
  });
  {
    LockGuard guard(mutex);
    while (!ready) condition.wait(mutex);
  }
  setter.join();
  LockGuard guard(mutex);
  CHECK_FALSE(condition.wait_for_us(mutex, 1000));
}

TEST_CASE("a gate waits for those inside") {
  auto gate = std::make_unique<Gate>();
  REQUIRE(gate->enter());
  CHECK(gate->inside() == 1);
  std::atomic<bool> left{false};
  std::thread leaver([&] {
    while (!gate->closed()) std::this_thread::yield();
    left = true;
    gate->leave();
  });
  gate->close();
  CHECK(left);
  leaver.join();
  CHECK_FALSE(gate->enter());
  CHECK_FALSE(static_cast<bool>(GateHold(*gate)));
  CHECK(gate->inside() == 0);
}

TEST_CASE("a gate may not die with somebody inside") {
  CHECK(aborts([] {
    Gate gate;
    static_cast<void>(gate.enter());
  }));
}

TEST_CASE("a mailbox keeps each producer's order and loses nothing") {
  constexpr int kProducers = 4;
  constexpr int kEach = 20'000;
  MpscQueue<std::pair<int, int>> queue;
  std::atomic<int> wakes{0};
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&, producer] {
      for (int i = 0; i < kEach; ++i) {
        if (queue.push({producer, i})) ++wakes;
      }
    });
  }
  std::vector<int> next(kProducers, 0);
  int drains = 0;
  for (int received = 0; received < kProducers * kEach;) {
    const size_t count = queue.drain(
        [&](std::pair<int, int>&& item) { REQUIRE(item.second == next[static_cast<size_t>(item.first)]++); });
    received += static_cast<int>(count);
    drains += count > 0 ? 1 : 0;
  }
  for (std::thread& producer : producers) producer.join();
  CHECK(queue.empty());
  CHECK(wakes == drains);  // exactly one wake-up per batch
}

TEST_CASE("a mailbox frees what nobody took") {
  auto value = std::make_shared<int>(1);
  {
    MpscQueue<std::shared_ptr<int>> queue;
    CHECK(queue.push(value));
    CHECK_FALSE(queue.push(value));
    CHECK(value.use_count() == 3);
  }
  CHECK(value.use_count() == 1);
}

}  // namespace
}  // namespace synap
