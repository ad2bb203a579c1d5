#include "server/keyspace/hot_values.h"

#include <utility>

namespace synap {

void HotValues::set_capacity(size_t bytes) {
  const size_t capacity = bytes / kParts;
  part_capacity_.store(capacity, std::memory_order_relaxed);
  for (Part& part : parts_) {
    LockGuard guard(part.mutex);
    make_room(part, capacity);
  }
}

SharedBytes HotValues::read(const PackedValue& value) {
  const size_t capacity = part_capacity_.load(std::memory_order_relaxed);
  // One value must not push out all others.
  constexpr size_t kShareMax = 4;
  if (value.raw_bytes() > capacity / kShareMax) return value.unpack();
  Part& part = part_of(value.id());
  bool keep;
  {
    LockGuard guard(part.mutex);
    const auto found = part.places.find(value.id());
    if (found != part.places.end()) {
      Copy& copy = part.ring[found->second];
      copy.used = true;
      ++part.hits;
      return copy.bytes.share();
    }
    ++part.misses;
    keep = missed_before(part, value.id());
  }
  SharedBytes raw = value.unpack();
  if (!keep) return raw;
  LockGuard guard(part.mutex);
  if (part.places.contains(value.id())) return raw;  // another reader was quicker
  make_room(part, capacity - raw.heap_bytes());
  part.places.emplace(value.id(), part.ring.size());
  part.bytes += raw.heap_bytes();
  part.ring.push_back(Copy{value.id(), raw.share(), false});
  return raw;
}

// The clock: a copy used since the hand passed it last is spared once.
void HotValues::make_room(Part& part, size_t capacity) {
  while (part.bytes > capacity) {
    if (part.hand >= part.ring.size()) part.hand = 0;
    Copy& copy = part.ring[part.hand];
    if (std::exchange(copy.used, false)) {
      ++part.hand;
      continue;
    }
    part.bytes -= copy.bytes.heap_bytes();
    part.places.erase(copy.id);
    if (part.hand + 1 != part.ring.size()) {
      copy = std::move(part.ring.back());
      part.places[copy.id] = part.hand;
    }
    part.ring.pop_back();
  }
}

bool HotValues::missed_before(Part& part, uint64_t id) {
  const auto tag = static_cast<uint32_t>(id | 1U << 31);
  uint32_t& place = part.missed[(id * 0x9e3779b97f4a7c15U >> 40) % part.missed.size()];
  return std::exchange(place, tag) == tag;
}

HotValues::Figures HotValues::figures() const {
  Figures sum;
  for (const Part& part : parts_) {
    LockGuard guard(part.mutex);
    sum.hits += part.hits;
    sum.misses += part.misses;
    sum.bytes += part.bytes;
    sum.values += part.ring.size();
  }
  return sum;
}

void HotValues::reset_statistics() {
  for (Part& part : parts_) {
    LockGuard guard(part.mutex);
    part.hits = part.misses = 0;
  }
}

}  // namespace synap
