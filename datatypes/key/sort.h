// What SORT sorts and how: elements in memory of their own, the order, and the patterns that name other keys. Knows no
// keys and no replies.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace synap {

// Keeps copies of texts until it dies. Each copy ends in a NUL that is not part of it, so that strtod can read it.
class TextArena {
 public:
  std::string_view add(std::string_view text);

 private:
  static constexpr size_t kChunkBytesMin = size_t{1} << 10;
  static constexpr size_t kChunkBytesMax = size_t{1} << 15;  // what the allocator gives without a lock
  size_t chunk_bytes_ = kChunkBytesMin;                      // of the next one
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

// A pattern of BY or GET: "weight_*", "user_*->age", "#". A pattern without '*' names no key.
class SortPattern {
 public:
  explicit SortPattern(std::string_view pattern);

  bool is_element() const { return pattern_ == "#"; }
  bool names_keys() const { return star_ != std::string_view::npos; }
  // The hash field to look up in the key; empty: the key is a string.
  std::string_view field() const { return field_; }
  // The key for this element. Only if names_keys().
  void key_for(std::string_view element, std::string* key) const;

 private:
  std::string_view pattern_;
  size_t star_;
  std::string_view postfix_;
  std::string_view field_;
};

// An element: a text, or an integer that is spelled only when somebody wants to see it.
class SortText {
 public:
  using Scratch = char[24];

  SortText() = default;
  explicit SortText(std::string_view text) : data_(text.data()), bits_(text.size()) {}
  explicit SortText(int64_t integer) : bits_(static_cast<uint64_t>(integer)) {}

  bool is_integer() const { return data_ == nullptr; }
  int64_t integer() const { return static_cast<int64_t>(bits_); }
  std::string_view view(Scratch& scratch) const;

 private:
  const char* data_ = nullptr;  // null: the bits are an integer, else a size
  uint64_t bits_ = 0;
};

struct SortItem {
  SortText text;
  std::string_view weight;  // BY … ALPHA; without bytes, not even a terminator: it has none
  double score = 0;         // numeric
  uint32_t index = 0;       // where it came from: ties keep that order
};

struct SortOrder {
  bool alpha = false;
  bool descending = false;
  bool by_weight = false;
};

// As strtod reads all of it, NaN and what is out of a double's range excepted. `text` must come from a TextArena.
std::optional<double> sort_score(std::string_view text);

// Sorts so that at least the items [first, first + count) are in place.
void sort_items(std::vector<SortItem>* items, SortOrder order, size_t first, size_t count);

}  // namespace synap
