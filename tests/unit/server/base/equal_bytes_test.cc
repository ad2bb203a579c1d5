// equal_bytes against std::string_view's ==, at every length around its steps and for every place of a difference.
#include "server/base/equal_bytes.h"

#include <doctest/doctest.h>

#include <string>

namespace synap {

TEST_CASE("equal_bytes: every byte counts, at every length") {
  for (size_t n = 0; n <= 70; ++n) {
    std::string text(n, 'x');
    for (size_t i = 0; i < n; ++i) text[i] = static_cast<char>('a' + i % 26);
    const std::string same = text;
    CHECK(equal_bytes(text, same));
    CHECK_FALSE(equal_bytes(text, same + "x"));
    for (size_t i = 0; i < n; ++i) {
      std::string other = text;
      other[i] = static_cast<char>(other[i] ^ 0x80);
      CHECK_FALSE(equal_bytes(text, other));
    }
  }
}

TEST_CASE("ShortText: every byte counts, at every length up to its limit, and beyond it the length tells") {
  for (size_t n = 0; n <= ShortText::kMax; ++n) {
    std::string text(n, 'x');
    for (size_t i = 0; i < n; ++i) text[i] = static_cast<char>('a' + i % 26);
    CHECK(ShortText(text) == ShortText(std::string(text)));
    CHECK_FALSE(ShortText(text) == ShortText(text + "x"));
    CHECK_FALSE(ShortText(text) == ShortText(text + std::string(1, '\0')));
    for (size_t i = 0; i < n; ++i) {
      std::string other = text;
      other[i] = static_cast<char>(other[i] ^ 0x80);
      CHECK_FALSE(ShortText(text) == ShortText(other));
    }
  }
  const std::string longest(ShortText::kMax, 'x');
  CHECK_FALSE(ShortText(longest) == ShortText(longest + longest));
}

}  // namespace synap
