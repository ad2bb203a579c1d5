// The 16384 registers of a HyperLogLog, one byte each for work, and their dense form of 6 bits each for storage.
// Uses AVX2 when the machine has it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace synap {

inline constexpr size_t kHllRegisters = 16384;
inline constexpr size_t kHllRegisterBits = 6;
inline constexpr size_t kHllDenseRegisterBytes = kHllRegisters * kHllRegisterBits / 8;
inline constexpr uint8_t kHllRegisterMax = 63;

// One byte a register.
struct alignas(32) HllRegisters {
  std::array<uint8_t, kHllRegisters> values{};
};

// How many registers hold each value.
using HllHistogram = std::array<uint32_t, kHllRegisterMax + 1>;

uint8_t hll_dense_get(const uint8_t* dense, size_t index);
void hll_dense_set(uint8_t* dense, size_t index, uint8_t value);

// registers[i] = max(registers[i], dense[i]).
void hll_dense_merge(const uint8_t* dense, HllRegisters* registers);
// The other way: writes all of `dense`.
void hll_dense_pack(const HllRegisters& registers, uint8_t* dense);
HllHistogram hll_histogram(const HllRegisters& registers);

}  // namespace synap
