#include "datatypes/bitmap/bitmap.h"

#include <algorithm>
#include <bit>
#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace synap {

namespace {

uint64_t load_word(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

uint64_t count_words(const char* bytes, size_t size) {
  uint64_t counts[4] = {};
  size_t at = 0;
  for (; at + 32 <= size; at += 32) {
    for (size_t i = 0; i < 4; ++i) counts[i] += static_cast<uint64_t>(std::popcount(load_word(bytes + at + 8 * i)));
  }
  for (; at < size; ++at) counts[0] += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(bytes[at])));
  return counts[0] + counts[1] + counts[2] + counts[3];
}

#ifdef __x86_64__

bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0;
}

// Counts by looking up half bytes in a register (W. Muła). Byte counters hold 8 bits × 31 rounds without overflow.
__attribute__((target("avx2"))) uint64_t count_avx2(const char* bytes, size_t size) {
  constexpr size_t kRoundsMax = 31;
  const __m256i nibble_counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                                 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low_nibbles = _mm256_set1_epi8(0x0F);
  __m256i total = _mm256_setzero_si256();
  size_t vectors = size / 32;
  const char* at = bytes;
  while (vectors > 0) {
    const size_t rounds = std::min(vectors, kRoundsMax);
    __m256i sums = _mm256_setzero_si256();
    for (size_t round = 0; round < rounds; ++round, at += 32) {
      const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
      const __m256i low = _mm256_and_si256(v, low_nibbles);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), low_nibbles);
      sums = _mm256_add_epi8(sums, _mm256_shuffle_epi8(nibble_counts, low));
      sums = _mm256_add_epi8(sums, _mm256_shuffle_epi8(nibble_counts, high));
    }
    total = _mm256_add_epi64(total, _mm256_sad_epu8(sums, _mm256_setzero_si256()));
    vectors -= rounds;
  }
  uint64_t lanes[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), total);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3] + count_words(at, size % 32);
}

#endif

// The first byte that is not `skipped`, or `size`.
size_t find_other_byte(const char* bytes, size_t size, uint8_t skipped) {
  const uint64_t pattern = skipped == 0 ? 0 : ~uint64_t{0};
  size_t at = 0;
  for (; at + 32 <= size; at += 32) {
    const uint64_t different = (load_word(bytes + at) ^ pattern) | (load_word(bytes + at + 8) ^ pattern) |
                               (load_word(bytes + at + 16) ^ pattern) | (load_word(bytes + at + 24) ^ pattern);
    if (different != 0) break;
  }
  while (at < size && static_cast<uint8_t>(bytes[at]) == skipped) ++at;
  return at;
}

// The bits of byte `index` that lie from `first` to `last`.
uint8_t range_mask(uint64_t index, uint64_t first, uint64_t last) {
  uint32_t mask = 0xFF;
  if (index == first / 8) mask &= 0xFFu >> (first % 8);
  if (index == last / 8) mask &= 0xFFu << (7 - last % 8);
  return static_cast<uint8_t>(mask);
}

}  // namespace

bool bit_get(std::string_view bytes, uint64_t offset) {
  const uint64_t byte = offset / 8;
  return byte < bytes.size() && (static_cast<uint8_t>(bytes[byte]) >> (7 - offset % 8) & 1) != 0;
}

bool bit_set(char* bytes, uint64_t offset, bool value) {
  char* byte = bytes + offset / 8;
  const auto mask = static_cast<uint8_t>(0x80u >> (offset % 8));
  const auto old = static_cast<uint8_t>(*byte);
  *byte = static_cast<char>(value ? old | mask : old & ~mask);
  return (old & mask) != 0;
}

uint64_t bit_count(std::string_view bytes) {
#ifdef __x86_64__
  if (bytes.size() >= 256 && has_avx2()) return count_avx2(bytes.data(), bytes.size());
#endif
  return count_words(bytes.data(), bytes.size());
}

uint64_t bit_count(std::string_view bytes, uint64_t first, uint64_t last) {
  const auto masked = [&](uint64_t index) {
    return static_cast<uint64_t>(
        std::popcount(static_cast<uint8_t>(static_cast<uint8_t>(bytes[index]) & range_mask(index, first, last))));
  };
  const uint64_t first_byte = first / 8;
  const uint64_t last_byte = last / 8;
  if (first_byte == last_byte) return masked(first_byte);
  return masked(first_byte) + bit_count(bytes.substr(first_byte + 1, last_byte - first_byte - 1)) + masked(last_byte);
}

std::optional<uint64_t> bit_position(std::string_view bytes, bool value, uint64_t first, uint64_t last) {
  const uint8_t skipped = value ? 0x00 : 0xFF;
  // The bit in byte `index`, if it is there and inside the range.
  const auto in_byte = [&](uint64_t index) -> std::optional<uint64_t> {
    const auto hits =
        static_cast<uint8_t>((static_cast<uint8_t>(bytes[index]) ^ skipped) & range_mask(index, first, last));
    if (hits == 0) return std::nullopt;
    return index * 8 + static_cast<uint64_t>(std::countl_zero(hits));
  };
  const uint64_t first_byte = first / 8;
  const uint64_t last_byte = last / 8;
  if (const auto found = in_byte(first_byte); found || first_byte == last_byte) return found;
  const uint64_t middle = first_byte + 1;
  return in_byte(middle + find_other_byte(bytes.data() + middle, last_byte - middle, skipped));
}

namespace {

// Combines bytes of `from` into those of `into`.
using Kernel = void (*)(char* into, const char* from, size_t size);

// The compiler makes one AVX2 register of it, or two of SSE2 or NEON.
typedef uint64_t Vector __attribute__((vector_size(32)));

struct And {
  [[gnu::always_inline]] void operator()(Vector& into, const Vector& from) const { into &= from; }
};
struct Or {
  [[gnu::always_inline]] void operator()(Vector& into, const Vector& from) const { into |= from; }
};
struct Xor {
  [[gnu::always_inline]] void operator()(Vector& into, const Vector& from) const { into ^= from; }
};
// What is in `from` but not in `into`.
struct Subtract {
  [[gnu::always_inline]] void operator()(Vector& into, const Vector& from) const { into = ~into & from; }
};

template <class Combine>
[[gnu::always_inline]] inline void combine_vectors(char* into, const char* from, size_t size) {
  Vector a, b;
  for (; size >= sizeof(Vector); size -= sizeof(Vector), into += sizeof(Vector), from += sizeof(Vector)) {
    std::memcpy(&a, into, sizeof(Vector));
    std::memcpy(&b, from, sizeof(Vector));
    Combine()(a, b);
    std::memcpy(into, &a, sizeof(Vector));
  }
  std::memcpy(&a, into, size);
  std::memcpy(&b, from, size);
  Combine()(a, b);
  std::memcpy(into, &a, size);
}

template <class Combine>
void combine_portable(char* into, const char* from, size_t size) {
  combine_vectors<Combine>(into, from, size);
}

#ifdef __x86_64__
template <class Combine>
__attribute__((target("avx2"))) void combine_avx2(char* into, const char* from, size_t size) {
  combine_vectors<Combine>(into, from, size);
}
#endif

template <class Combine>
Kernel kernel() {
#ifdef __x86_64__
  if (has_avx2()) return combine_avx2<Combine>;
#endif
  return combine_portable<Combine>;
}

// One operation over all sources, a stretch at a time, so that the work stays in the first-level cache.
class BitCombiner {
 public:
  BitCombiner(std::span<const std::string_view> sources, char* out, size_t size)
      : sources_(sources), out_(out), size_(size) {}

  void run(BitOperation operation) {
    for (; at_ < size_; at_ += kStretchBytes) {
      stretch_ = std::min(kStretchBytes, size_ - at_);
      combine_stretch(operation, out_ + at_);
    }
  }

 private:
  static constexpr size_t kStretchBytes = 4096;
  using Stretch = char[kStretchBytes];

  // The bytes of a source in this stretch; it may end inside or before it.
  std::string_view part(size_t source) const {
    const std::string_view bytes = sources_[source];
    return at_ < bytes.size() ? bytes.substr(at_, stretch_) : std::string_view();
  }
  void load(size_t source, char* into) const {
    const std::string_view bytes = part(source);
    if (!bytes.empty()) std::memcpy(into, bytes.data(), bytes.size());
    std::memset(into + bytes.size(), 0, stretch_ - bytes.size());
  }
  // Combines sources first, first + 1, … into `into`, where absent bytes change nothing (or, xor).
  void fold(Kernel combine, size_t first, char* into) const {
    for (size_t i = first; i < sources_.size(); ++i) {
      if (const std::string_view bytes = part(i); !bytes.empty()) combine(into, bytes.data(), bytes.size());
    }
  }

  void combine_stretch(BitOperation operation, char* into) const {
    Stretch first;
    switch (operation) {
      case BitOperation::kAnd:
        load(0, into);
        for (size_t i = 1; i < sources_.size(); ++i) {
          const std::string_view bytes = part(i);
          if (!bytes.empty()) and_(into, bytes.data(), bytes.size());
          std::memset(into + bytes.size(), 0, stretch_ - bytes.size());
        }
        return;
      case BitOperation::kOr:
        load(0, into);
        return fold(or_, 1, into);
      case BitOperation::kXor:
        load(0, into);
        return fold(xor_, 1, into);
      case BitOperation::kNot:
        load(0, into);
        std::memset(first, 0xFF, stretch_);
        return xor_(into, first, stretch_);
      case BitOperation::kOne:
        return exactly_one(into);
      case BitOperation::kDiff:
      case BitOperation::kDiff1:
      case BitOperation::kAndOr:
        break;
    }
    load(0, first);
    load(1, into);
    fold(or_, 2, into);
    if (operation == BitOperation::kDiff) return subtract_(into, first, stretch_);
    if (operation == BitOperation::kAndOr) return and_(into, first, stretch_);
    subtract_(first, into, stretch_);
    std::memcpy(into, first, stretch_);
  }

  void exactly_one(char* into) const {
    Stretch any, several, both;
    load(0, any);
    std::memset(several, 0, stretch_);
    for (size_t i = 1; i < sources_.size(); ++i) {
      load(i, both);
      and_(both, any, stretch_);
      or_(several, both, stretch_);
      if (const std::string_view bytes = part(i); !bytes.empty()) or_(any, bytes.data(), bytes.size());
    }
    subtract_(several, any, stretch_);
    std::memcpy(into, several, stretch_);
  }

  const Kernel and_ = kernel<And>();
  const Kernel or_ = kernel<Or>();
  const Kernel xor_ = kernel<Xor>();
  const Kernel subtract_ = kernel<Subtract>();
  std::span<const std::string_view> sources_;
  char* out_;
  size_t size_;
  size_t at_ = 0;       // where the stretch begins
  size_t stretch_ = 0;  // its bytes
};

}  // namespace

void bit_combine(BitOperation operation, std::span<const std::string_view> sources, char* out, size_t size) {
  BitCombiner(sources, out, size).run(operation);
}

namespace {

constexpr size_t kFieldWindowBytes = 9;  // a field of 64 bits touches at most that many bytes

using Wide = unsigned __int128;

// The window as a number whose most significant bit is bit 0 of the window, of 72.
Wide load_window(const unsigned char (&window)[kFieldWindowBytes]) {
  Wide bits = 0;
  for (const unsigned char byte : window) bits = bits << 8 | byte;
  return bits;
}

uint32_t window_shift(uint64_t offset, uint32_t field_bits) {
  return static_cast<uint32_t>(kFieldWindowBytes * 8 - offset % 8) - field_bits;
}

size_t touched_bytes(uint64_t offset, uint32_t field_bits) {
  return (offset % 8 + field_bits + 7) / 8;
}

uint64_t low_bits(uint32_t count) {
  return count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

}  // namespace

int64_t bitfield_get(std::string_view bytes, uint64_t offset, BitfieldType type) {
  unsigned char window[kFieldWindowBytes] = {};
  const uint64_t first_byte = offset / 8;
  if (first_byte < bytes.size()) {
    std::memcpy(window, bytes.data() + first_byte, std::min<uint64_t>(sizeof(window), bytes.size() - first_byte));
  }
  uint64_t value = static_cast<uint64_t>(load_window(window) >> window_shift(offset, type.bits)) & low_bits(type.bits);
  if (type.is_signed && (value >> (type.bits - 1)) != 0) value |= ~low_bits(type.bits);
  return static_cast<int64_t>(value);
}

void bitfield_set(char* bytes, uint64_t offset, BitfieldType type, int64_t value) {
  unsigned char window[kFieldWindowBytes] = {};
  char* place = bytes + offset / 8;
  const size_t size = touched_bytes(offset, type.bits);
  std::memcpy(window, place, size);
  const uint32_t shift = window_shift(offset, type.bits);
  const Wide mask = static_cast<Wide>(low_bits(type.bits)) << shift;
  const Wide field = static_cast<Wide>(static_cast<uint64_t>(value) & low_bits(type.bits)) << shift;
  Wide bits = (load_window(window) & ~mask) | field;
  for (size_t i = kFieldWindowBytes; i-- > 0; bits >>= 8) window[i] = static_cast<unsigned char>(bits);
  std::memcpy(place, window, size);
}

std::optional<int64_t> bitfield_add(BitfieldType type, BitfieldOverflow overflow, int64_t value, int64_t increment) {
  // An unsigned field takes a negative SET value as a big positive one.
  const __int128 start =
      type.is_signed ? static_cast<__int128>(value) : static_cast<__int128>(static_cast<uint64_t>(value));
  const __int128 sum = start + increment;
  const __int128 one = 1;
  const __int128 max = (one << (type.is_signed ? type.bits - 1 : type.bits)) - 1;
  const __int128 min = type.is_signed ? -max - 1 : 0;
  if (sum >= min && sum <= max) return static_cast<int64_t>(sum);
  switch (overflow) {
    case BitfieldOverflow::kFail:
      return std::nullopt;
    case BitfieldOverflow::kSaturate: {
      // Redis takes the distance to the maximum in 64 bits: a number too far below it saturates upwards.
      const bool distance_overflows = type.is_signed && type.bits < 64 && max - start > INT64_MAX;
      return static_cast<int64_t>(sum > max || distance_overflows ? max : min);
    }
    case BitfieldOverflow::kWrap:
      break;
  }
  uint64_t wrapped = static_cast<uint64_t>(sum) & low_bits(type.bits);
  if (type.is_signed && (wrapped >> (type.bits - 1)) != 0) wrapped |= ~low_bits(type.bits);
  return static_cast<int64_t>(wrapped);
}

}  // namespace synap
