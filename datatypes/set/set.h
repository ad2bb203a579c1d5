// Set: different members. One word, so that it lives in place in a keyspace entry: null (empty, the first member
// decides the form), an intset or a listpack in Redis's bytes, or a Table of SetItems. Forms change as in Redis: intset
// to listpack or table, listpack to table; back only where a result is built afresh or most members are popped. Reads
// are const and may run in parallel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "datatypes/encoding/intset.h"
#include "datatypes/encoding/listpack.h"
#include "datatypes/set/set_item.h"
#include "server/base/block_mover.h"
#include "server/base/random.h"
#include "server/base/table.h"

namespace synap {

// set-max-intset-entries, set-max-listpack-entries, set-max-listpack-value.
struct SetLimits {
  size_t max_intset_entries = 512;
  size_t max_listpack_entries = 128;
  size_t max_listpack_value = 64;
};

enum class SetEncoding { kIntset, kListpack, kTable };

// A member as its form holds it: bytes, or an integer that text() spells.
using SetElement = ListpackValue;

class Set {
 public:
  Set() = default;
  ~Set() { clear(); }
  Set(Set&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Set& operator=(Set&& other) noexcept {
    std::swap(word_, other.word_);
    return *this;
  }
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;

  // From validated bytes; fit() then applies the limits of today.
  static Set from_intset(std::string_view bytes);
  static Set from_listpack(std::string_view bytes);
  // Empty, with the form already chosen (for results of set algebra).
  static Set empty_intset();
  static Set empty_listpack();
  Set copy() const;
  void clear();

  SetEncoding encoding() const;
  std::string_view encoding_name() const;
  // Bytes of the intset or listpack. Not of a table, nor of a set that never held a member.
  std::string_view compact_bytes() const { return is_intset() ? intset().raw() : pack().raw(); }

  size_t size() const;
  bool empty() const { return size() == 0; }
  // A table's sample of `samples` members stands for all (0: all).
  size_t memory_bytes(size_t samples = 0) const;

  bool contains(std::string_view member) const;
  bool contains(const SetElement& element) const;

  // Before `count` members are added, `first` being one of them: picks the form of an empty set, and goes to the table
  // at once if so many cannot stay compact.
  void prepare(std::string_view first, size_t count, const SetLimits& limits);
  void fit(const SetLimits& limits);
  // Returns whether the member is new.
  bool add(std::string_view member, const SetLimits& limits);
  bool add(const SetElement& element, const SetLimits& limits);
  bool remove(std::string_view member);
  bool remove(const SetElement& element);
  // All members spell integers: becomes an intset if the limit allows so many.
  void compact_integers(const SetLimits& limits);

  // visit(const SetElement&). The set must not change meanwhile.
  template <class Visit>
  void for_each_element(Visit visit) const;
  // visit(std::string_view member).
  template <class Visit>
  void for_each(Visit visit) const;
  // visit(const SetElement&) -> bool: false ends the walk soon (within one bucket of a table).
  template <class Visit>
  void for_each_while(Visit visit) const;
  // Redis's SCAN guarantee. Visits about `count` members (a compact set all at once); returns the next cursor, 0 at the
  // end.
  template <class Visit>
  uint64_t scan(uint64_t cursor, size_t count, Visit visit) const;

  // Visits `count` uniformly chosen members, repeats allowed, in random order. The set must not be empty.
  template <class Visit>
  void random_with_repeats(Random& random, size_t count, Visit visit) const;
  // Visits min(count, size) different members, chosen uniformly, in no particular order.
  template <class Visit>
  void random_distinct(Random& random, size_t count, Visit visit) const;
  // Removes min(count, size) uniformly chosen members, each seen by visit(std::string_view) before it goes.
  template <class Visit>
  void pop_random(Random& random, size_t count, const SetLimits& limits, Visit visit);

  // Moves the blocks it is made of from `cursor` on, about `count` elements' worth. The next cursor, 0 at the end.
  uint64_t relocate(uint64_t cursor, size_t count, BlockMover& mover);
  // For batched lookups by whoever walks another set: null unless this set is big.
  const Table<SetItemTraits>* table_or_null() const { return is_table() ? &table() : nullptr; }

 private:
  class PackEdit;
  class IntsetEdit;

  static constexpr uintptr_t kTagMask = 3;
  static constexpr uintptr_t kIntsetTag = 0;
  static constexpr uintptr_t kListpackTag = 1;
  static constexpr uintptr_t kTableTag = 2;
  // Distinct picks copy all pointers when they want more than 1 / kShareForRejection of the members.
  static constexpr size_t kShareForRejection = 3;
  // A pop that leaves less than 1 / kShareForRebuild of what it takes builds the set afresh, as Redis.
  static constexpr size_t kShareForRebuild = 5;
  // Redis's bound on intsets, whatever the limit says.
  static constexpr size_t kIntsetEntriesMax = size_t{1} << 30;

  uintptr_t tag() const { return word_ & kTagMask; }
  bool is_intset() const { return tag() == kIntsetTag && word_ != 0; }
  bool is_listpack() const { return tag() == kListpackTag; }
  bool is_table() const { return tag() == kTableTag; }
  void* block() const { return reinterpret_cast<void*>(word_ & ~kTagMask); }
  IntsetView intset() const { return IntsetView(static_cast<const uint8_t*>(block())); }
  ListpackView pack() const { return ListpackView(static_cast<const uint8_t*>(block())); }
  Table<SetItemTraits>& table() { return *static_cast<Table<SetItemTraits>*>(block()); }
  const Table<SetItemTraits>& table() const { return *static_cast<const Table<SetItemTraits>*>(block()); }

  bool add_to_intset(int64_t number, const SetLimits& limits);
  bool add_to_listpack(std::string_view member, const SetLimits& limits);
  bool add_to_table(std::string_view member);
  bool remove_from_pack(std::string_view member);
  void add_text_to_intset(std::string_view member, const SetLimits& limits);
  bool fits_listpack(std::string_view extra_member, const SetLimits& limits) const;
  void convert_to_listpack();
  void shrink_to_listpack(const SetLimits& limits);
  void convert_to_table();
  void become(uintptr_t word);

  uintptr_t word_ = 0;
};
static_assert(sizeof(Set) == 8);

inline SetElement as_element(std::string_view member) {
  return SetElement{member.data(), member.size(), 0};
}
inline SetElement as_element(const SetItem* item) {
  return as_element(item->member());
}

template <class Visit>
void Set::for_each_element(Visit visit) const {
  if (is_table()) {
    table().for_each([&](const SetItem* item, bool) { visit(as_element(item)); });
  } else if (is_listpack()) {
    const ListpackView view = pack();
    for (auto at = view.first(); at != ListpackView::kNone; at = view.next(at)) visit(view.get(at));
  } else if (is_intset()) {
    const IntsetView view = intset();
    for (size_t i = 0; i < view.length(); ++i) visit(SetElement{nullptr, 0, view.at(i)});
  }
}

template <class Visit>
void Set::for_each(Visit visit) const {
  for_each_element([&](const SetElement& element) {
    SetElement::Scratch scratch;
    visit(element.text(scratch));
  });
}

template <class Visit>
void Set::for_each_while(Visit visit) const {
  bool more = true;
  const auto guarded = [&](const SetElement& element) { more = more && visit(element); };
  if (!is_table()) return for_each_element(guarded);
  uint64_t cursor = 0;
  do {
    cursor = table().scan(cursor, [&](const SetItem* item) { guarded(as_element(item)); });
  } while (more && cursor != 0);
}

template <class Visit>
uint64_t Set::scan(uint64_t cursor, size_t count, Visit visit) const {
  if (!is_table()) {
    for_each(visit);
    return 0;
  }
  size_t visited = 0;
  do {
    cursor = table().scan(cursor, [&](const SetItem* item) {
      visit(item->member());
      ++visited;
    });
  } while (cursor != 0 && visited < count);
  return cursor;
}

template <class Visit>
void Set::random_with_repeats(Random& random, size_t count, Visit visit) const {
  SetElement::Scratch scratch;
  if (is_table()) {
    for (; count > 0; --count) visit(table().random([&] { return random.next(); })->member());
  } else if (is_intset()) {
    for (; count > 0; --count) visit(SetElement{nullptr, 0, intset().random(random)}.text(scratch));
  } else if (count == 1) {
    visit(pack().text(pack().seek(static_cast<int64_t>(random.below(size()))), scratch));
  } else {
    constexpr size_t kBatch = 1024;
    std::vector<ListpackView::Position> positions;
    for (; count > 0; count -= std::min(count, kBatch)) {
      positions.clear();
      pack().random_with_repeats(random, std::min(count, kBatch), 1, &positions);
      for (const auto at : positions) visit(pack().text(at, scratch));
    }
  }
}

template <class Visit>
void Set::random_distinct(Random& random, size_t count, Visit visit) const {
  if (count >= size()) return for_each(visit);
  SetElement::Scratch scratch;
  if (is_listpack()) {
    std::vector<ListpackView::Position> positions;
    pack().random_unique(random, count, 1, &positions);
    for (const auto at : positions) visit(pack().text(at, scratch));
  } else if (is_intset()) {
    // One pass: each member is taken with the chance (still wanted) / (still to come).
    const size_t length = intset().length();
    for (size_t i = 0; count > 0; ++i) {
      if (random.below(length - i) >= count) continue;
      visit(SetElement{nullptr, 0, intset().at(i)}.text(scratch));
      --count;
    }
  } else if (count * kShareForRejection > size()) {
    std::vector<const SetItem*> items;
    items.reserve(size());
    table().for_each([&](const SetItem* item, bool) { items.push_back(item); });
    for (size_t i = 0; i < count; ++i) {
      std::swap(items[i], items[i + random.below(items.size() - i)]);
      visit(items[i]->member());
    }
  } else {
    std::unordered_set<const SetItem*> taken;
    taken.reserve(count);
    while (count > 0) {
      const SetItem* item = table().random([&] { return random.next(); });
      if (!taken.insert(item).second) continue;
      visit(item->member());
      --count;
    }
  }
}

template <class Visit>
void Set::pop_random(Random& random, size_t count, const SetLimits& limits, Visit visit) {
  if (count >= size()) {
    for_each(visit);
    return clear();
  }
  if (!is_table()) {
    std::vector<std::string> popped;
    popped.reserve(count);
    random_distinct(random, count, [&](std::string_view member) { popped.emplace_back(member); });
    for (const std::string& member : popped) {
      visit(std::string_view(member));
      remove(member);
    }
    return;
  }
  for (size_t left = count; left > 0; --left) {
    const SetItem* item = table().random([&] { return random.next(); });
    visit(item->member());
    remove(item->member());
  }
  if (size() * kShareForRebuild <= count) shrink_to_listpack(limits);
}

}  // namespace synap
