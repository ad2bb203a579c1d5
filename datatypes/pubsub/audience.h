// Audience: the clients that listen to one channel. One client is a bare pointer, several are a list, which snapshots
// share until the next change: a message on its way refers to the audience that it was published to. Changed under the
// registry's lock alone; snapshots may be read and dropped anywhere.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "server/base/block_mover.h"

namespace synap {

struct Subscriber;

class Audience {
 public:
  Audience() = default;
  Audience(Audience&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Audience& operator=(Audience&& other) noexcept {
    std::swap(word_, other.word_);
    return *this;
  }
  Audience(const Audience&) = delete;
  Audience& operator=(const Audience&) = delete;
  ~Audience() { clear(); }

  bool empty() const { return word_ == 0; }
  size_t size() const { return is_list() ? list()->size : empty() ? 0 : 1; }
  // In the order in which they came.
  template <class Visit>
  void for_each(Visit visit) const {
    if (!is_list()) return empty() ? void() : visit(only());
    for (uint32_t i = 0; i < list()->size; ++i) visit(list()->items()[i]);
  }

  // It is not there yet; it is there.
  void add(Subscriber* subscriber);
  void remove(const Subscriber* subscriber);

  // As it is now, whatever changes later.
  Audience snapshot() const;
  // Whether nobody has come or gone since the snapshot.
  bool is(const Audience& snapshot) const { return word_ == snapshot.word_; }

  // Moves its own memory, unless a snapshot refers to it.
  void relocate(BlockMover& mover);

 private:
  // The subscribers follow. It has a reference to each.
  struct alignas(Subscriber*) List {
    std::atomic<uint32_t> references;
    uint32_t size;
    uint32_t capacity;

    Subscriber** items() { return reinterpret_cast<Subscriber**>(this + 1); }
    bool unique() const { return references.load(std::memory_order_acquire) == 1; }
  };
  static constexpr uintptr_t kListBit = 1;

  bool is_list() const { return (word_ & kListBit) != 0; }
  Subscriber* only() const { return reinterpret_cast<Subscriber*>(word_); }
  List* list() const { return reinterpret_cast<List*>(word_ & ~kListBit); }
  void set_list(List* list) { word_ = reinterpret_cast<uintptr_t>(list) | kListBit; }
  static List* new_list(size_t capacity);
  List* list_to_change(size_t size);
  void clear();

  uintptr_t word_ = 0;  // null, a Subscriber, or a List with kListBit
};

static_assert(sizeof(Audience) == 8);

}  // namespace synap
