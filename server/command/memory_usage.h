// The process's memory, as the allocator and the kernel see it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace synap {

// Bytes allocated by all threads: exact, from the allocator's per-thread counters.
size_t used_memory_bytes();

struct AllocatorFigures {
  size_t allocated = 0;
  size_t active = 0;
  size_t resident = 0;
  size_t retained = 0;
  // Scripts' memory cannot be moved and lies apart: it counts in none of what defragmentation looks at.
  size_t holes = 0;         // free room in the slabs of small size classes: what moving can win back
  size_t script_bytes = 0;  // of `allocated`

  double fragmentation() const {
    const size_t movable = allocated - std::min(allocated, script_bytes);
    return movable == 0 ? 1 : 1 + static_cast<double>(holes) / static_cast<double>(movable);
  }
};
AllocatorFigures allocator_figures();
const char* allocator_name();

size_t resident_memory_bytes();  // of the process, from /proc
size_t total_system_memory_bytes();

// The allocator's own report, for people.
std::string allocator_report();
// Reads, and with `value` sets, a numeric figure by the allocator's name for it. False: no such name, or no allocator
// that has names.
bool allocator_control(const std::string& name, const int64_t* value, int64_t* old);
bool allocator_control_text(const std::string& name, std::string* old);
// Sets a text, or with null does what the name stands for (thread.tcache.flush).
bool allocator_control_set(const std::string& name, const std::string* value);

// Whether the kernel gives transparent huge pages to whoever does not refuse them: after a fork each first write to one
// then copies 2 MB. And the refusal (disable-thp), for the whole process.
bool huge_pages_always();
bool refuse_huge_pages();

// Gives free pages back to the system (MEMORY PURGE).
void purge_allocator();
// Whether freed pages go back to the system from a thread of the allocator's own: otherwise whoever allocates next does it,
// which after a FLUSHALL takes a reactor a tenth of a second. Only jemalloc has such a thread.
void set_allocator_thread(bool wanted);

}  // namespace synap
