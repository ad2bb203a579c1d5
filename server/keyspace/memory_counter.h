// How many bytes the process has allocated, cheaply: the sum of the allocator's per-thread counters, which cost a thread
// two loads to read of itself. Threads that allocate much join when they start (reactors, workers, the background
// thread); what others do is made good by memory_counter_settle(), called by timer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synap {

// The calling thread is counted exactly from now until it ends. Calling again does nothing.
void memory_counter_join();

// Bytes allocated by all threads together. Takes a leaf lock.
size_t memory_counter_total();

// Bytes the calling thread has allocated minus those it has freed: only differences between two calls mean something
// (a thread may free what another allocated). Always 0 where the allocator does not count by thread.
int64_t memory_counter_own();
#ifdef SYNAP_JEMALLOC
inline constexpr bool kCountsByThread = true;
#else
inline constexpr bool kCountsByThread = false;
#endif

// Asks the allocator itself, which visits every arena (some ten microseconds), and takes up what uncounted threads did.
void memory_counter_settle();

// The allocator's own figure: what is allocated, without what its thread caches hold.
size_t memory_counter_exact();

}  // namespace synap
