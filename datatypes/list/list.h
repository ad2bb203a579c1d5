// List: the value of a list key, one word: a listpack while small, a chain of nodes when big. The names of the
// encodings and the moments of conversion are those of Redis 7.4 (list-max-listpack-size, list-compress-depth).
// Const members write nothing and may run on several threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "datatypes/encoding/listpack.h"
#include "datatypes/list/list_chain.h"
#include "server/base/block_mover.h"

namespace synap {

class List {
 public:
  enum class End { kHead, kTail };

  List();
  ~List();
  List(List&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  List& operator=(List&& other) noexcept {
    std::swap(word_, other.word_);
    return *this;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  List copy() const;

  size_t length() const { return is_listpack() ? pack().length() : chain().length(); }
  bool is_listpack() const { return (word_ & kChainTag) == 0; }
  std::string_view encoding_name() const { return is_listpack() ? "listpack" : "quicklist"; }
  size_t memory_bytes() const;  // beside the word itself
  // Of the elements at the head; for costs.
  size_t element_bytes_estimate() const;
  // Allocations to free, roughly: what deleting costs.
  size_t node_count() const { return is_listpack() ? 1 : chain().node_count(); }

  // One after the other, so the last is outermost. May turn a listpack into a chain.
  void push(End end, std::span<const std::string_view> elements, const ListLimits& limits);
  void push(End end, std::string_view element, const ListLimits& limits) { push(end, {&element, 1}, limits); }
  // The element at an end of a list that is not empty; valid until the next change.
  ListpackValue peek(End end) const;
  // Removes `count` elements, at most all.
  void pop(End end, size_t count, const ListLimits& limits);
  // Moves an element from one end to an end, perhaps the same. Converts at most once, at the end, as Redis.
  void rotate(End from, End to, const ListLimits& limits);
  // Removes `count` elements from `start` on.
  void erase(size_t start, size_t count, const ListLimits& limits);
  // Keeps `count` elements from `start` on.
  void keep(size_t start, size_t count, const ListLimits& limits);
  // Negative indexes count from the tail. False: out of range, the elements are as they were.
  bool set(int64_t index, std::string_view element, const ListLimits& limits);
  // Beside the first element equal to `pivot`; false when there is none.
  bool insert(std::string_view pivot, bool after, std::string_view element, const ListLimits& limits);
  // Removes elements equal to `element`: the first `count`, with a negative one the last -count, with 0 all.
  size_t remove(std::string_view element, int64_t count, const ListLimits& limits);

  // Walks from an index (negative: from the tail) towards either end. The list must not change meanwhile.
  class Iterator {
   public:
    enum class Direction { kForward, kBackward };
    explicit Iterator(const List& list, int64_t index = 0, Direction direction = Direction::kForward);
    // False at the end. The value is valid until the next call.
    bool next(ListpackValue* value);

   private:
    void enter_node();
    bool leave_node();

    const ListChain* chain_;  // null: one listpack
    ListChain::Place place_;
    const uint8_t* data_ = nullptr;  // null: at the end
    uint64_t plain_bytes_ = 0;
    bool plain_ = false;
    bool forward_;
    ListpackView::Position position_ = ListpackView::kNone;  // of the next element; kNone: the next node's
    std::unique_ptr<uint8_t[]> scratch_;
  };

  // A node as it is saved; a small list is one node. `raw` is a listpack or, in a plain node, the element; of a
  // compressed node it is empty and `lzf` holds its compressed bytes.
  struct NodeImage {
    bool plain = false;
    std::string_view raw;
    std::string_view lzf;
    uint64_t raw_bytes = 0;
  };
  // Of a chain; null while it is a listpack.
  const ListLimits* limits() const { return is_listpack() ? nullptr : &chain_limits(); }
  void for_each_node(const std::function<void(const NodeImage&)>& visit) const;

  // Builds a list node by node, in order, from saved parts; the bytes must have passed ListpackView::validate.
  class Loader {
   public:
    explicit Loader(const ListLimits& limits) : limits_(limits), chain_(new ListChain(limits)) {}
    void add_pack(std::string_view listpack_bytes);
    void add_pack(Listpack pack);
    void add_plain(std::string_view element);
    // An element of a format without nodes.
    void add_element(std::string_view element);
    bool empty() const { return chain_->length() == 0; }
    // In the encoding that these limits ask for.
    List finish();

   private:
    ListLimits limits_;
    std::unique_ptr<ListChain> chain_;
  };

  // Moves the blocks it is made of from `cursor` on, about `count` elements' worth. The next cursor, 0 at the end.
  uint64_t relocate(uint64_t cursor, size_t count, BlockMover& mover);

 private:
  const ListLimits& chain_limits() const;
  static constexpr uintptr_t kChainTag = 1;
  explicit List(uintptr_t word) : word_(word) {}

  ListpackView pack() const { return ListpackView(reinterpret_cast<const uint8_t*>(word_)); }
  ListChain& chain() { return *reinterpret_cast<ListChain*>(word_ & ~kChainTag); }
  const ListChain& chain() const { return *reinterpret_cast<const ListChain*>(word_ & ~kChainTag); }
  template <class Change>
  void edit_pack(Change change) {
    Listpack owned = Listpack::adopt(reinterpret_cast<uint8_t*>(word_));
    change(owned);
    word_ = reinterpret_cast<uintptr_t>(owned.release());
  }

  // A listpack that would pass the limits with this much more becomes a chain.
  void grow_for(size_t added_bytes, size_t added_count, const ListLimits& limits);
  // A chain of one small node becomes a listpack: at the limits, or, after removals, at half of them.
  void shrink(const ListLimits& limits, bool after_removal = true);
  void erase_raw(size_t start, size_t count);
  size_t remove_from_chain(std::string_view element, bool forward, size_t wanted);

  uintptr_t word_ = 0;
};
static_assert(sizeof(List) == 8);

}  // namespace synap
