// Text helpers and the clocks.
#include "server/base/text.h"

#include <doctest/doctest.h>

#include "server/base/clock.h"

namespace synap {
namespace {

TEST_CASE("case") {
  CHECK(equals_ignore_case("SeT", "sEt"));
  CHECK_FALSE(equals_ignore_case("set", "sets"));
  CHECK_FALSE(equals_ignore_case("\xc3\xa9", "\xc3\x89"));
  CHECK_FALSE(equals_ignore_case("[", "{"));
  CHECK(to_lower("ABCxyz[@`{\xc3") == "abcxyz[@`{\xc3");
  CHECK(to_upper("abcXYZ[@`{\xe9") == "ABCXYZ[@`{\xe9");
}

TEST_CASE("format_text") {
  CHECK(format_text("%s-%d", "a", 7) == "a-7");
  CHECK(format_text("%s", std::string(5000, 'x').c_str()).size() == 5000);
}

TEST_CASE("clocks") {
  const int64_t start_us = monotonic_us();
  CHECK(wall_clock_ms() > 1'600'000'000'000);
  CHECK(wall_clock_us() / 1000 - wall_clock_ms() < 1000);
  CHECK(monotonic_us() >= start_us);
}

}  // namespace
}  // namespace synap
