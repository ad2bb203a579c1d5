// Splitting a line into words with shell-like quotes, as inline commands and configuration lines are written:
//   plain words   "double \n \r \t \b \a \x41 \" \\"   'single \' only'
// A closing quote must be followed by a space or the end. Rules are those of Redis.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace synap {

// The words, or nothing when quotes are unbalanced. Bytes after a NUL are ignored, as in a C string.
std::optional<std::vector<std::string>> split_quoted_args(std::string_view line);

// The same into views: words without quotes point into `line`, others into `scratch`, which must hold line.size()
// bytes. False when quotes are unbalanced.
bool split_quoted_args(std::string_view line, char* scratch, std::vector<std::string_view>* words);

// True when the line has quotes, so that views need scratch space.
inline bool has_quotes(std::string_view line) {
  return line.find_first_of("\"'") != std::string_view::npos;
}

// One word in double quotes with everything that is not printable escaped: what split_quoted_args reads back.
std::string quote_arg(std::string_view word);

}  // namespace synap
