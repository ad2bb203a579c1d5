// See list.h.
#include "datatypes/list/list.h"

#include <algorithm>
#include <array>

namespace synap {

namespace {

using Positions = std::vector<ListpackView::Position>;

// Positions of at most `wanted` elements equal to `element`, ascending; of the last ones if !forward.
void find_matches(ListpackView pack, std::string_view element, bool forward, size_t wanted, Positions* out) {
  out->clear();
  auto at = pack.find(element, pack.first());
  while (at != ListpackView::kNone && (!forward || out->size() < wanted)) {
    out->push_back(at);
    at = pack.next(at);
    if (at != ListpackView::kNone) at = pack.find(element, at);
  }
  if (out->size() > wanted) out->erase(out->begin(), out->end() - static_cast<ptrdiff_t>(wanted));
}

}  // namespace

List::List() : word_(reinterpret_cast<uintptr_t>(Listpack().release())) {}

List::~List() {
  if (is_listpack()) {
    std::free(reinterpret_cast<void*>(word_));
  } else {
    delete &chain();
  }
}

List List::copy() const {
  if (is_listpack()) return List(reinterpret_cast<uintptr_t>(Listpack::copy_of(pack().raw()).release()));
  auto* copied = new ListChain(chain().limits());
  for (auto place = chain().first(); place != chain().end(); place = chain().next(place)) {
    copied->append_node(chain()[place].copy());
  }
  return List(reinterpret_cast<uintptr_t>(copied) | kChainTag);
}

size_t List::memory_bytes() const {
  return is_listpack() ? pack().memory_bytes() : chain().memory_bytes();
}

size_t List::element_bytes_estimate() const {
  if (length() == 0) return 0;
  if (is_listpack()) return pack().bytes() / pack().length();
  const ListNode& head = chain()[chain().first()];
  return head.bytes / head.count;
}

void List::grow_for(size_t added_bytes, size_t added_count, const ListLimits& limits) {
  if (!is_listpack() || !limits.exceeds(pack().bytes() + added_bytes, pack().length() + added_count)) return;
  auto* grown = new ListChain(limits);
  Listpack taken = Listpack::adopt(reinterpret_cast<uint8_t*>(word_));
  if (!taken.empty()) grown->append_node(ListNode::of_pack(std::move(taken)));
  word_ = reinterpret_cast<uintptr_t>(grown) | kChainTag;
}

void List::shrink(const ListLimits& limits, bool after_removal) {
  if (is_listpack() || chain().node_count() != 1) return;
  const ListNode& single = chain()[chain().first()];
  const size_t divisor = after_removal ? 2 : 1;
  if (single.plain || single.bytes > limits.bytes_max() / divisor || single.count > limits.count_max() / divisor)
    return;
  ListChain* emptied = &chain();
  const ListNode taken = emptied->take_single_node();
  word_ = reinterpret_cast<uintptr_t>(taken.data);
  delete emptied;
}

void List::push(End end, std::span<const std::string_view> elements, const ListLimits& limits) {
  size_t added_bytes = 0;
  for (const std::string_view element : elements) added_bytes += element.size();
  grow_for(added_bytes, elements.size(), limits);
  if (!is_listpack()) {
    for (const std::string_view element : elements) {
      if (end == End::kHead) {
        chain().push_head(element, limits.plain_threshold);
      } else {
        chain().push_tail(element, limits.plain_threshold);
      }
    }
    return;
  }
  edit_pack([&](Listpack& owned) {
    if (end == End::kTail) {
      owned.append_many(elements);
    } else if (elements.size() == 1) {
      owned.prepend(elements[0]);
    } else {
      Listpack reversed;
      for (size_t i = elements.size(); i-- > 0;) reversed.append(elements[i]);
      owned.prepend_pack(reversed.view());
    }
  });
}

ListpackValue List::peek(End end) const {
  const auto end_of = [end](ListpackView view) { return view.get(end == End::kHead ? view.first() : view.last()); };
  if (is_listpack()) return end_of(pack());
  const ListNode& node = chain()[end == End::kHead ? chain().first() : chain().last()];
  // The chain keeps its outermost nodes uncompressed.
  SYNAP_DCHECK(!node.compressed);
  if (!node.plain) return end_of(node.pack());
  ListpackValue value;
  value.data = reinterpret_cast<const char*>(node.data);
  value.size = node.bytes;
  return value;
}

void List::pop(End end, size_t count, const ListLimits& limits) {
  const size_t removed = std::min(count, length());
  erase(end == End::kHead ? 0 : length() - removed, removed, limits);
}

void List::rotate(End from, End to, const ListLimits& limits) {
  const std::string element = peek(from).to_string();
  erase_raw(from == End::kHead ? 0 : length() - 1, 1);
  push(to, element, limits);
  shrink(limits);
}

void List::erase(size_t start, size_t count, const ListLimits& limits) {
  if (count == 0 || start >= length()) return;
  erase_raw(start, count);
  shrink(limits);
}

void List::erase_raw(size_t start, size_t count) {
  if (!is_listpack()) {
    chain().erase(start, count);
    return;
  }
  // From the nearer end, so that popping the tail does not walk the pack.
  const size_t total = length();
  const auto index = start == 0 ? 0 : static_cast<int64_t>(start) - static_cast<int64_t>(total);
  edit_pack([&](Listpack& owned) { owned.erase_range(index, count); });
}

void List::keep(size_t start, size_t count, const ListLimits& limits) {
  const size_t total = length();
  start = std::min(start, total);
  count = std::min(count, total - start);
  if (is_listpack()) {
    edit_pack([&](Listpack& owned) {
      owned.erase_range(0, start);
      owned.erase_range(static_cast<int64_t>(count), total - start - count);
    });
    return;
  }
  chain().erase(0, start);
  chain().erase(count, total - start - count);
  shrink(limits);
}

bool List::set(int64_t index, std::string_view element, const ListLimits& limits) {
  grow_for(element.size(), 1, limits);
  const auto total = static_cast<int64_t>(length());
  if (index < 0) index += total;
  if (index < 0 || index >= total) return false;
  if (is_listpack()) {
    edit_pack([&](Listpack& owned) { owned.replace(owned.view().seek(index), element); });
    return true;
  }
  uint32_t offset;
  const auto place = chain().locate(static_cast<uint64_t>(index), &offset);
  const uint32_t position = chain().position_in(place, offset);
  chain().replace(place, position, element, limits.plain_threshold);
  shrink(limits);
  return true;
}

bool List::insert(std::string_view pivot, bool after, std::string_view element, const ListLimits& limits) {
  grow_for(element.size(), 1, limits);
  if (is_listpack()) {
    const auto at = pack().find(pivot, pack().first());
    if (at == ListpackView::kNone) return false;
    edit_pack([&](Listpack& owned) {
      if (after) {
        owned.insert_after(at, element);
      } else {
        owned.insert_before(at, element);
      }
    });
    return true;
  }
  std::unique_ptr<uint8_t[]> scratch;
  for (auto place = chain().first(); place != chain().end(); place = chain().next(place)) {
    const ListNode& node = chain()[place];
    const uint8_t* data = node.readable(&scratch);
    uint32_t position = 0;
    if (node.plain) {
      if (std::string_view(reinterpret_cast<const char*>(data), node.bytes) != pivot) continue;
    } else {
      const ListpackView view(data);
      position = view.find(pivot, view.first());
      if (position == ListpackView::kNone) continue;
    }
    chain().insert(place, position, after, element, limits.plain_threshold);
    return true;
  }
  return false;
}

size_t List::remove(std::string_view element, int64_t count, const ListLimits& limits) {
  const bool forward = count >= 0;
  const size_t wanted = count == 0 ? SIZE_MAX : static_cast<size_t>(forward ? count : -count);
  if (is_listpack()) {
    Positions matches;
    find_matches(pack(), element, forward, wanted, &matches);
    if (!matches.empty()) edit_pack([&](Listpack& owned) { owned.erase_many(matches); });
    return matches.size();
  }
  const size_t removed = remove_from_chain(element, forward, wanted);
  if (removed > 0) shrink(limits);
  return removed;
}

size_t List::remove_from_chain(std::string_view element, bool forward, size_t wanted) {
  if (chain().node_count() == 0) return 0;
  size_t removed = 0;
  Positions matches;
  std::unique_ptr<uint8_t[]> scratch;
  auto place = forward ? chain().first() : chain().last();
  while (removed < wanted && place != chain().end()) {
    const ListNode& node = chain()[place];
    const uint8_t* data = node.readable(&scratch);
    if (!node.plain) {
      find_matches(ListpackView(data), element, forward, wanted - removed, &matches);
    } else {
      matches.assign(std::string_view(reinterpret_cast<const char*>(data), node.bytes) == element ? 1 : 0, 0);
    }
    const bool at_head = chain().is_first(place);
    const auto before = at_head ? place : chain().prev(place);
    removed += matches.size();
    const bool node_gone = !matches.empty() && chain().erase_in_node(place, matches);
    if (!forward) {
      if (at_head) break;
      place = before;
    } else if (!node_gone) {
      place = chain().next(place);
    } else {
      // Removing a node moves only what is behind it.
      place = at_head ? chain().first() : chain().next(before);
    }
  }
  return removed;
}

const ListLimits& List::chain_limits() const { return chain().limits(); }

void List::for_each_node(const std::function<void(const NodeImage&)>& visit) const {
  NodeImage image;
  if (is_listpack()) {
    image.raw = pack().raw();
    image.raw_bytes = image.raw.size();
    visit(image);
    return;
  }
  for (auto place = chain().first(); place != chain().end(); place = chain().next(place)) {
    const ListNode& node = chain()[place];
    image.plain = node.plain;
    image.raw_bytes = node.bytes;
    image.lzf = node.compressed ? node.compressed_bytes() : std::string_view();
    image.raw =
        node.compressed ? std::string_view() : std::string_view(reinterpret_cast<const char*>(node.data), node.bytes);
    visit(image);
  }
}

List::Iterator::Iterator(const List& list, int64_t index, Direction direction)
    : chain_(list.is_listpack() ? nullptr : &list.chain()), forward_(direction == Direction::kForward) {
  const auto total = static_cast<int64_t>(list.length());
  if (index < 0) index += total;
  if (index < 0 || index >= total) return;
  if (chain_ == nullptr) {
    data_ = list.pack().data();
    position_ = list.pack().seek(index);
    return;
  }
  uint32_t offset;
  place_ = chain_->locate(static_cast<uint64_t>(index), &offset);
  enter_node();
  if (!plain_) position_ = ListpackView(data_).seek(offset);
}

void List::Iterator::enter_node() {
  const ListNode& node = (*chain_)[place_];
  data_ = node.readable(&scratch_);
  plain_ = node.plain;
  plain_bytes_ = node.bytes;
  if (plain_) {
    position_ = ListpackView::kHeaderBytes;  // any position but kNone: there is one element
  } else {
    position_ = forward_ ? ListpackView(data_).first() : ListpackView(data_).last();
  }
}

bool List::Iterator::leave_node() {
  data_ = nullptr;
  if (chain_ == nullptr || (forward_ ? chain_->is_last(place_) : chain_->is_first(place_))) return false;
  place_ = forward_ ? chain_->next(place_) : chain_->prev(place_);
  enter_node();
  return true;
}

bool List::Iterator::next(ListpackValue* value) {
  if (data_ == nullptr) return false;
  if (position_ == ListpackView::kNone && !leave_node()) return false;
  if (plain_) {
    value->data = reinterpret_cast<const char*>(data_);
    value->size = plain_bytes_;
    position_ = ListpackView::kNone;
    return true;
  }
  const ListpackView view(data_);
  if (forward_) {
    *value = view.read(position_, &position_);
  } else {
    *value = view.get(position_);
    position_ = view.prev(position_);
  }
  return true;
}

void List::Loader::add_pack(std::string_view listpack_bytes) {
  add_pack(Listpack::copy_of(listpack_bytes));
}

void List::Loader::add_pack(Listpack pack) {
  if (pack.empty()) return;
  // Only a file made elsewhere with enormous limits has such nodes.
  while (pack.length() > ListNode::kCountMax) {
    Listpack tail = pack.split_off(pack.view().seek(ListNode::kCountMax));
    chain_->append_node(ListNode::of_pack(std::move(pack)));
    pack = std::move(tail);
  }
  chain_->append_node(ListNode::of_pack(std::move(pack)));
}

void List::Loader::add_plain(std::string_view element) {
  chain_->append_node(ListNode::of_plain(element));
}

void List::Loader::add_element(std::string_view element) {
  chain_->push_tail(element, limits_.plain_threshold);
}

List List::Loader::finish() {
  chain_->compress_inner();
  List list(reinterpret_cast<uintptr_t>(chain_.release()) | kChainTag);
  list.shrink(limits_, false);
  if (list.length() == 0) return List();
  return list;
}

uint64_t List::relocate(uint64_t cursor, size_t count, BlockMover& mover) {
  if ((word_ & kChainTag) != 0) return chain().relocate(cursor, count, mover);
  if (word_ != 0) word_ = reinterpret_cast<uintptr_t>(mover.moved(reinterpret_cast<void*>(word_)));
  return 0;
}

}  // namespace synap
