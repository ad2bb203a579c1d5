#include "server/keyspace/script_heap.h"

#include <atomic>
#include <cstdlib>

#include "server/base/assert.h"

#ifdef SYNAP_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

namespace synap {

#ifdef SYNAP_JEMALLOC

namespace {

std::atomic<int>& known_arena() {
  static std::atomic<int> number{-1};
  return number;
}

unsigned create(const char* what) {
  unsigned number = 0;
  size_t size = sizeof number;
  const int failure = mallctl(what, &number, &size, nullptr, 0);
  SYNAP_ASSERT(failure == 0);
  return number;
}

unsigned shared_arena() {
  static const unsigned number = create("arenas.create");
  known_arena().store(static_cast<int>(number), std::memory_order_relaxed);
  return number;
}

}  // namespace

// A cache of its own: the thread's holds blocks of the thread's arena.
ScriptHeap::ScriptHeap() : cache_(create("tcache.create")) {
  flags_ = MALLOCX_ARENA(shared_arena()) | MALLOCX_TCACHE(cache_);
}

ScriptHeap::~ScriptHeap() { mallctl("tcache.destroy", nullptr, nullptr, &cache_, sizeof cache_); }

void* ScriptHeap::resize(void* block, size_t bytes) {
  return block == nullptr ? mallocx(bytes, flags_) : rallocx(block, bytes, flags_);
}

void ScriptHeap::release(void* block) {
  if (block != nullptr) dallocx(block, flags_);
}

int ScriptHeap::arena() { return known_arena().load(std::memory_order_relaxed); }

#else

ScriptHeap::ScriptHeap() = default;
ScriptHeap::~ScriptHeap() = default;
void* ScriptHeap::resize(void* block, size_t bytes) {
  return block == nullptr ? std::malloc(bytes) : std::realloc(block, bytes);
}
void ScriptHeap::release(void* block) { std::free(block); }
int ScriptHeap::arena() { return -1; }

#endif

}  // namespace synap
