#include "server/base/rate_meter.h"

#include <doctest/doctest.h>

namespace synap {

TEST_CASE("a rate is the rise per second over the last samples") {
  RateMeter meter;
  CHECK(meter.sample(1'000'000, 500) == 0);
  CHECK(meter.sample(1'100'000, 600) == 1000);
  for (int i = 2; i <= 40; ++i) meter.sample(1'000'000 + i * 100'000, static_cast<uint64_t>(500 + i * 100));
  CHECK(meter.sample(1'000'000 + 41 * 100'000, 500 + 41 * 100) == 1000);
  // Old samples are forgotten: sixteen without a rise bring it to nothing.
  int64_t rate = -1;
  for (int i = 42; i <= 60; ++i) rate = meter.sample(1'000'000 + i * 100'000, 500 + 41 * 100);
  CHECK(rate == 0);
}

TEST_CASE("a counter that was reset starts anew") {
  RateMeter meter;
  meter.sample(1'000'000, 5000);
  CHECK(meter.sample(1'100'000, 10) == 0);
  CHECK(meter.sample(1'200'000, 20) == 100);
}

}  // namespace synap
