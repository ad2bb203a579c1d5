// SetItem: one member of a big set in one malloc'd block: varint(length) member. Used by Set alone.
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

class SetItem {
 public:
  SetItem() = delete;

  static SetItem* create(std::string_view member) {
    uint8_t header[kVarintBytesMax];
    const auto header_bytes = static_cast<size_t>(write_varint(header, member.size()) - header);
    const size_t bytes = header_bytes + member.size();
    // Table items are 16-byte aligned; malloc promises that only from 16 bytes up.
    auto* block = static_cast<uint8_t*>(std::malloc(bytes < 16 ? 16 : bytes));
    SYNAP_ASSERT(block != nullptr);
    std::memcpy(block, header, header_bytes);
    if (!member.empty()) std::memcpy(block + header_bytes, member.data(), member.size());
    return reinterpret_cast<SetItem*>(block);
  }
  static void destroy(SetItem* item) { std::free(item); }

  std::string_view member() const {
    uint64_t size;
    const uint8_t* text = read_varint(reinterpret_cast<const uint8_t*>(this), &size);
    return {reinterpret_cast<const char*>(text), size};
  }
};

struct SetItemTraits {
  using Item = SetItem;
  static constexpr int kSkipBits = 0;
  static uint64_t hash(const SetItem* item) { return hash_bytes(item->member()); }
  static bool equals(const SetItem* item, std::string_view member) { return equal_bytes(item->member(), member); }
  static void retire(void* memory) { std::free(memory); }
};

}  // namespace synap
