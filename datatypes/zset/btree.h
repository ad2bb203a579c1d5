// BTree: the order of a big sorted set, by (score, member bytes), with ranks. Inner nodes hold the size and the exact
// first key of every child, so rank, count and seek are one descent; leaves are linked for iteration both ways and
// keep each score beside its item, so only equal scores cost a look at the items themselves.
// It points to items and never frees one. Const operations write nothing (parallel readers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "datatypes/zset/item.h"
#include "server/base/block_mover.h"

namespace synap {

// Where an interval begins or ends: everything with a smaller score lies before the bound, and with `after_equal`
// everything of the same score too.
struct ScoreBound {
  double score;
  bool after_equal;
};

// The same by member bytes; meaningful where all scores are equal (ZRANGEBYLEX's precondition).
struct LexBound {
  std::string_view member;
  bool after_equal;
};

class BTree {
 public:
  // 62 slots fill jemalloc's 1024-byte class; 63 children its 2048-byte one.
  static constexpr size_t kLeafSlots = 62;
  static constexpr size_t kInnerSlots = 63;

  struct Leaf;

  // The place of one item, or of none at either end. Valid until the tree changes.
  class Cursor {
   public:
    Cursor() = default;
    Cursor(const Leaf* leaf, size_t index) : leaf_(leaf), index_(index) {}
    bool valid() const { return leaf_ != nullptr; }
    ZsetItem* item() const;
    double score() const;
    void next();
    void prev();

   private:
    const Leaf* leaf_ = nullptr;
    size_t index_ = 0;
  };

  // The first item not before a bound, and how many are before it.
  struct Place {
    Cursor cursor;
    size_t rank;
  };

  BTree() = default;
  BTree(const BTree&) = delete;
  BTree& operator=(const BTree&) = delete;
  ~BTree();

  size_t size() const { return size_; }
  size_t memory_bytes() const;

  void insert(ZsetItem* item);        // its (score, member) must be absent
  void remove(const ZsetItem* item);  // must be present
  // Gives an item another address, the mover's; the item must be present.
  ZsetItem* relocate(ZsetItem* item, BlockMover& mover);
  // Moves the nodes, not the items, that lie on the way to the item at `rank`; rank < size(). Returns the first rank behind
  // that leaf: going on from there until size() meets every node.
  size_t relocate_nodes(size_t rank, BlockMover& mover);
  void rescore(ZsetItem* item, double score);
  void append(ZsetItem* item);  // must follow every present item
  // Takes the items of ranks [rank, rank + count) out, telling `on_item` each in order.
  template <class OnItem>
  void remove_range(size_t rank, size_t count, OnItem on_item);

  size_t rank(const ZsetItem* item) const;
  Cursor first() const { return {head_, 0}; }
  Cursor last() const;
  Cursor at(size_t rank) const;  // rank < size()
  Place seek(const ScoreBound& bound) const { return seek_bound(bound); }
  Place seek(const LexBound& bound) const { return seek_bound(bound); }

  // For tests: asserts every invariant, and gives the share of leaf slots in use.
  double check() const;

 private:
  static constexpr size_t kHeightMax = 12;

  struct Inner;
  struct Step {
    Inner* node;
    size_t index;
  };
  struct Path {
    Step steps[kHeightMax];  // steps[0] is the root; height_ of them
  };
  struct KeyBound {  // everything up to and including the key lies before it
    double score;
    std::string_view member;
  };

  static size_t count_before(const double* scores, ZsetItem* const* items, size_t n, const ScoreBound& bound);
  static size_t count_before(const double* scores, ZsetItem* const* items, size_t n, const LexBound& bound);
  static size_t count_before(const double* scores, ZsetItem* const* items, size_t n, const KeyBound& bound);
  static size_t place_in_leaf(const Leaf& leaf, const KeyBound& key, const ZsetItem* item);
  template <class Bound>
  Place seek_bound(const Bound& bound) const;
  Leaf* descend(const KeyBound& bound, Path* path) const;
  Leaf* descend_to_rank(size_t rank, Path* path, size_t* index) const;

  Leaf* new_leaf(Leaf* prev, Leaf* next);
  Inner* new_inner();
  void free_leaf(Leaf* leaf);
  void free_inner(Inner* inner);
  void free_nodes(void* node, size_t height);

  void insert_at(Path* path, Leaf* leaf, size_t at, ZsetItem* item);
  void add_leaf_of_one(Path* path, Leaf* beside, bool after, ZsetItem* item);
  bool share_with_sibling(Path* path, Leaf* leaf);
  void split(Path* path, Leaf* leaf);
  void insert_child(Path* path, size_t level, size_t at, void* child, const ZsetItem* first, size_t size);
  void grow_root(void* left, void* right, const ZsetItem* right_first, size_t right_size);

  void erase(Path* path, Leaf* leaf, size_t at, size_t n);
  void merge_leaf(Path* path, Leaf* leaf);
  void remove_child(Path* path, size_t level, size_t at);
  void merge_inner(Path* path, size_t level);
  void refresh_first(Path* path, size_t levels, ZsetItem* first, double score);
  size_t check_node(const void* node, size_t height, const Leaf** expected, size_t* leaves) const;

  void* root_ = nullptr;  // a Leaf when height_ is 0, else an Inner
  Leaf* head_ = nullptr;
  Leaf* tail_ = nullptr;
  size_t size_ = 0;
  size_t leaf_count_ = 0;
  uint32_t inner_count_ = 0;
  uint32_t height_ = 0;  // inner levels above the leaves
};

struct BTree::Leaf {
  Leaf* prev;
  Leaf* next;
  uint32_t count;
  double scores[kLeafSlots];
  ZsetItem* items[kLeafSlots];
};

inline ZsetItem* BTree::Cursor::item() const {
  return leaf_->items[index_];
}
inline double BTree::Cursor::score() const {
  return leaf_->scores[index_];
}

// Items lie all over the heap: a walk fetches them a few steps ahead.
inline void BTree::Cursor::next() {
  constexpr size_t kAhead = 6;
  if (index_ + kAhead < leaf_->count) __builtin_prefetch(leaf_->items[index_ + kAhead]);
  if (++index_ < leaf_->count) return;
  leaf_ = leaf_->next;
  index_ = 0;
}

inline void BTree::Cursor::prev() {
  constexpr size_t kAhead = 6;
  if (index_ >= kAhead) __builtin_prefetch(leaf_->items[index_ - kAhead]);
  if (index_ > 0) {
    --index_;
    return;
  }
  leaf_ = leaf_->prev;
  index_ = leaf_ != nullptr ? leaf_->count - 1 : 0;
}

template <class OnItem>
void BTree::remove_range(size_t rank, size_t count, OnItem on_item) {
  while (count > 0) {
    Path path;
    size_t at = 0;
    Leaf* leaf = descend_to_rank(rank, &path, &at);
    size_t n = leaf->count - at < count ? leaf->count - at : count;
    ZsetItem* taken[kLeafSlots];
    std::memcpy(taken, leaf->items + at, n * sizeof(taken[0]));
    erase(&path, leaf, at, n);
    for (size_t i = 0; i < n; ++i) on_item(taken[i]);
    count -= n;
  }
}

}  // namespace synap
