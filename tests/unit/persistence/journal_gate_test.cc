#include "persistence/journal_gate.h"

#include <doctest/doctest.h>

#include <thread>

using namespace synap;

TEST_CASE("JournalGate: a reply waits for the last write of each key it touched") {
  JournalGate gate;
  int woken = 0;
  gate.set_wake(2, [&](size_t) { ++woken; });
  CHECK_FALSE(gate.active());
  gate.release(7);  // while it is not active nothing is held back
  CHECK(gate.released() == UINT64_MAX);
  gate.set_active(true);
  CHECK(gate.active());
  CHECK(gate.released() == 0);
  gate.wrote(1, 100);
  gate.wrote(2, 50);
  CHECK(gate.needed(1) == 100);
  CHECK(gate.needed(2) == 50);
  CHECK(gate.needed(3) == 0);
  gate.wrote_all(70);
  CHECK(gate.needed(1) == 100);
  CHECK(gate.needed(2) == 70);
  CHECK(gate.needed(3) == 70);
  gate.wait(1);
  gate.release(80);
  CHECK(gate.released() == 80);
  CHECK(woken == 1);
  gate.release(90);
  CHECK(woken == 1);  // nobody waited
  gate.wait(0);
  gate.set_active(false);
  CHECK(woken == 2);
  CHECK(gate.released() == UINT64_MAX);
}

TEST_CASE("JournalGate: keys that share a place never lower what is needed") {
  JournalGate gate;
  gate.set_wake(1, [](size_t) {});
  gate.set_active(true);
  constexpr uint64_t kSamePlace = 1ULL << 40;
  gate.wrote(5, 200);
  gate.wrote(5 + kSamePlace, 100);  // came earlier in the journal, and later here: another shard's thread
  CHECK(gate.needed(5) == 200);
  std::thread other([&] {
    for (uint64_t offset = 1; offset < 100'000; offset += 2) gate.wrote(9, offset);
  });
  for (uint64_t offset = 2; offset <= 100'000; offset += 2) gate.wrote(9 + kSamePlace, offset);
  other.join();
  CHECK(gate.needed(9) == 100'000);
}
