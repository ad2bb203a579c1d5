#include "server/keyspace/script_heap.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

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

ScriptHeap::~ScriptHeap() {
  // Of each size one page without a block may be left.
  for (Page* page : pages_) {
    if (page != nullptr) dallocx(page, flags_);
  }
  mallctl("tcache.destroy", nullptr, nullptr, &cache_, sizeof cache_);
}

void ScriptHeap::link(Page* page) {
  Page*& first = pages_[place_of(page->block_bytes)];
  page->prev = nullptr;
  page->next = first;
  if (first != nullptr) first->prev = page;
  first = page;
}

void ScriptHeap::unlink(Page* page) {
  (page->prev == nullptr ? pages_[place_of(page->block_bytes)] : page->prev->next) = page->next;
  if (page->next != nullptr) page->next->prev = page->prev;
}

ScriptHeap::Page* ScriptHeap::add_page(size_t place) {
  void* memory = mallocx(kPageBytes, flags_ | MALLOCX_ALIGN(kPageBytes));
  if (memory == nullptr) return nullptr;
  auto* page = new (memory) Page{};
  page->fresh_at = (sizeof(Page) + kStep - 1) / kStep * kStep;
  page->block_bytes = static_cast<uint32_t>((place + 1) * kStep);
  link(page);
  return page;
}

void* ScriptHeap::allocate(size_t bytes) {
  if (bytes > kSmallMax) return mallocx(bytes, flags_);
  const size_t place = place_of(bytes);
  Page* page = pages_[place];
  if (page == nullptr && (page = add_page(place)) == nullptr) return nullptr;
  void* block = page->first_free;
  if (block != nullptr) {
    page->first_free = page->first_free->next;
  } else {
    block = reinterpret_cast<char*>(page) + page->fresh_at;
    page->fresh_at += page->block_bytes;
  }
  ++page->used;
  if (page->full()) unlink(page);
  return block;
}

void ScriptHeap::release(void* block, size_t bytes) {
  if (block == nullptr) return;
  if (bytes > kSmallMax) return dallocx(block, flags_);
  auto* page = reinterpret_cast<Page*>(reinterpret_cast<uintptr_t>(block) & ~(kPageBytes - 1));
  if (page->full()) link(page);
  page->first_free = new (block) Free{page->first_free};
  // The last page of a size stays, for the next block.
  if (--page->used != 0 || (page->prev == nullptr && page->next == nullptr)) return;
  unlink(page);
  dallocx(page, flags_);
}

void* ScriptHeap::resize(void* block, size_t old_bytes, size_t new_bytes) {
  if (block == nullptr) return allocate(new_bytes);
  if (old_bytes > kSmallMax && new_bytes > kSmallMax) return rallocx(block, new_bytes, flags_);
  if (place_of(old_bytes) == place_of(new_bytes)) return block;
  void* fresh = allocate(new_bytes);
  if (fresh == nullptr) return nullptr;
  std::memcpy(fresh, block, std::min(old_bytes, new_bytes));
  release(block, old_bytes);
  return fresh;
}

int ScriptHeap::arena() { return known_arena().load(std::memory_order_relaxed); }

#else

ScriptHeap::ScriptHeap() = default;
ScriptHeap::~ScriptHeap() = default;
// Sanitizers see every block.
void* ScriptHeap::allocate(size_t bytes) { return std::malloc(bytes); }
void* ScriptHeap::resize(void* block, size_t, size_t new_bytes) {
  return block == nullptr ? allocate(new_bytes) : std::realloc(block, new_bytes);
}
void ScriptHeap::release(void* block, size_t) { std::free(block); }
int ScriptHeap::arena() { return -1; }

#endif

}  // namespace synap
