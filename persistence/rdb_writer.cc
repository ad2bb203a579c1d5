#include "persistence/rdb_writer.h"

#include <lzf.h>

#include <cstring>

#include "persistence/rdb_format.h"
#include "server/base/crc64.h"
#include "server/base/number.h"

namespace synap {

namespace {

// A number's bytes, lowest first. Redis's integers in RDB are little-endian but for long lengths.
template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

RdbWriter::RdbWriter(ByteSink* sink, const RdbEncoding& encoding) : sink_(sink), encoding_(encoding) {
  buffer_.reserve(kBufferBytes);
}

void RdbWriter::raw(std::string_view bytes) {
  if (failed()) return;
  bytes_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() < kBufferBytes) {
    buffer_.append(bytes);
    return;
  }
  if (encoding_.checksum) crc_ = crc64(crc_, bytes);
  if (!failed()) status_ = sink_->write(bytes);
}

void RdbWriter::flush() {
  if (failed() || buffer_.empty()) return;
  if (encoding_.checksum) crc_ = crc64(crc_, buffer_);
  status_ = sink_->write(buffer_);
  buffer_.clear();
}

void RdbWriter::length(uint64_t value) {
  if (value < 64) {
    byte(static_cast<uint8_t>(kRdb6Bit << 6 | value));
  } else if (value < 16384) {
    byte(static_cast<uint8_t>(kRdb14Bit << 6 | value >> 8));
    byte(static_cast<uint8_t>(value));
  } else if (value <= UINT32_MAX) {
    byte(kRdb32Bit);
    raw(bytes_of(__builtin_bswap32(static_cast<uint32_t>(value))));
  } else {
    byte(kRdb64Bit);
    raw(bytes_of(__builtin_bswap64(value)));
  }
}

void RdbWriter::integer_string(int64_t value) {
  const auto special = [this](RdbSpecialString kind) { byte(static_cast<uint8_t>(kRdbSpecial << 6 | kind)); };
  if (value >= INT8_MIN && value <= INT8_MAX) {
    special(kRdbInt8);
    raw(bytes_of(static_cast<int8_t>(value)));
  } else if (value >= INT16_MIN && value <= INT16_MAX) {
    special(kRdbInt16);
    raw(bytes_of(static_cast<int16_t>(value)));
  } else if (value >= INT32_MIN && value <= INT32_MAX) {
    special(kRdbInt32);
    raw(bytes_of(static_cast<int32_t>(value)));
  } else {
    char text[kInt64CharsMax];
    const size_t size = format_int64(text, value);
    length(size);
    raw({text, size});
  }
}

void RdbWriter::string(std::string_view bytes) {
  constexpr size_t kInt32Chars = 11;
  int64_t value;
  if (bytes.size() <= kInt32Chars && parse_int64(bytes, &value) && value >= INT32_MIN && value <= INT32_MAX) {
    return integer_string(value);
  }
  if (encoding_.compress && bytes.size() >= kCompressMin && try_lzf(bytes)) return;
  length(bytes.size());
  raw(bytes);
}

bool RdbWriter::try_lzf(std::string_view bytes) {
  // The format keeps lengths in 64 bits, liblzf in an unsigned int.
  if (bytes.size() > UINT32_MAX) return false;
  const size_t room = bytes.size() - 4;  // must win a few bytes
  if (scratch_.size() < room) scratch_.resize(room);
  const unsigned size =
      lzf_compress(bytes.data(), static_cast<unsigned>(bytes.size()), scratch_.data(), static_cast<unsigned>(room));
  if (size == 0) return false;
  lzf_string({scratch_.data(), size}, bytes.size());
  return true;
}

void RdbWriter::lzf_string(std::string_view compressed, uint64_t raw_bytes) {
  byte(static_cast<uint8_t>(kRdbSpecial << 6 | kRdbLzf));
  length(compressed.size());
  length(raw_bytes);
  raw(compressed);
}

void RdbWriter::binary_double(double value) { raw(bytes_of(value)); }

void RdbWriter::milliseconds(int64_t value) { raw(bytes_of(value)); }

uint64_t RdbWriter::crc() const { return encoding_.checksum ? crc64(crc_, buffer_) : 0; }

Status RdbWriter::finish() {
  flush();
  return status_;
}

}  // namespace synap
