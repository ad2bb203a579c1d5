// The process's memory, as the allocator and the kernel see it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synap {

// Bytes allocated by all threads: exact, from the allocator's per-thread counters.
size_t used_memory_bytes();

struct AllocatorFigures {
  size_t allocated = 0;
  size_t active = 0;
  size_t resident = 0;
  size_t retained = 0;
};
AllocatorFigures allocator_figures();
const char* allocator_name();

size_t resident_memory_bytes();  // of the process, from /proc
size_t total_system_memory_bytes();

// Gives free pages back to the system (MEMORY PURGE).
void purge_allocator();

}  // namespace synap
