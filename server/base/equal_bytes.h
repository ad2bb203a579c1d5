// equal_bytes: whether two texts are the same. Keys, members and names are short: comparing them in place costs a
// fraction of a call of memcmp, which this leaves to the longer ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace synap {

template <class Word>
inline uint64_t word_difference(const char* a, const char* b) {
  Word left;
  Word right;
  std::memcpy(&left, a, sizeof left);
  std::memcpy(&right, b, sizeof right);
  return static_cast<uint64_t>(left ^ right);
}

inline bool equal_bytes(std::string_view left, std::string_view right) {
  constexpr size_t kShort = 32;
  const size_t n = left.size();
  if (n != right.size()) return false;
  const char* a = left.data();
  const char* b = right.data();
  if (n > kShort) return std::memcmp(a, b, n) == 0;
  if (n >= 8) {
    // The last word overlaps the one before it.
    uint64_t difference = word_difference<uint64_t>(a + n - 8, b + n - 8);
    for (size_t i = 0; i + 8 < n; i += 8) difference |= word_difference<uint64_t>(a + i, b + i);
    return difference == 0;
  }
  if (n >= 4) return (word_difference<uint32_t>(a, b) | word_difference<uint32_t>(a + n - 4, b + n - 4)) == 0;
  if (n >= 2) return (word_difference<uint16_t>(a, b) | word_difference<uint16_t>(a + n - 2, b + n - 2)) == 0;
  return n == 0 || *a == *b;
}

}  // namespace synap
