#include "datatypes/hash/hash.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "server/base/number.h"

namespace synap {

namespace {

// The bytes malloc really spends on a block.
size_t block_bytes(const void* block) {
  return malloc_usable_size(const_cast<void*>(block));
}

}  // namespace

// Lends the hash's listpack as a Listpack, and takes the (possibly moved) block back.
class Hash::PackEdit {
 public:
  explicit PackEdit(Hash* hash)
      : hash_(hash),
        tag_(hash->tag()),
        pack_(hash->word_ == 0 ? Listpack() : Listpack::adopt(reinterpret_cast<uint8_t*>(hash->word_ & ~kTagMask))) {}
  ~PackEdit() { hash_->word_ = reinterpret_cast<uintptr_t>(pack_.release()) | tag_; }
  PackEdit(const PackEdit&) = delete;
  PackEdit& operator=(const PackEdit&) = delete;

  Listpack* operator->() { return &pack_; }
  void set_tag(uintptr_t tag) { tag_ = tag; }

 private:
  Hash* hash_;
  uintptr_t tag_;
  Listpack pack_;
};

Hash::Big::~Big() {
  items.for_each([](HashItem* item, bool) { HashItem::destroy(item); });
}

void Hash::Big::insert(uint64_t hash, std::string_view field, std::string_view value, int64_t expiry_ms) {
  const bool timed = expiry_ms != kNoFieldExpiry;
  HashItem* item = HashItem::create(field, value, timed);
  items.insert(hash, item);
  if (!timed) return;
  if (expiries == nullptr) expiries = std::make_unique<FieldExpiries>();
  expiries->add(item, expiry_ms);
}

// Gives the field in `slot` this value and expiry. `value` may be the old value.
void Hash::Big::rewrite(Table<HashItemTraits>::Slot* slot, std::string_view value, int64_t expiry_ms) {
  HashItem* old = slot->item();
  const bool timed = expiry_ms != kNoFieldExpiry;
  if (timed == old->timed() && old->assign_same_size(value)) {
    if (timed && expiries->expiry_ms(old) != expiry_ms) expiries->change(old, expiry_ms);
    return;
  }
  HashItem* item = HashItem::create(old->field(), value, timed);
  slot->set_item(item);
  if (old->timed() && timed) {
    expiries->moved(old->heap_place(), item);
    if (expiries->expiry_ms(item) != expiry_ms) expiries->change(item, expiry_ms);
  } else if (old->timed()) {
    expiries->remove(old);
  } else if (timed) {
    if (expiries == nullptr) expiries = std::make_unique<FieldExpiries>();
    expiries->add(item, expiry_ms);
  }
  HashItem::destroy(old);
}

void Hash::Big::erase(Table<HashItemTraits>::Slot* slot, uint64_t hash) {
  HashItem* item = items.erase(slot, hash);
  if (item->timed()) expiries->remove(item);
  HashItem::destroy(item);
}

Hash Hash::from_listpack(std::string_view bytes, bool with_expiries) {
  Hash hash;
  Listpack pack = Listpack::copy_of(bytes);
  hash.word_ = reinterpret_cast<uintptr_t>(pack.release()) | (with_expiries ? kListpackExTag : kListpackTag);
  return hash;
}

Hash Hash::copy() const {
  if (word_ == 0) return Hash();
  if (!is_table()) return from_listpack(pack().raw(), has_triples());
  Hash twin;
  auto* table = new Big;
  twin.word_ = reinterpret_cast<uintptr_t>(table) | kTableTag;
  big().items.for_each([&](const HashItem* item, bool) {
    table->insert(HashItemTraits::hash(item), item->field(), item->value(), big().expiry_ms(item));
  });
  return twin;
}

void Hash::clear() {
  if (is_table()) {
    delete &big();
  } else if (word_ != 0) {
    std::free(reinterpret_cast<void*>(word_ & ~kTagMask));
  }
  word_ = 0;
}

HashEncoding Hash::encoding() const {
  if (is_table()) return HashEncoding::kTable;
  return has_triples() ? HashEncoding::kListpackEx : HashEncoding::kListpack;
}

std::string_view Hash::encoding_name() const {
  if (is_table()) return "hashtable";
  return has_triples() ? "listpackex" : "listpack";
}

size_t Hash::length() const {
  if (is_table()) return big().items.size();
  return word_ == 0 ? 0 : pack().length() / stride();
}

size_t Hash::live_length(int64_t now_ms) const {
  const int64_t earliest = next_expiry_ms();
  if (!due(earliest, now_ms)) return length();
  if (is_table()) return length() - big().expiries->count_due(now_ms);
  return live_positions(now_ms).size();
}

size_t Hash::memory_bytes(size_t samples) const {
  if (word_ == 0) return 0;
  if (!is_table()) return pack().memory_bytes();
  const Big& table = big();
  size_t bytes = block_bytes(&table) + table.items.memory_bytes();
  if (table.expiries != nullptr) bytes += table.expiries->memory_bytes();
  if (table.items.empty()) return bytes;
  size_t seen = 0;
  size_t item_bytes = 0;
  uint64_t cursor = 0;
  do {
    cursor = table.items.scan(cursor, [&](const HashItem* item) {
      item_bytes += block_bytes(item);
      ++seen;
    });
  } while (cursor != 0 && (samples == 0 || seen < samples));
  return bytes + static_cast<size_t>(static_cast<double>(item_bytes) / static_cast<double>(seen) *
                                     static_cast<double>(table.items.size()));
}

ListpackView::Position Hash::find_in_pack(std::string_view field) const {
  if (word_ == 0 || pack().empty()) return ListpackView::kNone;
  return pack().find(field, pack().first(), stride() - 1);
}

int64_t Hash::pack_expiry(ListpackView::Position field_at) const {
  if (!has_triples()) return kNoFieldExpiry;
  return pack().get(pack().next(pack().next(field_at))).integer;
}

std::vector<ListpackView::Position> Hash::live_positions(int64_t now_ms) const {
  std::vector<ListpackView::Position> positions;
  if (word_ == 0) return positions;
  const ListpackView view = pack();
  positions.reserve(length());
  for (ListpackView::Position at = view.first(); at != ListpackView::kNone;) {
    if (!due(pack_expiry(at), now_ms)) positions.push_back(at);
    for (unsigned i = 0; i < stride(); ++i) at = view.next(at);
  }
  return positions;
}

std::vector<const HashItem*> Hash::live_items(int64_t now_ms) const {
  std::vector<const HashItem*> live;
  live.reserve(length());
  big().items.for_each([&](const HashItem* item, bool) {
    if (!due(big().expiry_ms(item), now_ms)) live.push_back(item);
  });
  return live;
}

bool Hash::get(std::string_view field, int64_t now_ms, HashValue* out) const {
  if (is_table()) {
    const HashItem* item = big().items.find_item(hash_bytes(field), field);
    if (item == nullptr) return false;
    out->text = item->value();
    out->expiry_ms = big().expiry_ms(item);
    return !due(out->expiry_ms, now_ms);
  }
  const ListpackView::Position at = find_in_pack(field);
  if (at == ListpackView::kNone) return false;
  out->text = pack().text(pack().next(at), out->scratch);
  out->expiry_ms = pack_expiry(at);
  return !due(out->expiry_ms, now_ms);
}

bool Hash::contains(std::string_view field, int64_t now_ms) const {
  HashValue ignored;
  return get(field, now_ms, &ignored);
}

void Hash::prepare(size_t fields, size_t longest_text, size_t total_bytes, const HashLimits& limits) {
  if (is_table()) return;
  const size_t bytes_now = word_ == 0 ? 0 : pack().bytes();
  if (fields > limits.max_listpack_entries || longest_text > limits.max_listpack_value ||
      !ListpackView::safe_to_add(bytes_now, total_bytes)) {
    convert_to_table();
  }
}

void Hash::fit(const HashLimits& limits) {
  if (!is_table() && length() > limits.max_listpack_entries) convert_to_table();
}

bool Hash::set(std::string_view field, std::string_view value, const HashLimits& limits, Expiry expiry) {
  if (!is_table()) prepare(1, std::max(field.size(), value.size()), field.size() + value.size(), limits);
  if (is_table()) return set_in_table(field, value, expiry);
  const bool created = set_in_pack(field, value, expiry);
  if (created && length() > limits.max_listpack_entries) convert_to_table();
  return created;
}

bool Hash::set_in_pack(std::string_view field, std::string_view value, Expiry expiry) {
  const ListpackView::Position at = find_in_pack(field);
  if (at != ListpackView::kNone) {
    if (expiry == Expiry::kClear && pack_expiry(at) != kNoFieldExpiry) {
      PackEdit(this)->erase(at, 3);
      place_in_triples(field, value, kNoFieldExpiry);
    } else {
      const ListpackView::Position value_at = pack().next(at);
      PackEdit(this)->replace(value_at, value);
    }
    return false;
  }
  if (has_triples()) {
    place_in_triples(field, value, kNoFieldExpiry);
  } else {
    PackEdit(this)->append_many(std::array{field, value});
  }
  return true;
}

bool Hash::set_in_table(std::string_view field, std::string_view value, Expiry expiry) {
  Big& table = big();
  const uint64_t hash = hash_bytes(field);
  auto* slot = table.items.find(hash, field);
  if (slot == nullptr) {
    table.insert(hash, field, value, kNoFieldExpiry);
    return true;
  }
  table.rewrite(slot, value, expiry == Expiry::kKeep ? table.expiry_ms(slot->item()) : kNoFieldExpiry);
  return false;
}

bool Hash::remove(std::string_view field) {
  if (is_table()) {
    const uint64_t hash = hash_bytes(field);
    auto* slot = big().items.find(hash, field);
    if (slot == nullptr) return false;
    big().erase(slot, hash);
    return true;
  }
  const ListpackView::Position at = find_in_pack(field);
  if (at == ListpackView::kNone) return false;
  PackEdit(this)->erase(at, stride());
  return true;
}

bool Hash::remove_if_due(std::string_view field, int64_t now_ms) {
  HashValue value;
  return has_expiries() && !get(field, now_ms, &value) && remove(field);
}

bool Hash::set_expiry(std::string_view field, int64_t expiry_ms) {
  if (is_table()) {
    auto* slot = big().items.find(hash_bytes(field), field);
    if (slot == nullptr) return false;
    big().rewrite(slot, slot->item()->value(), expiry_ms);
    return true;
  }
  if (find_in_pack(field) == ListpackView::kNone) return false;
  if (!has_triples()) {
    if (expiry_ms == kNoFieldExpiry) return true;
    convert_to_triples();
  }
  const ListpackView::Position at = find_in_pack(field);
  if (pack_expiry(at) == expiry_ms) return true;
  const std::string value = pack().to_string(pack().next(at));
  PackEdit(this)->erase(at, 3);
  place_in_triples(field, value, expiry_ms);
  return true;
}

// Before the first field that expires no earlier; without an expiry at the end.
void Hash::place_in_triples(std::string_view field, std::string_view value, int64_t expiry_ms) {
  const ListpackView view = pack();
  ListpackView::Position at = expiry_ms == kNoFieldExpiry ? ListpackView::kNone : view.first();
  while (at != ListpackView::kNone) {
    const int64_t other_ms = pack_expiry(at);
    if (other_ms == kNoFieldExpiry || other_ms >= expiry_ms) break;
    at = view.next(view.next(view.next(at)));
  }
  if (at == ListpackView::kNone) at = view.end();
  PackEdit edit(this);
  edit->insert_before_integer(at, expiry_ms);
  edit->insert_before(at, value);
  edit->insert_before(at, field);
}

void Hash::convert_to_triples() {
  Listpack triples;
  const ListpackView view = pack();
  for (ListpackView::Position at = view.first(); at != ListpackView::kNone; at = view.next(at)) {
    ListpackValue::Scratch scratch;
    triples.append(view.text(at, scratch));
    at = view.next(at);
    triples.append(view.text(at, scratch));
    triples.append_integer(kNoFieldExpiry);
  }
  clear();
  word_ = reinterpret_cast<uintptr_t>(triples.release()) | kListpackExTag;
}

void Hash::convert_to_table() {
  auto table = std::make_unique<Big>();
  for_each(0, [&](const HashEntry& entry) {
    table->insert(hash_bytes(entry.field), entry.field, entry.value, entry.expiry_ms);
  });
  clear();
  word_ = reinterpret_cast<uintptr_t>(table.release()) | kTableTag;
}

Result<int64_t> Hash::increment(std::string_view field, int64_t by, int64_t now_ms, const HashLimits& limits) {
  int64_t number = 0;
  HashValue old;
  const bool found = get(field, now_ms, &old);
  if (found && !parse_int64(old.text, &number)) return StatusCode::kNotInteger;
  if (__builtin_add_overflow(number, by, &number)) return StatusCode::kOverflow;
  set(field, to_text(number), limits, found ? Expiry::kKeep : Expiry::kClear);
  return number;
}

Result<std::string> Hash::increment_float(std::string_view field, long double by, int64_t now_ms,
                                          const HashLimits& limits) {
  long double number = 0;
  HashValue old;
  const bool found = get(field, now_ms, &old);
  if (found && !parse_long_double(old.text, &number)) return StatusCode::kNotFloat;
  number += by;
  if (std::isnan(number) || std::isinf(number)) return StatusCode::kOverflow;
  char text[kLongDoubleCharsMax];
  const std::string value(text, format_long_double(text, number));
  set(field, value, limits, found ? Expiry::kKeep : Expiry::kClear);
  return value;
}

int64_t Hash::next_expiry_ms() const {
  if (is_table()) {
    const FieldExpiries* expiries = big().expiries.get();
    return expiries == nullptr || expiries->empty() ? kNoFieldExpiry : expiries->earliest_ms();
  }
  return !has_triples() || pack().empty() ? kNoFieldExpiry : pack_expiry(pack().first());
}

uint64_t Hash::relocate(uint64_t cursor, size_t count, BlockMover& mover) {
  if (is_table()) {
    const auto move_item = [&](HashItem* item) {
      auto* fresh = static_cast<HashItem*>(mover.move(item));
      if (fresh->timed()) big().expiries->moved(fresh->heap_place(), fresh);
      return fresh;
    };
    return move_items(big().items, cursor, count, mover, [](const HashItem* item) { return item->field(); }, move_item);
  }
  if (word_ != 0) word_ = reinterpret_cast<uintptr_t>(mover.moved(reinterpret_cast<void*>(word_ & ~kTagMask))) | tag();
  return 0;
}

}  // namespace synap
