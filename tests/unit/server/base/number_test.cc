// Numbers: the exact forms Redis reads and prints, and round trips over random values.
#include "server/base/number.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "server/base/random.h"

namespace synap {
namespace {

bool is_int64(std::string_view text, int64_t expected) {
  int64_t value = ~expected;
  return parse_int64(text, &value) && value == expected;
}

bool is_refused(std::string_view text) {
  int64_t value = 42;
  return !parse_int64(text, &value) && value == 42;
}

std::string long_double_text(long double value) {
  std::string out(kLongDoubleCharsMax, '\0');
  out.resize(format_long_double(out.data(), value));
  return out;
}

TEST_CASE("parse_int64 is strict") {
  CHECK(is_int64("0", 0));
  CHECK(is_int64("-1", -1));
  CHECK(is_int64("9223372036854775807", std::numeric_limits<int64_t>::max()));
  CHECK(is_int64("-9223372036854775808", std::numeric_limits<int64_t>::min()));
  for (const char* text : {"", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1a", "0x1", "9223372036854775808",
                           "-9223372036854775809", "18446744073709551616", "100000000000000000000000"}) {
    CAPTURE(text);
    CHECK(is_refused(text));
  }
  uint64_t big = 0;
  CHECK(parse_uint64("18446744073709551615", &big));
  CHECK(big == std::numeric_limits<uint64_t>::max());
  CHECK_FALSE(parse_uint64("18446744073709551616", &big));
  CHECK_FALSE(parse_uint64("-1", &big));
  CHECK_FALSE(parse_uint64("99999999999999999999", &big));
  CHECK_FALSE(parse_uint64("1844674407370955161x", &big));
  CHECK_FALSE(parse_uint64("184467440737095516:5", &big));
  CHECK((parse_uint64("9999999999999999999", &big) && big == 9999999999999999999U));
}

TEST_CASE("integers survive a round trip") {
  Random random(7);
  for (int i = 0; i < 100'000; ++i) {
    const auto value = static_cast<int64_t>(random.next() >> random.below(64)) * (random.below(2) == 0 ? 1 : -1);
    REQUIRE(to_text(value) == std::to_string(value));
    REQUIRE(is_int64(to_text(value), value));
  }
  CHECK(to_text(std::numeric_limits<int64_t>::min()) == "-9223372036854775808");
  CHECK(to_text(std::numeric_limits<uint64_t>::max()) == "18446744073709551615");
  CHECK(to_text(0) == "0");
}

TEST_CASE("format_double prints what Redis 7.2 prints") {
  const std::pair<double, const char*> expected[] = {
      {3, "3"},
      {-3, "-3"},
      {0.0, "0"},
      {-0.0, "-0"},
      {0.1, "0.1"},
      {-1.5, "-1.5"},
      {3.0000000000000004, "3.0000000000000004"},
      {1e17, "100000000000000000"},
      {1e18, "1000000000000000000"},
      {1e19, "1e+19"},
      {1e21, "1e+21"},
      {-1.7976931348623157e308, "-1.7976931348623157e+308"},
      {5e-324, "5e-324"},
      {1e-5, "0.00001"},
      {1e-6, "0.000001"},
      {1e-7, "1e-7"},
      {1.5e-7, "1.5e-7"},
      {0.00012345678901, "1.2345678901e-4"},
      {0.0012345678901, "0.0012345678901"},
      {12345678901234567890.0, "12345678901234567000"},
      {9223372036854775808.0, "9223372036854776000"},
      {4611686018427387904.0, "4611686018427387904"},
      {1234567.891, "1234567.891"},
      {HUGE_VAL, "inf"},
      {-HUGE_VAL, "-inf"},
      {std::nan(""), "nan"},
  };
  for (const auto& [value, text] : expected) CHECK(to_text(value) == text);
}

TEST_CASE("doubles survive a round trip") {
  Random random(11);
  for (int i = 0; i < 100'000; ++i) {
    const auto value = std::bit_cast<double>(random.next());
    if (std::isnan(value)) continue;
    const std::string text = to_text(value);
    REQUIRE(text.size() <= kDoubleCharsMax);
    double back = 0;
    REQUIRE(parse_double(text, &back));
    REQUIRE(std::bit_cast<uint64_t>(back) == std::bit_cast<uint64_t>(value));
  }
}

TEST_CASE("parse_double takes what strtod takes, and nothing more") {
  const std::pair<const char*, double> expected[] = {
      {"1", 1},          {"+1.5", 1.5},       {"-1e3", -1000},         {".5", 0.5},       {"0x10", 16},
      {"inf", HUGE_VAL}, {"-INF", -HUGE_VAL}, {"+infinity", HUGE_VAL}, {"5e-324", 5e-324}};
  for (const auto& expectation : expected) {
    CAPTURE(expectation.first);
    double value = 0;
    CHECK(parse_double(expectation.first, &value));
    CHECK(value == expectation.second);
  }
  for (const std::string_view text :
       {std::string_view(""), std::string_view(" 1"), std::string_view("1 "), std::string_view("nan"),
        std::string_view("1e400"), std::string_view("-1e400"), std::string_view("1e-400"), std::string_view("1\0", 2),
        std::string_view("abc"), std::string_view("1,5")}) {
    CAPTURE(text);
    double value = 42;
    CHECK_FALSE(parse_double(text, &value));
    CHECK(value == 42);
  }
}

TEST_CASE("long doubles in human form") {
  long double value = 0;
  REQUIRE(parse_long_double("3.0e3", &value));
  CHECK(long_double_text(value) == "3000");
  REQUIRE(parse_long_double("10.5", &value));
  CHECK(long_double_text(value + 0.1L) == "10.6");
  CHECK(long_double_text(-1e-30L) == "0");
  CHECK(long_double_text(HUGE_VALL) == "inf");
  CHECK(long_double_text(-HUGE_VALL) == "-inf");
  CHECK(long_double_text(1.5e4000L).size() == 4001);
  CHECK_FALSE(parse_long_double(" 1", &value));
  CHECK_FALSE(parse_long_double("nan", &value));
  CHECK_FALSE(parse_long_double("", &value));
  CHECK_FALSE(parse_long_double(std::string(kLongDoubleCharsMax, '1'), &value));
}

TEST_CASE("memory sizes") {
  const std::pair<const char*, uint64_t> expected[] = {
      {"0", 0},        {"100", 100},          {"7b", 7},          {"1k", 1000},       {"1KB", 1024},
      {"3m", 3000000}, {"512mb", 512u << 20}, {"1g", 1000000000}, {"2Gb", 2ull << 30}};
  for (const auto& expectation : expected) {
    CAPTURE(expectation.first);
    uint64_t value = 0;
    CHECK(parse_memory_size(expectation.first, &value));
    CHECK(value == expectation.second);
  }
  for (const char* text : {"99999999999999999999", "18446744073709551615kb", "99999999999999999999gb"}) {
    CAPTURE(text);
    uint64_t value = 0;
    CHECK(parse_memory_size(text, &value));
    CHECK(value == UINT64_MAX);
  }
  for (const char* text : {"-1", "1tb", "1 mb", "1.5gb", "x", "99999999999999999999tb"}) {
    CAPTURE(text);
    uint64_t value = 0;
    CHECK_FALSE(parse_memory_size(text, &value));
  }
}

}  // namespace
}  // namespace synap
