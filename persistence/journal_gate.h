// JournalGate: which replies must wait for the disk (appendfsync always). A reply may leave once the journal is durable up
// to what its command could have seen: its own effects, and for every key it touched the last write of that key. Writes
// are remembered by the key's hash in a fixed table; two keys that share a place wait for each other's writes, which is
// rare and harmless. A write that touches more than its keys (FLUSHALL) counts for everybody.
// Thread: wrote() and needed() under the locks of the keys' shards and while active(); set_active() one at a time;
// release() the AOF's writer; the rest any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace synap {

class JournalGate {
 public:
  // Whether replies wait at all.
  bool active() const { return released() != kEverything; }
  // On: what is durable is told by release(). Off: everything may leave.
  void set_active(bool active);

  // Keys of two shards may share a place, and their writers need not come here in the journal's order.
  void wrote(uint64_t hash, uint64_t offset) { raise(&place(hash), offset); }
  void wrote_all(uint64_t offset) { raise(&all_, offset); }
  // The offset of the last write that a command which touches this key can have seen.
  uint64_t needed(uint64_t hash) const {
    const uint64_t all = all_.load(std::memory_order_relaxed);
    const uint64_t own = place(hash).load(std::memory_order_relaxed);
    return own > all ? own : all;
  }

  // The last write that counts for everybody.
  uint64_t needed_by_all() const { return all_.load(std::memory_order_relaxed); }

  // Replies that need no more than this may leave.
  uint64_t released() const { return released_.load(std::memory_order_seq_cst); }
  // The writer: durable up to here. Wakes the reactors that wait.
  void release(uint64_t offset);

  // A reactor holds replies back: it is woken at the next release. It looks at released() again afterwards.
  void wait(size_t reactor) { waiting_[reactor].store(true, std::memory_order_seq_cst); }
  // Before the reactors run. `wake(reactor)` may be called on any thread.
  void set_wake(size_t reactors, std::function<void(size_t reactor)> wake);

 private:
  static constexpr size_t kPlaces = 65536;
  static constexpr size_t kReactorsMax = 16;
  static constexpr uint64_t kEverything = UINT64_MAX;  // released while the gate is not active
  static void raise(std::atomic<uint64_t>* to, uint64_t offset) {
    uint64_t known = to->load(std::memory_order_relaxed);
    while (known < offset && !to->compare_exchange_weak(known, offset, std::memory_order_relaxed)) {
    }
  }
  std::atomic<uint64_t>& place(uint64_t hash) const { return places_[hash % kPlaces]; }
  void wake_waiting();

  std::atomic<uint64_t> released_{kEverything};
  std::atomic<uint64_t> all_{0};
  std::unique_ptr<std::atomic<uint64_t>[]> places_;  // made when it is first needed
  std::atomic<bool> waiting_[kReactorsMax] = {};
  size_t reactors_ = 0;
  std::function<void(size_t)> wake_;
};

}  // namespace synap
