// Globs: table of cases taken from Redis's answers, and a fuzz against a backtracking model.
#include "server/base/glob.h"

#include <doctest/doctest.h>

#include <string>

#include "server/base/clock.h"
#include "server/base/random.h"

namespace synap {
namespace {

TEST_CASE("glob_match") {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Case cases[] = {
      {"*", "abc", true},
      {"*", "", false},
      {"", "", true},
      {"", "a", false},
      {"a", "", false},
      {"a*", "a", true},
      {"a**", "a", true},
      {"*a", "ba", true},
      {"*a*", "bab", true},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"?", "", false},
      {"[abc]", "b", true},
      {"[^abc]", "b", false},
      {"[^abc]", "d", true},
      {"[a-c]x", "bx", true},
      {"[c-a]x", "bx", true},
      {"[a-c", "b", true},
      {"[^", "x", true},
      {"[", "x", false},
      {"[\\]]", "]", true},
      {"[a\\-z]", "-", true},
      {"[a\\-z]", "m", false},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"a\\", "a\\", true},
      {"h*llo", "heeeello", true},
      {"h[^e]llo", "hello", false},
      {"*?", "a", true},
      {"a*b*c", "aXbXbXc", true},
      {"a*b*c", "aXbXbX", false},
      {"[a-]b", "ab", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pattern);
    CAPTURE(c.text);
    CHECK(glob_match(c.pattern, c.text) == c.matches);
  }
}

TEST_CASE("glob_match ignoring case") {
  CHECK(glob_match("MAX*", "maxmemory", true));
  CHECK_FALSE(glob_match("MAX*", "maxmemory"));
  CHECK(glob_match("[A-C]?", "bZ", true));
}

// The definition, exponential and recursive, for patterns without classes.
bool model(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') return model(pattern.substr(1), text) || (!text.empty() && model(pattern, text.substr(1)));
  if (text.empty()) return false;
  return (pattern[0] == '?' || pattern[0] == text[0]) && model(pattern.substr(1), text.substr(1));
}

TEST_CASE("glob_match agrees with the definition") {
  Random random(3);
  for (int i = 0; i < 100'000; ++i) {
    std::string pattern;
    std::string text;
    for (auto n = random.below(7); n > 0; --n) pattern += "ab?*"[random.below(4)];
    for (auto n = 1 + random.below(7); n > 0; --n) text += "ab"[random.below(2)];
    CAPTURE(pattern);
    CAPTURE(text);
    REQUIRE(glob_match(pattern, text) == model(pattern, text));
  }
}

TEST_CASE("an abusive pattern costs little") {
  std::string pattern;
  for (int i = 0; i < 2000; ++i) pattern += "a*";
  pattern += "b";
  const std::string text(5000, 'a');
  const int64_t start_us = monotonic_us();
  CHECK_FALSE(glob_match(pattern, text));
  CHECK(monotonic_us() - start_us < 1'000'000);
}

TEST_CASE("random bytes never harm") {
  Random random(5);
  size_t matches = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string pattern;
    std::string text;
    for (auto n = random.below(16); n > 0; --n) pattern += "[]^-\\*?ab\xff"[random.below(10)];
    for (auto n = random.below(8); n > 0; --n) text += "ab-]\xff"[random.below(5)];
    matches += glob_match(pattern, text, random.below(2) == 0) ? 1 : 0;
  }
  CHECK(matches > 1000);
}

}  // namespace
}  // namespace synap
