// Listpack: a sequence of strings and integers in one block of bytes, exactly Redis's format, because these bytes go
// into RDB files and DUMP payloads unchanged. ListpackView reads, Listpack owns and changes; both are one pointer.
// Positions are byte offsets (stable when the block moves); any change invalidates positions at or after its place.
// Bytes from outside must pass ListpackView::validate first: every other function trusts them.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datatypes/encoding/block.h"
#include "server/base/assert.h"
#include "server/base/random.h"

namespace synap {

// One element: either bytes (pointing into the pack) or an integer.
struct ListpackValue {
  static constexpr size_t kScratchBytes = 24;
  using Scratch = char[kScratchBytes];

  const char* data = nullptr;  // null: the element is `integer`
  size_t size = 0;
  int64_t integer = 0;

  bool is_integer() const { return data == nullptr; }
  // The element as text; an integer is written to `scratch`, which must outlive the result.
  std::string_view text(Scratch& scratch) const;
  std::string to_string() const;
  bool equals(std::string_view other) const;
  // Whether the element is an integer or its bytes spell one.
  bool to_integer(int64_t* out) const;
};

class ListpackView {
 public:
  using Position = uint32_t;
  static constexpr Position kNone = 0;  // also "past the end" and "before the start"
  static constexpr size_t kHeaderBytes = 6;
  static constexpr size_t kBytesMax = size_t{1} << 30;  // never let a pack grow above 1 GiB, as Redis

  explicit ListpackView(const uint8_t* bytes) : data_(bytes) {}

  // Called for each element with the element and the count in the header; false refuses the pack.
  using EntryCheck = std::function<bool(const ListpackValue& value, size_t header_count)>;
  // Whether `bytes` are one well-formed listpack. Shallow checks header and end, deep every element. Never reads
  // outside `bytes`.
  static bool validate(std::string_view bytes, bool deep, const EntryCheck& check = nullptr);
  // Bytes that one element takes, its trailing length included.
  static size_t entry_bytes_for(std::string_view text);
  static size_t entry_bytes_for(int64_t number);
  static bool safe_to_add(size_t bytes_now, size_t add) { return bytes_now + add <= kBytesMax; }

  const uint8_t* data() const { return data_; }
  size_t bytes() const {
    uint32_t total;
    std::memcpy(&total, data_, sizeof(total));
    return total;
  }
  size_t memory_bytes() const { return block_capacity(bytes()); }
  std::string_view raw() const { return {reinterpret_cast<const char*>(data_), bytes()}; }
  bool empty() const { return data_[kHeaderBytes] == kEnd; }
  // O(1) below 65535 elements; above, the format has no room for the count and the pack is walked.
  size_t length() const {
    const uint16_t count = header_count();
    return count != kCountUnknown ? count : count_by_walking();
  }

  Position first() const { return empty() ? kNone : static_cast<Position>(kHeaderBytes); }
  Position last() const { return prev(end()); }
  Position next(Position at) const {
    const Position after = skip(at);
    return data_[after] == kEnd ? kNone : after;
  }
  Position prev(Position at) const;
  // The byte of the terminator: `insert` there appends.
  Position end() const { return static_cast<Position>(bytes() - 1); }
  // Negative indexes count from the tail. kNone when out of range.
  Position seek(int64_t index) const;

  ListpackValue get(Position at) const {
    Position after;
    return read(at, &after);
  }
  // The element, and in `after` the position behind it, kNone at the end: one decoding instead of get() and next().
  ListpackValue read(Position at, Position* after) const {
    const uint8_t code = data_[at];
    ListpackValue value;
    Position behind = at + 2;
    if (code < 0x80) {
      value.integer = code;
    } else if (code < 0xC0) {
      value.data = reinterpret_cast<const char*>(data_ + at + 1);
      value.size = code & 0x3Fu;
      behind += static_cast<Position>(value.size);
    } else if (is_string12(code)) {
      value.data = reinterpret_cast<const char*>(data_ + at + 2);
      value.size = string12_bytes(at);
      behind = skip_string12(at);
    } else if (code < 0xE0) {
      // 13 bits, shifted to the top and back so that the first becomes the sign.
      const uint32_t bits = (code & 0x1Fu) << 8 | data_[at + 1];
      value.integer = static_cast<int32_t>(bits << 19) >> 19;
      ++behind;
    } else {
      return read_long(at, after);
    }
    *after = data_[behind] == kEnd ? kNone : behind;
    return value;
  }
  std::string_view text(Position at, ListpackValue::Scratch& scratch) const { return get(at).text(scratch); }
  std::string to_string(Position at) const { return get(at).to_string(); }
  bool equals(Position at, std::string_view other) const { return get(at).equals(other); }
  // Bytes of the entry at `at`, its trailing length included.
  size_t entry_bytes(Position at) const { return skip(at) - at; }

  // First element equal to `needle` at or after `from`, passing over `skip_count` elements between comparisons.
  Position find(std::string_view needle, Position from, unsigned skip_count = 0) const;

  // `count` random elements, repeats allowed, in random order. `stride` 2 picks pairs: the position of their first
  // half.
  void random_with_repeats(Random& random, size_t count, unsigned stride, std::vector<Position>* out) const;
  // min(count, length) different random elements in pack order.
  void random_unique(Random& random, size_t count, unsigned stride, std::vector<Position>* out) const;

 protected:
  static constexpr uint8_t kEnd = 0xFF;
  static constexpr uint16_t kCountUnknown = 0xFFFF;
  friend class Listpack;

  uint16_t header_count() const {
    uint16_t count;
    std::memcpy(&count, data_ + sizeof(uint32_t), sizeof(count));
    return count;
  }
  size_t count_by_walking() const;
  ListpackValue read_long(Position at, Position* after) const;
  Position skip(Position at) const {
    const uint8_t code = data_[at];
    if (code < 0xC0) return at + 2 + (code < 0x80 ? 0 : code & 0x3Fu);
    return is_string12(code) ? skip_string12(at) : skip_long(at);
  }
  // Strings of 64 to 4095 bytes: two bytes of encoding, and a back length of one or two.
  static bool is_string12(uint8_t code) { return (code & 0xF0) == 0xE0; }
  size_t string12_bytes(Position at) const { return (data_[at] & 0x0Fu) << 8 | data_[at + 1]; }
  Position skip_string12(Position at) const {
    const auto content = static_cast<Position>(2 + string12_bytes(at));
    return at + content + (content < 128 ? 1 : 2);
  }
  Position skip_long(Position at) const;

  const uint8_t* data_;
};

// Compares one text with many elements; whether it is an integer is found out once.
class ListpackMatcher {
 public:
  explicit ListpackMatcher(std::string_view wanted);
  bool matches(const ListpackValue& value) const {
    if (value.is_integer()) return is_integer_ && value.integer == integer_;
    return std::string_view(value.data, value.size) == wanted_;
  }

 private:
  std::string_view wanted_;
  int64_t integer_ = 0;
  bool is_integer_;
};

class Listpack {
 public:
  using Position = ListpackView::Position;
  static constexpr Position kNone = ListpackView::kNone;

  Listpack();  // an empty pack
  ~Listpack() { std::free(data_); }
  Listpack(Listpack&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Listpack& operator=(Listpack&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  Listpack(const Listpack&) = delete;
  Listpack& operator=(const Listpack&) = delete;

  // Takes over a block made by block_allocate (as release() returns); the moved-from state is a null pointer.
  static Listpack adopt(uint8_t* block) { return Listpack(block); }
  uint8_t* release() { return std::exchange(data_, nullptr); }
  // A pack of these validated bytes.
  static Listpack copy_of(std::string_view bytes);
  Listpack copy() const { return copy_of(view().raw()); }

  ListpackView view() const { return ListpackView(data_); }
  const uint8_t* data() const { return data_; }
  size_t bytes() const { return view().bytes(); }
  size_t length() const { return view().length(); }
  bool empty() const { return view().empty(); }

  void append(std::string_view text) { insert_before(view().end(), text); }
  void append_integer(int64_t number) { insert_before_integer(view().end(), number); }
  void prepend(std::string_view text) { insert_before(ListpackView::kHeaderBytes, text); }
  void prepend_integer(int64_t number) { insert_before_integer(ListpackView::kHeaderBytes, number); }
  // One growth for all of them.
  void append_many(std::span<const std::string_view> texts);
  // The same for numbers and texts (which become numbers when they spell one).
  void append_values(std::span<const ListpackValue> values);
  // All elements of `other`, at the tail or the head.
  void append_pack(ListpackView other);
  void prepend_pack(ListpackView other);

  // The new element is at `at`, the old one behind it.
  void insert_before(Position at, std::string_view text);
  void insert_before_integer(Position at, int64_t number);
  // Returns the position of the new element.
  Position insert_after(Position at, std::string_view text);
  // The element stays at `at`.
  void replace(Position at, std::string_view text);
  void replace_integer(Position at, int64_t number);

  // Removes up to `count` elements from `at` on. Returns the position of the element now there, or kNone at the end.
  Position erase(Position at, size_t count = 1);
  // The same by index (negative: from the tail).
  void erase_range(int64_t index, size_t count);
  // Removes the elements at these positions, which ascend.
  void erase_many(std::span<const Position> positions);
  // Keeps the elements before `at` here and returns those from `at` on.
  Listpack split_off(Position at);

 private:
  explicit Listpack(uint8_t* block) : data_(block) {}

  void splice(Position at, size_t removed_bytes, size_t added_bytes, int64_t count_change);
  void set_header(size_t bytes, size_t count);

  uint8_t* data_;
};
static_assert(sizeof(Listpack) == sizeof(void*));

}  // namespace synap
