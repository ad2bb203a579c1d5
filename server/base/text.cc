// See text.h.
#include "server/base/text.h"

#include <cstdarg>
#include <cstdio>

#include "server/base/assert.h"

namespace synap {

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = to_lower(c);
  return lower;
}

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = to_upper(c);
  return upper;
}

std::string format_text(const char* format, ...) {
  va_list args;
  va_start(args, format);
  va_list counting;
  va_copy(counting, args);
  const int length = vsnprintf(nullptr, 0, format, counting);
  va_end(counting);
  SYNAP_ASSERT(length >= 0);
  std::string text(static_cast<size_t>(length), '\0');
  vsnprintf(text.data(), text.size() + 1, format, args);
  va_end(args);
  return text;
}

}  // namespace synap
