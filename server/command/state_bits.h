// The word of conditions under which some commands are refused. Each bit is set by whoever owns the condition; a row's
// flags say which bits stop it (server/admission). The hot path is one load and one AND.
#pragma once

#include <atomic>
#include <cstdint>

namespace synap {

enum StateBit : uint32_t {
  kStateLoading = 1U << 0,       // the data set is being loaded
  kStateAsyncLoading = 1U << 1,  // a replica loads beside the old data set
  kStateReplica = 1U << 2,       // read-only replica
  kStateStale = 1U << 3,         // a replica without its master, replica-serve-stale-data no
  kStateOutOfMemory = 1U << 4,
  kStateDiskError = 1U << 5,     // AOF or snapshot cannot be written: writes refused
  kStatePausedWrites = 1U << 6,  // CLIENT PAUSE WRITE
  kStatePausedAll = 1U << 7,
  kStateBusyScript = 1U << 8,    // a script runs beyond busy-reply-threshold
  kStateShuttingDown = 1U << 9,
  kStateJournalFull = 1U << 10,  // the journal's bytes cannot be written as fast as they come: writers wait
};

class StateBits {
 public:
  uint32_t get() const { return bits_.load(std::memory_order_relaxed); }
  bool has(uint32_t bit) const { return (get() & bit) != 0; }
  void set(uint32_t bit) { bits_.fetch_or(bit, std::memory_order_release); }
  void clear(uint32_t bit) { bits_.fetch_and(~bit, std::memory_order_release); }
  void assign(uint32_t bit, bool value) { value ? set(bit) : clear(bit); }

 private:
  std::atomic<uint32_t> bits_{0};
};

}  // namespace synap
