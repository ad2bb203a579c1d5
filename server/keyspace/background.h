// The background thread that frees big values and whole databases, and the list of table memory that other threads'
// prefetches may still be reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace synap {

// Any thread. Runs `work` on the background thread, in order; `objects` is what it counts for lazyfree_pending_objects,
// `bytes` about how much memory it will free.
void background_free(std::function<void()> work, size_t objects, size_t bytes = 0);
// Waits until everything queued so far is done (SHUTDOWN, MEMORY PURGE, tests).
void background_drain();
size_t background_pending_objects();
size_t background_freed_objects();
size_t background_pending_bytes();
void background_reset_stats();
// Stops the thread after its queue is empty; started again by the next background_free.
void background_stop();
// In a forked child: the thread is gone, work is done inline.
void background_after_fork_child();

// Quiescent-state reclamation of table memory (segments, directories). `reactors` threads register once at start; each
// says at its loop's top that it holds no pointers into tables. With one reactor memory is freed at once.
void reclamation_start(size_t reactors);
void reclamation_quiescent(size_t reactor);

}  // namespace synap
