// For tests of what moves its blocks of memory.
#pragma once

#include <malloc.h>

#include <cstdlib>
#include <cstring>

#include "server/base/block_mover.h"

namespace synap {

// Moves two blocks of three and spoils what it leaves, so that a pointer that was forgotten shows.
class Shaker final : public BlockMover {
 public:
  bool wants(const void*) override { return ++asked_ % 3 != 0; }
  void* copy(const void* block) override {
    const size_t bytes = malloc_usable_size(const_cast<void*>(block));
    void* fresh = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    std::memcpy(fresh, block, bytes);
    ++moved;
    return fresh;
  }
  void release(void* block) override {
    std::memset(block, 0xee, malloc_usable_size(block));
    std::free(block);
  }
  size_t moved = 0;

 private:
  size_t asked_ = 0;
};

}  // namespace synap
