// Lengths in the items of big sets and hashes: 7 bits a byte, lowest first, the top bit says that more follow.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synap {

inline constexpr size_t kVarintBytesMax = 10;

// Returns the place after the number.
inline uint8_t* write_varint(uint8_t* out, uint64_t number) {
  while (number >= 0x80) {
    *out++ = static_cast<uint8_t>(number | 0x80);
    number >>= 7;
  }
  *out++ = static_cast<uint8_t>(number);
  return out;
}

inline const uint8_t* read_varint(const uint8_t* at, uint64_t* number) {
  *number = *at++;
  if (__builtin_expect(*number < 0x80, 1)) return at;
  *number &= 0x7f;
  for (int shift = 7;; shift += 7) {
    const uint8_t byte = *at++;
    *number |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return at;
  }
}

}  // namespace synap
