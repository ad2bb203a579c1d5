// equal_bytes: whether two texts are the same. Keys, members and names are short: comparing them in place costs a
// fraction of a call of memcmp, which this leaves to the longer ones. ShortText: a text of up to 16 bytes as numbers, for
// comparing it with several.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace synap {

template <class Word>
inline uint64_t word_at(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

template <class Word>
inline uint64_t word_difference(const char* a, const char* b) {
  return word_at<Word>(a) ^ word_at<Word>(b);
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

// Equal if and only if the texts are, as long as one of the two has at most kMax bytes.
struct ShortText {
  static constexpr size_t kMax = 16;

  ShortText() = default;
  explicit ShortText(std::string_view text) : size(text.size()) {
    const char* begin = text.data();
    const char* end = begin + size;
    // Beginning and end, which overlap.
    if (size >= 8) {
      head = word_at<uint64_t>(begin);
      tail = word_at<uint64_t>(end - 8);
    } else if (size >= 4) {
      head = word_at<uint32_t>(begin) | word_at<uint32_t>(end - 4) << 32;
    } else if (size >= 2) {
      head = word_at<uint16_t>(begin) | word_at<uint16_t>(end - 2) << 32;
    } else if (size == 1) {
      head = word_at<uint8_t>(begin);
    }
  }
  bool operator==(const ShortText&) const = default;

  size_t size = 0;
  uint64_t head = 0;
  uint64_t tail = 0;
};

}  // namespace synap
