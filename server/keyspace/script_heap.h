// ScriptHeap: the memory of one thread's Lua VM, from an arena of the allocator that all VMs share and nothing else. Their
// garbage comes and goes and cannot be moved: among keys and values it would leave holes that stay. One thread at a time.
#pragma once

#include <cstddef>

namespace synap {

class ScriptHeap {
 public:
  ScriptHeap();
  ~ScriptHeap();  // after everything was freed
  ScriptHeap(const ScriptHeap&) = delete;
  ScriptHeap& operator=(const ScriptHeap&) = delete;

  // As realloc(): `block` may be null; null when there is no memory, and then the block is as it was.
  void* resize(void* block, size_t bytes);
  void release(void* block);

  // The arena's number; negative before the first heap, and without jemalloc.
  static int arena();

 private:
  [[maybe_unused]] unsigned cache_ = 0;  // only jemalloc's
  [[maybe_unused]] int flags_ = 0;
};

}  // namespace synap
