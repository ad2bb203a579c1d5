// Bit operations on string values. Bit 0 is the most significant bit of byte 0, and bytes beyond the end count as 0.
// Pure functions on spans of bytes; whole-span loops use AVX2 when the machine has it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace synap {

bool bit_get(std::string_view bytes, uint64_t offset);
// The byte is there. Returns the bit's old value.
bool bit_set(char* bytes, uint64_t offset, bool value);

uint64_t bit_count(std::string_view bytes);
// Of the bits from `first` to `last`, both inside.
uint64_t bit_count(std::string_view bytes, uint64_t first, uint64_t last);
// The first bit of this value from `first` to `last`, both inside.
std::optional<uint64_t> bit_position(std::string_view bytes, bool value, uint64_t first, uint64_t last);

enum class BitOperation {
  kAnd,
  kOr,
  kXor,
  kNot,
  kDiff,   // in the first source but in none of the others
  kDiff1,  // in some of the others but not in the first
  kAndOr,  // in the first and in some of the others
  kOne,    // in exactly one source
};
// Writes `size` bytes, the size of the longest source, to `out`, which overlaps no source.
void bit_combine(BitOperation operation, std::span<const std::string_view> sources, char* out, size_t size);

// An integer of a few bits anywhere in the string, as BITFIELD knows them: i1 … i64, u1 … u63.
struct BitfieldType {
  bool is_signed;
  uint32_t bits;
};
enum class BitfieldOverflow { kWrap, kSaturate, kFail };

int64_t bitfield_get(std::string_view bytes, uint64_t offset, BitfieldType type);
// All bytes it touches are there. Writes the low bits of `value`.
void bitfield_set(char* bytes, uint64_t offset, BitfieldType type, int64_t value);
// What a field of this type holds after `increment` is added to `value` (after a SET of `value`, with increment 0).
// Nothing: it does not fit, and `overflow` says fail.
std::optional<int64_t> bitfield_add(BitfieldType type, BitfieldOverflow overflow, int64_t value, int64_t increment);

}  // namespace synap
