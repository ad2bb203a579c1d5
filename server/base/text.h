// Small helpers on text: ASCII case, and printf into a std::string. Bytes above 127 are never changed.
#pragma once

#include <string>
#include <string_view>

namespace synap {

inline constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
inline constexpr char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);

inline bool equals_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

// What printf shows of bytes: up to the first NUL, and no more than `max`. Redis's errors quote arguments so.
inline std::string_view printed(std::string_view text, size_t max) {
  text = text.substr(0, max);
  return text.substr(0, text.find('\0'));
}

std::string format_text(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace synap
