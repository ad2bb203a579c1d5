// Crowd: client threads that hammer one server for a while, each noting what it did and how long it waited at most.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace synap_test {

inline double seconds_per_test() {
  const char* text = std::getenv("SYNAP_CONCURRENCY_SECONDS");
  return text != nullptr ? std::atof(text) : 3;
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x632be59bd9b4e019) {}
  uint64_t below(uint64_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % n;
  }
  std::string key(const std::string& prefix, uint64_t n) { return prefix + std::to_string(below(n)); }

 private:
  uint64_t state_;
};

class Crowd {
 public:
  explicit Crowd(ServerProcess* server) : server_(server) {}
  ~Crowd() { join(); }

  // Runs step(client, random) again and again on a thread and connection of its own until the time is up. A step
  // returns what is wrong, or nothing.
  using Step = std::function<std::string(Client&, Random&)>;
  void add(const std::string& name, int threads, const Step& step) {
    for (int i = 0; i < threads; ++i) {
      Member& member = members_.emplace_back();
      member.name = name;
      const uint64_t seed = members_.size();
      member.thread = std::thread([this, &member, step, seed] { run(&member, step, seed); });
    }
  }

  // Lets them run, then checks that each got on and that nobody saw anything wrong.
  void run_for(double seconds, int64_t longest_wait_ms_max = 20000) {
    std::this_thread::sleep_for(std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
    join();
    for (const Member& member : members_) {
      CAPTURE(member.name);
      CHECK(member.problem == "");
      CHECK(member.steps > 0);
      CHECK(member.longest_ms <= longest_wait_ms_max);
    }
  }
  uint64_t steps(const std::string& name) const {
    uint64_t sum = 0;
    for (const Member& member : members_) sum += member.name == name ? member.steps : 0;
    return sum;
  }

 private:
  struct Member {
    std::string name;
    std::thread thread;
    uint64_t steps = 0;
    int64_t longest_ms = 0;
    std::string problem;
  };

  void run(Member* member, const Step& step, uint64_t seed) {
    Client client(server_->port());
    Random random(seed);
    while (!stop_.load(std::memory_order_relaxed)) {
      const auto began = std::chrono::steady_clock::now();
      member->problem = client.connected() ? step(client, random) : "not connected";
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
      member->longest_ms = std::max<int64_t>(member->longest_ms, took.count());
      if (!member->problem.empty()) return;
      ++member->steps;
    }
  }
  void join() {
    stop_ = true;
    for (Member& member : members_) {
      if (member.thread.joinable()) member.thread.join();
    }
  }

  ServerProcess* server_;
  std::deque<Member> members_;
  std::atomic<bool> stop_ = false;
};

// The server ends in order and its sanitizer has nothing to say.
inline void check_clean_end(ServerProcess* server) {
  CHECK(server->stop() == 0);
  const std::string log = server->log();
  const size_t report = std::min(log.find("Sanitizer"), log.find("runtime error"));
  CHECK(report == std::string::npos);
  if (report != std::string::npos) MESSAGE(log.substr(report > 200 ? report - 200 : 0, 6000));
}

inline std::string unexpected(const std::string& what, const Reply& reply) {
  return what + ": type " + std::to_string(reply.type) + " integer " + std::to_string(reply.integer) + " text " + reply.text.substr(0, 200);
}

}  // namespace synap_test
