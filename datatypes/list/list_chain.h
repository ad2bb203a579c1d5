// ListChain: the nodes of a big list in order, as a deque of blocks of nodes with their element counts, so that both
// ends are O(1) and finding the n-th element touches a few cache lines for every hundred nodes it passes.
// Decides like Redis's quicklist where an element goes, when nodes split and merge, and which stay uncompressed:
// OBJECT ENCODING depends on it. Read-only members write nothing.
#pragma once

#include <cstdint>

#include "datatypes/list/gap_deque.h"
#include "datatypes/list/list_node.h"
#include "server/base/block_mover.h"

namespace synap {

class ListChain {
 public:
  // Where a node is. Adding or removing nodes invalidates places.
  struct Place {
    uint32_t block = 0;
    uint32_t node = 0;
    bool operator==(const Place&) const = default;
  };

  // Fill and depth stay those of the chain's birth, as in Redis.
  explicit ListChain(const ListLimits& limits) : limits_(limits) {}
  ~ListChain();
  ListChain(const ListChain&) = delete;
  ListChain& operator=(const ListChain&) = delete;

  const ListLimits& limits() const { return limits_; }
  uint64_t length() const { return length_; }
  uint32_t node_count() const { return node_count_; }
  size_t memory_bytes() const;

  const ListNode& operator[](Place place) const { return blocks_[place.block].nodes[place.node]; }
  // first() and next() reach end(); nothing is before first().
  Place first() const { return {}; }
  Place last() const { return prev(end()); }
  Place end() const { return {blocks_.size(), 0}; }
  Place next(Place place) const;
  Place prev(Place place) const;
  bool is_first(Place place) const { return place == first(); }
  bool is_last(Place place) const { return next(place) == end(); }
  // The node that holds element `index` and the element's index within it.
  Place locate(uint64_t index, uint32_t* offset) const;
  // The listpack position of the element `offset` of a node, 0 in a plain one. Expands the node.
  uint32_t position_in(Place place, uint32_t offset);

  // As they are, behind the last node; for conversion, copying and loading. Call compress_inner() afterwards.
  void append_node(ListNode node);
  void compress_inner();
  // Takes the only node out of a chain that has one.
  ListNode take_single_node();

  // Moves the bytes of about `count` elements' nodes, from the node that `cursor` names on. The next cursor, 0 at the end.
  uint64_t relocate(uint64_t cursor, size_t count, BlockMover& mover);

  void push_head(std::string_view element, size_t plain_threshold);
  void push_tail(std::string_view element, size_t plain_threshold);
  // Beside the element at `position` in `place` (0 in a plain node).
  void insert(Place place, uint32_t position, bool after, std::string_view element, size_t plain_threshold);
  void replace(Place place, uint32_t position, std::string_view element, size_t plain_threshold);
  void erase(uint64_t start, uint64_t count);
  // Removes these elements of one node; the node goes with its last element, which gives true.
  bool erase_in_node(Place place, std::span<const ListpackView::Position> positions);

 private:
  struct Block {
    GapDeque<ListNode> nodes;
    uint64_t elements = 0;
  };
  static constexpr uint32_t kBlockNodesMax = 128;

  ListNode& node(Place place) { return blocks_[place.block].nodes[place.node]; }
  void add_elements(Place place, int64_t change);
  // Puts `added` before the node at `place`; returns where it is.
  Place insert_node(Place place, ListNode added);
  // Returns the place of the following node.
  Place remove_node(Place place);

  ListNode new_node(std::string_view element) const;
  void insert_into(Place place, uint32_t position, std::string_view element);
  // Cuts a node before `position`; both halves keep at least one element. The first stays at the returned place.
  Place split(Place place, uint32_t position);
  Place merge_with_next(Place place);
  Place merge_around(Place center);
  bool mergeable(Place left) const;

  // Whether the node is further than the depth from both ends.
  bool is_inner(Place place) const;
  void settle_ends();
  void settle_around(Place place);

  GapDeque<Block> blocks_;
  uint64_t length_ = 0;
  uint32_t node_count_ = 0;
  ListLimits limits_;
};

}  // namespace synap
