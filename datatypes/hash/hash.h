// Hash: fields and values, each field with an optional expiry time. One word, so that it lives in place in a keyspace
// entry: null (empty), a listpack in Redis's bytes (field, value, …), a listpack of field, value, expiry triples
// ordered by expiry with the fields without one (0) last (Redis 7.4's `listpackex`), or a Table of HashItems with a
// FieldExpiries heap beside it once a field gets a TTL. A hash never goes back from one form to an earlier one, as in
// Redis. Reads take `now_ms` and hide fields that are due; 0 shows everything. Reads are const and may run in parallel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "datatypes/encoding/listpack.h"
#include "datatypes/hash/field_expiries.h"
#include "datatypes/hash/hash_item.h"
#include "server/base/block_mover.h"
#include "server/base/random.h"
#include "server/base/status.h"
#include "server/base/table.h"

namespace synap {

// hash-max-listpack-entries, hash-max-listpack-value.
struct HashLimits {
  size_t max_listpack_entries = 512;
  size_t max_listpack_value = 64;
};

enum class HashEncoding { kListpack, kListpackEx, kTable };

// The expiry of a field that has none.
inline constexpr int64_t kNoFieldExpiry = 0;

// What a visitor sees; the views are good until it returns.
struct HashEntry {
  std::string_view field;
  std::string_view value;
  int64_t expiry_ms = kNoFieldExpiry;
};

// The result of a lookup. The view is good until the hash changes or this object dies: a listpack's integer is spelled
// into `scratch`.
struct HashValue {
  HashValue() = default;
  HashValue(const HashValue&) = delete;
  HashValue& operator=(const HashValue&) = delete;

  std::string_view text;
  int64_t expiry_ms = kNoFieldExpiry;
  ListpackValue::Scratch scratch;
};

class Hash {
 public:
  enum class Expiry { kClear, kKeep };  // of a field that is overwritten

  Hash() = default;
  ~Hash() { clear(); }
  Hash(Hash&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Hash& operator=(Hash&& other) noexcept {
    std::swap(word_, other.word_);
    return *this;
  }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  // From validated listpack bytes: pairs, or triples if `with_expiries`; fit() then applies the limits of today.
  static Hash from_listpack(std::string_view bytes, bool with_expiries);
  Hash copy() const;
  void clear();

  HashEncoding encoding() const;
  std::string_view encoding_name() const;
  // The listpack's bytes. Only of the compact encodings and a hash that is not empty.
  std::string_view listpack_bytes() const { return pack().raw(); }

  // Due fields that are still here count, as in HLEN.
  size_t length() const;
  bool empty() const { return length() == 0; }
  // Without due fields. O(number of due fields).
  size_t live_length(int64_t now_ms) const;
  // A table's sample of `samples` fields stands for all (0: all).
  size_t memory_bytes(size_t samples = 0) const;

  bool get(std::string_view field, int64_t now_ms, HashValue* out) const;
  bool contains(std::string_view field, int64_t now_ms) const;

  // Before many fields are set: goes to the table form at once if the count or the longest text demands it.
  void prepare(size_t fields, size_t longest_text, size_t total_bytes, const HashLimits& limits);
  void fit(const HashLimits& limits);
  // Returns whether the field is new.
  bool set(std::string_view field, std::string_view value, const HashLimits& limits, Expiry expiry = Expiry::kClear);
  bool remove(std::string_view field);
  bool remove_if_due(std::string_view field, int64_t now_ms);
  // kNoFieldExpiry removes the TTL. False if there is no such field.
  bool set_expiry(std::string_view field, int64_t expiry_ms);
  // kNotInteger, kOverflow. Keeps the field's TTL.
  Result<int64_t> increment(std::string_view field, int64_t by, int64_t now_ms, const HashLimits& limits);
  // The new value as text. kNotFloat: the old value is no number; kOverflow: the result would be NaN or infinite.
  Result<std::string> increment_float(std::string_view field, long double by, int64_t now_ms, const HashLimits& limits);

  // Whether any field has a TTL.
  bool has_expiries() const { return next_expiry_ms() != kNoFieldExpiry; }
  // Earliest expiry of a field, or kNoFieldExpiry. O(1).
  int64_t next_expiry_ms() const;
  // Moves the blocks it is made of from `cursor` on, about `count` elements' worth. The next cursor, 0 at the end.
  uint64_t relocate(uint64_t cursor, size_t count, BlockMover& mover);
  // For batched lookups: null while the hash is a listpack.
  const Table<HashItemTraits>* table_or_null() const { return is_table() ? &big().items : nullptr; }
  // Removes up to `max_fields` due fields, earliest first, each after visit(field). Returns how many.
  template <class Visit>
  size_t expire_due(int64_t now_ms, size_t max_fields, Visit visit);

  // visit(const HashEntry&). The hash must not change meanwhile.
  template <class Visit>
  void for_each(int64_t now_ms, Visit visit) const;
  // Redis's SCAN guarantee. Looks at about `count` fields (a compact encoding: all); returns the next cursor, 0 at the
  // end.
  template <class Visit>
  uint64_t scan(uint64_t cursor, size_t count, int64_t now_ms, Visit visit) const;

  // Visits `count` uniformly chosen live fields, repeats allowed, in random order. There must be a live field.
  template <class Visit>
  void random_with_repeats(Random& random, size_t count, int64_t now_ms, Visit visit) const;
  // Visits min(count, live) different live fields, chosen uniformly, in no particular order.
  template <class Visit>
  void random_distinct(Random& random, size_t count, int64_t now_ms, Visit visit) const;

 private:
  struct Big {
    Table<HashItemTraits> items;
    std::unique_ptr<FieldExpiries> expiries;  // null while no field ever had a TTL

    ~Big();
    int64_t expiry_ms(const HashItem* item) const { return item->timed() ? expiries->expiry_ms(item) : kNoFieldExpiry; }
    HashEntry entry(const HashItem* item) const { return {item->field(), item->value(), expiry_ms(item)}; }
    void insert(uint64_t hash, std::string_view field, std::string_view value, int64_t expiry_ms);
    void rewrite(Table<HashItemTraits>::Slot* slot, std::string_view value, int64_t expiry_ms);
    void erase(Table<HashItemTraits>::Slot* slot, uint64_t hash);
  };
  class PackEdit;

  static constexpr uintptr_t kTagMask = 3;
  static constexpr uintptr_t kListpackTag = 0;
  static constexpr uintptr_t kListpackExTag = 1;
  static constexpr uintptr_t kTableTag = 2;
  // Distinct picks copy all pointers when they want more than 1 / kShareForRejection of the fields.
  static constexpr size_t kShareForRejection = 3;

  static bool due(int64_t expiry_ms, int64_t now_ms) { return expiry_ms != kNoFieldExpiry && expiry_ms <= now_ms; }

  uintptr_t tag() const { return word_ & kTagMask; }
  bool is_table() const { return tag() == kTableTag; }
  bool has_triples() const { return tag() == kListpackExTag; }
  unsigned stride() const { return has_triples() ? 3 : 2; }
  Big& big() { return *reinterpret_cast<Big*>(word_ & ~kTagMask); }
  const Big& big() const { return *reinterpret_cast<const Big*>(word_ & ~kTagMask); }
  ListpackView pack() const { return ListpackView(reinterpret_cast<const uint8_t*>(word_ & ~kTagMask)); }

  ListpackView::Position find_in_pack(std::string_view field) const;
  int64_t pack_expiry(ListpackView::Position field_at) const;
  template <class Visit>
  void visit_pack_entry(ListpackView::Position field_at, Visit& visit) const;
  template <class Visit>
  bool visit_live(const HashItem* item, int64_t now_ms, Visit& visit) const;
  std::vector<ListpackView::Position> live_positions(int64_t now_ms) const;
  std::vector<const HashItem*> live_items(int64_t now_ms) const;

  bool set_in_pack(std::string_view field, std::string_view value, Expiry expiry);
  bool set_in_table(std::string_view field, std::string_view value, Expiry expiry);
  void place_in_triples(std::string_view field, std::string_view value, int64_t expiry_ms);
  void convert_to_triples();
  void convert_to_table();

  uintptr_t word_ = 0;
};
static_assert(sizeof(Hash) == 8);

template <class Visit>
void Hash::visit_pack_entry(ListpackView::Position field_at, Visit& visit) const {
  ListpackValue::Scratch field_scratch;
  ListpackValue::Scratch value_scratch;
  const ListpackView view = pack();
  visit(HashEntry{view.text(field_at, field_scratch), view.text(view.next(field_at), value_scratch),
                  pack_expiry(field_at)});
}

template <class Visit>
bool Hash::visit_live(const HashItem* item, int64_t now_ms, Visit& visit) const {
  const HashEntry entry = big().entry(item);
  if (due(entry.expiry_ms, now_ms)) return false;
  visit(entry);
  return true;
}

template <class Visit>
size_t Hash::expire_due(int64_t now_ms, size_t max_fields, Visit visit) {
  size_t expired = 0;
  while (expired < max_fields && next_expiry_ms() != kNoFieldExpiry && next_expiry_ms() <= now_ms) {
    ListpackValue::Scratch scratch;
    std::string_view field =
        is_table() ? big().expiries->earliest_item()->field() : pack().text(pack().first(), scratch);
    visit(field);
    remove(field);
    ++expired;
  }
  return expired;
}

template <class Visit>
void Hash::for_each(int64_t now_ms, Visit visit) const {
  if (word_ == 0) return;
  if (is_table()) {
    big().items.for_each([&](const HashItem* item, bool) { visit_live(item, now_ms, visit); });
    return;
  }
  for (const ListpackView::Position at : live_positions(now_ms)) visit_pack_entry(at, visit);
}

template <class Visit>
uint64_t Hash::scan(uint64_t cursor, size_t count, int64_t now_ms, Visit visit) const {
  if (!is_table()) {
    for_each(now_ms, visit);
    return 0;
  }
  size_t seen = 0;  // hidden fields count, as in Redis: a call stays short when most are due
  do {
    cursor = big().items.scan(cursor, [&](const HashItem* item) {
      visit_live(item, now_ms, visit);
      ++seen;
    });
  } while (cursor != 0 && seen < count);
  return cursor;
}

template <class Visit>
void Hash::random_with_repeats(Random& random, size_t count, int64_t now_ms, Visit visit) const {
  if (!is_table()) {
    const std::vector<ListpackView::Position> live = live_positions(now_ms);
    for (; count > 0; --count) visit_pack_entry(live[random.below(live.size())], visit);
    return;
  }
  // Rejects due fields; where most are due it is cheaper to gather the others.
  const bool gather = next_expiry_ms() != kNoFieldExpiry && live_length(now_ms) * 2 < length();
  const std::vector<const HashItem*> live = gather ? live_items(now_ms) : std::vector<const HashItem*>();
  while (count > 0) {
    const HashItem* item = gather ? live[random.below(live.size())] : big().items.random([&] { return random.next(); });
    if (visit_live(item, now_ms, visit)) --count;
  }
}

template <class Visit>
void Hash::random_distinct(Random& random, size_t count, int64_t now_ms, Visit visit) const {
  const size_t live = live_length(now_ms);
  if (count >= live) return for_each(now_ms, visit);
  if (!is_table()) {
    // One pass: each field is taken with the chance (still wanted) / (still to come).
    const std::vector<ListpackView::Position> positions = live_positions(now_ms);
    for (size_t i = 0; count > 0; ++i) {
      if (random.below(positions.size() - i) >= count) continue;
      visit_pack_entry(positions[i], visit);
      --count;
    }
    return;
  }
  if (count * kShareForRejection > live || live * 2 < length()) {
    std::vector<const HashItem*> items = live_items(now_ms);
    for (size_t i = 0; i < count; ++i) {
      std::swap(items[i], items[i + random.below(items.size() - i)]);
      visit_live(items[i], now_ms, visit);
    }
    return;
  }
  std::unordered_set<const HashItem*> taken;
  taken.reserve(count);
  while (count > 0) {
    const HashItem* item = big().items.random([&] { return random.next(); });
    if (taken.insert(item).second && visit_live(item, now_ms, visit)) --count;
  }
}

}  // namespace synap
