// Sizes of the single blocks that listpacks and intsets live in. A block that holds n bytes always has exactly
// block_capacity(n) of them: jemalloc's own size classes, so rounding costs nothing and most appends need no call
// to the allocator. Whoever hands a block to an owner class must have allocated it with block_allocate.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "server/base/assert.h"

namespace synap {

// Steps of 16 up to 128, then four steps for each doubling.
constexpr size_t block_capacity(size_t bytes) {
  if (bytes <= 128) return bytes <= 8 ? 8 : (bytes + 15) & ~size_t{15};
  const size_t step = std::bit_floor(bytes - 1) >> 2;
  return (bytes + step - 1) & ~(step - 1);
}

inline constexpr size_t kSmallCapacityMax = 14336;  // jemalloc's largest class that lies in a slab

inline uint8_t* block_allocate(size_t bytes) {
  auto* block = static_cast<uint8_t*>(std::malloc(block_capacity(bytes)));
  SYNAP_ASSERT(block != nullptr);
  return block;
}

// Moves a block of `old_bytes` used bytes so that it fits `new_bytes`; often it stays.
inline uint8_t* block_resize(uint8_t* block, size_t old_bytes, size_t new_bytes) {
  const size_t capacity = block_capacity(new_bytes);
  const size_t old_capacity = block_capacity(old_bytes);
  if (capacity == old_capacity) return block;
  // A small block of another class moves anyway, and realloc takes the allocator's long way.
  if (capacity <= kSmallCapacityMax && old_capacity <= kSmallCapacityMax) {
    uint8_t* moved = block_allocate(new_bytes);
    std::memcpy(moved, block, old_bytes < new_bytes ? old_bytes : new_bytes);
    std::free(block);
    return moved;
  }
  auto* moved = static_cast<uint8_t*>(std::realloc(block, capacity));
  SYNAP_ASSERT(moved != nullptr);
  return moved;
}

}  // namespace synap
