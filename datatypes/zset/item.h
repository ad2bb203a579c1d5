// One element of a big sorted set: a single malloc'd block that the tree's leaves and the member table both point to.
// The tree owns the block's place in the order, the Zset owns its life. Never shared between sorted sets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "server/base/assert.h"

namespace synap {

struct ZsetItem {
  double score;
  uint32_t length;
  char bytes[];

  std::string_view member() const { return {bytes, length}; }

  static ZsetItem* create(double score, std::string_view member) {
    SYNAP_ASSERT(member.size() <= UINT32_MAX);
    auto* item = static_cast<ZsetItem*>(std::malloc(bytes_for(member.size())));
    SYNAP_ASSERT(item != nullptr);
    item->score = score;
    item->length = static_cast<uint32_t>(member.size());
    std::memcpy(item->bytes, member.data(), member.size());
    return item;
  }

  static size_t bytes_for(size_t member_bytes) { return offsetof(ZsetItem, bytes) + member_bytes; }
};

}  // namespace synap
