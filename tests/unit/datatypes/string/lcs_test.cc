#include "datatypes/string/lcs.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "server/base/random.h"

namespace synap {

namespace {

// By definition, without a table.
size_t slow_length(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return 0;
  if (a.back() == b.back()) return 1 + slow_length(a.substr(0, a.size() - 1), b.substr(0, b.size() - 1));
  return std::max(slow_length(a.substr(0, a.size() - 1), b), slow_length(a, b.substr(0, b.size() - 1)));
}

}  // namespace

TEST_CASE("lcs: length, text and runs agree") {
  Random& random = thread_random();
  for (int round = 0; round < 500; ++round) {
    std::string a(random.below(9), 'x');
    std::string b(random.below(9), 'x');
    for (char& c : a) c = static_cast<char>('a' + random.below(3));
    for (char& c : b) c = static_cast<char>('a' + random.below(3));
    const Lcs found = lcs(a, b);
    CHECK(found.text.size() == slow_length(a, b));
    CHECK(lcs_length(a, b) == found.text.size());
    std::string joined;
    for (auto run = found.runs.rbegin(); run != found.runs.rend(); ++run) {
      CHECK(a.substr(run->a_begin, run->length) == b.substr(run->b_begin, run->length));
      joined += a.substr(run->a_begin, run->length);
    }
    CHECK(joined == found.text);
  }
}

}  // namespace synap
