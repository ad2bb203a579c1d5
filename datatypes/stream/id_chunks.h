// IdChunks<T>: records sorted by their StreamId in arrays of at most kChunkItems, under a directory array. Seeks are
// binary searches; appending at the end and removing at the front, what streams do, are O(1). Chunks filled in order
// stay full, so a record costs its own bytes. Positions and references die with the next change.
// T is trivially copyable and has a member `id`; it owns nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "datatypes/stream/stream_id.h"
#include "server/base/assert.h"

namespace synap {

template <class T>
class IdChunks {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  static constexpr uint32_t kChunkItems = 128;

  struct Position {
    uint32_t chunk = 0;
    uint32_t slot = 0;
    friend bool operator==(const Position&, const Position&) = default;
  };

  IdChunks() = default;
  ~IdChunks() { clear(); }
  IdChunks(IdChunks&& other) noexcept { swap(other); }
  IdChunks& operator=(IdChunks&& other) noexcept {
    swap(other);
    return *this;
  }
  IdChunks(const IdChunks&) = delete;
  IdChunks& operator=(const IdChunks&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t memory_bytes() const;
  void clear();
  IdChunks copy() const;

  Position begin() const { return {0, 0}; }
  Position end() const { return {chunk_count_, 0}; }
  Position last() const {
    SYNAP_DCHECK(!empty());
    return {chunk_count_ - 1, uint32_t{chunk(chunk_count_ - 1).count} - 1};
  }
  Position next(Position at) const {
    return at.slot + 1 < chunk(at.chunk).count ? Position{at.chunk, at.slot + 1} : Position{at.chunk + 1, 0};
  }
  // end() stands for "before the first" too.
  Position previous(Position at) const {
    if (at.slot > 0) return {at.chunk, at.slot - 1};
    return at.chunk == 0 ? end() : Position{at.chunk - 1, uint32_t{chunk(at.chunk - 1).count} - 1};
  }
  // How many records are before `at` when all chunks are full: never too few.
  static uint64_t rank_estimate(Position at) { return uint64_t{at.chunk} * kChunkItems + at.slot; }
  const T& operator[](Position at) const { return chunk(at.chunk).begin()[at.slot]; }
  T& operator[](Position at) { return chunk(at.chunk).begin()[at.slot]; }
  const T& front() const { return (*this)[begin()]; }
  const T& back() const { return (*this)[last()]; }

  // The first record with an id >= `id`, or end().
  Position lower_bound(const StreamId& id) const;
  // The last record with an id <= `id`, or end().
  Position last_at_or_before(const StreamId& id) const;
  const T* find(const StreamId& id) const {
    const Position at = lower_bound(id);
    return at == end() || (*this)[at].id != id ? nullptr : &(*this)[at];
  }
  T* find(const StreamId& id) { return const_cast<T*>(std::as_const(*this).find(id)); }

  // `item` has the greatest id.
  void append(const T& item);
  // False, and nothing changed, when the id is there already.
  bool insert(const T& item);
  void erase(Position at);
  bool erase_id(const StreamId& id);

  // By a BlockMover: moves the arrays of about `count` records where it wants them elsewhere, and with `from` 0 the
  // directory; `move_record(T&)` may move what a record refers to. Returns the next `from`, 0 at the end.
  template <class Mover, class MoveRecord>
  uint32_t move_arrays(uint32_t from, size_t count, Mover& mover, MoveRecord move_record);

 private:
  struct Chunk {
    T* items;
    uint16_t head;  // free slots in front
    uint16_t count;
    uint16_t capacity;

    T* begin() const { return items + head; }
  };

  const Chunk& chunk(uint32_t index) const { return chunks_[chunk_head_ + index]; }
  Chunk& chunk(uint32_t index) { return chunks_[chunk_head_ + index]; }

  void swap(IdChunks& other) {
    std::swap(chunks_, other.chunks_);
    std::swap(chunk_head_, other.chunk_head_);
    std::swap(chunk_count_, other.chunk_count_);
    std::swap(chunk_capacity_, other.chunk_capacity_);
    std::swap(size_, other.size_);
  }
  // The last chunk whose first id is <= `id`; 0 when there is none.
  uint32_t chunk_for(const StreamId& id) const;
  void insert_chunk(uint32_t index, const Chunk& added);
  void erase_chunk(uint32_t index);
  // A chunk with room for one more at its end.
  static void make_room_at_end(Chunk* chunk);
  static void insert_in_chunk(Chunk* chunk, uint32_t slot, const T& item);
  static Chunk new_chunk(uint32_t capacity);
  void split(uint32_t index);
  void merge_if_sparse(uint32_t index);

  Chunk* chunks_ = nullptr;
  uint32_t chunk_head_ = 0;
  uint32_t chunk_count_ = 0;
  uint32_t chunk_capacity_ = 0;
  size_t size_ = 0;
};

template <class T>
size_t IdChunks<T>::memory_bytes() const {
  size_t bytes = chunk_capacity_ * sizeof(Chunk);
  // Every chunk but the ends is about full-sized; counting them all would make MEMORY USAGE slow.
  if (chunk_count_ > 0) bytes += chunk(0).capacity * sizeof(T);
  if (chunk_count_ > 1) bytes += chunk(chunk_count_ - 1).capacity * sizeof(T);
  if (chunk_count_ > 2) bytes += (chunk_count_ - 2) * sizeof(T) * kChunkItems;
  return bytes;
}

template <class T>
void IdChunks<T>::clear() {
  for (uint32_t i = 0; i < chunk_count_; ++i) std::free(chunk(i).items);
  std::free(chunks_);
  chunks_ = nullptr;
  chunk_head_ = chunk_count_ = chunk_capacity_ = 0;
  size_ = 0;
}

template <class T>
IdChunks<T> IdChunks<T>::copy() const {
  IdChunks result;
  for (Position at = begin(); at != end(); at = next(at)) result.append((*this)[at]);
  return result;
}

template <class T>
uint32_t IdChunks<T>::chunk_for(const StreamId& id) const {
  uint32_t low = 0;
  uint32_t high = chunk_count_;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    (chunk(middle).begin()->id <= id ? low : high) = middle;
  }
  return low;
}

template <class T>
typename IdChunks<T>::Position IdChunks<T>::lower_bound(const StreamId& id) const {
  if (empty()) return end();
  const uint32_t index = chunk_for(id);
  const T* items = chunk(index).begin();
  const uint32_t count = chunk(index).count;
  const T* found =
      std::lower_bound(items, items + count, id, [](const T& item, const StreamId& x) { return item.id < x; });
  const auto slot = static_cast<uint32_t>(found - items);
  return slot < count ? Position{index, slot} : Position{index + 1, 0};
}

template <class T>
typename IdChunks<T>::Position IdChunks<T>::last_at_or_before(const StreamId& id) const {
  const Position at = lower_bound(id);
  if (at != end() && (*this)[at].id == id) return at;
  if (at == end()) return empty() ? end() : last();
  return previous(at);
}

template <class T>
void IdChunks<T>::append(const T& item) {
  SYNAP_DCHECK(empty() || back().id < item.id);
  if (chunk_count_ == 0 || chunk(chunk_count_ - 1).count == kChunkItems) {
    insert_chunk(chunk_count_, new_chunk(chunk_count_ == 0 ? 1 : kChunkItems));
  }
  Chunk* tail = &chunk(chunk_count_ - 1);
  make_room_at_end(tail);
  tail->begin()[tail->count++] = item;
  ++size_;
}

template <class T>
bool IdChunks<T>::insert(const T& item) {
  if (empty() || back().id < item.id) {
    append(item);
    return true;
  }
  const Position at = lower_bound(item.id);
  if ((*this)[at].id == item.id) return false;
  uint32_t index = at.chunk;
  uint32_t slot = at.slot;
  if (chunk(index).count == kChunkItems) {
    split(index);
    if (slot > chunk(index).count) {
      slot -= chunk(index).count;
      ++index;
    }
  }
  insert_in_chunk(&chunk(index), slot, item);
  ++size_;
  return true;
}

template <class T>
void IdChunks<T>::erase(Position at) {
  Chunk* from = &chunk(at.chunk);
  T* items = from->begin();
  if (at.slot < from->count / 2u) {
    std::memmove(items + 1, items, at.slot * sizeof(T));
    ++from->head;
  } else {
    std::memmove(items + at.slot, items + at.slot + 1, (from->count - at.slot - 1u) * sizeof(T));
  }
  --from->count;
  --size_;
  if (size_ == 0) {
    clear();
  } else if (from->count == 0) {
    erase_chunk(at.chunk);
  } else {
    merge_if_sparse(at.chunk);
  }
}

template <class T>
bool IdChunks<T>::erase_id(const StreamId& id) {
  const Position at = lower_bound(id);
  if (at == end() || (*this)[at].id != id) return false;
  erase(at);
  return true;
}

template <class T>
template <class Mover, class MoveRecord>
uint32_t IdChunks<T>::move_arrays(uint32_t from, size_t count, Mover& mover, MoveRecord move_record) {
  if (from == 0 && chunks_ != nullptr) chunks_ = mover.moved(chunks_);
  for (size_t seen = 0; from < chunk_count_ && seen < count; ++from) {
    Chunk& one = chunk(from);
    one.items = mover.moved(one.items);
    for (uint32_t i = 0; i < one.count; ++i) move_record(one.begin()[i]);
    seen += one.count;
  }
  return from < chunk_count_ ? from : 0;
}

template <class T>
void IdChunks<T>::insert_chunk(uint32_t index, const Chunk& added) {
  if (chunk_head_ + chunk_count_ == chunk_capacity_) {
    if (chunk_head_ > chunk_capacity_ / 2) {
      std::memmove(chunks_, chunks_ + chunk_head_, chunk_count_ * sizeof(Chunk));
      chunk_head_ = 0;
    } else {
      chunk_capacity_ = chunk_capacity_ == 0 ? 1 : chunk_capacity_ < 4 ? 4 : chunk_capacity_ + chunk_capacity_ / 2;
      chunks_ = static_cast<Chunk*>(std::realloc(chunks_, chunk_capacity_ * sizeof(Chunk)));
      SYNAP_ASSERT(chunks_ != nullptr);
    }
  }
  Chunk* place = &chunk(index);
  std::memmove(place + 1, place, (chunk_count_ - index) * sizeof(Chunk));
  *place = added;
  ++chunk_count_;
}

template <class T>
void IdChunks<T>::erase_chunk(uint32_t index) {
  std::free(chunk(index).items);
  Chunk* place = &chunk(index);
  if (index < chunk_count_ / 2) {
    std::memmove(&chunk(0) + 1, &chunk(0), index * sizeof(Chunk));
    ++chunk_head_;
  } else {
    std::memmove(place, place + 1, (chunk_count_ - index - 1) * sizeof(Chunk));
  }
  --chunk_count_;
}

template <class T>
typename IdChunks<T>::Chunk IdChunks<T>::new_chunk(uint32_t capacity) {
  auto* items = static_cast<T*>(std::malloc(capacity * sizeof(T)));
  SYNAP_ASSERT(items != nullptr);
  return {items, 0, 0, static_cast<uint16_t>(capacity)};
}

template <class T>
void IdChunks<T>::make_room_at_end(Chunk* chunk) {
  if (chunk->head + chunk->count < chunk->capacity) return;
  const bool grow = chunk->head <= chunk->capacity / 2 && chunk->capacity < kChunkItems;
  if (chunk->head > 0) {
    std::memmove(chunk->items, chunk->begin(), chunk->count * sizeof(T));
    chunk->head = 0;
  }
  if (!grow) return;
  chunk->capacity = static_cast<uint16_t>(std::min<uint32_t>(kChunkItems, chunk->capacity * 2u));
  chunk->items = static_cast<T*>(std::realloc(chunk->items, chunk->capacity * sizeof(T)));
  SYNAP_ASSERT(chunk->items != nullptr);
}

template <class T>
void IdChunks<T>::insert_in_chunk(Chunk* chunk, uint32_t slot, const T& item) {
  if (chunk->head > 0 && slot < chunk->count / 2u) {
    --chunk->head;
    std::memmove(chunk->begin(), chunk->begin() + 1, slot * sizeof(T));
  } else {
    make_room_at_end(chunk);
    std::memmove(chunk->begin() + slot + 1, chunk->begin() + slot, (chunk->count - slot) * sizeof(T));
  }
  chunk->begin()[slot] = item;
  ++chunk->count;
}

template <class T>
void IdChunks<T>::split(uint32_t index) {
  constexpr uint32_t kHalf = kChunkItems / 2;
  Chunk upper = new_chunk(kChunkItems);
  Chunk* lower = &chunk(index);
  upper.count = static_cast<uint16_t>(lower->count - kHalf);
  std::memcpy(upper.items, lower->begin() + kHalf, upper.count * sizeof(T));
  lower->count = kHalf;
  insert_chunk(index + 1, upper);
}

template <class T>
void IdChunks<T>::merge_if_sparse(uint32_t index) {
  if (chunk(index).count >= kChunkItems / 4 || chunk_count_ == 1) return;
  const uint32_t left = index + 1 < chunk_count_ ? index : index - 1;
  Chunk* into = &chunk(left);
  const Chunk* from = into + 1;
  if (into->count + from->count > kChunkItems * 3 / 4) return;
  if (into->capacity < kChunkItems) {
    into->items = static_cast<T*>(std::realloc(into->items, kChunkItems * sizeof(T)));
    SYNAP_ASSERT(into->items != nullptr);
    into->capacity = kChunkItems;
  }
  std::memmove(into->items, into->begin(), into->count * sizeof(T));
  into->head = 0;
  std::memcpy(into->items + into->count, from->begin(), from->count * sizeof(T));
  into->count = static_cast<uint16_t>(into->count + from->count);
  erase_chunk(left + 1);
}

}  // namespace synap
