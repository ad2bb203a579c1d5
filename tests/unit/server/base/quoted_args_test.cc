#include "server/base/quoted_args.h"

#include <doctest/doctest.h>

namespace synap {
namespace {

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("words and quotes") {
  CHECK(split_quoted_args("") == Words{});
  CHECK(split_quoted_args(" \t ") == Words{});
  CHECK(split_quoted_args("set  key\tvalue ") == Words{"set", "key", "value"});
  CHECK(split_quoted_args("\"a b\" 'c d' \"\" ''") == Words{"a b", "c d", "", ""});
  CHECK(split_quoted_args(R"("\x41\x0g\n\r\t\b\a\q\"\\")") == Words{"Ax0g\n\r\t\b\aq\"\\"});
  CHECK(split_quoted_args(R"('a\'b\n\\ ')") == Words{"a'b\\n\\\\ "});
  CHECK(split_quoted_args("pre\"fix ed\" x'y'") == Words{"prefix ed", "xy"});
  CHECK(split_quoted_args(std::string_view("a\0b c", 5)) == Words{"a"});
}

TEST_CASE("unbalanced quotes") {
  for (const char* line : {"\"a", "'a", "a\"", "\"a\"b", "'a'b", "\"a\\\"", "'a\\'", "\"a\"'b'"}) {
    CHECK_FALSE(split_quoted_args(line).has_value());
  }
}

TEST_CASE("plain words are views into the line") {
  const std::string_view line = "abc \"d\"";
  char scratch[16];
  std::vector<std::string_view> words;
  REQUIRE(split_quoted_args(line, scratch, &words));
  CHECK(words[0].data() == line.data());
  CHECK(words[1].data() == scratch);
}

TEST_CASE("quoting is undone by splitting") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  CHECK(split_quoted_args(quote_arg(all)) == Words{all});
  CHECK(quote_arg("a\n\x01\"") == R"("a\n\x01\"")");
}

}  // namespace synap
