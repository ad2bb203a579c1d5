// Entry: a key with its value and expiry, in one allocation.
//
//   u32 meta      type (4 bits), storage (3), has expiry (1), access clock (24: LRU seconds, or LFU minutes and counter)
//   u32 lengths   key length (12 bits; 4095: a u64 follows), length of an inline value (20 bits)
//   [i64 expiry]  unix time in ms, if it has one
//   [u64 length]  of a key of 4095 bytes and more
//   [word]        an integer, a SharedBytes block, a PackedValue or a container, unless the value is inline
//   key bytes, inline value bytes
//
// Everything before the key is 8-byte aligned, so a container (Hash, Zset, …: one word each) lives in place.
// Changing the shape of an entry makes a new allocation: the caller then updates the table's slot.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "server/base/assert.h"
#include "server/base/equal_bytes.h"
#include "server/base/hash.h"
#include "server/base/shared_bytes.h"
#include "server/base/table.h"

namespace synap {

class PackedValue;

enum class ValueType : uint8_t { kString, kList, kSet, kZset, kHash, kStream, kQueue, kTopic };
inline constexpr size_t kValueTypes = 8;

// How the value lies in the entry. All but kObject are strings; kEmbstr and kRaw differ only in what OBJECT ENCODING says,
// kPacked is compressed.
enum class Storage : uint8_t { kInt, kEmbstr, kRaw, kBlock, kObject, kPacked };

// Strings up to this size lie in the entry itself.
inline constexpr size_t kInlineBytesMax = 1024;
// As Redis: a string SET with at most this many bytes is "embstr".
inline constexpr size_t kEmbstrBytesMax = 44;

inline constexpr int64_t kNoExpiry = -1;

class Entry {
 public:
  ValueType type() const { return static_cast<ValueType>(meta() & 15); }
  Storage storage() const { return static_cast<Storage>((meta() >> 4) & 7); }
  bool has_expiry() const { return (meta() & kExpiryBit) != 0; }

  std::string_view key() const {
    const char* cursor = tail();
    size_t length = lengths_ & kKeyLengthMask;
    if (length == kKeyLengthMask) {
      uint64_t long_length;
      std::memcpy(&long_length, cursor, sizeof long_length);
      length = long_length;
      cursor += sizeof long_length;
    }
    return {cursor + (is_inline() ? 0 : sizeof(uint64_t)), length};
  }

  int64_t expiry_ms() const {
    if (!has_expiry()) return kNoExpiry;
    int64_t expiry;
    std::memcpy(&expiry, this + 1, sizeof expiry);
    return expiry;
  }
  // Only for an entry that has_expiry().
  void set_expiry_ms(int64_t expiry_ms) {
    SYNAP_ASSERT(has_expiry());
    std::memcpy(static_cast<void*>(this + 1), &expiry_ms, sizeof expiry_ms);
  }
  bool expired(int64_t now_ms) const { return has_expiry() && expiry_ms() <= now_ms; }

  // The 24-bit access clock. Readers under a shared lock may store it at the same time: any of their values will do.
  uint32_t access_clock() const { return meta() >> 8; }
  void set_access_clock(uint32_t clock) {
    __atomic_store_n(&meta_, (meta() & 0xff) | clock << 8, __ATOMIC_RELAXED);
  }

  static bool is_inline(Storage storage) { return storage == Storage::kEmbstr || storage == Storage::kRaw; }
  bool is_inline() const { return is_inline(storage()); }
  std::string_view inline_value() const {
    const std::string_view k = key();
    return {k.data() + k.size(), lengths_ >> kKeyLengthBits};
  }
  char* mutable_inline_value() { return const_cast<char*>(inline_value().data()); }

  // The value's word, for every storage that is not inline.
  uint64_t* word() {
    SYNAP_ASSERT(!is_inline());
    return reinterpret_cast<uint64_t*>(const_cast<char*>(key().data()) - sizeof(uint64_t));
  }
  const uint64_t* word() const { return const_cast<Entry*>(this)->word(); }
  int64_t integer() const { return static_cast<int64_t>(*word()); }
  SharedBytes::Block* block() const { return reinterpret_cast<SharedBytes::Block*>(*word()); }
  PackedValue* packed() const { return reinterpret_cast<PackedValue*>(*word()); }

  // The container in place. T is the class of this type: Hash, List, ….
  template <class T>
  T* object() {
    static_assert(sizeof(T) == sizeof(uint64_t));
    return reinterpret_cast<T*>(word());
  }
  template <class T>
  const T* object() const {
    return const_cast<Entry*>(this)->object<T>();
  }

  // What a new entry is made of. The value is exactly one of inline bytes and word, as storage says.
  struct Parts {
    ValueType type;
    Storage storage;
    std::string_view key;
    int64_t expiry_ms = kNoExpiry;
    std::string_view inline_value = {};
    uint64_t word = 0;
    uint32_t access_clock = 0;
  };
  static Entry* make(const Parts& parts);
  // Bytes make() would allocate.
  static size_t bytes_for(const Parts& parts);
  size_t bytes() const { return bytes_for(parts()); }
  // This entry taken apart; the views point into it.
  Parts parts() const;

  // Rewrites an entry in its own memory if the new parts, with the same key, are laid out alike: an expiry or none, and a
  // word or as many inline bytes. The old value must not own anything any more.
  bool rewrite_in_place(const Parts& parts);

  // Frees the entry's memory, not what its word owns (see free_value in type_ops.h).
  static void free_memory(Entry* entry);

 private:
  static constexpr uint32_t kExpiryBit = 1U << 7;
  static constexpr uint32_t kKeyLengthBits = 12;
  static constexpr uint32_t kKeyLengthMask = (1U << kKeyLengthBits) - 1;

  uint32_t meta() const { return __atomic_load_n(&meta_, __ATOMIC_RELAXED); }
  const char* tail() const { return reinterpret_cast<const char*>(this + 1) + (has_expiry() ? sizeof(int64_t) : 0); }
  static uint32_t meta_of(const Parts& parts);
  void fill(const Parts& parts);

  uint32_t meta_;
  uint32_t lengths_;
};
static_assert(sizeof(Entry) == 8);

// How the keyspace's tables see entries. Memory that prefetches of other threads may still read is retired, not freed.
void retire_table_memory(void* memory);

struct EntryTraits {
  using Item = Entry;
  static constexpr int kSkipBits = 6;  // the shard's index
  static uint64_t hash(const Entry* entry) { return hash_bytes(entry->key()); }
  static bool equals(const Entry* entry, std::string_view key) { return equal_bytes(entry->key(), key); }
  static void retire(void* memory) { retire_table_memory(memory); }
};
using EntryTable = Table<EntryTraits>;

}  // namespace synap
