// BlockMover: what containers are given to move their blocks of heap memory with, to where they waste less (active
// defragmentation). Whoever owns a block asks, moves, and stores the new address; the bytes go along as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "server/base/table.h"

namespace synap {

class BlockMover {
 public:
  // Whether the block's surroundings are emptier than most, so that moving it would free memory sooner or later.
  virtual bool wants(const void* block) = 0;
  // A copy elsewhere, of the same size and alignment; the block itself stays, for its owner to release or retire.
  virtual void* copy(const void* block) = 0;
  virtual void release(void* block) = 0;

  void* move(void* block) {
    void* fresh = copy(block);
    release(block);
    return fresh;
  }

  template <class T>
  T* moved(T* block) {
    return wants(block) ? static_cast<T*>(move(block)) : block;
  }

 protected:
  ~BlockMover() = default;
};

// Moves a table's own memory and its items from a cursor on, at least `count` of them if there are so many, by
// move_item(Item*), which gives the item's address afterwards. Returns the next cursor, 0 at the end.
template <class Traits, class KeyOf, class MoveItem>
uint64_t move_items(Table<Traits>& table, uint64_t cursor, size_t count, BlockMover& mover, KeyOf key_of, MoveItem move_item) {
  using Item = typename Traits::Item;
  std::vector<Item*> met;
  size_t seen = 0;
  do {
    met.clear();
    table.move_memory(cursor, mover);
    cursor = table.scan(cursor, [&met](Item* item) { met.push_back(item); });
    seen += met.size();
    for (Item* item : met) {
      if (!mover.wants(item)) continue;
      // Found before the item goes: a lookup reads it.
      auto* slot = table.find(Traits::hash(item), key_of(item));
      slot->set_item(move_item(item));
    }
  } while (cursor != 0 && seen < count);
  return cursor;
}

}  // namespace synap
