// <count u8><length><field><length><free u8><value><free bytes>…<0xFF>; a length is one byte, or 0xFE and a
// little-endian u32. The count is not kept from 254 on.
#include "datatypes/encoding/zipmap.h"

#include <cstring>

namespace synap {

namespace {
constexpr unsigned char kEnd = 0xFF;
constexpr unsigned char kBigLength = 0xFE;
}  // namespace

bool ZipmapReader::read_length(size_t* length) {
  if (at_ >= bytes_.size()) return false;
  const auto first = static_cast<unsigned char>(bytes_[at_]);
  if (first < kBigLength) {
    *length = first;
    at_ += 1;
    return true;
  }
  if (first == kEnd || bytes_.size() - at_ < 5) return false;
  uint32_t big;
  std::memcpy(&big, bytes_.data() + at_ + 1, sizeof(big));
  *length = big;
  at_ += 5;
  return true;
}

ReadStep ZipmapReader::next(std::string_view* field, std::string_view* value) {
  if (bytes_.size() < 2 || at_ >= bytes_.size()) return ReadStep::kCorrupt;
  if (static_cast<unsigned char>(bytes_[at_]) == kEnd) {
    return at_ + 1 == bytes_.size() ? ReadStep::kEnd : ReadStep::kCorrupt;
  }
  size_t field_bytes;
  if (!read_length(&field_bytes) || field_bytes > bytes_.size() - at_) return ReadStep::kCorrupt;
  *field = bytes_.substr(at_, field_bytes);
  at_ += field_bytes;
  size_t value_bytes;
  if (!read_length(&value_bytes) || at_ >= bytes_.size()) return ReadStep::kCorrupt;
  const size_t free_bytes = static_cast<unsigned char>(bytes_[at_++]);
  if (value_bytes + free_bytes > bytes_.size() - at_) return ReadStep::kCorrupt;
  *value = bytes_.substr(at_, value_bytes);
  at_ += value_bytes + free_bytes;
  return ReadStep::kValue;
}

bool ZipmapReader::validate(std::string_view bytes) {
  ZipmapReader reader(bytes);
  std::string_view field;
  std::string_view value;
  size_t count = 0;
  ReadStep step;
  while ((step = reader.next(&field, &value)) == ReadStep::kValue) ++count;
  if (step == ReadStep::kCorrupt || count == 0) return false;
  const auto stored = static_cast<unsigned char>(bytes[0]);
  return stored >= kBigLength || stored == count;
}

}  // namespace synap
