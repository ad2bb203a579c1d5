#include "datatypes/zset/btree.h"

#include <cstdlib>
#include <cstring>

namespace synap {

struct BTree::Inner {
  uint32_t count;
  double scores[kInnerSlots];  // with firsts: the exact first key below each child
  ZsetItem* firsts[kInnerSlots];
  void* children[kInnerSlots];
  size_t sizes[kInnerSlots];  // items below each child

  size_t total() const {
    size_t sum = 0;
    for (size_t i = 0; i < count; ++i) sum += sizes[i];
    return sum;
  }
  void open(size_t at) {
    shift(at, at + 1, count - at);
    ++count;
  }
  void close(size_t at) {
    shift(at + 1, at, count - at - 1);
    --count;
  }
  void put(size_t at, void* child, ZsetItem* first, double score, size_t size) {
    scores[at] = score;
    firsts[at] = first;
    children[at] = child;
    sizes[at] = size;
  }
  // Appends n children of another node, from its child `at` on.
  void take(const Inner* from, size_t at, size_t n) {
    std::memcpy(scores + count, from->scores + at, n * sizeof(scores[0]));
    std::memcpy(firsts + count, from->firsts + at, n * sizeof(firsts[0]));
    std::memcpy(children + count, from->children + at, n * sizeof(children[0]));
    std::memcpy(sizes + count, from->sizes + at, n * sizeof(sizes[0]));
    count += static_cast<uint32_t>(n);
  }

 private:
  void shift(size_t from, size_t to, size_t n) {
    std::memmove(scores + to, scores + from, n * sizeof(scores[0]));
    std::memmove(firsts + to, firsts + from, n * sizeof(firsts[0]));
    std::memmove(children + to, children + from, n * sizeof(children[0]));
    std::memmove(sizes + to, sizes + from, n * sizeof(sizes[0]));
  }
};

namespace {

// A leaf gives to a sibling only when that frees this much room, so that the copying is paid back by many inserts.
constexpr size_t kShareMin = BTree::kLeafSlots / 8;
constexpr size_t kMergeBelow = BTree::kLeafSlots / 2;
constexpr size_t kMergeMax = BTree::kLeafSlots * 7 / 8;

size_t count_less(const double* scores, size_t n, double score) {
  size_t low = 0;
  while (n > 0) {
    size_t half = n / 2;
    bool right = scores[low + half] < score;
    low = right ? low + half + 1 : low;
    n = right ? n - half - 1 : half;
  }
  return low;
}

size_t count_less_or_equal(const double* scores, size_t n, double score) {
  size_t low = 0;
  while (n > 0) {
    size_t half = n / 2;
    bool right = scores[low + half] <= score;
    low = right ? low + half + 1 : low;
    n = right ? n - half - 1 : half;
  }
  return low;
}

// How many of items[low, high) have a member before (or equal to) the given one.
size_t count_members(ZsetItem* const* items, size_t low, size_t high, std::string_view member, bool or_equal) {
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = items[middle]->member().compare(member);
    if (order < 0 || (or_equal && order == 0)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The scores of a node span eight cache lines; fetching them at once makes a cold search cost one miss, not four.
void prefetch_scores(const double* scores, size_t slots) {
  for (size_t i = 0; i < slots; i += 8) __builtin_prefetch(scores + i);
}

}  // namespace

static_assert(sizeof(BTree::Leaf) <= 1024);

size_t BTree::count_before(const double* scores, ZsetItem* const*, size_t n, const ScoreBound& bound) {
  return bound.after_equal ? count_less_or_equal(scores, n, bound.score) : count_less(scores, n, bound.score);
}

size_t BTree::count_before(const double*, ZsetItem* const* items, size_t n, const LexBound& bound) {
  return count_members(items, 0, n, bound.member, bound.after_equal);
}

size_t BTree::count_before(const double* scores, ZsetItem* const* items, size_t n, const KeyBound& bound) {
  size_t high = count_less_or_equal(scores, n, bound.score);
  if (high == 0 || scores[high - 1] != bound.score) return high;
  size_t low = count_less(scores, high, bound.score);
  return count_members(items, low, high, bound.member, true);
}

template <class Bound>
BTree::Place BTree::seek_bound(const Bound& bound) const {
  if (root_ == nullptr) return {{}, 0};
  size_t rank = 0;
  const void* node = root_;
  for (size_t height = height_; height > 0; --height) {
    auto* inner = static_cast<const Inner*>(node);
    size_t n = count_before(inner->scores, inner->firsts, inner->count, bound);
    size_t child = n > 0 ? n - 1 : 0;
    for (size_t i = 0; i < child; ++i) rank += inner->sizes[i];
    node = inner->children[child];
  }
  auto* leaf = static_cast<const Leaf*>(node);
  prefetch_scores(leaf->scores, kLeafSlots);
  size_t at = count_before(leaf->scores, leaf->items, leaf->count, bound);
  if (at < leaf->count) return {{leaf, at}, rank + at};
  return {{leaf->next, 0}, rank + at};
}

template BTree::Place BTree::seek_bound(const ScoreBound&) const;
template BTree::Place BTree::seek_bound(const LexBound&) const;

BTree::Leaf* BTree::descend(const KeyBound& bound, Path* path) const {
  void* node = root_;
  for (size_t level = 0; level < height_; ++level) {
    auto* inner = static_cast<Inner*>(node);
    size_t n = count_before(inner->scores, inner->firsts, inner->count, bound);
    size_t child = n > 0 ? n - 1 : 0;
    path->steps[level] = {inner, child};
    node = inner->children[child];
    prefetch_scores(static_cast<Leaf*>(node)->scores, kLeafSlots);
  }
  return static_cast<Leaf*>(node);
}

BTree::Leaf* BTree::descend_to_rank(size_t rank, Path* path, size_t* index) const {
  SYNAP_ASSERT(rank < size_);
  void* node = root_;
  for (size_t level = 0; level < height_; ++level) {
    auto* inner = static_cast<Inner*>(node);
    size_t child = 0;
    while (rank >= inner->sizes[child]) rank -= inner->sizes[child++];
    path->steps[level] = {inner, child};
    node = inner->children[child];
  }
  *index = rank;
  return static_cast<Leaf*>(node);
}

BTree::Cursor BTree::last() const {
  if (tail_ == nullptr) return {};
  return {tail_, tail_->count - 1};
}

BTree::Cursor BTree::at(size_t rank) const {
  if (rank < head_->count) return {head_, rank};
  if (size_ - rank <= tail_->count) return {tail_, tail_->count - (size_ - rank)};
  Path path;
  size_t index = 0;
  Leaf* leaf = descend_to_rank(rank, &path, &index);
  return {leaf, index};
}

size_t BTree::rank(const ZsetItem* item) const {
  Path path;
  KeyBound key{item->score, item->member()};
  Leaf* leaf = descend(key, &path);
  size_t rank = 0;
  for (size_t level = 0; level < height_; ++level) {
    const Step& step = path.steps[level];
    for (size_t i = 0; i < step.index; ++i) rank += step.node->sizes[i];
  }
  return rank + place_in_leaf(*leaf, key, item);
}

// An item that is there and has its score alone is found without a look at the items.
size_t BTree::place_in_leaf(const Leaf& leaf, const KeyBound& key, [[maybe_unused]] const ZsetItem* item) {
  size_t n = count_less_or_equal(leaf.scores, leaf.count, key.score);
  if (n >= 2 && leaf.scores[n - 2] == key.score) n = count_before(leaf.scores, leaf.items, leaf.count, key);
  SYNAP_DCHECK(n > 0 && leaf.items[n - 1] == item);
  return n - 1;
}

// ---- growing

void BTree::insert(ZsetItem* item) {
  KeyBound key{item->score, item->member()};
  if (root_ == nullptr) {
    append(item);
    return;
  }
  for (;;) {
    Path path;
    Leaf* leaf = descend(key, &path);
    size_t at = count_before(leaf->scores, leaf->items, leaf->count, key);
    if (leaf->count < kLeafSlots) return insert_at(&path, leaf, at, item);
    // Runs of ascending (or, at the front, descending) keys leave full leaves behind.
    bool ascending = at == kLeafSlots;
    bool descending = at == 0;
    if (ascending && leaf->next == nullptr) return add_leaf_of_one(&path, leaf, true, item);
    if (descending) return add_leaf_of_one(&path, leaf, false, item);
    if (share_with_sibling(&path, leaf)) continue;
    if (ascending) return add_leaf_of_one(&path, leaf, true, item);
    split(&path, leaf);
  }
}

void BTree::append(ZsetItem* item) {
  if (root_ == nullptr) {
    root_ = new_leaf(nullptr, nullptr);
    Path path;
    insert_at(&path, tail_, 0, item);
    return;
  }
  Path path;
  void* node = root_;
  for (size_t level = 0; level < height_; ++level) {
    auto* inner = static_cast<Inner*>(node);
    path.steps[level] = {inner, inner->count - 1};
    node = inner->children[inner->count - 1];
  }
  if (tail_->count < kLeafSlots) {
    insert_at(&path, tail_, tail_->count, item);
  } else {
    add_leaf_of_one(&path, tail_, true, item);
  }
}

void BTree::insert_at(Path* path, Leaf* leaf, size_t at, ZsetItem* item) {
  size_t behind = leaf->count - at;
  std::memmove(leaf->scores + at + 1, leaf->scores + at, behind * sizeof(leaf->scores[0]));
  std::memmove(leaf->items + at + 1, leaf->items + at, behind * sizeof(leaf->items[0]));
  leaf->scores[at] = item->score;
  leaf->items[at] = item;
  ++leaf->count;
  ++size_;
  for (size_t level = 0; level < height_; ++level) ++path->steps[level].node->sizes[path->steps[level].index];
  if (at == 0) refresh_first(path, height_, item, item->score);
}

void BTree::add_leaf_of_one(Path* path, Leaf* beside, bool after, ZsetItem* item) {
  Leaf* fresh = after ? new_leaf(beside, beside->next) : new_leaf(beside->prev, beside);
  fresh->count = 1;
  fresh->scores[0] = item->score;
  fresh->items[0] = item;
  ++size_;
  if (height_ == 0) {
    if (after) {
      grow_root(beside, fresh, item, 1);
    } else {
      grow_root(fresh, beside, beside->items[0], beside->count);
    }
    return;
  }
  size_t level = height_ - 1;
  for (size_t i = 0; i < level; ++i) ++path->steps[i].node->sizes[path->steps[i].index];
  size_t index = path->steps[level].index;
  if (!after) refresh_first(path, level, item, item->score);
  insert_child(path, level, after ? index + 1 : index, fresh, item, 1);
}

// Evens a full leaf out with a neighbour under the same parent that has room: keeps the average fill above
// three quarters under random inserts, where splitting alone would give 69 %.
bool BTree::share_with_sibling(Path* path, Leaf* leaf) {
  if (height_ == 0) return false;
  Inner* parent = path->steps[height_ - 1].node;
  size_t index = path->steps[height_ - 1].index;
  size_t left_room = index > 0 ? kLeafSlots - parent->sizes[index - 1] : 0;
  size_t right_room = index + 1 < parent->count ? kLeafSlots - parent->sizes[index + 1] : 0;
  if (left_room < kShareMin && right_room < kShareMin) return false;
  if (left_room >= right_room) {
    Leaf* left = leaf->prev;
    size_t n = (left_room + 1) / 2;
    std::memcpy(left->scores + left->count, leaf->scores, n * sizeof(leaf->scores[0]));
    std::memcpy(left->items + left->count, leaf->items, n * sizeof(leaf->items[0]));
    std::memmove(leaf->scores, leaf->scores + n, (leaf->count - n) * sizeof(leaf->scores[0]));
    std::memmove(leaf->items, leaf->items + n, (leaf->count - n) * sizeof(leaf->items[0]));
    left->count += static_cast<uint32_t>(n);
    leaf->count -= static_cast<uint32_t>(n);
    parent->sizes[index - 1] += n;
    parent->sizes[index] -= n;
    parent->scores[index] = leaf->scores[0];
    parent->firsts[index] = leaf->items[0];
    return true;
  }
  Leaf* right = leaf->next;
  size_t n = (right_room + 1) / 2;
  std::memmove(right->scores + n, right->scores, right->count * sizeof(leaf->scores[0]));
  std::memmove(right->items + n, right->items, right->count * sizeof(leaf->items[0]));
  std::memcpy(right->scores, leaf->scores + leaf->count - n, n * sizeof(leaf->scores[0]));
  std::memcpy(right->items, leaf->items + leaf->count - n, n * sizeof(leaf->items[0]));
  right->count += static_cast<uint32_t>(n);
  leaf->count -= static_cast<uint32_t>(n);
  parent->sizes[index + 1] += n;
  parent->sizes[index] -= n;
  parent->scores[index + 1] = right->scores[0];
  parent->firsts[index + 1] = right->items[0];
  return true;
}

void BTree::split(Path* path, Leaf* leaf) {
  Leaf* right = new_leaf(leaf, leaf->next);
  size_t keep = leaf->count / 2;
  size_t n = leaf->count - keep;
  std::memcpy(right->scores, leaf->scores + keep, n * sizeof(leaf->scores[0]));
  std::memcpy(right->items, leaf->items + keep, n * sizeof(leaf->items[0]));
  right->count = static_cast<uint32_t>(n);
  leaf->count = static_cast<uint32_t>(keep);
  if (height_ == 0) return grow_root(leaf, right, right->items[0], n);
  size_t level = height_ - 1;
  size_t index = path->steps[level].index;
  path->steps[level].node->sizes[index] -= n;
  insert_child(path, level, index + 1, right, right->items[0], n);
}

// Puts a child into the inner node at `level` of the path, splitting upwards as needed. The sizes above already
// include the child's items. The path is stale afterwards.
void BTree::insert_child(Path* path, size_t level, size_t at, void* child, const ZsetItem* first_item, size_t size) {
  auto* first = const_cast<ZsetItem*>(first_item);
  Inner* node = path->steps[level].node;
  if (node->count < kInnerSlots) {
    node->open(at);
    node->put(at, child, first, first->score, size);
    return;
  }
  size_t keep = at == kInnerSlots ? kInnerSlots - 1 : at == 0 ? 1 : kInnerSlots / 2;
  Inner* right = new_inner();
  right->take(node, keep, kInnerSlots - keep);
  node->count = static_cast<uint32_t>(keep);
  Inner* half = at <= keep ? node : right;
  size_t index = at <= keep ? at : at - keep;
  half->open(index);
  half->put(index, child, first, first->score, size);
  size_t moved = right->total();
  if (level == 0) return grow_root(node, right, right->firsts[0], moved);
  path->steps[level - 1].node->sizes[path->steps[level - 1].index] -= moved;
  insert_child(path, level - 1, path->steps[level - 1].index + 1, right, right->firsts[0], moved);
}

// A new root over the old one's two halves.
void BTree::grow_root(void* left, void* right, const ZsetItem* right_first, size_t right_size) {
  SYNAP_ASSERT(height_ < kHeightMax);
  Inner* root = new_inner();
  auto* second = const_cast<ZsetItem*>(right_first);
  ZsetItem* first = head_->items[0];
  root->count = 2;
  root->put(0, left, first, head_->scores[0], size_ - right_size);
  root->put(1, right, second, second->score, right_size);
  root_ = root;
  ++height_;
}

// ---- shrinking and moving

void BTree::remove(const ZsetItem* item) {
  Path path;
  KeyBound key{item->score, item->member()};
  Leaf* leaf = descend(key, &path);
  const size_t at = place_in_leaf(*leaf, key, item);
  SYNAP_ASSERT(leaf->items[at] == item);
  erase(&path, leaf, at, 1);
}

ZsetItem* BTree::relocate(ZsetItem* item, BlockMover& mover) {
  // All comparisons come before the move: they read the item.
  Path path;
  KeyBound key{item->score, item->member()};
  Leaf* leaf = descend(key, &path);
  const size_t at = place_in_leaf(*leaf, key, item);
  SYNAP_ASSERT(leaf->items[at] == item);
  auto* fresh = static_cast<ZsetItem*>(mover.move(item));
  leaf->items[at] = fresh;
  if (at == 0) refresh_first(&path, height_, fresh, fresh->score);
  return fresh;
}

size_t BTree::relocate_nodes(size_t rank, BlockMover& mover) {
  SYNAP_ASSERT(rank < size_);
  void** link = &root_;
  size_t index = rank;
  for (size_t level = 0; level < height_; ++level) {
    auto* inner = static_cast<Inner*>(*link);
    // A node is asked for once, on the way to its first leaf.
    if (index == 0) *link = inner = mover.moved(inner);
    size_t child = 0;
    while (index >= inner->sizes[child]) index -= inner->sizes[child++];
    link = &inner->children[child];
  }
  auto* leaf = static_cast<Leaf*>(*link);
  leaf = mover.moved(leaf);
  *link = leaf;
  (leaf->prev == nullptr ? head_ : leaf->prev->next) = leaf;
  (leaf->next == nullptr ? tail_ : leaf->next->prev) = leaf;
  return rank - index + leaf->count;
}

void BTree::erase(Path* path, Leaf* leaf, size_t at, size_t n) {
  size_t behind = leaf->count - at - n;
  std::memmove(leaf->scores + at, leaf->scores + at + n, behind * sizeof(leaf->scores[0]));
  std::memmove(leaf->items + at, leaf->items + at + n, behind * sizeof(leaf->items[0]));
  leaf->count -= static_cast<uint32_t>(n);
  size_ -= n;
  for (size_t level = 0; level < height_; ++level) path->steps[level].node->sizes[path->steps[level].index] -= n;
  if (leaf->count == 0) {
    free_leaf(leaf);
    if (height_ == 0) {
      root_ = nullptr;
    } else {
      remove_child(path, height_ - 1, path->steps[height_ - 1].index);
    }
    return;
  }
  if (at == 0) refresh_first(path, height_, leaf->items[0], leaf->scores[0]);
  if (leaf->count < kMergeBelow && height_ > 0) merge_leaf(path, leaf);
}

void BTree::merge_leaf(Path* path, Leaf* leaf) {
  Inner* parent = path->steps[height_ - 1].node;
  size_t index = path->steps[height_ - 1].index;
  Leaf* left = leaf;
  if (index + 1 < parent->count && leaf->count + parent->sizes[index + 1] <= kMergeMax) {
    // takes its right neighbour in
  } else if (index > 0 && leaf->count + parent->sizes[index - 1] <= kMergeMax) {
    left = leaf->prev;
    --index;
  } else {
    return;
  }
  Leaf* right = left->next;
  std::memcpy(left->scores + left->count, right->scores, right->count * sizeof(left->scores[0]));
  std::memcpy(left->items + left->count, right->items, right->count * sizeof(left->items[0]));
  left->count += right->count;
  parent->sizes[index] += right->count;
  free_leaf(right);
  remove_child(path, height_ - 1, index + 1);
}

void BTree::remove_child(Path* path, size_t level, size_t at) {
  Inner* node = path->steps[level].node;
  node->close(at);
  if (node->count == 0) {
    free_inner(node);
    if (level > 0) return remove_child(path, level - 1, path->steps[level - 1].index);
    root_ = nullptr;
    height_ = 0;
    return;
  }
  if (at == 0) refresh_first(path, level, node->firsts[0], node->scores[0]);
  if (level > 0) {
    if (node->count < kInnerSlots / 2) merge_inner(path, level);
    return;
  }
  while (height_ > 0 && static_cast<Inner*>(root_)->count == 1) {
    auto* root = static_cast<Inner*>(root_);
    root_ = root->children[0];
    free_inner(root);
    --height_;
  }
}

void BTree::merge_inner(Path* path, size_t level) {
  Inner* node = path->steps[level].node;
  Inner* parent = path->steps[level - 1].node;
  size_t index = path->steps[level - 1].index;
  auto fits = [&](size_t sibling) {
    return static_cast<Inner*>(parent->children[sibling])->count + node->count <= kInnerSlots * 3 / 4;
  };
  if (index + 1 < parent->count && fits(index + 1)) {
    // takes its right neighbour in
  } else if (index > 0 && fits(index - 1)) {
    --index;
  } else {
    return;
  }
  auto* left = static_cast<Inner*>(parent->children[index]);
  auto* right = static_cast<Inner*>(parent->children[index + 1]);
  left->take(right, 0, right->count);
  parent->sizes[index] += parent->sizes[index + 1];
  free_inner(right);
  remove_child(path, level - 1, index + 1);
}

// The first item below the path's node at depth `levels` changed: the separators that repeat it follow.
void BTree::refresh_first(Path* path, size_t levels, ZsetItem* first, double score) {
  while (levels > 0) {
    const Step& step = path->steps[--levels];
    step.node->firsts[step.index] = first;
    step.node->scores[step.index] = score;
    if (step.index > 0) return;
  }
}

void BTree::rescore(ZsetItem* item, double score) {
  Path path;
  KeyBound old_key{item->score, item->member()};
  Leaf* leaf = descend(old_key, &path);
  const size_t from = place_in_leaf(*leaf, old_key, item);
  SYNAP_ASSERT(leaf->items[from] == item);
  item->score = score;
  size_t to = count_before(leaf->scores, leaf->items, leaf->count, KeyBound{score, item->member()});
  bool inside = (to > 0 || leaf->prev == nullptr) && (to < leaf->count || leaf->next == nullptr);
  if (!inside) {
    erase(&path, leaf, from, 1);
    insert(item);
    return;
  }
  // It stays in its leaf: the items between its old and new place move by one.
  if (to > from) {
    --to;
    std::memmove(leaf->scores + from, leaf->scores + from + 1, (to - from) * sizeof(leaf->scores[0]));
    std::memmove(leaf->items + from, leaf->items + from + 1, (to - from) * sizeof(leaf->items[0]));
  } else {
    std::memmove(leaf->scores + to + 1, leaf->scores + to, (from - to) * sizeof(leaf->scores[0]));
    std::memmove(leaf->items + to + 1, leaf->items + to, (from - to) * sizeof(leaf->items[0]));
  }
  leaf->scores[to] = score;
  leaf->items[to] = item;
  if (from == 0 || to == 0) refresh_first(&path, height_, leaf->items[0], leaf->scores[0]);
}

// ---- nodes

BTree::~BTree() {
  if (root_ != nullptr) free_nodes(root_, height_);
}

size_t BTree::memory_bytes() const {
  return leaf_count_ * 1024 + size_t{inner_count_} * 2048;
}

BTree::Leaf* BTree::new_leaf(Leaf* prev, Leaf* next) {
  auto* leaf = static_cast<Leaf*>(std::malloc(sizeof(Leaf)));
  SYNAP_ASSERT(leaf != nullptr);
  leaf->prev = prev;
  leaf->next = next;
  leaf->count = 0;
  (prev != nullptr ? prev->next : head_) = leaf;
  (next != nullptr ? next->prev : tail_) = leaf;
  ++leaf_count_;
  return leaf;
}

BTree::Inner* BTree::new_inner() {
  static_assert(sizeof(Inner) <= 2048);
  auto* inner = static_cast<Inner*>(std::malloc(sizeof(Inner)));
  SYNAP_ASSERT(inner != nullptr);
  inner->count = 0;
  ++inner_count_;
  return inner;
}

void BTree::free_leaf(Leaf* leaf) {
  (leaf->prev != nullptr ? leaf->prev->next : head_) = leaf->next;
  (leaf->next != nullptr ? leaf->next->prev : tail_) = leaf->prev;
  std::free(leaf);
  --leaf_count_;
}

void BTree::free_inner(Inner* inner) {
  std::free(inner);
  --inner_count_;
}

void BTree::free_nodes(void* node, size_t height) {
  if (height > 0) {
    auto* inner = static_cast<Inner*>(node);
    for (size_t i = 0; i < inner->count; ++i) free_nodes(inner->children[i], height - 1);
  }
  std::free(node);
}

// ---- invariants

double BTree::check() const {
  if (root_ == nullptr) {
    SYNAP_ASSERT(size_ == 0 && head_ == nullptr && tail_ == nullptr && height_ == 0);
    SYNAP_ASSERT(leaf_count_ == 0 && inner_count_ == 0);
    return 1;
  }
  const Leaf* expected = head_;
  size_t leaves = 0;
  SYNAP_ASSERT(head_->prev == nullptr && tail_->next == nullptr);
  SYNAP_ASSERT(check_node(root_, height_, &expected, &leaves) == size_);
  SYNAP_ASSERT(expected == nullptr && leaves == leaf_count_);
  return static_cast<double>(size_) / static_cast<double>(leaves * kLeafSlots);
}

// Walks the subtree in order; `expected` is the leaf that the chain says comes next. Gives the number of items.
size_t BTree::check_node(const void* node, size_t height, const Leaf** expected, size_t* leaves) const {
  if (height == 0) {
    auto* leaf = static_cast<const Leaf*>(node);
    SYNAP_ASSERT(leaf == *expected && leaf->count > 0 && leaf->count <= kLeafSlots);
    SYNAP_ASSERT(leaf->next == nullptr ? leaf == tail_ : leaf->next->prev == leaf);
    for (size_t i = 0; i < leaf->count; ++i) {
      SYNAP_ASSERT(leaf->scores[i] == leaf->items[i]->score);
      Cursor cursor(leaf, i);
      cursor.next();
      if (!cursor.valid()) continue;
      SYNAP_ASSERT(leaf->scores[i] <= cursor.score());
      SYNAP_ASSERT(leaf->scores[i] < cursor.score() || leaf->items[i]->member() < cursor.item()->member());
    }
    *expected = leaf->next;
    ++*leaves;
    return leaf->count;
  }
  auto* inner = static_cast<const Inner*>(node);
  SYNAP_ASSERT(inner->count > 0 && inner->count <= kInnerSlots);
  size_t total = 0;
  for (size_t i = 0; i < inner->count; ++i) {
    SYNAP_ASSERT(*expected != nullptr && (*expected)->items[0] == inner->firsts[i]);
    SYNAP_ASSERT((*expected)->scores[0] == inner->scores[i]);
    size_t n = check_node(inner->children[i], height - 1, expected, leaves);
    SYNAP_ASSERT(n == inner->sizes[i]);
    total += n;
  }
  return total;
}

}  // namespace synap
