#include "server/keyspace/type_ops.h"

#include <array>

#include "datatypes/hash/hash.h"
#include "datatypes/list/list.h"
#include "datatypes/set/set.h"
#include "datatypes/stream/stream.h"
#include "datatypes/zset/zset.h"
#include "server/base/assert.h"
#include "server/base/number.h"
#include "server/keyspace/background.h"
#include "server/keyspace/packed_value.h"

namespace synap {

namespace {

void destroy_string(Entry* entry) {
  if (entry->storage() == Storage::kBlock) SharedBytes::adopt(entry->block()).reset();
  if (entry->storage() == Storage::kPacked) PackedValue::free(entry->packed());
}
uint64_t copy_string(const Entry* entry) {
  if (entry->storage() == Storage::kInt) return *entry->word();
  if (entry->storage() == Storage::kPacked) return reinterpret_cast<uint64_t>(entry->packed()->copy());
  SYNAP_ASSERT(entry->storage() == Storage::kBlock);
  return reinterpret_cast<uint64_t>(SharedBytes::copy_of(entry->block()->view()).release());
}
bool empty_string(const Entry*) { return false; }
size_t one(const Entry*) { return 1; }
size_t string_bytes(const Entry* entry, size_t) {
  if (entry->storage() == Storage::kPacked) return entry->packed()->heap_bytes();
  return entry->storage() == Storage::kBlock ? sizeof(SharedBytes::Block) + entry->block()->capacity : 0;
}
std::string_view string_encoding(const Entry* entry) {
  switch (entry->storage()) {
    case Storage::kInt:
      return "int";
    case Storage::kEmbstr:
      return "embstr";
    default:
      return "raw";
  }
}

template <class T>
size_t element_count(const T& value) {
  if constexpr (requires { value.length(); }) {
    return value.length();
  } else {
    return value.size();
  }
}

// A stream stays when its last entry goes; every other container takes its key along.
template <class T>
constexpr bool kEmptyGoesAway = true;
template <>
constexpr bool kEmptyGoesAway<Stream> = false;

template <class T>
constexpr TypeOps container_ops(std::string_view name) {
  return TypeOps{
      .name = name,
      .destroy = [](Entry* entry) { entry->object<T>()->~T(); },
      .copy =
          [](const Entry* entry) {
            alignas(T) unsigned char raw[sizeof(uint64_t)];
            new (raw) T(entry->object<T>()->copy());
            uint64_t word;
            std::memcpy(&word, raw, sizeof word);
            return word;
          },
      .empty = [](const Entry* entry) { return kEmptyGoesAway<T> && element_count(*entry->object<T>()) == 0; },
      .length = [](const Entry* entry) { return size_t{element_count(*entry->object<T>())}; },
      .memory_bytes =
          [](const Entry* entry, size_t samples) {
            const T& value = *entry->object<T>();
            if constexpr (requires { value.memory_bytes(samples); }) {
              return value.memory_bytes(samples);
            } else {
              return value.memory_bytes();
            }
          },
      .encoding =
          [](const Entry* entry) {
            const T& value = *entry->object<T>();
            if constexpr (requires { value.encoding_name(); }) {
              return std::string_view(value.encoding_name());
            } else {
              return std::string_view("stream");
            }
          },
  };
}

constexpr std::array<TypeOps, 6> kTypeOps = {
    TypeOps{"string", destroy_string, copy_string, empty_string, one, string_bytes, string_encoding},
    container_ops<List>("list"),
    container_ops<Set>("set"),
    container_ops<Zset>("zset"),
    container_ops<Hash>("hash"),
    container_ops<Stream>("stream"),
};

}  // namespace

const TypeOps& type_ops(ValueType type) {
  const auto index = static_cast<size_t>(type);
  SYNAP_ASSERT(index < kTypeOps.size());
  return kTypeOps[index];
}

void free_value(Entry* entry) { type_ops(entry).destroy(entry); }

void free_entry(Entry* entry) {
  free_value(entry);
  Entry::free_memory(entry);
}

size_t free_effort(const Entry* entry) {
  return entry->type() == ValueType::kString ? 1 : type_ops(entry).length(entry);
}

void dispose_entry(Entry* entry, bool lazy) {
  if (lazy && free_effort(entry) > kFreeInlineMax) {
    constexpr size_t kSamples = 5;
    background_free([entry] { free_entry(entry); }, 1, entry_memory_bytes(entry, kSamples));
  } else {
    free_entry(entry);
  }
}

int64_t next_field_expiry_ms(const Entry* entry) {
  return entry->type() == ValueType::kHash ? entry->object<Hash>()->next_expiry_ms() : 0;
}

bool prefetch_element(const Entry* container, uint64_t hash, bool item) {
  const auto fetch = [hash, item](const auto* table) {
    if (table == nullptr) return false;
    item ? table->fetch_item(hash) : void(table->prefetch_bucket(hash));
    return true;
  };
  switch (container->type()) {
    case ValueType::kSet:
      return fetch(container->object<Set>()->table_or_null());
    case ValueType::kZset:
      return fetch(container->object<Zset>()->members_or_null());
    case ValueType::kHash:
      return fetch(container->object<Hash>()->table_or_null());
    default:
      return false;
  }
}

uint64_t relocate_value(Entry* entry, uint64_t cursor, size_t count, BlockMover& mover) {
  const auto move_word = [&](auto* block) { *entry->word() = reinterpret_cast<uint64_t>(mover.moved(block)); };
  switch (entry->type()) {
    case ValueType::kString:
      if (entry->storage() == Storage::kPacked) move_word(entry->packed());
      // A block that replies still quote stays.
      if (entry->storage() == Storage::kBlock && entry->block()->refs.load(std::memory_order_acquire) == 1) move_word(entry->block());
      return 0;
    case ValueType::kList:
      return entry->object<List>()->relocate(cursor, count, mover);
    case ValueType::kSet:
      return entry->object<Set>()->relocate(cursor, count, mover);
    case ValueType::kZset:
      return entry->object<Zset>()->relocate(cursor, count, mover);
    case ValueType::kHash:
      return entry->object<Hash>()->relocate(cursor, count, mover);
    case ValueType::kStream:
      return entry->object<Stream>()->relocate(cursor, count, mover);
    default:
      return 0;
  }
}

size_t string_length(const Entry* entry) {
  switch (entry->storage()) {
    case Storage::kInt: {
      char digits[24];
      return format_int64(digits, entry->integer());
    }
    case Storage::kBlock:
      return entry->block()->size;
    case Storage::kPacked:
      return entry->packed()->raw_bytes();
    default:
      return entry->inline_value().size();
  }
}

size_t entry_memory_bytes(const Entry* entry, size_t samples) {
  return entry->bytes() + type_ops(entry).memory_bytes(entry, samples);
}

}  // namespace synap
