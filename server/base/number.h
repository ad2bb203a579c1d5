// Numbers to text and back, exactly as Redis reads and prints them: strict integers, doubles in shortest round-trip
// form, long doubles in the human form of INCRBYFLOAT, and memory sizes with units.
// Parsers set *value only when they return true. Formatters write no terminating zero and return the length.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace synap {

inline constexpr size_t kInt64CharsMax = 20;             // "-9223372036854775808"
inline constexpr size_t kDoubleCharsMax = 32;            // sign, 17 digits, 7 zeros or an exponent, the point
inline constexpr size_t kLongDoubleCharsMax = 5 * 1024;  // a long double written out in full, as Redis limits it

// Digits with an optional '-'; no '+', spaces or leading zeros; must fit.
bool parse_int64(std::string_view text, int64_t* value);
bool parse_uint64(std::string_view text, uint64_t* value);

// What strtod accepts ("1e5", "0x1p3", "inf", "+3"), without spaces, NaN, overflow or a result lost to underflow.
bool parse_double(std::string_view text, double* value);
bool parse_long_double(std::string_view text, long double* value);

// "100", "1k" (1000), "1kb" (1024), "m", "mb", "g", "gb", "b" in any case. Refuses signs. A size beyond
// uint64_t comes out as the largest.
bool parse_memory_size(std::string_view text, uint64_t* bytes);

size_t format_int64(char* out, int64_t value);    // out holds kInt64CharsMax
size_t format_uint64(char* out, uint64_t value);  // out holds kInt64CharsMax
size_t count_digits(uint64_t value);

// "3", "0.1", "1e+21", "1e-7", "-0", "inf", "-inf", "nan".
size_t format_double(char* out, double value);  // out holds kDoubleCharsMax

// Fixed notation with 17 decimals, trailing zeros cut: "3.0000" gives "3".
size_t format_long_double(char* out, long double value);  // out holds kLongDoubleCharsMax

std::string to_text(double value);
template <std::integral T>
std::string to_text(T value) {
  char buffer[kInt64CharsMax];
  if constexpr (std::signed_integral<T>) {
    return std::string(buffer, format_int64(buffer, value));
  } else {
    return std::string(buffer, format_uint64(buffer, value));
  }
}

}  // namespace synap
