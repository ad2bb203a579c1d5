// FieldExpiries: the timed fields of one big hash as a min-heap over their expiry times. Every item knows its place in
// the heap, so changing or removing any field is O(log n) and the earliest is O(1). Eight children a node: moving a
// node writes to its item, a cache miss, so levels must be few. Hashes without TTLs have none of this. The items belong
// to the hash's table; this holds pointers to them.
#pragma once

#include <algorithm>
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
      for (size_t child = first_child(place); child < end_child(place); ++child) {
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

  static constexpr size_t kChildren = 8;
  static size_t parent_of(size_t place) { return (place - 1) / kChildren; }
  static size_t first_child(size_t place) { return place * kChildren + 1; }
  size_t end_child(size_t place) const { return std::min(first_child(place) + kChildren, heap_.size()); }

  void put(size_t place, Node node) {
    heap_[place] = node;
    node.item->set_heap_place(place);
  }

  void settle(size_t place, Node node) {
    put(place, node);
    if (place > 0 && node.expiry_ms < heap_[parent_of(place)].expiry_ms) {
      rise(place);
    } else {
      sink(place);
    }
  }

  void rise(size_t place) {
    const Node node = heap_[place];
    while (place > 0) {
      const size_t parent = parent_of(place);
      if (heap_[parent].expiry_ms <= node.expiry_ms) break;
      put(place, heap_[parent]);
      place = parent;
    }
    put(place, node);
  }

  void sink(size_t place) {
    const Node node = heap_[place];
    for (;;) {
      size_t least = first_child(place);
      if (least >= heap_.size()) break;
      for (size_t child = least + 1; child < end_child(place); ++child) {
        if (heap_[child].expiry_ms < heap_[least].expiry_ms) least = child;
      }
      if (heap_[least].expiry_ms >= node.expiry_ms) break;
      put(place, heap_[least]);
      place = least;
    }
    put(place, node);
  }

  std::deque<Node> heap_;  // a deque grows by chunks: no moment with a copy of millions of nodes
};

}  // namespace synap
