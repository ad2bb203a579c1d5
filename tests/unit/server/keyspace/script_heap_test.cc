#include "server/keyspace/script_heap.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace synap {
namespace {

TEST_CASE("blocks of a script heap keep their bytes through every change of size, and share none") {
  struct Block {
    unsigned char* bytes = nullptr;
    size_t size = 0;
    unsigned char filled = 0;
  };
  ScriptHeap heap;
  std::vector<Block> blocks(500);
  std::mt19937 random(3);
  for (int step = 0; step < 200000; ++step) {
    Block& block = blocks[random() % blocks.size()];
    const bool intact = std::all_of(block.bytes, block.bytes + block.size, [&](unsigned char c) { return c == block.filled; });
    REQUIRE(intact);
    if (block.bytes != nullptr && random() % 3 == 0) {
      heap.release(block.bytes, block.size);
      block = Block();
      continue;
    }
    const size_t size = random() % 50 == 0 ? 1 + random() % 20000 : 1 + random() % 700;
    block.bytes = static_cast<unsigned char*>(heap.resize(block.bytes, block.size, size));
    const size_t kept = std::min(size, block.size);
    const bool moved_along = std::all_of(block.bytes, block.bytes + kept, [&](unsigned char c) { return c == block.filled; });
    REQUIRE(moved_along);
    block.size = size;
    block.filled = static_cast<unsigned char>(random());
    std::memset(block.bytes, block.filled, size);
  }
  for (const Block& block : blocks) heap.release(block.bytes, block.size);
}

}  // namespace
}  // namespace synap
