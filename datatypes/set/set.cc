#include "datatypes/set/set.h"

#include <malloc.h>

#include <algorithm>

#include "server/base/number.h"

namespace synap {

// Lends the listpack as its owner class, and takes the (possibly moved) block back.
class Set::PackEdit {
 public:
  explicit PackEdit(Set* set) : set_(set), pack_(Listpack::adopt(static_cast<uint8_t*>(set->block()))) {}
  ~PackEdit() { set_->word_ = reinterpret_cast<uintptr_t>(pack_.release()) | kListpackTag; }
  PackEdit(const PackEdit&) = delete;
  PackEdit& operator=(const PackEdit&) = delete;

  Listpack* operator->() { return &pack_; }

 private:
  Set* set_;
  Listpack pack_;
};

class Set::IntsetEdit {
 public:
  explicit IntsetEdit(Set* set) : set_(set), ints_(Intset::adopt(static_cast<uint8_t*>(set->block()))) {}
  ~IntsetEdit() { set_->word_ = reinterpret_cast<uintptr_t>(ints_.release()) | kIntsetTag; }
  IntsetEdit(const IntsetEdit&) = delete;
  IntsetEdit& operator=(const IntsetEdit&) = delete;

  Intset* operator->() { return &ints_; }

 private:
  Set* set_;
  Intset ints_;
};

namespace {

template <class Owner>
uintptr_t tagged_block(Owner&& owner, uintptr_t tag) {
  return reinterpret_cast<uintptr_t>(owner.release()) | tag;
}

// The characters of a number, as listpack limits count them.
size_t text_size(int64_t number) {
  char text[kInt64CharsMax];
  return format_int64(text, number);
}

}  // namespace

Set Set::from_intset(std::string_view bytes) {
  Set set;
  set.word_ = tagged_block(Intset::copy_of(bytes), kIntsetTag);
  return set;
}

Set Set::from_listpack(std::string_view bytes) {
  Set set;
  set.word_ = tagged_block(Listpack::copy_of(bytes), kListpackTag);
  return set;
}

Set Set::empty_intset() {
  Set set;
  set.word_ = tagged_block(Intset(), kIntsetTag);
  return set;
}

Set Set::empty_listpack() {
  Set set;
  set.word_ = tagged_block(Listpack(), kListpackTag);
  return set;
}

Set Set::copy() const {
  if (is_intset()) return from_intset(intset().raw());
  if (is_listpack()) return from_listpack(pack().raw());
  Set twin;
  if (!is_table()) return twin;
  twin.convert_to_table();
  table().for_each([&](const SetItem* item, bool) {
    twin.table().insert(SetItemTraits::hash(item), SetItem::create(item->member()));
  });
  return twin;
}

void Set::clear() {
  become(0);
}

// Frees the present form; `word` is the next.
void Set::become(uintptr_t word) {
  if (is_table()) {
    table().for_each([](SetItem* item, bool) { SetItem::destroy(item); });
    delete &table();
  } else if (word_ != 0) {
    std::free(block());
  }
  word_ = word;
}

SetEncoding Set::encoding() const {
  if (is_table()) return SetEncoding::kTable;
  return is_listpack() ? SetEncoding::kListpack : SetEncoding::kIntset;
}

std::string_view Set::encoding_name() const {
  if (is_table()) return "hashtable";
  return is_listpack() ? "listpack" : "intset";
}

size_t Set::size() const {
  if (is_table()) return table().size();
  if (is_listpack()) return pack().length();
  return word_ == 0 ? 0 : intset().length();
}

size_t Set::memory_bytes(size_t samples) const {
  if (is_intset()) return intset().memory_bytes();
  if (is_listpack()) return pack().memory_bytes();
  if (word_ == 0) return 0;
  const size_t bytes = sizeof(Table<SetItemTraits>) + table().memory_bytes();
  if (table().empty()) return bytes;
  size_t seen = 0;
  size_t item_bytes = 0;
  uint64_t cursor = 0;
  do {
    cursor = table().scan(cursor, [&](SetItem* item) {
      item_bytes += malloc_usable_size(item);
      ++seen;
    });
  } while (cursor != 0 && (samples == 0 || seen < samples));
  return bytes + static_cast<size_t>(static_cast<double>(item_bytes) / static_cast<double>(seen) *
                                     static_cast<double>(table().size()));
}

bool Set::contains(std::string_view member) const {
  if (is_table()) return table().find(hash_bytes(member), member) != nullptr;
  if (is_listpack()) return !pack().empty() && pack().find(member, pack().first()) != ListpackView::kNone;
  int64_t number;
  return word_ != 0 && parse_int64(member, &number) && intset().contains(number);
}

bool Set::contains(const SetElement& element) const {
  if (element.is_integer() && is_intset()) return intset().contains(element.integer);
  SetElement::Scratch scratch;
  return contains(element.text(scratch));
}

void Set::prepare(std::string_view first, size_t count, const SetLimits& limits) {
  if (word_ == 0) {
    int64_t number;
    if (count <= limits.max_intset_entries && parse_int64(first, &number)) {
      word_ = tagged_block(Intset(), kIntsetTag);
    } else if (count <= limits.max_listpack_entries) {
      word_ = tagged_block(Listpack(), kListpackTag);
    } else {
      convert_to_table();
    }
  } else if ((is_listpack() && count > limits.max_listpack_entries) ||
             (is_intset() && count > limits.max_intset_entries)) {
    convert_to_table();
  }
}

void Set::fit(const SetLimits& limits) {
  const size_t limit = is_listpack() ? limits.max_listpack_entries : limits.max_intset_entries;
  if (!is_table() && size() > limit) convert_to_table();
}

bool Set::add(std::string_view member, const SetLimits& limits) {
  if (is_table()) return add_to_table(member);
  if (word_ == 0) prepare(member, 1, limits);
  if (is_listpack()) return add_to_listpack(member, limits);
  if (is_table()) return add_to_table(member);
  int64_t number;
  if (parse_int64(member, &number)) return add_to_intset(number, limits);
  add_text_to_intset(member, limits);
  return true;
}

bool Set::add(const SetElement& element, const SetLimits& limits) {
  if (element.is_integer() && is_intset()) return add_to_intset(element.integer, limits);
  SetElement::Scratch scratch;
  return add(element.text(scratch), limits);
}

bool Set::add_to_intset(int64_t number, const SetLimits& limits) {
  if (!IntsetEdit(this)->add(number)) return false;
  if (size() > std::min(limits.max_intset_entries, kIntsetEntriesMax)) convert_to_table();
  return true;
}

bool Set::add_to_listpack(std::string_view member, const SetLimits& limits) {
  if (contains(member)) return false;
  if (fits_listpack(member, limits)) {
    PackEdit(this)->append(member);
  } else {
    convert_to_table();
    add_to_table(member);
  }
  return true;
}

bool Set::add_to_table(std::string_view member) {
  const uint64_t hash = hash_bytes(member);
  if (table().find(hash, member) != nullptr) return false;
  table().insert(hash, SetItem::create(member));
  return true;
}

// The member spells no integer, so it cannot be there.
void Set::add_text_to_intset(std::string_view member, const SetLimits& limits) {
  const IntsetView ints = intset();
  const size_t widest = ints.empty() ? 0 : std::max(text_size(ints.min()), text_size(ints.max()));
  if (fits_listpack(member, limits) && widest <= limits.max_listpack_value) {
    convert_to_listpack();
    PackEdit(this)->append(member);
  } else {
    convert_to_table();
    add_to_table(member);
  }
}

// Whether a listpack of the present members and this one is within the limits.
bool Set::fits_listpack(std::string_view extra_member, const SetLimits& limits) const {
  const size_t bytes_now = is_listpack() ? pack().bytes() : 2 * intset().bytes();
  return size() < limits.max_listpack_entries && extra_member.size() <= limits.max_listpack_value &&
         ListpackView::safe_to_add(bytes_now, ListpackView::entry_bytes_for(extra_member));
}

bool Set::remove(std::string_view member) {
  if (is_table()) {
    SetItem* item = table().erase(hash_bytes(member), member);
    if (item == nullptr) return false;
    SetItem::destroy(item);
    return true;
  }
  if (is_listpack()) return remove_from_pack(member);
  int64_t number;
  return word_ != 0 && parse_int64(member, &number) && IntsetEdit(this)->remove(number);
}

bool Set::remove(const SetElement& element) {
  if (element.is_integer() && is_intset()) return IntsetEdit(this)->remove(element.integer);
  SetElement::Scratch scratch;
  return remove(element.text(scratch));
}

bool Set::remove_from_pack(std::string_view member) {
  if (pack().empty()) return false;
  const ListpackView::Position at = pack().find(member, pack().first());
  if (at == ListpackView::kNone) return false;
  PackEdit(this)->erase(at);
  return true;
}

void Set::compact_integers(const SetLimits& limits) {
  if (is_intset() || size() > std::min(limits.max_intset_entries, kIntsetEntriesMax)) return;
  Intset ints;
  for_each_element([&](const SetElement& element) {
    int64_t number = 0;
    SYNAP_ASSERT(element.to_integer(&number));
    ints.add(number);
  });
  become(tagged_block(ints, kIntsetTag));
}

void Set::convert_to_listpack() {
  Listpack pack;
  for_each_element([&](const SetElement& element) {
    if (element.is_integer()) {
      pack.append_integer(element.integer);
    } else {
      pack.append({element.data, element.size});
    }
  });
  become(tagged_block(pack, kListpackTag));
}

void Set::convert_to_table() {
  auto* items = new Table<SetItemTraits>;
  for_each([&](std::string_view member) { items->insert(hash_bytes(member), SetItem::create(member)); });
  become(reinterpret_cast<uintptr_t>(items) | kTableTag);
}

// Where most of a table's members were popped Redis builds what is left afresh, starting from a listpack.
void Set::shrink_to_listpack(const SetLimits& limits) {
  if (size() > limits.max_listpack_entries) return;
  size_t longest = 0;
  size_t bytes = 0;
  for_each([&](std::string_view member) {
    longest = std::max(longest, member.size());
    bytes += member.size();
  });
  if (longest <= limits.max_listpack_value && ListpackView::safe_to_add(0, bytes)) convert_to_listpack();
}

uint64_t Set::relocate(uint64_t cursor, size_t count, BlockMover& mover) {
  if (is_table()) {
    return move_items(table(), cursor, count, mover, [](const SetItem* item) { return item->member(); },
                      [&mover](SetItem* item) { return static_cast<SetItem*>(mover.move(item)); });
  }
  if (word_ != 0) word_ = reinterpret_cast<uintptr_t>(mover.moved(block())) | tag();
  return 0;
}

}  // namespace synap
