#include "persistence/rdb_reader.h"

#include <lzf.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "persistence/rdb_format.h"
#include "server/base/crc64.h"
#include "server/base/number.h"

namespace synap {

namespace {

// What LZF makes of n bytes at most: a reference of three bytes stands for 264.
constexpr uint64_t kLzfExpansionMax = 264;

}  // namespace

void RdbReader::fail(std::string_view why) {
  if (failed()) return;
  error_ = why;
}

uint64_t RdbReader::crc() {
  if (checksum_) crc_ = crc64(crc_, {buffer_.data() + summed_, at_ - summed_});
  summed_ = at_;
  return crc_;
}

bool RdbReader::fill(size_t size) {
  if (end_ - at_ >= size) return true;
  crc();
  std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
  offset_ += at_;
  end_ -= at_;
  at_ = summed_ = 0;
  while (end_ < size) {
    // A length may lie: the buffer only doubles when it is full of real bytes.
    if (end_ == buffer_.size()) buffer_.resize(std::min(std::max(size, kBufferBytes), buffer_.size() * 2));
    const int64_t got = source_->read(buffer_.data() + end_, buffer_.size() - end_);
    if (got <= 0) return false;
    end_ += static_cast<size_t>(got);
  }
  return true;
}

bool RdbReader::need_more(size_t size) {
  if (failed()) return false;
  if (fill(size)) return true;
  truncated_ = true;
  fail("unexpected end of file");
  return false;
}

template <class T>
T RdbReader::number() {
  if (!need(sizeof(T))) return T{};
  T value;
  std::memcpy(&value, buffer_.data() + at_, sizeof value);
  at_ += sizeof value;
  return value;
}

uint8_t RdbReader::byte() { return number<uint8_t>(); }
double RdbReader::binary_double() { return number<double>(); }
int64_t RdbReader::milliseconds() { return number<int64_t>(); }
uint32_t RdbReader::seconds() { return number<uint32_t>(); }

uint64_t RdbReader::length_or_special(bool* special) {
  *special = false;
  const uint8_t first = byte();
  switch (first >> 6) {
    case kRdb6Bit:
      return first & 63;
    case kRdb14Bit:
      return uint64_t{first & 63U} << 8 | byte();
    case kRdbSpecial:
      *special = true;
      return first & 63;
    default:
      if (first == kRdb32Bit) return __builtin_bswap32(number<uint32_t>());
      if (first == kRdb64Bit) return __builtin_bswap64(number<uint64_t>());
      fail("unknown length encoding");
      return 0;
  }
}

uint64_t RdbReader::length() {
  bool special = false;
  const uint64_t value = length_or_special(&special);
  if (!special) return value;
  fail("a number where a length should be");
  return 0;
}

std::string_view RdbReader::raw(size_t size) {
  if (!need(size)) return {};
  const std::string_view view(buffer_.data() + at_, size);
  at_ += size;
  return view;
}

std::string_view RdbReader::string() {
  bool special = false;
  const uint64_t value = length_or_special(&special);
  if (failed()) return {};
  if (!special) return raw(value);
  int64_t integer = 0;
  switch (value) {
    case kRdbInt8:
      integer = number<int8_t>();
      break;
    case kRdbInt16:
      integer = number<int16_t>();
      break;
    case kRdbInt32:
      integer = number<int32_t>();
      break;
    case kRdbLzf:
      return lzf_string();
    default:
      fail("unknown string encoding");
      return {};
  }
  return {number_, format_int64(number_, integer)};
}

std::string_view RdbReader::lzf_string() {
  const uint64_t packed_bytes = length();
  const uint64_t raw_bytes = length();
  if (failed()) return {};
  if (packed_bytes == 0 || packed_bytes > UINT32_MAX || raw_bytes > UINT32_MAX ||
      raw_bytes / kLzfExpansionMax > packed_bytes) {
    fail("invalid LZF compressed string");
    return {};
  }
  const std::string_view packed = raw(packed_bytes);
  if (failed()) return {};
  if (scratch_.size() < raw_bytes) scratch_.resize(raw_bytes);
  if (raw_bytes == 0 || lzf_decompress(packed.data(), static_cast<unsigned>(packed.size()), scratch_.data(),
                                       static_cast<unsigned>(raw_bytes)) != raw_bytes) {
    fail("invalid LZF compressed string");
    return {};
  }
  return {scratch_.data(), raw_bytes};
}

double RdbReader::text_double() {
  constexpr uint8_t kNegativeInfinity = 255;
  constexpr uint8_t kInfinity = 254;
  constexpr uint8_t kNan = 253;
  const uint8_t size = byte();
  if (size == kNegativeInfinity) return -std::numeric_limits<double>::infinity();
  if (size == kInfinity) return std::numeric_limits<double>::infinity();
  if (size == kNan) return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  if (!parse_double(raw(size), &value)) fail("a score that is no number");
  return value;
}

}  // namespace synap
