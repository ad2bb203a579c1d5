#include "datatypes/bitmap/bitmap.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/random.h"

using namespace synap;

namespace {

std::string random_bytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  const uint64_t kind = random.below(4);
  for (char& byte : bytes) {
    byte = static_cast<char>(kind == 0 ? random.next() : kind == 1 ? (random.below(200) == 0) : kind == 2 ? 0xFF : 0);
  }
  return bytes;
}

std::vector<bool> bits_of(std::string_view bytes) {
  std::vector<bool> bits;
  for (uint64_t i = 0; i < bytes.size() * 8; ++i) bits.push_back((bytes[i / 8] >> (7 - i % 8) & 1) != 0);
  return bits;
}

bool expected_bit(BitOperation operation, const std::vector<bool>& sources) {
  const auto count = std::count(sources.begin(), sources.end(), true);
  const auto others = count - sources[0];
  switch (operation) {
    case BitOperation::kAnd:
      return count == static_cast<long>(sources.size());
    case BitOperation::kOr:
      return count > 0;
    case BitOperation::kXor:
      return count % 2 == 1;
    case BitOperation::kNot:
      return !sources[0];
    case BitOperation::kDiff:
      return sources[0] && others == 0;
    case BitOperation::kDiff1:
      return !sources[0] && others > 0;
    case BitOperation::kAndOr:
      return sources[0] && others > 0;
    case BitOperation::kOne:
      return count == 1;
  }
  return false;
}

}  // namespace

TEST_CASE("Counts and positions agree with single bits") {
  Random& random = thread_random();
  for (int round = 0; round < 800; ++round) {
    const std::string bytes = random_bytes(random, 1 + random.below(round % 50 == 0 ? 12000 : 90));
    const std::vector<bool> bits = bits_of(bytes);
    REQUIRE(bit_count(bytes) == static_cast<uint64_t>(std::count(bits.begin(), bits.end(), true)));
    const uint64_t a = random.below(bits.size());
    const uint64_t b = random.below(bits.size());
    const uint64_t first = std::min(a, b);
    const uint64_t last = std::max(a, b);
    const auto begin = bits.begin() + static_cast<long>(first);
    const auto end = bits.begin() + static_cast<long>(last) + 1;
    REQUIRE(bit_count(bytes, first, last) == static_cast<uint64_t>(std::count(begin, end, true)));
    for (const bool value : {false, true}) {
      const auto found = std::find(begin, end, value);
      const auto position = bit_position(bytes, value, first, last);
      REQUIRE(position.has_value() == (found != end));
      if (position) REQUIRE(*position == static_cast<uint64_t>(found - bits.begin()));
    }
    REQUIRE(bit_get(bytes, a) == bits[a]);
    REQUIRE_FALSE(bit_get(bytes, bits.size() + a));
    std::string changed = bytes;
    REQUIRE(bit_set(changed.data(), a, !bits[a]) == bits[a]);
    REQUIRE(bit_get(changed, a) == !bits[a]);
    REQUIRE(bit_set(changed.data(), a, bits[a]) == !bits[a]);
    REQUIRE(changed == bytes);
  }
}

TEST_CASE("Combinations agree with single bits") {
  Random& random = thread_random();
  using Op = BitOperation;
  for (int round = 0; round < 120; ++round) {
    for (const Op op : {Op::kAnd, Op::kOr, Op::kXor, Op::kNot, Op::kDiff, Op::kDiff1, Op::kAndOr, Op::kOne}) {
      const size_t count = op == Op::kNot ? 1 : 2 + random.below(4);
      std::vector<std::string> sources;
      size_t size = 0;
      for (size_t i = 0; i < count; ++i) {
        sources.push_back(random_bytes(random, random.below(round % 100 == 0 ? 9000 : 100)));
        size = std::max(size, sources.back().size());
      }
      std::string out(size, '\x5A');
      bit_combine(op, std::vector<std::string_view>(sources.begin(), sources.end()), out.data(), size);
      for (uint64_t i = 0; i < size * 8; i += 1 + random.below(3)) {
        std::vector<bool> bits;
        for (const std::string& source : sources) bits.push_back(bit_get(source, i));
        REQUIRE(bit_get(out, i) == expected_bit(op, bits));
      }
    }
  }
}

TEST_CASE("Bit fields read back what was written, and nothing else changes") {
  Random& random = thread_random();
  for (int round = 0; round < 4000; ++round) {
    const bool is_signed = random.below(2) == 0;
    const BitfieldType type{is_signed, static_cast<uint32_t>(1 + random.below(is_signed ? 64 : 63))};
    std::string bytes = random_bytes(random, 24);
    const uint64_t offset = random.below(24 * 8 - type.bits + 1);
    const std::vector<bool> before = bits_of(bytes);
    const auto value = static_cast<int64_t>(random.next());
    bitfield_set(bytes.data(), offset, type, value);
    const std::vector<bool> after = bits_of(bytes);
    for (uint64_t i = 0; i < before.size(); ++i) {
      if (i < offset || i >= offset + type.bits) {
        REQUIRE(after[i] == before[i]);
      } else {
        REQUIRE(after[i] == ((static_cast<uint64_t>(value) >> (offset + type.bits - 1 - i) & 1) != 0));
      }
    }
    REQUIRE(bitfield_get(bytes, offset, type) == bitfield_add(type, BitfieldOverflow::kWrap, value, 0));
    bytes.resize(random.below(24));
    const int64_t cut = bitfield_get(bytes, offset, type);
    bytes.resize(24, '\0');
    REQUIRE(bitfield_get(bytes, offset, type) == cut);
  }
}

TEST_CASE("Bit field overflow") {
  using Overflow = BitfieldOverflow;
  const BitfieldType i8{true, 8}, u8{false, 8}, i64{true, 64}, u63{false, 63};
  CHECK(bitfield_add(i8, Overflow::kWrap, 100, 27) == 127);
  CHECK(bitfield_add(i8, Overflow::kWrap, 100, 28) == -128);
  CHECK(bitfield_add(i8, Overflow::kSaturate, 100, 28) == 127);
  CHECK(bitfield_add(i8, Overflow::kSaturate, -100, -29) == -128);
  CHECK(bitfield_add(i8, Overflow::kSaturate, INT64_MIN, 0) == 127);  // as Redis, whose subtraction overflows
  CHECK(bitfield_add(i8, Overflow::kSaturate, -1000, 0) == -128);
  CHECK(bitfield_add(i8, Overflow::kFail, 100, 28) == std::nullopt);
  CHECK(bitfield_add(i8, Overflow::kFail, 127, 0) == 127);
  CHECK(bitfield_add(i8, Overflow::kFail, 128, 0) == std::nullopt);
  CHECK(bitfield_add(u8, Overflow::kWrap, 255, 1) == 0);
  CHECK(bitfield_add(u8, Overflow::kWrap, 0, -1) == 255);
  CHECK(bitfield_add(u8, Overflow::kSaturate, 3, -10) == 0);
  CHECK(bitfield_add(u8, Overflow::kSaturate, -1, 0) == 255);
  CHECK(bitfield_add(u8, Overflow::kWrap, -1, 0) == 255);
  CHECK(bitfield_add(i64, Overflow::kSaturate, INT64_MAX, 1) == INT64_MAX);
  CHECK(bitfield_add(i64, Overflow::kWrap, INT64_MAX, 1) == INT64_MIN);
  CHECK(bitfield_add(i64, Overflow::kFail, INT64_MIN, -1) == std::nullopt);
  CHECK(bitfield_add(i64, Overflow::kFail, INT64_MIN, INT64_MAX) == -1);
  CHECK(bitfield_add(u63, Overflow::kSaturate, INT64_MAX, INT64_MAX) == INT64_MAX);
  CHECK(bitfield_add(u63, Overflow::kWrap, INT64_MAX, 1) == 0);
}
