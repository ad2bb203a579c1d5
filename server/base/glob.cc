// See glob.h. Redis backtracks into every '*' and stops early once a later '*' has failed; going back only to the last
// '*' finds the same answers (a later star that failed on all of the rest fails for every longer earlier match too),
// without recursion. Its odd corners are kept: unclosed classes, ranges by signed bytes, '*' against nothing.
#include "server/base/glob.h"

#include <algorithm>

#include "server/base/text.h"

namespace synap {
namespace {

// Redis gives up on patterns that would make it recurse deeper.
constexpr size_t kStarsMax = 1000;

class Matcher {
 public:
  Matcher(std::string_view pattern, std::string_view text, bool ignore_case)
      : pattern_(pattern), text_(text), ignore_case_(ignore_case) {}

  bool run() {
    size_t star = std::string_view::npos;  // pattern position after the last '*' seen
    size_t star_text = 0;                  // text position from which that star's rest is being tried
    size_t stars = 0;
    if (text_.empty()) return pattern_.empty();
    while (at_text_ < text_.size()) {
      if (at_ < pattern_.size() && pattern_[at_] == '*') {
        if (++stars > kStarsMax) return false;
        skip_stars();
        if (at_ == pattern_.size()) return true;
        star = at_;
        star_text = at_text_;
        continue;
      }
      if (at_ < pattern_.size() && match_one()) {
        if (at_text_ == text_.size()) skip_stars();
        if (at_text_ < text_.size() || at_ == pattern_.size()) continue;
      }
      if (star == std::string_view::npos) return false;
      at_ = star;
      at_text_ = ++star_text;
    }
    return at_ == pattern_.size();
  }

 private:
  void skip_stars() {
    while (at_ < pattern_.size() && pattern_[at_] == '*') ++at_;
  }

  // Matches one text byte against one pattern element and steps over both.
  bool match_one() {
    const char c = text_[at_text_++];
    if (pattern_[at_] == '?') return ++at_, true;
    if (pattern_[at_] == '[') return match_class(c);
    if (pattern_[at_] == '\\' && at_ + 1 < pattern_.size()) ++at_;
    return same(pattern_[at_++], c);
  }

  bool match_class(char c) {
    ++at_;
    const bool negated = at_ < pattern_.size() && pattern_[at_] == '^';
    if (negated) ++at_;
    bool found = false;
    for (; at_ < pattern_.size() && pattern_[at_] != ']'; ++at_) {
      const size_t left = pattern_.size() - at_;
      if (pattern_[at_] == '\\' && left >= 2) {
        found |= pattern_[++at_] == c;
      } else if (left >= 3 && pattern_[at_ + 1] == '-') {
        found |= in_range(pattern_[at_], pattern_[at_ + 2], c);
        at_ += 2;
      } else {
        found |= same(pattern_[at_], c);
      }
    }
    if (at_ < pattern_.size()) ++at_;  // the ']'; an unclosed class ends with the pattern
    return found != negated;
  }

  bool in_range(char first, char last, char c) const {
    if (static_cast<signed char>(first) > static_cast<signed char>(last)) std::swap(first, last);
    if (ignore_case_) {
      first = to_lower(first);
      last = to_lower(last);
      c = to_lower(c);
    }
    const auto byte = static_cast<signed char>(c);
    return byte >= static_cast<signed char>(first) && byte <= static_cast<signed char>(last);
  }

  bool same(char a, char b) const { return a == b || (ignore_case_ && to_lower(a) == to_lower(b)); }

  const std::string_view pattern_;
  const std::string_view text_;
  const bool ignore_case_;
  size_t at_ = 0;
  size_t at_text_ = 0;
};

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case) {
  return Matcher(pattern, text, ignore_case).run();
}

}  // namespace synap
