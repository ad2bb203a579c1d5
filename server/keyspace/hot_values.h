// HotValues: decompressed copies of packed values that are read often (hot-cache-size). Found by the packed value's id, so
// a changed or deleted value is never served: its id is gone, its copy ages out. Any thread, also readers that share a
// shard; each of its parts has a leaf lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "server/base/shared_bytes.h"
#include "server/base/sync.h"
#include "server/keyspace/packed_value.h"

namespace synap {

class HotValues {
 public:
  HotValues() = default;
  HotValues(const HotValues&) = delete;
  HotValues& operator=(const HotValues&) = delete;

  // Bytes to keep; less than is kept now drops the coldest. 0: nothing is kept.
  void set_capacity(size_t bytes);

  // The value's bytes, from here or decompressed now. What is read a second time while it is remembered is kept.
  SharedBytes read(const PackedValue& value);

  struct Figures {
    uint64_t hits = 0, misses = 0;
    size_t bytes = 0, values = 0;
  };
  Figures figures() const;
  void reset_statistics();

 private:
  struct Copy {
    uint64_t id = 0;
    SharedBytes bytes;
    bool used = false;  // since the hand passed: a second chance
  };
  struct Part {
    mutable Mutex mutex{LockRank::kLeaf};
    std::unordered_map<uint64_t, size_t> places GUARDED_BY(mutex);  // id → index in ring
    std::vector<Copy> ring GUARDED_BY(mutex);
    size_t hand GUARDED_BY(mutex) = 0;
    size_t bytes GUARDED_BY(mutex) = 0;
    // Ids missed lately, one per place: the second miss within a while makes a value hot.
    std::array<uint32_t, 1024> missed GUARDED_BY(mutex){};
    uint64_t hits GUARDED_BY(mutex) = 0, misses GUARDED_BY(mutex) = 0;
  };
  static constexpr size_t kParts = 16;

  Part& part_of(uint64_t id) { return parts_[(id * 0x9e3779b97f4a7c15U) >> 60]; }
  static void make_room(Part& part, size_t capacity) REQUIRES(part.mutex);
  static bool missed_before(Part& part, uint64_t id) REQUIRES(part.mutex);

  std::atomic<size_t> part_capacity_{0};
  std::array<Part, kParts> parts_;
};

}  // namespace synap
