// FieldExpiries: the timed fields of one big hash as a binary min-heap over their expiry times. Every item knows its
// place in the heap, so changing or removing any field is O(log n) and the earliest is O(1). Hashes without TTLs have
// none of this. The items belong to the hash's table; this holds pointers to them.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "datatypes/hash/hash_item.h"

namespace synap {

class FieldExpiries {
 public:
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  size_t memory_bytes() const { return sizeof(*this) + heap_.size() * sizeof(Node); }

  int64_t earliest_ms() const { return heap_.front().expiry_ms; }
  HashItem* earliest_item() const { return heap_.front().item; }
  int64_t expiry_ms(const HashItem* item) const { return heap_[item->heap_place()].expiry_ms; }

  void add(HashItem* item, int64_t expiry_ms) {
    heap_.push_back(Node{expiry_ms, item});
    rise(heap_.size() - 1);
  }

  void remove(const HashItem* item) {
    const size_t place = item->heap_place();
    const Node last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    settle(place, last);
  }

  void change(const HashItem* item, int64_t expiry_ms) {
    const size_t place = item->heap_place();
    settle(place, Node{expiry_ms, heap_[place].item});
  }

  // The field lives in another block now; its time stays.
  void moved(uint64_t place, HashItem* item) { put(place, Node{heap_[place].expiry_ms, item}); }

  // How many fields are due: walks only those, since a parent is never later than its children.
  size_t count_due(int64_t now_ms) const {
    if (heap_.empty() || earliest_ms() > now_ms) return 0;
    size_t due = 0;
    std::vector<size_t> open{0};
    while (!open.empty()) {
      const size_t place = open.back();
      open.pop_back();
      ++due;
      for (size_t child = 2 * place + 1; child <= 2 * place + 2 && child < heap_.size(); ++child) {
        if (heap_[child].expiry_ms <= now_ms) open.push_back(child);
      }
    }
    return due;
  }

 private:
  struct Node {
    int64_t expiry_ms;
    HashItem* item;
  };

  void put(size_t place, Node node) {
    heap_[place] = node;
    node.item->set_heap_place(place);
  }

  void settle(size_t place, Node node) {
    put(place, node);
    if (place > 0 && node.expiry_ms < heap_[(place - 1) / 2].expiry_ms) {
      rise(place);
    } else {
      sink(place);
    }
  }

  void rise(size_t place) {
    const Node node = heap_[place];
    while (place > 0) {
      const size_t parent = (place - 1) / 2;
      if (heap_[parent].expiry_ms <= node.expiry_ms) break;
      put(place, heap_[parent]);
      place = parent;
    }
    put(place, node);
  }

  void sink(size_t place) {
    const Node node = heap_[place];
    for (;;) {
      size_t child = 2 * place + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1].expiry_ms < heap_[child].expiry_ms) ++child;
      if (heap_[child].expiry_ms >= node.expiry_ms) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, node);
  }

  std::deque<Node> heap_;  // a deque grows by chunks: no moment with a copy of millions of nodes
};

}  // namespace synap
