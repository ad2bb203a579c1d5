// The intervals of sorted-set commands as clients write them: `(1.5` and `-inf` by score, `[a`, `(a`, `-` and `+` by
// member bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace synap {

struct ScoreRange {
  double min = 0;
  double max = 0;
  bool min_exclusive = false;
  bool max_exclusive = false;
};

struct LexLimit {
  enum class Kind { kLowest, kMember, kHighest };
  Kind kind = Kind::kLowest;
  bool exclusive = false;
  std::string_view member;  // views the argument
};

struct LexRange {
  LexLimit min;
  LexLimit max;
};

// Consecutive ranks: [first, first + count). Every interval of a sorted set is one of these.
struct RankSpan {
  size_t first = 0;
  size_t count = 0;
};

// False when a limit is not a float (what strtod takes wholly, as Redis reads it; an empty text is 0).
bool parse_score_range(std::string_view min, std::string_view max, ScoreRange* range);
// False when a limit is neither `-`, `+`, nor begins with `[` or `(`.
bool parse_lex_range(std::string_view min, std::string_view max, LexRange* range);

}  // namespace synap
