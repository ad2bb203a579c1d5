#include "server/keyspace/defragmenter.h"

#include <cstring>

#include "server/base/assert.h"

#ifdef SYNAP_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

namespace synap {

#ifdef SYNAP_JEMALLOC

namespace {

// What "experimental.utilization.query" answers about a block (jemalloc 5.3, src/inspect.c).
struct Utilization {
  void* current_slab;  // of the size class in the block's arena: where new blocks go
  size_t free_regions, regions, slab_bytes;
  size_t class_free_regions, class_regions;
};

struct Query {
  size_t name[8] = {};
  size_t length = 8;
  bool known = mallctlnametomib("experimental.utilization.query", name, &length) == 0;

  bool ask(const void* block, Utilization* out) const {
    size_t size = sizeof *out;
    return known && mallctlbymib(name, length, out, &size, static_cast<void*>(&block), sizeof block) == 0;
  }
};

const Query& query() {
  static const Query instance;
  return instance;
}

}  // namespace

bool Defragmenter::available() {
  void* block = mallocx(16, 0);
  Utilization found{};
  const bool answered = query().ask(block, &found) && found.regions > 1 && found.free_regions < found.regions;
  dallocx(block, 0);
  return answered;
}

void Defragmenter::flush_thread_cache() { mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0); }

bool Defragmenter::wants(const void* block) {
  Utilization found{};
  const bool answered = query().ask(block, &found);
  ++misses_;
  // Alone in its slab, or the slab is full: nothing to gain.
  if (!answered || found.regions <= 1 || found.free_regions == 0) return false;
  const auto* current = static_cast<const char*>(found.current_slab);
  const bool in_current = block >= current && block < current + found.slab_bytes;
  if (current != nullptr && in_current) return false;
  // An eighth above the average use still counts as below it: else the last slabs of a class keep their holes.
  if (found.free_regions * found.class_regions * 8 < found.class_free_regions * found.regions * 7) return false;
  --misses_;
  return true;
}

// Past the thread's cache, which would hand out the blocks that were just given up. A block of the same size class is as
// well aligned as the old one.
void* Defragmenter::copy(const void* block) {
  const size_t size = sallocx(block, 0);
  void* fresh = mallocx(size, MALLOCX_TCACHE_NONE);
  SYNAP_ASSERT(fresh != nullptr);
  std::memcpy(fresh, block, size);
  ++hits_;
  return fresh;
}

void Defragmenter::release(void* block) { dallocx(block, MALLOCX_TCACHE_NONE); }

#else

bool Defragmenter::available() { return false; }
void Defragmenter::flush_thread_cache() {}
bool Defragmenter::wants(const void*) { return false; }
// Nothing is wanted, so nothing is copied.
void* Defragmenter::copy(const void*) {
  SYNAP_ASSERT(false);
  return nullptr;
}
void Defragmenter::release(void*) { SYNAP_ASSERT(false); }

#endif

}  // namespace synap
