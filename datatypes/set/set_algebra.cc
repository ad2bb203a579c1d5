#include "datatypes/set/set_algebra.h"

#include <algorithm>
#include <array>
#include <vector>

namespace synap {

namespace {

using MemberTable = Table<SetItemTraits>;

// Walks a set and passes on the members that are in all (or in none) of some other sets. Lookups in big sets go in
// batches: one pass fetches the table's lines, the next the items, the third compares.
class Filter {
 public:
  // None of the others is empty.
  Filter(SetSpan others, bool keep_if_present, const SetVisitor& visit)
      : others_(others), keep_if_present_(keep_if_present), visit_(visit) {}

  // Returns how many members passed; stops at `limit` (0: none).
  size_t run(const Set& set, size_t limit) {
    limit_ = limit;
    const bool batched = set.table_or_null() != nullptr;
    const auto step = [&](const SetElement& element) {
      if (batched) {
        batch_[waiting_++] = element;
        if (waiting_ == batch_.size()) flush();
      } else if (keeps(element)) {
        emit(element);
      }
      return !done();
    };
    if (limit != 0) {
      set.for_each_while(step);
    } else {
      set.for_each_element(step);
    }
    flush();
    return kept_;
  }

 private:
  static constexpr size_t kBatch = 32;

  bool done() const { return limit_ != 0 && kept_ >= limit_; }

  void emit(const SetElement& element) {
    if (done()) return;
    ++kept_;
    visit_(element);
  }

  bool keeps(const SetElement& element) const {
    for (const Set* other : others_) {
      if (other->contains(element) != keep_if_present_) return false;
    }
    return true;
  }

  // The elements of a batch come from a table: text whose bytes stay where they are.
  void flush() {
    std::array<uint64_t, kBatch> hashes;
    for (size_t i = 0; i < waiting_; ++i) hashes[i] = hash_bytes(text_of(i));
    std::array<bool, kBatch> kept;
    kept.fill(true);
    for (const Set* other : others_) {
      const MemberTable* table = other->table_or_null();
      std::array<MemberTable::Home, kBatch> homes;
      if (table != nullptr) {
        for (size_t i = 0; i < waiting_; ++i) homes[i] = table->home_of(hashes[i]);
        for (size_t i = 0; i < waiting_; ++i) MemberTable::fetch_bucket(homes[i]);
        for (size_t i = 0; i < waiting_; ++i) MemberTable::fetch_item(homes[i], hashes[i]);
      }
      for (size_t i = 0; i < waiting_; ++i) {
        if (!kept[i]) continue;
        const bool present = table != nullptr ? MemberTable::find(homes[i], hashes[i], text_of(i)) != nullptr
                                              : other->contains(text_of(i));
        kept[i] = present == keep_if_present_;
      }
    }
    for (size_t i = 0; i < waiting_; ++i) {
      if (kept[i]) emit(batch_[i]);
    }
    waiting_ = 0;
  }
  std::string_view text_of(size_t i) const { return {batch_[i].data, batch_[i].size}; }

  SetSpan others_;
  bool keep_if_present_;
  const SetVisitor& visit_;
  size_t limit_ = 0;
  size_t kept_ = 0;
  size_t waiting_ = 0;
  std::array<SetElement, kBatch> batch_;
};

std::vector<const Set*> existing(SetSpan sets) {
  std::vector<const Set*> present;
  for (const Set* set : sets) {
    if (set != nullptr && !set->empty() && std::find(present.begin(), present.end(), set) == present.end()) {
      present.push_back(set);
    }
  }
  return present;
}

bool smaller(const Set* a, const Set* b) {
  return a->size() < b->size();
}

// Sorted by size, each set once; empty if any set is missing.
std::vector<const Set*> for_intersection(SetSpan sets) {
  if (std::any_of(sets.begin(), sets.end(), [](const Set* set) { return set == nullptr || set->empty(); })) return {};
  std::vector<const Set*> sorted = existing(sets);
  std::stable_sort(sorted.begin(), sorted.end(), smaller);
  return sorted;
}

// Redis's choice for SDIFF: looking every member of the first set up in the others, or removing all of theirs from a
// copy. The lookups get a bonus of two.
bool difference_by_lookup(SetSpan sets) {
  size_t lookups = 0;
  size_t removals = 0;
  for (const Set* set : sets) {
    if (set == nullptr) continue;
    lookups += sets[0]->size();
    removals += set->size();
  }
  return lookups / 2 <= removals;
}

bool same_set_subtracted(SetSpan sets) {
  return std::find(sets.begin() + 1, sets.end(), sets[0]) != sets.end();
}

Set difference_by_removal(SetSpan sets, const SetLimits& limits, Set result) {
  sets[0]->for_each_element([&](const SetElement& element) { result.add(element, limits); });
  for (const Set* set : sets.subspan(1)) {
    if (set == nullptr) continue;
    set->for_each_element([&](const SetElement& element) { result.remove(element); });
    if (result.empty()) break;
  }
  return result;
}

size_t difference_lookups(SetSpan sets, const SetVisitor& visit) {
  std::vector<const Set*> others = existing(sets.subspan(1));
  // The largest first: a duplicate is found soonest there.
  std::stable_sort(others.begin(), others.end(), [](const Set* a, const Set* b) { return smaller(b, a); });
  return Filter(others, false, visit).run(*sets[0], 0);
}

}  // namespace

size_t total_size(SetSpan sets) {
  size_t total = 0;
  for (const Set* set : sets) total += set == nullptr ? 0 : set->size();
  return total;
}

size_t visit_intersection(SetSpan sets, size_t limit, const SetVisitor& visit) {
  const std::vector<const Set*> sorted = for_intersection(sets);
  if (sorted.empty()) return 0;
  return Filter(SetSpan(sorted).subspan(1), true, visit).run(*sorted[0], limit);
}

size_t visit_union(SetSpan sets, const SetVisitor& visit) {
  // A few sets: a member counts where it is met first, so no copy is needed. Many: the lookups would be quadratic.
  constexpr size_t kSetsLookedUp = 4;
  const std::vector<const Set*> present = existing(sets);
  size_t members = 0;
  if (present.size() <= kSetsLookedUp) {
    for (size_t i = 0; i < present.size(); ++i) {
      members += Filter(SetSpan(present).first(i), false, visit).run(*present[i], 0);
    }
    return members;
  }
  const Set all = build_union(sets, SetLimits{});
  all.for_each_element(visit);
  return all.size();
}

size_t visit_difference(SetSpan sets, const SetVisitor& visit) {
  if (sets[0] == nullptr || same_set_subtracted(sets)) return 0;
  if (difference_by_lookup(sets)) return difference_lookups(sets, visit);
  const Set result = difference_by_removal(sets, SetLimits{}, Set());
  result.for_each_element(visit);
  return result.size();
}

Set build_intersection(SetSpan sets, const SetLimits& limits) {
  const std::vector<const Set*> sorted = for_intersection(sets);
  if (sorted.empty()) return Set();
  Set result = sorted[0]->encoding() == SetEncoding::kIntset ? Set::empty_intset() : Set::empty_listpack();
  bool only_integers = true;
  visit_intersection(sets, 0, [&](const SetElement& element) {
    int64_t number;
    only_integers = only_integers && element.to_integer(&number);
    result.add(element, limits);
  });
  if (only_integers && !result.empty()) result.compact_integers(limits);
  return result;
}

Set build_union(SetSpan sets, const SetLimits& limits) {
  Set result = Set::empty_intset();
  for (const Set* set : existing(sets)) {
    set->for_each_element([&](const SetElement& element) { result.add(element, limits); });
  }
  return result;
}

Set build_difference(SetSpan sets, const SetLimits& limits) {
  if (sets[0] == nullptr || same_set_subtracted(sets)) return Set();
  if (!difference_by_lookup(sets)) return difference_by_removal(sets, limits, Set::empty_intset());
  Set result = Set::empty_intset();
  difference_lookups(sets, [&](const SetElement& element) { result.add(element, limits); });
  return result;
}

}  // namespace synap
