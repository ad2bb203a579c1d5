// Counters: keys "n0", "n1", … that a crowd raises in several ways; in the end their sum is what was acknowledged.
#pragma once

#include <atomic>
#include <string>

#include "tests/concurrency/crowd.h"

namespace synap_test {

class Counters {
 public:
  explicit Counters(int keys) : keys_(keys) {}

  std::string key(Random& random) const { return random.key("n", static_cast<uint64_t>(keys_)); }
  // Of what a step raised them by.
  void acknowledged(long long amount) { sum_ += amount; }

  void add_incr(Crowd* crowd, int threads) {
    crowd->add("incr", threads, [this](Client& client, Random& random) -> std::string {
      constexpr int kTogether = 20;
      for (int i = 0; i < kTogether; ++i) client.append({"INCR", key(random)});
      for (int i = 0; i < kTogether; ++i) {
        const Reply reply = client.read();
        if (reply.type != REDIS_REPLY_INTEGER) return unexpected("INCR", reply);
      }
      acknowledged(kTogether);
      return {};
    });
  }

  void check(Client& client) const {
    long long sum = 0;
    for (int i = 0; i < keys_; ++i) sum += std::atoll(client.text({"GET", "n" + std::to_string(i)}).c_str());
    CHECK(sum == sum_);
  }

 private:
  const int keys_;
  std::atomic<long long> sum_ = 0;
};

}  // namespace synap_test
