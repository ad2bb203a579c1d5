// Reactors together on the first thread, apart on their own, and the ways between, with tasks under way all the time.
#include "server/net/reactor_threads.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using namespace synap;

namespace {

struct Running {
  explicit Running(size_t count, bool always_apart) {
    for (size_t i = 0; i < count; ++i) reactors.push_back(std::make_unique<Reactor>(i));
    std::vector<Reactor*> pointers;
    for (const auto& reactor : reactors) pointers.push_back(reactor.get());
    stopped.resize(count);
    threads = std::make_unique<ReactorThreads>(pointers);
    threads->keep_apart(always_apart);
    first = std::thread([this] { threads->run([this] { begun.fetch_add(1); }, [] {}); });
  }
  ~Running() {
    for (size_t i = 0; i < reactors.size(); ++i) stop(i);
    first.join();
  }

  void stop(size_t i) {
    if (!stopped[i]) reactors[i]->stop();
    stopped[i] = true;
  }
  // How many threads run the reactors just now.
  size_t threads_in_use() const {
    std::vector<std::thread::id> ids(reactors.size());
    std::atomic<size_t> left{reactors.size()};
    for (size_t i = 0; i < reactors.size(); ++i) {
      reactors[i]->post([&, i] {
        CHECK(reactors[i]->on_thread());
        CHECK_FALSE(reactors[(i + 1) % reactors.size()]->on_thread());
        ids[i] = std::this_thread::get_id();
        left.fetch_sub(1);
      });
    }
    while (left.load() != 0) std::this_thread::yield();
    return std::set<std::thread::id>(ids.begin(), ids.end()).size();
  }
  bool becomes(size_t wanted) const {
    for (int i = 0; i < 1000; ++i) {
      if (threads_in_use() == wanted) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::vector<std::unique_ptr<Reactor>> reactors;
  std::vector<bool> stopped;
  std::unique_ptr<ReactorThreads> threads;
  std::atomic<size_t> begun{0};
  std::thread first;
};

}  // namespace

TEST_CASE("Reactors with little to do share the first thread, and part when they are told to") {
  Running running(3, false);
  CHECK(running.threads_in_use() == 1);
  CHECK_FALSE(running.threads->apart());
  for (int round = 0; round < 2; ++round) {
    running.threads->keep_apart(true);
    CHECK(running.becomes(3));
    CHECK(running.threads->apart());
    running.threads->keep_apart(false);
    CHECK(running.becomes(1));
    CHECK_FALSE(running.threads->apart());
  }
  CHECK(running.begun == 3);
}

TEST_CASE("Posts keep their order and timers fire whoever runs a reactor, and nothing waits for another reactor's time-out") {
  Running running(3, false);
  std::atomic<bool> stop{false};
  std::vector<std::thread> posters;
  std::array<std::atomic<uint64_t>, 3> seen{};
  std::array<uint64_t, 3> posted{};
  for (size_t i = 0; i < 3; ++i) {
    posters.emplace_back([&, i] {
      while (!stop.load()) {
        std::atomic<bool> ran{false};
        running.reactors[i]->post([&, number = posted[i]++] {
          CHECK(seen[i]++ == number);
          running.reactors[i]->after(1, [&] { ran = true; });
        });
        while (!ran.load()) std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
  }
  for (const bool apart : {false, true, false, true, false}) {
    running.threads->keep_apart(apart);
    CHECK(running.becomes(apart ? 3 : 1));
    const std::vector<uint64_t> before = {seen[0], seen[1], seen[2]};
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    // If a reactor's timers waited for the others' it would be five a second.
    for (size_t i = 0; i < 3; ++i) CHECK(seen[i] - before[i] > 40);
  }
  stop = true;
  for (std::thread& poster : posters) poster.join();
  for (size_t i = 0; i < 3; ++i) CHECK(seen[i] == posted[i]);
}

TEST_CASE("What a turn's events leave to be done before the next poll does not wait for an event") {
  std::atomic<bool> left{false};
  std::atomic<bool> done{false};
  Running running(2, false);
  std::atomic<bool> set_up{false};
  running.reactors[1]->post([&] {
    running.reactors[1]->on_turn([&] { if (left.load()) done = true; }, nullptr);
    set_up = true;
  });
  while (!set_up.load()) std::this_thread::yield();
  running.reactors[1]->post([&] { left = true; });
  for (int i = 0; i < 5000 && !done.load(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(done.load());
}

TEST_CASE("Reactors end together or one after the other, on whichever thread they are") {
  for (const bool apart : {false, true}) {
    for (const size_t stopped_first : {size_t{0}, size_t{1}}) {
      Running running(3, apart);
      CHECK(running.becomes(apart ? 3 : 1));
      running.stop(stopped_first);
      std::atomic<bool> ran{false};
      running.reactors[2]->post([&] { running.reactors[2]->after(5, [&] { ran = true; }); });
      for (int i = 0; i < 1000 && !ran.load(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      CHECK(ran.load());
    }
  }
}

TEST_CASE("Reactors that are just changing threads end, too") {
  for (int round = 0; round < 60; ++round) {
    Running running(3, round % 2 == 0);
    running.becomes(round % 2 == 0 ? 3 : 1);
    running.threads->keep_apart(round % 2 != 0);
    // The next look comes within 200 ms, and the reactors change threads right after it.
    std::this_thread::sleep_for(std::chrono::microseconds(round * 4000));
    running.stop(static_cast<size_t>(round % 3));
  }
}
