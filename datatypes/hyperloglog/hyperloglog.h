// HyperLogLog as a string value, in exactly Redis's bytes:
//   "HYLL", encoding (0 dense, 1 sparse), 3 unused bytes, cached cardinality (8 bytes little-endian, top bit: stale),
//   then registers: dense, 16384 of 6 bits; or sparse, a run-length code:
//   00llllll  l+1 registers are 0 · 01llllll llllllll  the same with 14 bits · 1vvvvvll  l+1 registers are v+1.
// Functions take bytes that hll_is_valid accepted; the run-length code itself may still be damaged, which they report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "datatypes/hyperloglog/registers.h"

namespace synap {

inline constexpr size_t kHllHeaderBytes = 16;
inline constexpr size_t kHllDenseBytes = kHllHeaderBytes + kHllDenseRegisterBytes;

enum class HllEncoding : uint8_t { kDense = 0, kSparse = 1 };
enum class HllOutcome { kUnchanged, kChanged, kCorrupt };

// Whether a string can be a HyperLogLog by its header and size.
bool hll_is_valid(std::string_view bytes);
inline HllEncoding hll_encoding(std::string_view bytes) {
  return static_cast<HllEncoding>(bytes[4]);
}

// An empty one.
std::string hll_create();
// Adds an element. Does not touch the cached cardinality, see hll_invalidate.
bool hll_dense_add(char* bytes, std::string_view element);
// Turns dense when the sparse form would exceed `sparse_bytes_max`, or cannot hold a register's value.
HllOutcome hll_sparse_add(std::string* bytes, std::string_view element, size_t sparse_bytes_max);
// False, and unchanged: corrupt.
bool hll_make_dense(std::string* bytes);

// Raises `registers` to at least those of `bytes`. False: corrupt.
bool hll_merge(std::string_view bytes, HllRegisters* registers);
// Raises the registers of `bytes` to at least `registers`, and marks the cached cardinality stale. False: corrupt.
bool hll_raise(std::string* bytes, const HllRegisters& registers, size_t sparse_bytes_max);

std::optional<uint64_t> hll_cached_count(std::string_view bytes);
void hll_cache_count(char* bytes, uint64_t count);
void hll_invalidate(char* bytes);
// Computes the cardinality anew. Nothing: corrupt.
std::optional<uint64_t> hll_count(std::string_view bytes);
uint64_t hll_count(const HllRegisters& registers);

// PFDEBUG DECODE: the run-length code as text, "Z:12 v:3,1 z:7".
std::string hll_decode_sparse(std::string_view bytes);
// PFSELFTEST: what went wrong, or an empty string. Takes seconds.
std::string hll_self_test(size_t sparse_bytes_max);

}  // namespace synap
