// Zset: a sorted set. One word, because it lives in place inside a keyspace entry: nothing, a listpack in Redis's own
// bytes (member and score by turns, in order), or a big set: a B+tree for the order and a table for the members, which
// share one block per element. Values in, values out: no replies, no clocks, no keys.
// Const operations write nothing, so readers may run in parallel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "datatypes/encoding/listpack.h"
#include "datatypes/zset/btree.h"
#include "datatypes/zset/range.h"
#include "server/base/block_mover.h"
#include "server/base/equal_bytes.h"
#include "server/base/hash.h"
#include "server/base/random.h"
#include "server/base/table.h"

namespace synap {

// The directives zset-max-listpack-entries and zset-max-listpack-value.
struct ZsetLimits {
  size_t max_listpack_entries = 128;
  size_t max_listpack_value = 64;
};

// ZADD's options for one element.
struct ZsetAdd {
  bool only_new = false;      // NX
  bool only_present = false;  // XX
  bool only_greater = false;  // GT
  bool only_less = false;     // LT
  bool increment = false;     // INCR: the score is added to the present one
};

enum class ZsetAdded {
  kAdded,
  kUpdated,
  kSame,     // present with this very score
  kRefused,  // an option forbade it
  kNotANumber,
};

struct ZsetMemberTraits {
  using Item = ZsetItem;
  static uint64_t hash(const ZsetItem* item) { return hash_bytes(item->member()); }
  static bool equals(const ZsetItem* item, std::string_view member) { return equal_bytes(item->member(), member); }
  static void retire(void* memory) { std::free(memory); }
  static constexpr int kSkipBits = 0;
};
using ZsetMembers = Table<ZsetMemberTraits>;

class Zset {
 public:
  class Iterator;
  // The parts of a big set; only Zset and ZsetBuilder look inside.
  struct Big;

  Zset() = default;
  Zset(Zset&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Zset& operator=(Zset&& other) noexcept {
    std::swap(word_, other.word_);
    return *this;
  }
  Zset(const Zset&) = delete;
  Zset& operator=(const Zset&) = delete;
  ~Zset() { clear(); }

  // Takes a listpack whose bytes were validated (pairs, scores, order: see valid_listpack). It stays one whatever its
  // size until the next insert.
  static Zset from_listpack(Listpack pack);
  // The check for ListpackView::validate and after it: an even number of elements, every second one a score,
  // ascending, no member twice.
  static bool valid_listpack(std::string_view bytes, bool deep);

  size_t size() const;
  bool empty() const { return size() == 0; }
  bool is_listpack() const { return !is_big(); }
  const char* encoding_name() const { return is_big() ? "skiplist" : "listpack"; }
  // Only for a listpack that is not empty.
  ListpackView listpack() const { return ListpackView(pack_bytes()); }
  // All of it in bytes, the items by a sample of this many (0: all).
  size_t memory_bytes(size_t samples) const;
  Zset copy() const;
  void clear();

  // Before `count` elements are added, the longest member so long: becomes big at once if they cannot all fit.
  void prepare(size_t count, size_t longest, const ZsetLimits& limits);
  // Sets or raises one score. `*result` gets the new score where there is one.
  ZsetAdded add(std::string_view member, double score, ZsetAdd options, const ZsetLimits& limits, double* result);
  bool remove(std::string_view member);
  std::optional<double> score(std::string_view member) const;
  // The same with the member's hash_bytes at hand.
  std::optional<double> score(std::string_view member, uint64_t hash) const;
  // How many elements lie before the member, and its score.
  struct Ranked {
    size_t rank;
    double score;
  };
  std::optional<Ranked> rank(std::string_view member) const;

  // Which ranks an interval covers: O(log n) for a big set.
  RankSpan span(const ScoreRange& range) const;
  RankSpan span(const LexRange& range) const;
  // The element of a rank below size(); steps both ways.
  Iterator at(size_t rank) const;
  Iterator begin() const;
  // The first element of at least this score.
  Iterator from_score(double score) const;
  void remove_span(RankSpan span);

  // visit(member, score) for `count` elements from a rank on, upwards or downwards.
  template <class Visit>
  void walk(size_t from, size_t count, bool reverse, Visit visit) const;
  // The same for all, in order.
  template <class Visit>
  void for_each(Visit visit) const;

  // ZSCAN: visits at least `count` elements where there are so many, and returns the next cursor, 0 at the end.
  uint64_t scan(uint64_t cursor, size_t count,
                const std::function<void(std::string_view member, double score)>& visit) const;

  // min(count, size) different ranks, ascending; every subset is equally likely.
  std::vector<size_t> random_unique(Random& random, size_t count) const;

  // Moves the blocks it is made of from `cursor` on, about `count` elements' worth. The next cursor, 0 at the end.
  uint64_t relocate(uint64_t cursor, size_t count, BlockMover& mover);
  // For batched lookups: null unless the set is big.
  const ZsetMembers* members_or_null() const;

  // Asserts every invariant. For tests.
  void check() const;

 private:
  friend class ZsetBuilder;
  static constexpr uint64_t kBigBit = 1;

  explicit Zset(Big* big) : word_(reinterpret_cast<uint64_t>(big) | kBigBit) {}

  bool is_big() const { return (word_ & kBigBit) != 0; }
  Big* big() const { return reinterpret_cast<Big*>(word_ & ~kBigBit); }
  uint8_t* pack_bytes() const { return reinterpret_cast<uint8_t*>(word_); }
  // Lends the listpack out for changes; put_pack gives it back.
  Listpack take_pack();
  void put_pack(Listpack pack);

  ZsetAdded add_to_pack(std::string_view member, double score, ZsetAdd options, const ZsetLimits& limits,
                        double* result);
  ZsetAdded add_to_big(std::string_view member, double score, ZsetAdd options, double* result);
  void convert_to_big();
  uint64_t relocate_big(uint64_t cursor, size_t count, BlockMover& mover);

  uint64_t word_ = 0;
};
static_assert(sizeof(Zset) == 8);

struct Zset::Big {
  BTree order;
  ZsetMembers members;

  Big() = default;
  Big(const Big&) = delete;
  Big& operator=(const Big&) = delete;
  ~Big() {
    for (auto at = order.first(); at.valid(); at.next()) std::free(at.item());
  }
};

// A place in the order. Invalid past either end. The member it shows may live in the iterator itself, so it is good
// until the iterator moves or the set changes.
class Zset::Iterator {
 public:
  Iterator() = default;
  bool valid() const { return pack_ != nullptr ? at_ != ListpackView::kNone : cursor_.valid(); }
  std::string_view member() {
    return pack_ != nullptr ? ListpackView(pack_).text(at_, scratch_) : cursor_.item()->member();
  }
  double score() const;
  void next();
  void prev();

 private:
  friend class Zset;
  explicit Iterator(BTree::Cursor cursor) : cursor_(cursor) {}
  Iterator(ListpackView pack, ListpackView::Position at) : pack_(pack.data()), at_(at) {}

  BTree::Cursor cursor_;
  const uint8_t* pack_ = nullptr;  // null for a big set
  ListpackView::Position at_ = ListpackView::kNone;
  ListpackValue::Scratch scratch_;
};

inline const ZsetMembers* Zset::members_or_null() const {
  return is_big() ? &big()->members : nullptr;
}

template <class Visit>
void Zset::walk(size_t from, size_t count, bool reverse, Visit visit) const {
  if (count == 0) return;
  if (is_big()) {
    auto cursor = big()->order.at(from);
    for (; count > 0; --count, reverse ? cursor.prev() : cursor.next()) visit(cursor.item()->member(), cursor.score());
    return;
  }
  Iterator iterator = at(from);
  for (; count > 0; --count, reverse ? iterator.prev() : iterator.next()) visit(iterator.member(), iterator.score());
}

template <class Visit>
void Zset::for_each(Visit visit) const {
  walk(0, size(), false, visit);
}

// Builds a sorted set from elements in any order: for RDB files and for the results of algebra.
// Far cheaper than adding one by one: sorted once, then the tree is filled leaf by leaf.
class ZsetBuilder {
 public:
  ZsetBuilder() = default;
  ZsetBuilder(const ZsetBuilder&) = delete;
  ZsetBuilder& operator=(const ZsetBuilder&) = delete;
  ~ZsetBuilder();

  size_t size() const { return items_.size(); }
  void reserve(size_t n) { items_.reserve(n); }
  // The member's score, for changing; a new member gets this one. `*fresh` says which it was.
  double* find_or_add(std::string_view member, double score, bool* fresh) {
    return find_or_add(member, hash_bytes(member), score, fresh);
  }
  double* find_or_add(std::string_view member, uint64_t hash, double score, bool* fresh);
  // False when the member is there already; then nothing changes.
  bool add(std::string_view member, double score) { return add(member, hash_bytes(member), score); }
  bool add(std::string_view member, uint64_t hash, double score) {
    bool fresh = false;
    find_or_add(member, hash, score, &fresh);
    return fresh;
  }
  // For finding many: the two parts of a lookup, fetched ahead.
  const ZsetMembers& members() const { return members_; }
  // A listpack if the limits allow one. The builder is empty afterwards.
  Zset finish(const ZsetLimits& limits);

 private:
  friend class Zset;
  Zset finish_big();
  void sort();

  ZsetMembers members_;
  std::vector<ZsetItem*> items_;
};

}  // namespace synap
