// Random: uniform, repeatable from a seed, different per thread.
#include "server/base/random.h"

#include <doctest/doctest.h>

#include <array>
#include <thread>

namespace synap {
namespace {

TEST_CASE("below is uniform and in range") {
  Random random(1);
  std::array<int, 10> counts{};
  for (int i = 0; i < 100'000; ++i) ++counts.at(random.below(10));
  for (const int count : counts) {
    CHECK(count > 9'500);
    CHECK(count < 10'500);
  }
  // Three quarters of the range is where a biased reduction shows: the lower half would be hit twice as often.
  const uint64_t bound = 3ull << 62;
  int low = 0;
  for (int i = 0; i < 30'000; ++i) {
    const uint64_t value = random.below(bound);
    REQUIRE(value < bound);
    low += value < bound / 3 ? 1 : 0;
  }
  CHECK(low > 9'600);
  CHECK(low < 10'400);
  CHECK(random.below(1) == 0);
}

TEST_CASE("unit lies in [0, 1)") {
  Random random(2);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = random.unit();
    REQUIRE(value >= 0);
    REQUIRE(value < 1);
    sum += value;
  }
  CHECK(sum / 100'000 == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("seeds repeat, threads differ") {
  Random a(9);
  Random b(9);
  CHECK(a.next() == b.next());
  uint64_t other = 0;
  std::thread([&other] { other = thread_random().next(); }).join();
  CHECK(other != thread_random().next());
}

TEST_CASE("secure_random_bytes fills everything") {
  std::array<unsigned char, 1000> bytes{};
  secure_random_bytes(bytes.data(), bytes.size());
  int zeros = 0;
  for (const unsigned char byte : bytes) zeros += byte == 0 ? 1 : 0;
  CHECK(zeros < 40);
}

}  // namespace
}  // namespace synap
