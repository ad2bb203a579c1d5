#include "persistence/aof_writer.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include "persistence/aof_reader.h"
#include "server/command/latency_monitor.h"
#include "server/command/server_api.h"
#include "tests/unit/persistence/memory_files.h"

using namespace synap;
using synap_test::MemoryFiles;
using Fault = MemoryFiles::Fault;

namespace {

Config config_of(AppendFsync policy) {
  Config config;
  config.appendfsync = policy;
  config.appendfsync_interval_ms = 1;
  return config;
}

// A writer with a file, and a journal to write to it.
struct Fixture {
  explicit Fixture(AppendFsync policy) : store(config_of(policy)) {
    gate.set_wake(1, [](size_t) {});
    server.config = &store;
    server.state = &state;
    server.latency = &latency;
    server.journal = &journal;
    server.gate = &gate;
  }

  void open() {
    writer.in_order([this] {
      auto file = files.open("aof", FileSystem::Mode::kReplace);
      writer.begin_at(journal.end_offset());
      writer.set_file(std::move(*file), 0);
      writer.set_promising(true);
    });
    journal.subscribe(&writer);
  }

  void write(int n) {
    const std::string number = std::to_string(n);
    journal.append("*2\r\n$4\r\nINCR\r\n$" + std::to_string(number.size()) + "\r\n" + number + "\r\n", 1, 0, 0);
    writer.kick();
  }

  // The numbers that the file holds; -1 at the end: it is not whole.
  std::vector<int> numbers() {
    const std::string bytes = files.content("aof");
    auto file = files.open("aof", FileSystem::Mode::kRead);
    AofReader reader(file->get(), 0, bytes.size());
    std::vector<int> found;
    Args args;
    AofReader::Next next;
    while ((next = reader.next(&args)) == AofReader::Next::kCommand) {
      if (args[0] == "INCR") found.push_back(std::atoi(std::string(args[1]).c_str()));
    }
    if (next != AofReader::Next::kEnd) found.push_back(-1);
    return found;
  }

  ConfigStore store;
  StateBits state;
  LatencyMonitor latency;
  Journal journal;
  JournalGate gate;
  MemoryFiles files;
  Server server;
  AofWriter writer{&server, &gate};
};

std::vector<int> upto(int n) {
  std::vector<int> all;
  for (int i = 0; i < n; ++i) all.push_back(i);
  return all;
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) usleep(1000);
  return condition();
}

}  // namespace

TEST_CASE("AofWriter: whichever write fails, in part or whole, the file holds everything once, in order") {
  for (const Fault fault : {Fault::kWrite, Fault::kShortWrite}) {
    for (const char* why : {"No space left on device", "Input/output error"}) {
      for (int n = 1; n <= 6; ++n) {
        CAPTURE(n);
        Fixture fixture(AppendFsync::kEverysec);
        fixture.open();
        REQUIRE(fixture.writer.drain(true));
        fixture.files.fail(fault, n, 2, why);
        for (int i = 0; i < 6; ++i) {
          fixture.write(i);
          while (!fixture.writer.drain(false)) {
            CHECK(fixture.writer.last_error() == why);
            CHECK(fixture.state.has(kStateDiskError));
          }
        }
        REQUIRE(fixture.writer.drain(true));
        CHECK(fixture.files.failures() == 2);
        CHECK(fixture.numbers() == upto(6));
        CHECK(fixture.writer.synced_offset() == fixture.journal.end_offset());
      }
    }
  }
}

TEST_CASE("AofWriter: a damaged end that cannot be cut off at once is cut off later") {
  Fixture fixture(AppendFsync::kNo);
  fixture.open();
  fixture.write(0);
  REQUIRE(fixture.writer.drain(false));
  fixture.files.fail(Fault::kShortWrite, 1);
  fixture.write(1);
  REQUIRE(eventually([&] { return fixture.files.failures() == 1; }));
  fixture.files.fail(Fault::kTruncate, 1);
  REQUIRE(eventually([&] { return fixture.writer.drain(false); }));
  CHECK(fixture.numbers() == upto(2));
}

TEST_CASE("AofWriter: nothing counts as synced while syncing fails") {
  Fixture fixture(AppendFsync::kEverysec);
  fixture.open();
  fixture.write(0);
  REQUIRE(fixture.writer.drain(true));
  const uint64_t before = fixture.writer.synced_offset();
  CHECK(before == fixture.journal.end_offset());
  fixture.files.fail(Fault::kSync, 1, 20);
  std::atomic<bool> reached{false};
  fixture.write(1);
  fixture.writer.when_synced(fixture.journal.end_offset(), [&] { reached = true; });
  REQUIRE(eventually([&] { return !fixture.writer.healthy(); }));
  if (fixture.files.failures() < 20) CHECK(fixture.writer.synced_offset() == before);
  REQUIRE(eventually([&] { return reached.load(); }));
  CHECK(fixture.files.failures() == 20);
  CHECK(fixture.writer.synced_offset() == fixture.journal.end_offset());
  CHECK(fixture.writer.healthy());
}

TEST_CASE("AofWriter: under everysec writes reach the file while the disk takes its time") {
  Fixture fixture(AppendFsync::kEverysec);
  fixture.open();
  REQUIRE(fixture.writer.drain(true));
  const uint64_t before = fixture.writer.synced_offset();
  fixture.files.hold_syncs(true);
  fixture.write(0);
  REQUIRE(eventually([&] { return fixture.files.syncs_waiting() == 1; }));
  const uint64_t first = fixture.journal.end_offset();
  for (int i = 1; i < 4; ++i) {
    fixture.write(i);
    REQUIRE(fixture.writer.drain(false));
    CHECK(fixture.numbers() == upto(i + 1));
  }
  CHECK(fixture.writer.sync_pending());
  CHECK(fixture.files.syncs_waiting() == 1);
  CHECK(fixture.writer.synced_offset() == before);
  // What the slow one ends with counts for what was written before it alone.
  std::atomic<uint64_t> at_first{0};
  fixture.writer.when_synced(first, [&] { at_first = fixture.writer.synced_offset(); });
  fixture.files.hold_syncs(false);
  REQUIRE(eventually([&] { return at_first.load() != 0; }));
  CHECK(at_first.load() == first);
  REQUIRE(eventually([&] { return fixture.writer.synced_offset() == fixture.journal.end_offset(); }));
}

TEST_CASE("AofWriter: what was synced beside the writes is not synced again, so that no failure is left without a cure") {
  Fixture fixture(AppendFsync::kEverysec);
  fixture.open();
  REQUIRE(fixture.writer.drain(true));
  fixture.files.hold_syncs(true);
  fixture.write(0);
  REQUIRE(eventually([&] { return fixture.files.syncs_waiting() == 1; }));
  fixture.files.fail(Fault::kSync, 2);  // were there a second one
  std::atomic<int> synced{-1};
  fixture.writer.in_order([&] { synced = fixture.writer.sync_written() ? 1 : 0; });
  fixture.files.hold_syncs(false);
  REQUIRE(eventually([&] { return synced.load() != -1; }));
  CHECK(synced.load() == 1);
  CHECK(fixture.writer.healthy());
  CHECK(fixture.files.failures() == 0);
  CHECK(fixture.writer.synced_offset() == fixture.journal.end_offset());
}

TEST_CASE("AofWriter: under always the gate opens as far as the disk is") {
  Fixture fixture(AppendFsync::kAlways);
  fixture.open();
  REQUIRE(fixture.writer.drain(true));
  CHECK(fixture.gate.active());
  for (int i = 0; i < 100; ++i) {
    fixture.write(i);
    const uint64_t mine = fixture.journal.end_offset();
    REQUIRE(eventually([&] { return fixture.gate.released() >= mine; }));
  }
  CHECK(fixture.numbers() == upto(100));
  fixture.writer.in_order([&] { fixture.writer.set_promising(false); });
  REQUIRE(eventually([&] { return !fixture.gate.active(); }));
}

TEST_CASE("AofWriter: before the file has its base nothing is promised") {
  Fixture fixture(AppendFsync::kAlways);
  fixture.writer.in_order([&] {
    auto file = fixture.files.open("aof", FileSystem::Mode::kReplace);
    fixture.writer.begin_at(0);
    fixture.writer.set_file(std::move(*file), 0);
  });
  fixture.journal.subscribe(&fixture.writer);
  fixture.write(0);
  REQUIRE(fixture.writer.drain(true));
  CHECK_FALSE(fixture.gate.active());
  CHECK(fixture.writer.synced_offset() == 0);
  fixture.writer.in_order([&] { fixture.writer.set_promising(true); });
  REQUIRE(fixture.writer.drain(false));
  CHECK(fixture.gate.active());
  CHECK(fixture.gate.needed(12345) == fixture.journal.end_offset());  // whatever was written before counts for all
  CHECK(eventually([&] { return fixture.writer.synced_offset() == fixture.journal.end_offset(); }));
}

TEST_CASE("AofWriter: what cannot be written at the end leaves no hole") {
  Fixture fixture(AppendFsync::kNo);
  fixture.open();
  fixture.write(0);
  REQUIRE(fixture.writer.drain(false));
  fixture.files.fail(Fault::kWrite, 1, 1'000'000);
  fixture.write(1);
  REQUIRE(eventually([&] { return !fixture.writer.healthy(); }));
  fixture.writer.in_order([&] { fixture.files.fail(Fault::kNone, 1); });  // runs after the batch was given up
  fixture.write(2);
  fixture.writer.stop();
  CHECK(fixture.numbers() == upto(1));
}

TEST_CASE("AofWriter: tasks and batches keep their order") {
  Fixture fixture(AppendFsync::kNo);
  fixture.open();
  for (int i = 0; i < 50; ++i) {
    fixture.write(i);
    fixture.writer.in_order([&fixture, i] { CHECK(fixture.numbers() == upto(i + 1)); });
  }
  CHECK(fixture.writer.drain(false));
  CHECK(fixture.numbers() == upto(50));
}
