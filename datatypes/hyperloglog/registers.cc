#include "datatypes/hyperloglog/registers.h"

#include <algorithm>
#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace synap {

namespace {

// Four registers are three bytes; as little-endian words the two forms differ by shifts alone.
constexpr uint32_t kDenseGroupBytes = 3;
constexpr uint32_t kWideGroupBytes = 4;

constexpr uint32_t widen(uint32_t w) {
  return (w & 0x3F) | ((w << 2) & 0x3F00) | ((w << 4) & 0x3F0000) | ((w << 6) & 0x3F000000);
}
constexpr uint32_t narrow(uint32_t w) {
  return (w & 0x3F) | ((w >> 2) & 0xFC0) | ((w >> 4) & 0x3F000) | ((w >> 6) & 0xFC0000);
}

void merge_groups(const uint8_t* dense, uint8_t* wide, size_t groups) {
  for (size_t group = 0; group < groups; ++group, dense += kDenseGroupBytes, wide += kWideGroupBytes) {
    const uint32_t w = widen(dense[0] | static_cast<uint32_t>(dense[1]) << 8 | static_cast<uint32_t>(dense[2]) << 16);
    for (uint32_t i = 0; i < kWideGroupBytes; ++i) wide[i] = std::max(wide[i], static_cast<uint8_t>(w >> (8 * i)));
  }
}

void pack_groups(const uint8_t* wide, uint8_t* dense, size_t groups) {
  for (size_t group = 0; group < groups; ++group, dense += kDenseGroupBytes, wide += kWideGroupBytes) {
    const uint32_t w = narrow(wide[0] | static_cast<uint32_t>(wide[1]) << 8 | static_cast<uint32_t>(wide[2]) << 16 |
                              static_cast<uint32_t>(wide[3]) << 24);
    for (uint32_t i = 0; i < kDenseGroupBytes; ++i) dense[i] = static_cast<uint8_t>(w >> (8 * i));
  }
}

#ifdef __x86_64__

bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0;
}

// A step takes 32 registers, 12 dense bytes in each half of a vector. Its second half is loaded or stored as 16 bytes,
// so the last steps, whose extra 4 bytes lie outside the dense form, are left to the portable code.
constexpr size_t kStepRegisters = 32;
constexpr size_t kStepDenseBytes = 24;
constexpr size_t kVectorSteps = kHllRegisters / kStepRegisters - 1;
constexpr size_t kTailGroups = kStepRegisters / kWideGroupBytes;

__attribute__((target("avx2"))) void merge_avx2(const uint8_t* dense, uint8_t* wide) {
  const __m256i spread = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,  //
                                          0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  for (size_t step = 0; step < kVectorSteps; ++step, dense += kStepDenseBytes, wide += kStepRegisters) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(dense));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(dense + kStepDenseBytes / 2));
    const __m256i w = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), spread);
    const __m256i r0 = _mm256_and_si256(w, _mm256_set1_epi32(0x3F));
    const __m256i r1 = _mm256_and_si256(_mm256_slli_epi32(w, 2), _mm256_set1_epi32(0x3F00));
    const __m256i r2 = _mm256_and_si256(_mm256_slli_epi32(w, 4), _mm256_set1_epi32(0x3F0000));
    const __m256i r3 = _mm256_and_si256(_mm256_slli_epi32(w, 6), _mm256_set1_epi32(0x3F000000));
    const __m256i values = _mm256_or_si256(_mm256_or_si256(r0, r1), _mm256_or_si256(r2, r3));
    auto* place = reinterpret_cast<__m256i*>(wide);
    _mm256_storeu_si256(place, _mm256_max_epu8(_mm256_loadu_si256(place), values));
  }
  merge_groups(dense, wide, kTailGroups);
}

__attribute__((target("avx2"))) void pack_avx2(const uint8_t* wide, uint8_t* dense) {
  const __m256i gather = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,  //
                                          0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  for (size_t step = 0; step < kVectorSteps; ++step, dense += kStepDenseBytes, wide += kStepRegisters) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(wide));
    const __m256i r0 = _mm256_and_si256(w, _mm256_set1_epi32(0x3F));
    const __m256i r1 = _mm256_and_si256(_mm256_srli_epi32(w, 2), _mm256_set1_epi32(0xFC0));
    const __m256i r2 = _mm256_and_si256(_mm256_srli_epi32(w, 4), _mm256_set1_epi32(0x3F000));
    const __m256i r3 = _mm256_and_si256(_mm256_srli_epi32(w, 6), _mm256_set1_epi32(0xFC0000));
    const __m256i values =
        _mm256_shuffle_epi8(_mm256_or_si256(_mm256_or_si256(r0, r1), _mm256_or_si256(r2, r3)), gather);
    // In this order: the four zero bytes behind each half are overwritten by the next.
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dense), _mm256_castsi256_si128(values));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dense + kStepDenseBytes / 2), _mm256_extracti128_si256(values, 1));
  }
  pack_groups(wide, dense, kTailGroups);
}

// For each value, compares all registers with it: real sketches hold some twenty values.
__attribute__((target("avx2"))) HllHistogram histogram_avx2(const uint8_t* wide) {
  constexpr size_t kVectors = kHllRegisters / 32;
  constexpr size_t kRoundsMax = 128;  // byte counters overflow at 256
  const auto* vectors = reinterpret_cast<const __m256i*>(wide);
  HllHistogram histogram{};
  size_t left = kHllRegisters;
  for (size_t value = 0; left > 0 && value < histogram.size(); ++value) {
    const __m256i wanted = _mm256_set1_epi8(static_cast<char>(value));
    __m256i total = _mm256_setzero_si256();
    for (size_t first = 0; first < kVectors; first += kRoundsMax) {
      __m256i sums = _mm256_setzero_si256();
      for (size_t i = first; i < first + kRoundsMax; ++i) {
        sums = _mm256_sub_epi8(sums, _mm256_cmpeq_epi8(_mm256_load_si256(vectors + i), wanted));
      }
      total = _mm256_add_epi64(total, _mm256_sad_epu8(sums, _mm256_setzero_si256()));
    }
    alignas(32) uint64_t lanes[4];
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), total);
    histogram[value] = static_cast<uint32_t>(lanes[0] + lanes[1] + lanes[2] + lanes[3]);
    left -= histogram[value];
  }
  return histogram;
}

#endif

}  // namespace

uint8_t hll_dense_get(const uint8_t* dense, size_t index) {
  const size_t byte = index * kHllRegisterBits / 8;
  const size_t shift = index * kHllRegisterBits % 8;
  uint32_t window = dense[byte];
  if (shift > 2) window |= static_cast<uint32_t>(dense[byte + 1]) << 8;
  return static_cast<uint8_t>((window >> shift) & kHllRegisterMax);
}

void hll_dense_set(uint8_t* dense, size_t index, uint8_t value) {
  const size_t byte = index * kHllRegisterBits / 8;
  const size_t shift = index * kHllRegisterBits % 8;
  const uint32_t mask = static_cast<uint32_t>(kHllRegisterMax) << shift;
  const uint32_t bits = static_cast<uint32_t>(value) << shift;
  dense[byte] = static_cast<uint8_t>((dense[byte] & ~mask) | bits);
  if (shift > 2) dense[byte + 1] = static_cast<uint8_t>((dense[byte + 1] & ~(mask >> 8)) | bits >> 8);
}

void hll_dense_merge(const uint8_t* dense, HllRegisters* registers) {
#ifdef __x86_64__
  if (has_avx2()) return merge_avx2(dense, registers->values.data());
#endif
  merge_groups(dense, registers->values.data(), kHllRegisters / kWideGroupBytes);
}

void hll_dense_pack(const HllRegisters& registers, uint8_t* dense) {
#ifdef __x86_64__
  if (has_avx2()) return pack_avx2(registers.values.data(), dense);
#endif
  pack_groups(registers.values.data(), dense, kHllRegisters / kWideGroupBytes);
}

HllHistogram hll_histogram(const HllRegisters& registers) {
#ifdef __x86_64__
  if (has_avx2()) return histogram_avx2(registers.values.data());
#endif
  // Equal values in a row would wait for each other's increments in one table, so there are four.
  constexpr size_t kTables = 4;
  std::array<HllHistogram, kTables> tables{};
  for (size_t i = 0; i < kHllRegisters; i += kTables) {
    for (size_t t = 0; t < kTables; ++t) ++tables[t][registers.values[i + t] & kHllRegisterMax];
  }
  HllHistogram sum{};
  for (const HllHistogram& table : tables) {
    for (size_t value = 0; value < sum.size(); ++value) sum[value] += table[value];
  }
  return sum;
}

}  // namespace synap
