#include "datatypes/zset/range.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

namespace synap {
namespace {

bool parse_score_limit(std::string_view text, double* score, bool* exclusive) {
  *exclusive = !text.empty() && text[0] == '(';
  if (*exclusive) text.remove_prefix(1);
  auto plain = std::from_chars(text.data(), text.data() + text.size(), *score);
  if (plain.ec == std::errc() && plain.ptr == text.data() + text.size()) return !std::isnan(*score);
  const std::string terminated(text);
  char* end = nullptr;
  *score = std::strtod(terminated.c_str(), &end);
  return *end == '\0' && !std::isnan(*score);
}

bool parse_lex_limit(std::string_view text, LexLimit* limit) {
  *limit = {};
  if (text == "-") return true;
  if (text == "+") {
    limit->kind = LexLimit::Kind::kHighest;
    return true;
  }
  if (text.empty() || (text[0] != '[' && text[0] != '(')) return false;
  limit->kind = LexLimit::Kind::kMember;
  limit->exclusive = text[0] == '(';
  limit->member = text.substr(1);
  return true;
}

}  // namespace

bool parse_score_range(std::string_view min, std::string_view max, ScoreRange* range) {
  return parse_score_limit(min, &range->min, &range->min_exclusive) &&
         parse_score_limit(max, &range->max, &range->max_exclusive);
}

bool parse_lex_range(std::string_view min, std::string_view max, LexRange* range) {
  return parse_lex_limit(min, &range->min) && parse_lex_limit(max, &range->max);
}

}  // namespace synap
