// Intset: a sorted array of different integers in one block, exactly Redis's format: <encoding u32><count u32><values>,
// where the encoding is the bytes of each value (2, 4 or 8). IntsetView reads, Intset owns and changes; both are one
// pointer. Bytes from outside must pass IntsetView::validate first.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "datatypes/encoding/block.h"
#include "server/base/random.h"

namespace synap {

class IntsetView {
 public:
  static constexpr size_t kHeaderBytes = 8;

  explicit IntsetView(const uint8_t* bytes) : data_(bytes) {}

  // Whether `bytes` are one well-formed intset; deep also checks that the values ascend. Never reads outside `bytes`.
  static bool validate(std::string_view bytes, bool deep);

  const uint8_t* data() const { return data_; }
  size_t length() const { return field(4); }
  size_t bytes() const { return kHeaderBytes + length() * width(); }
  size_t memory_bytes() const { return block_capacity(bytes()); }
  std::string_view raw() const { return {reinterpret_cast<const char*>(data_), bytes()}; }
  bool empty() const { return length() == 0; }

  int64_t at(size_t index) const { return value_at(index, width()); }
  int64_t min() const { return at(0); }
  int64_t max() const { return at(length() - 1); }
  bool contains(int64_t value) const;
  int64_t random(Random& random) const { return at(random.below(length())); }

  // Bytes of each value: 2, 4 or 8.
  uint32_t width() const { return field(0); }

 private:
  friend class Intset;
  uint32_t field(size_t offset) const {
    uint32_t value;
    std::memcpy(&value, data_ + offset, sizeof(value));
    return value;
  }
  int64_t value_at(size_t index, uint32_t width) const;
  // The index of the first value not below `value`.
  size_t lower_bound(int64_t value) const;

  const uint8_t* data_;
};

class Intset {
 public:
  Intset();
  ~Intset() { std::free(data_); }
  Intset(Intset&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Intset& operator=(Intset&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  Intset(const Intset&) = delete;
  Intset& operator=(const Intset&) = delete;

  // Takes over a block made by block_allocate (as release() returns); the moved-from state is a null pointer.
  static Intset adopt(uint8_t* block) { return Intset(block); }
  uint8_t* release() { return std::exchange(data_, nullptr); }
  static Intset copy_of(std::string_view validated_bytes);
  Intset copy() const { return copy_of(view().raw()); }

  IntsetView view() const { return IntsetView(data_); }
  size_t length() const { return view().length(); }
  size_t bytes() const { return view().bytes(); }
  bool contains(int64_t value) const { return view().contains(value); }

  bool add(int64_t value);     // false: it was there
  bool remove(int64_t value);  // false: it was not there; the width never shrinks, as in Redis

 private:
  explicit Intset(uint8_t* block) : data_(block) {}
  void set_header(uint32_t width, size_t count);
  void put(size_t index, uint32_t width, int64_t value);
  void widen_and_add(uint32_t width, int64_t value);

  uint8_t* data_;
};
static_assert(sizeof(Intset) == sizeof(void*));

}  // namespace synap
