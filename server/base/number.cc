// See number.h. Shortest digits come from std::to_chars (Ryu); only their layout is ours, because it must be the one
// that Redis 7.2 prints.
#include "server/base/number.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "server/base/assert.h"
#include "server/base/text.h"

namespace synap {
namespace {

constexpr std::array<char, 200> make_digit_pairs() {
  std::array<char, 200> pairs{};
  for (size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}
constexpr std::array<char, 200> kDigitPairs = make_digit_pairs();

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// strtod and strtold need a terminated copy; most numbers are short.
template <class Float, class Convert>
bool parse_with_libc(std::string_view text, Float* value, Convert convert) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text[0])) != 0) return false;
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const Float parsed = convert(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size() || std::isnan(parsed)) return false;
  if (errno == ERANGE && (std::isinf(parsed) || parsed == 0)) return false;
  *value = parsed;
  return true;
}

// Decimal digits d1 d2 … dn and an exponent: the value is d1.d2…dn × 10^exponent.
struct Decimal {
  char digits[24];
  int count;
  int exponent;
};

Decimal shortest_decimal(double magnitude) {
  char text[40];
  const auto printed = std::to_chars(text, text + sizeof text, magnitude, std::chars_format::scientific);
  SYNAP_ASSERT(printed.ec == std::errc());
  Decimal decimal{};
  const char* p = text;
  for (; *p != 'e'; ++p) {
    if (*p != '.') decimal.digits[decimal.count++] = *p;
  }
  const bool negative = p[1] == '-';
  std::from_chars(p + 2, printed.ptr, decimal.exponent);
  if (negative) decimal.exponent = -decimal.exponent;
  return decimal;
}

size_t layout_plain(char* out, const Decimal& decimal, int zeros) {
  const auto count = static_cast<size_t>(decimal.count);
  memcpy(out, decimal.digits, count);
  memset(out + count, '0', static_cast<size_t>(zeros));
  return count + static_cast<size_t>(zeros);
}

size_t layout_with_point(char* out, const Decimal& decimal) {
  const auto count = static_cast<size_t>(decimal.count);
  if (decimal.exponent < 0) {
    const auto zeros = static_cast<size_t>(-decimal.exponent - 1);
    memcpy(out, "0.", 2);
    memset(out + 2, '0', zeros);
    memcpy(out + 2 + zeros, decimal.digits, count);
    return 2 + zeros + count;
  }
  const auto whole = static_cast<size_t>(decimal.exponent) + 1;
  memcpy(out, decimal.digits, whole);
  out[whole] = '.';
  memcpy(out + whole + 1, decimal.digits + whole, count - whole);
  return count + 1;
}

size_t layout_scientific(char* out, const Decimal& decimal) {
  const auto count = static_cast<size_t>(decimal.count);
  size_t length = 0;
  out[length++] = decimal.digits[0];
  if (count > 1) {
    out[length++] = '.';
    memcpy(out + length, decimal.digits + 1, count - 1);
    length += count - 1;
  }
  out[length++] = 'e';
  out[length++] = decimal.exponent < 0 ? '-' : '+';
  return length + format_int64(out + length, std::abs(decimal.exponent));
}

// Where Redis switches notation: up to seven zeros are appended to an integer, small fractions keep the point.
size_t layout_decimal(char* out, const Decimal& decimal) {
  const int last_digit_exponent = decimal.exponent - decimal.count + 1;
  const int magnitude = std::abs(decimal.exponent);
  if (last_digit_exponent >= 0 && magnitude < decimal.count + 7) {
    return layout_plain(out, decimal, last_digit_exponent);
  }
  if (last_digit_exponent < 0 && (last_digit_exponent > -7 || magnitude < 4)) return layout_with_point(out, decimal);
  return layout_scientific(out, decimal);
}

}  // namespace

bool parse_uint64(std::string_view text, uint64_t* value) {
  if (text.empty() || text.size() > kInt64CharsMax || !is_digit(text[0])) return false;
  if (text[0] == '0' && text.size() > 1) return false;
  // So many digits cannot overflow.
  constexpr size_t kSafeDigits = std::numeric_limits<uint64_t>::digits10;
  uint64_t parsed = 0;
  for (const char c : text.substr(0, kSafeDigits)) {
    const uint64_t digit = static_cast<unsigned char>(c) - uint64_t{'0'};
    if (digit > 9) return false;
    parsed = parsed * 10 + digit;
  }
  for (size_t i = kSafeDigits; i < text.size(); ++i) {
    const uint64_t digit = static_cast<unsigned char>(text[i]) - uint64_t{'0'};
    if (digit > 9 || __builtin_mul_overflow(parsed, uint64_t{10}, &parsed) ||
        __builtin_add_overflow(parsed, digit, &parsed)) {
      return false;
    }
  }
  *value = parsed;
  return true;
}

bool parse_int64(std::string_view text, int64_t* value) {
  const bool negative = !text.empty() && text[0] == '-';
  uint64_t magnitude = 0;
  if (!parse_uint64(text.substr(negative ? 1 : 0), &magnitude)) return false;
  if (negative && magnitude == 0) return false;  // "-0" is not how an integer is written
  const uint64_t limit = static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) + (negative ? 1 : 0);
  if (magnitude > limit) return false;
  *value = static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
  return true;
}

bool parse_double(std::string_view text, double* value) {
  double parsed = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, parsed);
  if (result.ec == std::errc() && result.ptr == end && !std::isnan(parsed)) {
    *value = parsed;
    return true;
  }
  // Rare forms that from_chars does not know ('+', hexadecimal), denormals, and everything wrong.
  return parse_with_libc(text, value, strtod);
}

bool parse_long_double(std::string_view text, long double* value) {
  return text.size() < kLongDoubleCharsMax && parse_with_libc(text, value, strtold);
}

bool parse_memory_size(std::string_view text, uint64_t* bytes) {
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  uint64_t number = 0;
  for (const char c : text.substr(0, digits)) {
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (__builtin_mul_overflow(number, uint64_t{10}, &number) || __builtin_add_overflow(number, digit, &number)) {
      number = UINT64_MAX;
      break;
    }
  }
  struct Unit {
    std::string_view name;
    uint64_t bytes;
  };
  static constexpr Unit kUnits[] = {{"", 1},
                                    {"b", 1},
                                    {"k", 1000},
                                    {"kb", 1024},
                                    {"m", 1000'000},
                                    {"mb", 1024 * 1024},
                                    {"g", 1000'000'000},
                                    {"gb", 1024 * 1024 * 1024}};
  for (const Unit& unit : kUnits) {
    if (!equals_ignore_case(text.substr(digits), unit.name)) continue;
    if (__builtin_mul_overflow(number, unit.bytes, bytes)) *bytes = UINT64_MAX;
    return true;
  }
  return false;
}

size_t count_digits(uint64_t value) {
  size_t digits = 1;
  for (; value >= 10000; value /= 10000) digits += 4;
  if (value >= 1000) return digits + 3;
  if (value >= 100) return digits + 2;
  return digits + (value >= 10 ? 1 : 0);
}

size_t format_uint64(char* out, uint64_t value) {
  const size_t length = count_digits(value);
  char* p = out + length;
  while (value >= 100) {
    p -= 2;
    memcpy(p, &kDigitPairs[2 * (value % 100)], 2);
    value /= 100;
  }
  if (value >= 10) {
    memcpy(out, &kDigitPairs[2 * value], 2);
  } else {
    *out = static_cast<char>('0' + value);
  }
  return length;
}

size_t format_int64(char* out, int64_t value) {
  if (value >= 0) return format_uint64(out, static_cast<uint64_t>(value));
  *out = '-';
  return 1 + format_uint64(out + 1, 0 - static_cast<uint64_t>(value));
}

size_t format_double(char* out, double value) {
  if (std::isnan(value)) return memcpy(out, "nan", 3), 3;
  // Integers up to 2^62 are printed in full, as Redis does, not in their shortest digits.
  if (std::fabs(value) <= 0x1p62 && value == std::trunc(value) && value != 0) {
    return format_int64(out, static_cast<int64_t>(value));
  }
  size_t sign = 0;
  if (std::signbit(value)) out[sign++] = '-';
  if (std::isinf(value)) return memcpy(out + sign, "inf", 3), sign + 3;
  if (value == 0) return out[sign] = '0', sign + 1;
  return sign + layout_decimal(out + sign, shortest_decimal(std::fabs(value)));
}

size_t format_long_double(char* out, long double value) {
  if (std::isnan(value)) return memcpy(out, "nan", 3), 3;
  if (std::isinf(value)) {
    const size_t sign = value < 0 ? 1 : 0;
    memcpy(out, &"-inf"[1 - sign], 3 + sign);
    return 3 + sign;
  }
  const int printed = snprintf(out, kLongDoubleCharsMax, "%.17Lf", value);
  SYNAP_ASSERT(printed > 0 && static_cast<size_t>(printed) < kLongDoubleCharsMax);
  auto length = static_cast<size_t>(printed);
  while (out[length - 1] == '0') --length;  // 17 decimals are always there, so this stops at the point
  if (out[length - 1] == '.') --length;
  if (std::string_view(out, length) == "-0") return out[0] = '0', 1;
  return length;
}

std::string to_text(double value) {
  char buffer[kDoubleCharsMax];
  return std::string(buffer, format_double(buffer, value));
}

}  // namespace synap
