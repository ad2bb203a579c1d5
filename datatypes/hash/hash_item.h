// HashItem: one field of a big hash in one malloc'd block:
//   varint(field length << 1 | timed)  varint(value length)  [8 bytes: place in the expiry heap]  field  value
// Only a timed field (one with a TTL) has the heap place. Used by Hash and FieldExpiries alone.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "datatypes/encoding/varint.h"
#include "server/base/assert.h"
#include "server/base/equal_bytes.h"
#include "server/base/hash.h"

namespace synap {

class HashItem {
 public:
  HashItem() = delete;

  static HashItem* create(std::string_view field, std::string_view value, bool timed) {
    uint8_t header[2 * kVarintBytesMax];
    uint8_t* end = write_varint(header, field.size() << 1 | (timed ? 1 : 0));
    end = write_varint(end, value.size());
    const auto header_bytes = static_cast<size_t>(end - header);
    const size_t bytes = header_bytes + (timed ? kPlaceBytes : 0) + field.size() + value.size();
    // Table items are 16-byte aligned; malloc promises that only from 16 bytes up.
    auto* block = static_cast<uint8_t*>(std::malloc(bytes < 16 ? 16 : bytes));
    SYNAP_ASSERT(block != nullptr);
    std::memcpy(block, header, header_bytes);
    uint8_t* at = block + header_bytes;
    if (timed) {
      std::memset(at, 0, kPlaceBytes);
      at += kPlaceBytes;
    }
    if (!field.empty()) std::memcpy(at, field.data(), field.size());
    if (!value.empty()) std::memcpy(at + field.size(), value.data(), value.size());
    return reinterpret_cast<HashItem*>(block);
  }
  static void destroy(HashItem* item) { std::free(item); }

  bool timed() const { return (bytes()[0] & 1) != 0; }
  std::string_view field() const {
    const Parts parts = decode();
    return {parts.field, parts.field_bytes};
  }
  std::string_view value() const {
    const Parts parts = decode();
    return {parts.field + parts.field_bytes, parts.value_bytes};
  }

  // Overwrites the value in place if it has the same length.
  bool assign_same_size(std::string_view value) {
    const Parts parts = decode();
    if (parts.value_bytes != value.size()) return false;
    if (!value.empty()) std::memmove(const_cast<char*>(parts.field) + parts.field_bytes, value.data(), value.size());
    return true;
  }

  // Place in the heap; only of a timed item.
  uint64_t heap_place() const {
    uint64_t place;
    std::memcpy(&place, decode().field - kPlaceBytes, kPlaceBytes);
    return place;
  }
  void set_heap_place(uint64_t place) {
    std::memcpy(const_cast<char*>(decode().field) - kPlaceBytes, &place, kPlaceBytes);
  }

 private:
  static constexpr size_t kPlaceBytes = sizeof(uint64_t);

  struct Parts {
    const char* field;
    size_t field_bytes;
    size_t value_bytes;
  };

  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this); }

  Parts decode() const {
    uint64_t tagged;
    uint64_t value_bytes;
    const uint8_t* at = read_varint(read_varint(bytes(), &tagged), &value_bytes);
    if ((tagged & 1) != 0) at += kPlaceBytes;
    return Parts{reinterpret_cast<const char*>(at), tagged >> 1, value_bytes};
  }
};

struct HashItemTraits {
  using Item = HashItem;
  static constexpr int kSkipBits = 0;
  static uint64_t hash(const HashItem* item) { return hash_bytes(item->field()); }
  static bool equals(const HashItem* item, std::string_view field) { return equal_bytes(item->field(), field); }
  static void retire(void* memory) { std::free(memory); }
};

}  // namespace synap
