// <total bytes u32><offset of the last entry u32><count u16><entry>…<0xFF>; an entry is <bytes of the previous entry>
// (one byte, or 0xFE and a u32) <encoding><data>. String lengths are big endian, everything else little endian.
#include "datatypes/encoding/ziplist.h"

namespace synap {

namespace {

constexpr uint8_t kEnd = 0xFF;
constexpr uint8_t kBigPrevious = 0xFE;

struct Encoding {
  bool is_text = false;
  size_t head_bytes = 0;
  size_t data_bytes = 0;  // 0 with !is_text: the integer is in the encoding byte
};

// Decodes the encoding at `at`; the head must lie before `end`.
bool read_encoding(const uint8_t* at, const uint8_t* end, Encoding* out) {
  const size_t available = static_cast<size_t>(end - at);
  if (available < 1) return false;
  const uint8_t code = at[0];
  out->is_text = code < 0xC0;
  switch (code >> 6) {
    case 0:
      out->head_bytes = 1;
      out->data_bytes = code;
      return true;
    case 1:
      if (available < 2) return false;
      out->head_bytes = 2;
      out->data_bytes = (code & 0x3Fu) << 8 | at[1];
      return true;
    case 2:
      if (available < 5) return false;
      out->head_bytes = 5;
      out->data_bytes = size_t{at[1]} << 24 | size_t{at[2]} << 16 | size_t{at[3]} << 8 | at[4];
      return true;
  }
  out->head_bytes = 1;
  switch (code) {
    case 0xC0:
      out->data_bytes = 2;
      return true;
    case 0xD0:
      out->data_bytes = 4;
      return true;
    case 0xE0:
      out->data_bytes = 8;
      return true;
    case 0xF0:
      out->data_bytes = 3;
      return true;
    case 0xFE:
      out->data_bytes = 1;
      return true;
  }
  out->data_bytes = 0;
  return code >= 0xF1 && code <= 0xFD;
}

uint32_t read_u32(std::string_view bytes, size_t at) {
  uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

}  // namespace

ZiplistReader::ZiplistReader(std::string_view bytes) : bytes_(bytes) {
  header_ok_ = bytes.size() > kHeaderBytes && read_u32(bytes, 0) == bytes.size() &&
               static_cast<uint8_t>(bytes.back()) == kEnd && read_u32(bytes, 4) <= bytes.size() - 1;
}

ReadStep ZiplistReader::next(ListpackValue* value) {
  if (!header_ok_) return ReadStep::kCorrupt;
  const auto* begin = reinterpret_cast<const uint8_t*>(bytes_.data());
  const uint8_t* end = begin + bytes_.size() - 1;  // the terminator is never part of an entry
  const uint8_t* at = begin + at_;
  if (*at == kEnd) return at == end ? ReadStep::kEnd : ReadStep::kCorrupt;

  size_t previous = *at;
  size_t previous_field = 1;
  if (*at == kBigPrevious) {
    if (end - at < 5) return ReadStep::kCorrupt;
    previous = read_u32(bytes_, at_ + 1);
    previous_field = 5;
  }
  if (previous != previous_bytes_) return ReadStep::kCorrupt;
  at += previous_field;

  Encoding encoding;
  if (!read_encoding(at, end, &encoding)) return ReadStep::kCorrupt;
  const uint8_t code = *at;
  at += encoding.head_bytes;
  if (encoding.data_bytes > static_cast<size_t>(end - at)) return ReadStep::kCorrupt;

  *value = {};
  if (encoding.is_text) {
    value->data = reinterpret_cast<const char*>(at);
    value->size = encoding.data_bytes;
  } else if (encoding.data_bytes == 0) {
    value->integer = (code & 0x0F) - 1;
  } else {
    uint64_t bits = 0;
    std::memcpy(&bits, at, encoding.data_bytes);
    const size_t shift = 64 - 8 * encoding.data_bytes;
    value->integer = static_cast<int64_t>(bits << shift) >> shift;
  }
  at += encoding.data_bytes;
  entry_ = at_;
  previous_bytes_ = static_cast<size_t>(at - begin) - at_;
  at_ += previous_bytes_;
  return ReadStep::kValue;
}

bool ZiplistReader::validate(std::string_view bytes, bool deep, size_t* count) {
  ZiplistReader reader(bytes);
  if (!reader.header_ok_) return false;
  if (!deep) return true;
  size_t walked = 0;
  ListpackValue value;
  ReadStep step;
  while ((step = reader.next(&value)) == ReadStep::kValue) ++walked;
  if (step == ReadStep::kCorrupt) return false;
  if (walked > 0 && read_u32(bytes, 4) != reader.entry_) return false;
  uint16_t stored;
  std::memcpy(&stored, bytes.data() + 8, sizeof(stored));
  if (count != nullptr) *count = walked;
  return stored == UINT16_MAX || stored == walked;
}

}  // namespace synap
