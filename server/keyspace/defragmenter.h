// Defragmenter: the BlockMover of one thread over jemalloc. It asks the allocator how full a block's slab is and moves the
// block when that is less than the average of its size class; jemalloc puts new blocks into the oldest slabs with room, so
// the emptier ones run empty and their pages go back to the system. Needs no modified jemalloc, unlike Redis.
#pragma once

#include <cstddef>
#include <cstdint>

#include "server/base/block_mover.h"

namespace synap {

class Defragmenter final : public BlockMover {
 public:
  // Whether the allocator can say what has to be known.
  static bool available();
  // Blocks that this thread's cache keeps would hold their slabs.
  static void flush_thread_cache();

  bool wants(const void* block) override;
  void* copy(const void* block) override;
  void release(void* block) override;

  // Blocks moved, and left where they were.
  uint64_t hits() const { return hits_; }
  uint64_t misses() const { return misses_; }

 private:
  uint64_t hits_ = 0;
  uint64_t misses_ = 0;
};

}  // namespace synap
