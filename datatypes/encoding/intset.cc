// See intset.h. Values are little endian, read and written in place.
#include "datatypes/encoding/intset.h"

#include <bit>

namespace synap {

static_assert(std::endian::native == std::endian::little, "the format is little endian and read in place");

namespace {

uint32_t width_for(int64_t value) {
  if (value < INT32_MIN || value > INT32_MAX) return 8;
  return value < INT16_MIN || value > INT16_MAX ? 4 : 2;
}

}  // namespace

bool IntsetView::validate(std::string_view bytes, bool deep) {
  if (bytes.size() < kHeaderBytes) return false;
  const IntsetView view(reinterpret_cast<const uint8_t*>(bytes.data()));
  const uint32_t width = view.width();
  if (width != 2 && width != 4 && width != 8) return false;
  const size_t count = view.length();
  if (count == 0 || kHeaderBytes + count * width != bytes.size()) return false;
  if (!deep) return true;
  for (size_t i = 1; i < count; ++i) {
    if (view.at(i) <= view.at(i - 1)) return false;
  }
  return true;
}

int64_t IntsetView::value_at(size_t index, uint32_t width) const {
  const uint8_t* from = data_ + kHeaderBytes + index * width;
  if (width == 2) {
    int16_t value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  if (width == 4) {
    int32_t value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  int64_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

size_t IntsetView::lower_bound(int64_t value) const {
  const uint32_t value_width = width();
  size_t low = 0;
  size_t high = length();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (value_at(middle, value_width) < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool IntsetView::contains(int64_t value) const {
  if (width_for(value) > width()) return false;
  const size_t index = lower_bound(value);
  return index < length() && at(index) == value;
}

Intset::Intset() : data_(block_allocate(IntsetView::kHeaderBytes)) {
  set_header(2, 0);
}

Intset Intset::copy_of(std::string_view validated_bytes) {
  uint8_t* block = block_allocate(validated_bytes.size());
  std::memcpy(block, validated_bytes.data(), validated_bytes.size());
  return Intset(block);
}

void Intset::set_header(uint32_t width, size_t count) {
  const auto stored_count = static_cast<uint32_t>(count);
  std::memcpy(data_, &width, sizeof(width));
  std::memcpy(data_ + sizeof(width), &stored_count, sizeof(stored_count));
}

void Intset::put(size_t index, uint32_t width, int64_t value) {
  // Little endian: the low bytes of a wider integer are the narrower one.
  std::memcpy(data_ + IntsetView::kHeaderBytes + index * width, &value, width);
}

// The new value needs more bytes than all others, so it is below or above all of them.
void Intset::widen_and_add(uint32_t width, int64_t value) {
  const uint32_t old_width = view().width();
  const size_t count = length();
  const size_t shift = value < 0 ? 1 : 0;
  data_ = block_resize(data_, bytes(), IntsetView::kHeaderBytes + (count + 1) * width);
  for (size_t i = count; i-- > 0;) put(i + shift, width, view().value_at(i, old_width));
  put(shift == 1 ? 0 : count, width, value);
  set_header(width, count + 1);
}

bool Intset::add(int64_t value) {
  const uint32_t width = view().width();
  if (width_for(value) > width) {
    widen_and_add(width_for(value), value);
    return true;
  }
  const size_t count = length();
  const size_t index = view().lower_bound(value);
  if (index < count && view().at(index) == value) return false;
  data_ = block_resize(data_, bytes(), bytes() + width);
  uint8_t* place = data_ + IntsetView::kHeaderBytes + index * width;
  std::memmove(place + width, place, (count - index) * width);
  put(index, width, value);
  set_header(width, count + 1);
  return true;
}

bool Intset::remove(int64_t value) {
  if (!contains(value)) return false;
  const uint32_t width = view().width();
  const size_t count = length();
  const size_t index = view().lower_bound(value);
  uint8_t* place = data_ + IntsetView::kHeaderBytes + index * width;
  std::memmove(place, place + width, (count - index - 1) * width);
  data_ = block_resize(data_, bytes(), bytes() - width);
  set_header(width, count - 1);
  return true;
}

}  // namespace synap
