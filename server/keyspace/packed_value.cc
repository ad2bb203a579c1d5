#include "server/keyspace/packed_value.h"

#include <lz4.h>
#include <lz4hc.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "server/base/assert.h"

namespace synap {

namespace {

// From this level on LZ4 searches longer for matches (its "HC" compressor, whose levels end at 12).
constexpr int kLz4HighLevel = 3;

struct Counters {
  std::atomic<size_t> values{0}, raw_bytes{0}, packed_bytes{0};
  std::atomic<uint64_t> next_ids{1};
};
Counters& counters() {
  static Counters instance;
  return instance;
}

// Each thread takes ids in lots, so that threads do not share a cache line for it.
uint64_t next_id() {
  constexpr uint64_t kLot = 1 << 16;
  thread_local uint64_t next = 0;
  thread_local uint64_t end = 0;
  if (next == end) {
    next = counters().next_ids.fetch_add(kLot, std::memory_order_relaxed);
    end = next + kLot;
  }
  return next++;
}

// Compression contexts are big (Zstandard's some 100 KB): each thread keeps its own.
struct ZstdContexts {
  ZSTD_CCtx* compress = ZSTD_createCCtx();
  ZSTD_DCtx* decompress = ZSTD_createDCtx();
  ~ZstdContexts() {
    ZSTD_freeCCtx(compress);
    ZSTD_freeDCtx(decompress);
  }
};
ZstdContexts& zstd() {
  thread_local ZstdContexts contexts;
  return contexts;
}

// 0 when the result would be longer than `capacity`.
size_t compress(std::string_view bytes, const ValuePacking& packing, char* out, size_t capacity) {
  if (packing.codec == ValueCodec::kZstd) {
    const size_t size = ZSTD_compressCCtx(zstd().compress, out, capacity, bytes.data(), bytes.size(), packing.level);
    return ZSTD_isError(size) != 0 ? 0 : size;
  }
  const auto source_size = static_cast<int>(bytes.size());
  const auto out_size = static_cast<int>(capacity);
  const int size = packing.level < kLz4HighLevel
                       ? LZ4_compress_default(bytes.data(), out, source_size, out_size)
                       : LZ4_compress_HC(bytes.data(), out, source_size, out_size, std::min(packing.level, LZ4HC_CLEVEL_MAX));
  return size <= 0 ? 0 : static_cast<size_t>(size);
}

void count(const PackedValue& value, bool added) {
  Counters& all = counters();
  const auto change = [added](std::atomic<size_t>& counter, size_t n) {
    added ? counter.fetch_add(n, std::memory_order_relaxed) : counter.fetch_sub(n, std::memory_order_relaxed);
  };
  change(all.values, 1);
  change(all.raw_bytes, value.raw_bytes());
  change(all.packed_bytes, value.heap_bytes());
}

}  // namespace

PackedValue* PackedValue::allocate(size_t packed_bytes) {
  auto* value = static_cast<PackedValue*>(std::malloc(sizeof(PackedValue) + packed_bytes));
  SYNAP_ASSERT(value != nullptr);
  return value;
}

PackedValue* PackedValue::pack(std::string_view bytes, const ValuePacking& packing) {
  const size_t total_max = bytes.size() - bytes.size() / 8;
  if (total_max <= sizeof(PackedValue)) return nullptr;
  const size_t capacity = total_max - sizeof(PackedValue);
  constexpr size_t kStackBytes = 16 * 1024;
  char on_stack[kStackBytes];
  const std::unique_ptr<char[]> on_heap(capacity > kStackBytes ? new char[capacity] : nullptr);
  char* out = on_heap == nullptr ? on_stack : on_heap.get();
  const size_t size = compress(bytes, packing, out, capacity);
  if (size == 0) return nullptr;
  PackedValue* value = allocate(size);
  value->id_ = next_id();
  value->raw_bytes_ = static_cast<uint32_t>(bytes.size());
  value->packed_bytes_ = static_cast<uint32_t>(size) | (packing.codec == ValueCodec::kZstd ? kZstdBit : 0);
  std::memcpy(value->bytes(), out, size);
  count(*value, true);
  return value;
}

void PackedValue::free(PackedValue* value) {
  count(*value, false);
  std::free(value);
}

PackedValue* PackedValue::copy() const {
  PackedValue* value = allocate(packed_bytes());
  std::memcpy(static_cast<void*>(value), this, heap_bytes());
  count(*value, true);
  return value;
}

SharedBytes PackedValue::unpack() const {
  SharedBytes raw = SharedBytes::allocate(raw_bytes_);
  size_t size;
  if ((packed_bytes_ & kZstdBit) != 0) {
    size = ZSTD_decompressDCtx(zstd().decompress, raw.data(), raw_bytes_, bytes(), packed_bytes());
  } else {
    const int result = LZ4_decompress_safe(bytes(), raw.data(), static_cast<int>(packed_bytes()), static_cast<int>(raw_bytes_));
    size = result < 0 ? SIZE_MAX : static_cast<size_t>(result);
  }
  SYNAP_ASSERT(size == raw_bytes_);
  raw.resize(size);
  return raw;
}

PackingTotals packing_totals() {
  const Counters& all = counters();
  return {all.values.load(std::memory_order_relaxed), all.raw_bytes.load(std::memory_order_relaxed),
          all.packed_bytes.load(std::memory_order_relaxed)};
}

}  // namespace synap
