// SharedCounter: counts for a process and the children it forks together. Lives as long as they do.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <new>

#include "server/base/assert.h"

namespace synap {

using SharedCounter = std::atomic<uint64_t>;

inline SharedCounter* make_shared_counter() {
  void* page = mmap(nullptr, sizeof(SharedCounter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  SYNAP_ASSERT(page != MAP_FAILED);
  return new (page) SharedCounter(0);
}

}  // namespace synap
