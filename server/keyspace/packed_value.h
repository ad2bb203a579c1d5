// PackedValue: the bytes of a big string, compressed (value-compression). It is immutable and lies behind an entry's word
// (Storage::kPacked); whoever changes the string unpacks it first. Its id is never used again, so that a decompressed
// copy kept elsewhere (hot_values.h) needs no invalidation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/base/shared_bytes.h"

namespace synap {

enum class ValueCodec : uint8_t { kNone, kLz4, kZstd };

// Which strings are compressed, and how.
struct ValuePacking {
  ValueCodec codec = ValueCodec::kNone;
  size_t min_bytes = 0;
  int level = 1;

  bool wants(size_t bytes) const { return codec != ValueCodec::kNone && bytes >= min_bytes && bytes <= kBytesMax; }
  // Bigger values would hold up the thread that compresses them for tens of milliseconds.
  static constexpr size_t kBytesMax = size_t{16} << 20;
};

class PackedValue {
 public:
  // Null when it would save less than an eighth of the bytes.
  static PackedValue* pack(std::string_view bytes, const ValuePacking& packing);
  static void free(PackedValue* value);
  // A copy shares the id: its bytes are the same.
  PackedValue* copy() const;

  SharedBytes unpack() const;

  uint64_t id() const { return id_; }
  size_t raw_bytes() const { return raw_bytes_; }
  size_t heap_bytes() const { return sizeof(PackedValue) + packed_bytes(); }

 private:
  static constexpr uint32_t kZstdBit = 1U << 31;

  static PackedValue* allocate(size_t packed_bytes);
  size_t packed_bytes() const { return packed_bytes_ & ~kZstdBit; }
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

  uint64_t id_;
  uint32_t raw_bytes_;
  uint32_t packed_bytes_;  // top bit: Zstandard
};

// All packed values of the process.
struct PackingTotals {
  size_t values;
  size_t raw_bytes;
  size_t packed_bytes;  // with their heads
};
PackingTotals packing_totals();

}  // namespace synap
