// The background thread that frees big values and whole databases and removes big files, and the list of table memory that
// other threads' prefetches may still be reading.
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

// Quiescent-state reclamation of what threads read without a lock: table memory (segments, directories) that prefetches
// look at, old configurations. The reactors register once at start and say at their loops' tops that they hold none of
// it; workers, whose places follow the reactors', say when they begin and end a job. Before the start nothing is shared.
// What falls due at once in great number is released on the background thread.
void reclamation_start(size_t reactors, size_t workers);
void reclamation_quiescent(size_t reactor);
void reclamation_enter(size_t place);
void reclamation_leave(size_t place);
// `release(memory)` is called once nobody can be reading it any more.
void reclamation_retire(void* memory, void (*release)(void*));
// Now, and whether all that had been retired by then is released.
uint64_t reclamation_now();
bool reclamation_released(uint64_t then);

}  // namespace synap
