#include "server/command/data_digest.h"

#include <arpa/inet.h>
#include <openssl/sha.h>

#include <cstdio>

#include "datatypes/hash/hash.h"
#include "datatypes/list/list.h"
#include "datatypes/set/set.h"
#include "datatypes/stream/stream.h"
#include "datatypes/zset/zset.h"

namespace synap {

namespace {

Digest sha1(std::string_view bytes) {
  Digest digest;
  SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

std::string_view view_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Order does not matter.
void combine(Digest* digest, std::string_view bytes) {
  const Digest other = sha1(bytes);
  for (size_t i = 0; i < digest->size(); ++i) (*digest)[i] ^= other[i];
}

// Order matters.
void chain(Digest* digest, std::string_view bytes) {
  combine(digest, bytes);
  *digest = sha1(view_of(*digest));
}

void chain_number(Digest* digest, uint32_t number) {
  const uint32_t big_endian = htonl(number);
  chain(digest, {reinterpret_cast<const char*>(&big_endian), sizeof big_endian});
}

// The numbers Redis gives its types.
uint32_t redis_type(ValueType type) {
  switch (type) {
    case ValueType::kString:
      return 0;
    case ValueType::kList:
      return 1;
    case ValueType::kSet:
      return 2;
    case ValueType::kZset:
      return 3;
    case ValueType::kHash:
      return 4;
    default:
      return 6;
  }
}

void digest_string(const Entry* entry, Digest* digest) {
  StringRef value;
  Context::open_string(*entry, &value);
  chain(digest, value.view());
}

void digest_list(const List& list, Digest* digest) {
  List::Iterator iterator(list);
  ListpackValue element;
  ListpackValue::Scratch scratch;
  while (iterator.next(&element)) chain(digest, element.text(scratch));
}

void digest_set(const Set& set, Digest* digest) {
  set.for_each([&](std::string_view member) { combine(digest, member); });
}

void digest_zset(const Zset& zset, Digest* digest) {
  zset.for_each([&](std::string_view member, double score) {
    char text[128];
    const int size = std::snprintf(text, sizeof text, "%.17g", score);
    Digest element{};
    chain(&element, member);
    chain(&element, {text, static_cast<size_t>(size)});
    combine(digest, view_of(element));
  });
}

void digest_hash(const Hash& hash, Digest* digest) {
  hash.for_each(0, [&](const HashEntry& entry) {
    Digest element{};
    chain(&element, entry.field);
    chain(&element, entry.value);
    if (entry.expiry_ms != kNoFieldExpiry) combine(&element, "!!hexpire!!");
    combine(digest, view_of(element));
  });
}

void digest_stream(const Stream& stream, Digest* digest) {
  StreamCursor cursor(stream, StreamId::min(), StreamId::max());
  while (cursor.next()) {
    StreamEntry& entry = cursor.entry();
    char id[64];
    const int size = std::snprintf(id, sizeof id, "%llu.%llu", static_cast<unsigned long long>(entry.id.ms),
                                   static_cast<unsigned long long>(entry.id.seq));
    chain(digest, {id, static_cast<size_t>(size)});
    for (int64_t i = 0; i < entry.field_count; ++i) {
      std::string_view field, value;
      entry.next_field(&field, &value);
      chain(digest, field);
      chain(digest, value);
    }
  }
}

void add_entry(const Entry* entry, Digest* digest) {
  chain_number(digest, redis_type(entry->type()));
  switch (entry->type()) {
    case ValueType::kString:
      digest_string(entry, digest);
      break;
    case ValueType::kList:
      digest_list(*entry->object<List>(), digest);
      break;
    case ValueType::kSet:
      digest_set(*entry->object<Set>(), digest);
      break;
    case ValueType::kZset:
      digest_zset(*entry->object<Zset>(), digest);
      break;
    case ValueType::kHash:
      digest_hash(*entry->object<Hash>(), digest);
      break;
    case ValueType::kStream:
      digest_stream(*entry->object<Stream>(), digest);
      break;
    case ValueType::kQueue:
    case ValueType::kTopic:
      SYNAP_ASSERT(false);
  }
  if (entry->has_expiry()) combine(digest, "!!expire!!");
}

}  // namespace

Digest entry_digest(const Entry* entry) {
  Digest digest{};
  add_entry(entry, &digest);
  return digest;
}

Digest keyspace_digest(Context& ctx) {
  Digest total{};
  for (int db = 0; db < ctx.keyspace().databases(); ++db) {
    if (ctx.keyspace().key_count(db) == 0) continue;
    chain_number(&total, static_cast<uint32_t>(db));
    ctx.for_each_shard([&](Shard& shard) {
      shard.dbs[static_cast<size_t>(db)].table.for_each([&](const Entry* entry, bool) {
        Digest digest{};
        chain(&digest, entry->key());
        add_entry(entry, &digest);
        combine(&total, view_of(digest));
      });
    });
  }
  return total;
}

std::string digest_hex(const Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace synap
