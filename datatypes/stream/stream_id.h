// StreamId: a stream entry's name, milliseconds and a sequence number, ordered as one 128-bit number; its text forms.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace synap {

struct StreamId {
  uint64_t ms = 0;
  uint64_t seq = 0;

  static constexpr StreamId min() { return {0, 0}; }
  static constexpr StreamId max() { return {UINT64_MAX, UINT64_MAX}; }

  friend constexpr auto operator<=>(const StreamId&, const StreamId&) = default;
  constexpr bool is_zero() const { return ms == 0 && seq == 0; }

  // Moves to the neighbour. False, and wrapped around, when there is none.
  constexpr bool increment() {
    if (++seq == 0) ++ms;
    return !is_zero();
  }
  constexpr bool decrement() {
    const bool has_smaller = !is_zero();
    if (seq-- == 0) --ms;
    return has_smaller;
  }

  std::string to_text() const;
  // "ms-seq" to `out`, which has kTextBytesMax bytes. Returns the length.
  size_t format(char* out) const;
  static constexpr size_t kTextBytesMax = 41;
};

// "ms-seq" or "ms"; a missing sequence becomes `missing_seq`. False: not an id.
bool parse_stream_id(std::string_view text, uint64_t missing_seq, StreamId* id);
// The same, and "ms-*", which sets *auto_seq.
bool parse_stream_id_or_auto_seq(std::string_view text, StreamId* id, bool* auto_seq);

// The edge of a range: "-", "+", an id, or "(" and an id. `missing_seq` is 0 for a start, UINT64_MAX for an end.
bool parse_stream_range_edge(std::string_view text, uint64_t missing_seq, StreamId* id, bool* exclusive);

}  // namespace synap
