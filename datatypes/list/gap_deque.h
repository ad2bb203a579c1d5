// GapDeque: an array with spare room at both ends. Push and pop at either end are O(1) amortized, an insertion moves
// only the shorter side. Items are plain data and moved as bytes; it has no destructor, its owner calls destroy().
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "server/base/assert.h"

namespace synap {

template <class T>
class GapDeque {
 public:
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t memory_bytes() const { return size_t{capacity_} * sizeof(T); }
  T& operator[](uint32_t index) { return items_[first_ + index]; }
  const T& operator[](uint32_t index) const { return items_[first_ + index]; }

  void insert(uint32_t index, const T& item) {
    bool shift_head = index < size_ / 2;
    if (shift_head ? first_ == 0 : first_ + size_ == capacity_) {
      const bool at_end = index == 0 || index == size_;
      if (at_end || size_ == capacity_) {
        make_room(shift_head);
      } else {
        shift_head = !shift_head;
      }
    }
    if (shift_head) {
      --first_;
      move_items(first_, first_ + 1, index);
    } else {
      move_items(first_ + index + 1, first_ + index, size_ - index);
    }
    ++size_;
    items_[first_ + index] = item;
  }

  void erase(uint32_t index) {
    --size_;
    if (index < size_ / 2 || index == 0) {
      move_items(first_ + 1, first_, index);
      ++first_;
    } else {
      move_items(first_ + index, first_ + index + 1, size_ - index);
    }
    if (capacity_ > 8 && size_ <= capacity_ / 4) relocate(std::max<uint32_t>(size_ * 2, 1), size_ / 2);
  }

  // Moves the items from `index` on to a new deque.
  GapDeque split_off(uint32_t index) {
    static_assert(std::is_trivially_copyable_v<T>);
    GapDeque tail;
    tail.relocate(size_ - index, 0);
    std::memcpy(static_cast<void*>(tail.items_), items_ + first_ + index, (size_ - index) * sizeof(T));
    tail.size_ = size_ - index;
    size_ = index;
    relocate(std::max<uint32_t>(size_, 1), 0);
    return tail;
  }

  // By a BlockMover, where that wants the array elsewhere.
  template <class Mover>
  void move_array(Mover& mover) {
    if (items_ != nullptr) items_ = mover.moved(items_);
  }

  void destroy() {
    std::free(items_);
    *this = GapDeque();
  }

 private:
  void move_items(uint32_t to, uint32_t from, uint32_t count) {
    if (count > 0) std::memmove(static_cast<void*>(items_ + to), items_ + from, count * sizeof(T));
  }

  // The side that grows gets most of the room, so that neither a stack nor a queue nor both ends in turn move often.
  void make_room(bool at_head) {
    const bool enough_slack = capacity_ - size_ > capacity_ / 4;
    const uint32_t capacity = enough_slack ? capacity_ : std::max(capacity_ + capacity_ / 2, capacity_ + 1);
    const uint32_t slack = capacity - size_;
    relocate(capacity, at_head ? slack - slack / 4 : slack / 4);
  }

  void relocate(uint32_t capacity, uint32_t first) {
    if (capacity == capacity_) {
      move_items(first, first_, size_);
    } else {
      auto* items = static_cast<T*>(std::malloc(capacity * sizeof(T)));
      SYNAP_ASSERT(items != nullptr);
      if (size_ > 0) std::memcpy(static_cast<void*>(items + first), items_ + first_, size_ * sizeof(T));
      std::free(items_);
      items_ = items;
      capacity_ = capacity;
    }
    first_ = first;
  }

  T* items_ = nullptr;
  uint32_t first_ = 0;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace synap
