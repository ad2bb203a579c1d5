// See list_chain.h. Blocks hold at most 128 nodes and are never empty.
#include "datatypes/list/list_chain.h"

namespace synap {

ListChain::~ListChain() {
  for (uint32_t b = 0; b < blocks_.size(); ++b) {
    GapDeque<ListNode>& nodes = blocks_[b].nodes;
    for (uint32_t n = 0; n < nodes.size(); ++n) nodes[n].destroy();
    nodes.destroy();
  }
  blocks_.destroy();
}

size_t ListChain::memory_bytes() const {
  size_t total = sizeof(ListChain) + blocks_.memory_bytes();
  for (uint32_t b = 0; b < blocks_.size(); ++b) {
    const GapDeque<ListNode>& nodes = blocks_[b].nodes;
    total += nodes.memory_bytes();
    for (uint32_t n = 0; n < nodes.size(); ++n) total += nodes[n].memory_bytes();
  }
  return total;
}

ListChain::Place ListChain::next(Place place) const {
  if (++place.node < blocks_[place.block].nodes.size()) return place;
  return {place.block + 1, 0};
}

ListChain::Place ListChain::prev(Place place) const {
  if (place.node > 0) return {place.block, place.node - 1};
  return {place.block - 1, blocks_[place.block - 1].nodes.size() - 1};
}

ListChain::Place ListChain::locate(uint64_t index, uint32_t* offset) const {
  Place place;
  uint64_t before;  // elements in front of the block
  if (index < length_ / 2) {
    before = 0;
    while (index - before >= blocks_[place.block].elements) before += blocks_[place.block++].elements;
  } else {
    place.block = blocks_.size() - 1;
    before = length_ - blocks_[place.block].elements;
    while (index < before) before -= blocks_[--place.block].elements;
  }
  const Block& block = blocks_[place.block];
  uint64_t left = index - before;
  if (left < block.elements / 2) {
    while (left >= block.nodes[place.node].count) left -= block.nodes[place.node++].count;
  } else {
    uint64_t behind = block.elements - left;  // elements from the wanted one to the block's end
    place.node = block.nodes.size() - 1;
    while (behind > block.nodes[place.node].count) behind -= block.nodes[place.node--].count;
    left = block.nodes[place.node].count - behind;
  }
  *offset = static_cast<uint32_t>(left);
  return place;
}

uint32_t ListChain::position_in(Place place, uint32_t offset) {
  ListNode& target = node(place);
  target.expand();
  return target.plain ? 0 : target.pack().seek(offset);
}

void ListChain::add_elements(Place place, int64_t change) {
  ListNode& changed = node(place);
  changed.set_count(static_cast<size_t>(static_cast<int64_t>(changed.count) + change));
  blocks_[place.block].elements += static_cast<uint64_t>(change);
  length_ += static_cast<uint64_t>(change);
}

ListChain::Place ListChain::insert_node(Place place, ListNode added) {
  const bool room_before = place.node == 0 && place.block > 0 && blocks_[place.block - 1].nodes.size() < kBlockNodesMax;
  if (place == end() && room_before) {
    --place.block;
    place.node = blocks_[place.block].nodes.size();
  } else if (place == end()) {
    blocks_.insert(place.block, Block());
  } else if (blocks_[place.block].nodes.size() == kBlockNodesMax) {
    if (room_before) {
      --place.block;
      place.node = blocks_[place.block].nodes.size();
    } else if (place.node == 0) {
      blocks_.insert(place.block, Block());
    } else {
      Block tail;
      tail.nodes = blocks_[place.block].nodes.split_off(kBlockNodesMax / 2);
      for (uint32_t n = 0; n < tail.nodes.size(); ++n) tail.elements += tail.nodes[n].count;
      blocks_[place.block].elements -= tail.elements;
      blocks_.insert(place.block + 1, tail);
      if (place.node > kBlockNodesMax / 2) place = {place.block + 1, place.node - kBlockNodesMax / 2};
    }
  }
  Block& block = blocks_[place.block];
  block.nodes.insert(place.node, added);
  block.elements += added.count;
  length_ += added.count;
  ++node_count_;
  return place;
}

ListChain::Place ListChain::remove_node(Place place) {
  Block& block = blocks_[place.block];
  const uint64_t count = block.nodes[place.node].count;
  block.elements -= count;
  length_ -= count;
  --node_count_;
  block.nodes.erase(place.node);
  if (block.nodes.empty()) {
    block.nodes.destroy();
    blocks_.erase(place.block);
    return {place.block, 0};
  }
  if (place.node == block.nodes.size()) return {place.block + 1, 0};
  return place;
}

void ListChain::append_node(ListNode added) {
  insert_node(end(), added);
}

void ListChain::compress_inner() {
  if (limits_.compress_depth == 0) return;
  const auto depth = static_cast<uint32_t>(limits_.compress_depth);
  uint32_t index = 0;
  for (Place place = first(); place != end(); place = next(place), ++index) {
    if (index >= depth && node_count_ - 1 - index >= depth) node(place).compress();
  }
}

ListNode ListChain::take_single_node() {
  SYNAP_ASSERT(node_count_ == 1);
  ListNode& single = node(first());
  single.expand();
  const ListNode taken = single;
  remove_node(first());
  return taken;
}

ListNode ListChain::new_node(std::string_view element) const {
  if (limits_.is_large(element.size())) return ListNode::of_plain(element);
  Listpack pack;
  pack.append(element);
  return ListNode::of_pack(std::move(pack));
}

void ListChain::push_head(std::string_view element, size_t plain_threshold) {
  limits_.plain_threshold = plain_threshold;
  if (node_count_ > 0 && node(first()).allows_insert(limits_, element.size())) {
    insert_into(first(), ListpackView::kHeaderBytes, element);
    return;
  }
  insert_node(first(), new_node(element));
  settle_ends();
}

void ListChain::push_tail(std::string_view element, size_t plain_threshold) {
  limits_.plain_threshold = plain_threshold;
  if (node_count_ > 0 && node(last()).allows_insert(limits_, element.size())) {
    node(last()).expand();
    insert_into(last(), node(last()).pack().end(), element);
    return;
  }
  insert_node(end(), new_node(element));
  settle_ends();
}

void ListChain::insert_into(Place place, uint32_t position, std::string_view element) {
  node(place).expand();
  node(place).edit([&](Listpack& pack) { pack.insert_before(position, element); });
  add_elements(place, 1);
}

ListChain::Place ListChain::split(Place place, uint32_t position) {
  ListNode tail;
  node(place).edit([&](Listpack& pack) { tail = ListNode::of_pack(pack.split_off(position)); });
  add_elements(place, -static_cast<int64_t>(tail.count));
  return prev(insert_node(next(place), tail));
}

void ListChain::insert(Place place, uint32_t position, bool after, std::string_view element, size_t plain_threshold) {
  limits_.plain_threshold = plain_threshold;
  node(place).expand();
  const ListNode target = node(place);
  uint32_t after_position = ListpackView::kNone;
  bool at_edge = true;
  if (!target.plain) {
    after_position = target.pack().next(position);
    at_edge = (after ? after_position : target.pack().prev(position)) == ListpackView::kNone;
  }
  if (limits_.is_large(element.size())) {
    if (!at_edge) place = split(place, after ? after_position : position);
    place = insert_node(at_edge && !after ? place : next(place), new_node(element));
  } else if (target.allows_insert(limits_, element.size())) {
    if (after) position = at_edge ? target.pack().end() : after_position;
    insert_into(place, position, element);
  } else if (at_edge) {
    const bool has_neighbour = after ? !is_last(place) : !is_first(place);
    const Place neighbour = !has_neighbour ? end() : after ? next(place) : prev(place);
    if (has_neighbour && node(neighbour).allows_insert(limits_, element.size())) {
      node(neighbour).expand();
      insert_into(neighbour, after ? ListpackView::kHeaderBytes : node(neighbour).pack().end(), element);
    } else {
      place = insert_node(after ? next(place) : place, new_node(element));
    }
  } else {
    place = split(place, after ? after_position : position);
    if (after) {
      insert_into(next(place), ListpackView::kHeaderBytes, element);
    } else {
      insert_into(place, node(place).pack().end(), element);
      place = next(place);
    }
    place = merge_around(place);
  }
  settle_around(place);
}

void ListChain::replace(Place place, uint32_t position, std::string_view element, size_t plain_threshold) {
  limits_.plain_threshold = plain_threshold;
  const bool large = limits_.is_large(element.size());
  ListNode& target = node(place);
  target.expand();
  if (!target.plain && !large) {
    target.edit([&](Listpack& pack) { pack.replace(position, element); });
  } else if (target.plain && large) {
    target.destroy();
    target = ListNode::of_plain(element);
  } else if (target.plain) {
    const Place behind = next(place);
    if (behind != end() && node(behind).allows_insert(limits_, element.size())) {
      insert_into(behind, ListpackView::kHeaderBytes, element);
    } else {
      place = prev(insert_node(behind, new_node(element)));
    }
    node(place).destroy();
    place = remove_node(place);
  } else {
    // A huge element takes the place of a small one: cut the node behind it, put the new node there, drop the old.
    const uint32_t after_position = target.pack().next(position);
    if (after_position != ListpackView::kNone) place = split(place, after_position);
    place = insert_node(next(place), new_node(element));
    const Place left = prev(place);
    if (node(left).count == 1) {
      node(left).destroy();
      place = remove_node(left);
    } else {
      node(left).edit([](Listpack& pack) { pack.erase(pack.view().last()); });
      add_elements(left, -1);
      place = merge_around(place);
    }
  }
  settle_around(place);
}

void ListChain::erase(uint64_t start, uint64_t count) {
  if (start >= length_ || count == 0) return;
  count = std::min(count, length_ - start);
  uint32_t offset;
  Place place = locate(start, &offset);
  while (count > 0) {
    ListNode& target = node(place);
    const uint64_t taken = std::min<uint64_t>(count, target.count - offset);
    if (taken == target.count) {
      target.destroy();
      place = remove_node(place);
    } else {
      target.expand();
      target.edit([&](Listpack& pack) { pack.erase_range(offset, taken); });
      add_elements(place, -static_cast<int64_t>(taken));
      place = next(place);
    }
    count -= taken;
    offset = 0;
  }
  settle_around(place);
}

bool ListChain::erase_in_node(Place place, std::span<const ListpackView::Position> positions) {
  ListNode& target = node(place);
  if (positions.size() == target.count) {
    target.destroy();
    remove_node(place);
    settle_ends();
    return true;
  }
  target.expand();
  target.edit([&](Listpack& pack) { pack.erase_many(positions); });
  add_elements(place, -static_cast<int64_t>(positions.size()));
  settle_around(place);
  return false;
}

bool ListChain::mergeable(Place left) const {
  const Place right = next(left);
  return right != end() && (*this)[left].allows_merge(limits_, (*this)[right]);
}

ListChain::Place ListChain::merge_with_next(Place place) {
  const Place behind = next(place);
  node(place).expand();
  node(behind).expand();
  ListNode taken = node(behind);
  node(place).edit([&](Listpack& pack) { pack.append_pack(taken.pack()); });
  add_elements(place, static_cast<int64_t>(taken.count));
  taken.destroy();
  remove_node(behind);
  return place;
}

// The pairs and their order are Redis's: both pairs beside the centre, then the centre with each side.
ListChain::Place ListChain::merge_around(Place center) {
  if (!is_first(center) && !is_first(prev(center))) {
    const Place before_prev = prev(prev(center));
    if (mergeable(before_prev)) center = next(merge_with_next(before_prev));
  }
  const Place behind = next(center);
  if (behind != end() && mergeable(behind)) merge_with_next(behind);
  if (!is_first(center) && mergeable(prev(center))) center = merge_with_next(prev(center));
  if (mergeable(center)) merge_with_next(center);
  return center;
}

bool ListChain::is_inner(Place place) const {
  Place head_side = place;
  Place tail_side = place;
  for (int step = 0; step < limits_.compress_depth; ++step) {
    if (is_first(head_side) || is_last(tail_side)) return false;
    head_side = prev(head_side);
    tail_side = next(tail_side);
  }
  return true;
}

// The ends are raw and what has just left them is compressed.
void ListChain::settle_ends() {
  if (limits_.compress_depth == 0 || node_count_ == 0) return;
  const auto depth = static_cast<uint32_t>(limits_.compress_depth);
  Place head = first();
  Place tail = last();
  for (uint32_t step = 0; step < depth; ++step) {
    node(head).expand();
    node(tail).expand();
    if (step + 1 >= node_count_) return;
    head = next(head);
    tail = prev(tail);
  }
  if (node_count_ > 2 * depth) {
    node(head).compress();
    node(tail).compress();
  }
}

// After a change near `place`, which may be end(): a split or merge touches at most three nodes on either side.
void ListChain::settle_around(Place place) {
  if (limits_.compress_depth == 0 || node_count_ == 0) return;
  settle_ends();
  for (int step = 0; step < 3 && !is_first(place); ++step) place = prev(place);
  for (int step = 0; step < 7 && place != end(); ++step, place = next(place)) {
    if (is_inner(place)) node(place).compress();
  }
}

uint64_t ListChain::relocate(uint64_t cursor, size_t count, BlockMover& mover) {
  constexpr int kNodeBits = 32;
  constexpr uint64_t kNodeMask = (uint64_t{1} << kNodeBits) - 1;
  auto block = static_cast<uint32_t>(cursor >> kNodeBits);
  auto at = static_cast<uint32_t>(cursor & kNodeMask);
  if (cursor == 0) blocks_.move_array(mover);
  for (size_t seen = 0; block < blocks_.size(); ++block, at = 0) {
    GapDeque<ListNode>& nodes = blocks_[block].nodes;
    if (at == 0) nodes.move_array(mover);
    for (; at < nodes.size(); ++at) {
      if (seen >= count) return static_cast<uint64_t>(block) << kNodeBits | at;
      ListNode& one = nodes[at];
      one.data = mover.moved(one.data);
      seen += one.count;
    }
  }
  return 0;
}

}  // namespace synap
