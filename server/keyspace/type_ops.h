// TypeOps: one row per value type with what the keyspace needs of it. Code outside datatypes/ and this file never asks
// what a value is.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/base/block_mover.h"
#include "server/keyspace/entry.h"

namespace synap {

struct TypeOps {
  std::string_view name;  // as TYPE replies
  void (*destroy)(Entry* entry);
  uint64_t (*copy)(const Entry* entry);  // the word of a deep copy
  bool (*empty)(const Entry* entry);
  size_t (*length)(const Entry* entry);  // elements
  size_t (*memory_bytes)(const Entry* entry, size_t samples);  // of what the word owns; samples 0: exact
  std::string_view (*encoding)(const Entry* entry);
};

const TypeOps& type_ops(ValueType type);
inline const TypeOps& type_ops(const Entry* entry) { return type_ops(entry->type()); }

// Frees what the value owns and leaves the entry's memory, so that the entry can be rewritten.
void free_value(Entry* entry);
// Frees value and entry on this thread.
void free_entry(Entry* entry);
// The same, in the background when the value has many elements: whoever deletes or overwrites it holds its shard. `lazy`
// false frees here and now.
void dispose_entry(Entry* entry, bool lazy = true);

// How much work freeing would be: elements, or 1.
size_t free_effort(const Entry* entry);
inline constexpr size_t kFreeInlineMax = 64;

// When the first of a hash's fields expires; 0 for a hash without field TTLs and for every other type.
int64_t next_field_expiry_ms(const Entry* entry);

// For batches: fetches what a lookup of the element with this hash will read first, its table line or the element itself.
// False for a container without a table. The entry must not change meanwhile.
bool prefetch_element(const Entry* container, uint64_t hash, bool item);

// Active defragmentation: moves the blocks that the value owns (not the entry itself), of a big container about `count`
// elements from `cursor` on. The next cursor, 0 at the end.
uint64_t relocate_value(Entry* entry, uint64_t cursor, size_t count, BlockMover& mover);

// The length of a string's bytes, without unpacking them.
size_t string_length(const Entry* entry);

// Bytes of the entry and its value.
size_t entry_memory_bytes(const Entry* entry, size_t samples);

}  // namespace synap
