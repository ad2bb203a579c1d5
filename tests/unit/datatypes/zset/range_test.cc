#include "datatypes/zset/range.h"

#include <doctest/doctest.h>

#include <cmath>

namespace synap {

TEST_CASE("range: scores") {
  ScoreRange range;
  REQUIRE(parse_score_range("(1.5", "+inf", &range));
  CHECK(range.min == 1.5);
  CHECK(range.min_exclusive);
  CHECK(range.max == INFINITY);
  CHECK_FALSE(range.max_exclusive);
  REQUIRE(parse_score_range("-inf", "(inf", &range));
  CHECK(range.min == -INFINITY);
  CHECK(range.max_exclusive);
  REQUIRE(parse_score_range("1e400", "0x10", &range));
  CHECK(range.min == INFINITY);
  CHECK(range.max == 16);
  REQUIRE(parse_score_range("", "+3", &range));
  CHECK(range.min == 0);
  CHECK(range.max == 3);
  for (const char* bad : {"x", "(x", "nan", "(NaN", "1x", "[1", "1 ", "--1"}) {
    CHECK_FALSE(parse_score_range(bad, "1", &range));
    CHECK_FALSE(parse_score_range("1", bad, &range));
  }
}

TEST_CASE("range: members") {
  LexRange range;
  REQUIRE(parse_lex_range("[a", "(b", &range));
  CHECK(range.min.member == "a");
  CHECK_FALSE(range.min.exclusive);
  CHECK(range.max.member == "b");
  CHECK(range.max.exclusive);
  REQUIRE(parse_lex_range("-", "+", &range));
  CHECK(range.min.kind == LexLimit::Kind::kLowest);
  CHECK(range.max.kind == LexLimit::Kind::kHighest);
  for (const char* bad : {"", "a", "-a", "+a", "1"}) {
    CHECK_FALSE(parse_lex_range(bad, "+", &range));
    CHECK_FALSE(parse_lex_range("-", bad, &range));
  }
}

}  // namespace synap
