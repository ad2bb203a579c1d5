// ScriptHeap: the memory of one thread's Lua VM, from an arena of the allocator that all VMs share and nothing else. Their
// garbage comes and goes and cannot be moved: among keys and values it would leave holes that stay. Small blocks lie in
// pages of one size each: asking the allocator for another arena's block costs several times what it costs for one of the
// thread's own. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace synap {

class ScriptHeap {
 public:
  ScriptHeap();
  ~ScriptHeap();  // after everything was released
  ScriptHeap(const ScriptHeap&) = delete;
  ScriptHeap& operator=(const ScriptHeap&) = delete;

  // As realloc(), but the caller knows the old size. `block` may be null, of 0 bytes; null when there is no memory, and
  // then the block is as it was.
  void* resize(void* block, size_t old_bytes, size_t new_bytes);
  void release(void* block, size_t bytes);

  // The arena's number; negative before the first heap, and without jemalloc.
  static int arena();

 private:
  static constexpr size_t kStep = 16;
  static constexpr size_t kSmallMax = 512;
  static constexpr size_t kPageBytes = 4096;

  struct Free {
    Free* next;
  };
  // At the begin of its page, whose address is a multiple of its size.
  struct Page {
    bool full() const { return first_free == nullptr && fresh_at + block_bytes > kPageBytes; }

    Page* prev;
    Page* next;
    Free* first_free;
    uint32_t fresh_at;  // behind the last block that was ever used
    uint32_t block_bytes;
    uint32_t used;  // blocks
  };

  // `place` is that of a block's size in pages_.
  static size_t place_of(size_t bytes) { return (bytes - 1) / kStep; }
  void* allocate(size_t bytes);
  Page* add_page(size_t place);
  void link(Page* page);
  void unlink(Page* page);

  [[maybe_unused]] unsigned cache_ = 0;  // only jemalloc's
  [[maybe_unused]] int flags_ = 0;
  // The pages with room for another block, by size.
  [[maybe_unused]] std::array<Page*, kSmallMax / kStep> pages_{};
};

}  // namespace synap
