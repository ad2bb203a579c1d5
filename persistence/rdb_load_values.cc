// Loading: every value type of Redis 2.6 to 7.4 into today's containers. Bytes are checked as deeply as the containers
// trust them, so that neither a file nor a RESTORE can crash the server.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <unordered_set>

#include "datatypes/encoding/ziplist.h"
#include "datatypes/encoding/zipmap.h"
#include "datatypes/stream/stream.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_values.h"
#include "server/base/hash.h"
#include "server/base/number.h"
#include "server/command/context.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

// How many elements are believed before they have been read.
constexpr uint64_t kReserveMax = 1 << 16;

Entry* object_entry(ValueType type, const RdbEntryHead& head, uint64_t word) {
  return Entry::make({.type = type,
                      .storage = Storage::kObject,
                      .key = head.key,
                      .expiry_ms = head.expiry_ms,
                      .word = word,
                      .access_clock = head.access_clock});
}

// A loaded container's entry; null when it is empty or the reader failed, and the container is freed.
template <class T>
Entry* finish(RdbReader* reader, ValueType type, const RdbEntryHead& head, T value, bool may_be_empty = false) {
  if (reader->failed()) return nullptr;
  Entry* entry = object_entry(type, head, word_of(std::move(value)));
  if (may_be_empty || !type_ops(type).empty(entry)) return entry;
  free_entry(entry);
  return nullptr;
}

Entry* load_string(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  const std::string_view value = reader->string();
  if (reader->failed()) return nullptr;
  return Entry::make(string_parts(head.key, value, head.expiry_ms, head.access_clock, limits.packing));
}

bool many_listpack_keys_differ(const ListpackView& view, unsigned stride) {
  std::unordered_set<std::string> seen;
  unsigned place = 0;
  for (auto at = view.first(); at != ListpackView::kNone; at = view.next(at), place = (place + 1) % stride) {
    if (place == 0 && !seen.insert(view.to_string(at)).second) return false;
  }
  return place == 0;
}

// Whether the elements at 0, stride, 2 × stride … of a validated listpack are all different. Of a few their hashes tell,
// unless two are the same.
bool listpack_keys_differ(std::string_view bytes, unsigned stride) {
  const ListpackView view(reinterpret_cast<const uint8_t*>(bytes.data()));
  std::array<uint64_t, 16> hashes;
  size_t count = 0;
  ListpackValue::Scratch scratch;
  unsigned place = 0;
  for (auto at = view.first(); at != ListpackView::kNone; at = view.next(at), place = (place + 1) % stride) {
    if (place != 0) continue;
    const uint64_t hash = hash_bytes(view.text(at, scratch));
    const auto end = hashes.begin() + count;
    if (count == hashes.size() || std::find(hashes.begin(), end, hash) != end) return many_listpack_keys_differ(view, stride);
    hashes[count++] = hash;
  }
  return place == 0;
}

// Calls visit(text) for the elements of a ziplist; the reader fails with `error` when the bytes are no ziplist.
template <class Visit>
void for_each_in_ziplist(RdbReader* reader, const char* error, Visit visit) {
  const std::string bytes(reader->string());
  if (reader->failed()) return;
  if (!ZiplistReader::validate(bytes, true)) return reader->fail(error);
  ZiplistReader ziplist(bytes);
  ListpackValue value;
  ListpackValue::Scratch scratch;
  while (!reader->failed() && ziplist.next(&value) == ReadStep::kValue) visit(value.text(scratch));
}

// --- Lists.

Entry* load_list_elements(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  List::Loader loader(limits.list);
  for (uint64_t left = reader->length(); left > 0 && !reader->failed(); --left) {
    const std::string_view element = reader->string();
    if (!reader->failed()) loader.add_element(element);
  }
  return finish(reader, ValueType::kList, head, loader.finish());
}

Entry* load_list_ziplists(RdbReader* reader, uint64_t nodes, const RdbEntryHead& head, const RdbLimits& limits) {
  List::Loader loader(limits.list);
  for (; nodes > 0 && !reader->failed(); --nodes) {
    for_each_in_ziplist(reader, "ziplist integrity check failed",
                        [&](std::string_view element) { loader.add_element(element); });
  }
  return finish(reader, ValueType::kList, head, loader.finish());
}

Entry* load_quicklist2(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  List::Loader loader(limits.list);
  for (uint64_t left = reader->length(); left > 0 && !reader->failed(); --left) {
    const uint64_t container = reader->length();
    const std::string_view bytes = reader->string();
    if (reader->failed()) break;
    if (bytes.empty()) {
      reader->fail("empty quicklist node");
    } else if (container == kRdbPlainNode) {
      loader.add_plain(bytes);
    } else if (container != kRdbPackedNode) {
      reader->fail("Quicklist container integrity check failed");
    } else if (!ListpackView::validate(bytes, true)) {
      reader->fail("listpack integrity check failed");
    } else if (!ListpackView(reinterpret_cast<const uint8_t*>(bytes.data())).empty()) {
      loader.add_pack(bytes);
    }
  }
  return finish(reader, ValueType::kList, head, loader.finish());
}

// --- Sets.

Entry* load_set_members(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  Set set;
  uint64_t left = reader->length();
  bool first = true;
  for (; left > 0 && !reader->failed(); --left) {
    const std::string_view member = reader->string();
    if (reader->failed()) break;
    if (std::exchange(first, false)) set.prepare(member, std::min(left, kReserveMax), limits.set);
    if (!set.add(member, limits.set)) reader->fail("duplicate set members detected");
  }
  return finish(reader, ValueType::kSet, head, std::move(set));
}

Entry* load_intset(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  const std::string_view bytes = reader->string();
  Set set;
  if (!reader->failed() && !IntsetView::validate(bytes, true)) reader->fail("Intset integrity check failed");
  if (!reader->failed()) {
    set = Set::from_intset(bytes);
    set.fit(limits.set);
  }
  return finish(reader, ValueType::kSet, head, std::move(set));
}

Entry* load_set_listpack(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  const std::string bytes(reader->string());
  Set set;
  if (!reader->failed() && (!ListpackView::validate(bytes, true) || !listpack_keys_differ(bytes, 1))) {
    reader->fail("Set listpack integrity check failed");
  }
  if (!reader->failed() && !ListpackView(reinterpret_cast<const uint8_t*>(bytes.data())).empty()) {
    set = Set::from_listpack(bytes);
    set.fit(limits.set);
  }
  return finish(reader, ValueType::kSet, head, std::move(set));
}

// --- Sorted sets.

void add_scored(RdbReader* reader, ZsetBuilder* builder, std::string_view member, double score) {
  if (std::isnan(score)) {
    reader->fail("zset with NaN score detected");
  } else if (!builder->add(member, score)) {
    reader->fail("duplicate zset members detected");
  }
}

Entry* load_zset_members(RdbReader* reader, bool binary_scores, const RdbEntryHead& head, const RdbLimits& limits) {
  ZsetBuilder builder;
  uint64_t left = reader->length();
  builder.reserve(std::min(left, kReserveMax));
  std::string member;
  for (; left > 0 && !reader->failed(); --left) {
    member = reader->string();
    const double score = binary_scores ? reader->binary_double() : reader->text_double();
    if (!reader->failed()) add_scored(reader, &builder, member, score);
  }
  return finish(reader, ValueType::kZset, head, builder.finish(limits.zset));
}

constexpr char kBadZsetZiplist[] = "Zset ziplist integrity check failed";

Entry* load_zset_ziplist(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  ZsetBuilder builder;
  std::string member;
  bool has_member = false;
  for_each_in_ziplist(reader, kBadZsetZiplist, [&](std::string_view text) {
    has_member = !has_member;
    if (has_member) {
      member = text;
      return;
    }
    double score = 0;
    if (!parse_double(text, &score) || std::isnan(score) || !builder.add(member, score)) reader->fail(kBadZsetZiplist);
  });
  if (has_member) reader->fail(kBadZsetZiplist);
  return finish(reader, ValueType::kZset, head, builder.finish(limits.zset));
}

Entry* load_zset_listpack(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  const std::string_view bytes = reader->string();
  Zset zset;
  if (!reader->failed() && (!ListpackView::validate(bytes, true) || !Zset::valid_listpack(bytes, true))) {
    reader->fail("Zset listpack integrity check failed");
  }
  if (!reader->failed()) {
    Listpack pack = Listpack::copy_of(bytes);
    const size_t count = pack.length() / 2;
    size_t longest = 0;
    for (auto at = pack.view().first(); at != ListpackView::kNone; at = pack.view().next(at)) {
      longest = std::max(longest, pack.view().get(at).size);
    }
    zset = Zset::from_listpack(std::move(pack));
    if (count > limits.zset.max_listpack_entries || longest > limits.zset.max_listpack_value) {
      zset.prepare(count, longest, limits.zset);
    }
  }
  return finish(reader, ValueType::kZset, head, std::move(zset));
}

// --- Hashes.

// What a field's saved TTL means: 0 none, otherwise relative to the hash's earliest, plus one; or absolute
// (before 7.4.0).
int64_t field_expiry_of(RdbReader* reader, uint64_t saved, int64_t first_ms, bool relative) {
  if (saved == 0) return kNoFieldExpiry;
  constexpr auto kExpiryMax = static_cast<uint64_t>((int64_t{1} << 48) - 1);
  const uint64_t expiry = relative ? saved - 1 + static_cast<uint64_t>(first_ms) : saved;
  if (expiry > kExpiryMax || saved > kExpiryMax) {
    reader->fail("hash field with an invalid TTL");
    return kNoFieldExpiry;
  }
  return static_cast<int64_t>(expiry);
}

Entry* load_hash_fields(RdbReader* reader, uint8_t type, const RdbEntryHead& head, const RdbLimits& limits) {
  Hash hash;
  const bool with_ttls = type == kRdbHashMetadata || type == kRdbHashMetadataPreGa;
  const bool relative = type == kRdbHashMetadata;
  const int64_t first_ms = relative ? reader->milliseconds() : 0;
  uint64_t left = reader->length();
  if (left > limits.hash.max_listpack_entries) hash.prepare(std::min(left, kReserveMax), 0, 0, limits.hash);
  std::string field;
  for (; left > 0 && !reader->failed(); --left) {
    const int64_t expiry_ms =
        with_ttls ? field_expiry_of(reader, reader->length(), first_ms, relative) : kNoFieldExpiry;
    field = reader->string();
    const std::string_view value = reader->string();
    if (reader->failed()) break;
    if (!hash.set(field, value, limits.hash)) reader->fail("duplicate hash fields detected");
    if (expiry_ms != kNoFieldExpiry) hash.set_expiry(field, expiry_ms);
  }
  return finish(reader, ValueType::kHash, head, std::move(hash));
}

constexpr char kBadZipmap[] = "Zipmap integrity check failed";
constexpr char kBadHashZiplist[] = "Hash ziplist integrity check failed";

Entry* load_hash_zipmap(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  const std::string bytes(reader->string());
  Hash hash;
  if (!reader->failed() && !ZipmapReader::validate(bytes)) reader->fail(kBadZipmap);
  if (!reader->failed()) {
    ZipmapReader zipmap(bytes);
    std::string_view field;
    std::string_view value;
    while (!reader->failed() && zipmap.next(&field, &value) == ReadStep::kValue) {
      if (!hash.set(field, value, limits.hash)) reader->fail(kBadZipmap);
    }
  }
  return finish(reader, ValueType::kHash, head, std::move(hash));
}

Entry* load_hash_ziplist(RdbReader* reader, const RdbEntryHead& head, const RdbLimits& limits) {
  Hash hash;
  std::string field;
  bool has_field = false;
  for_each_in_ziplist(reader, kBadHashZiplist, [&](std::string_view text) {
    has_field = !has_field;
    if (has_field) {
      field = text;
    } else if (!hash.set(field, text, limits.hash)) {
      reader->fail(kBadHashZiplist);
    }
  });
  if (has_field) reader->fail(kBadHashZiplist);
  return finish(reader, ValueType::kHash, head, std::move(hash));
}

// Triples of field, value and expiry in ms must ascend by expiry, those without one (0) last.
bool valid_triples(std::string_view bytes) {
  const ListpackView view(reinterpret_cast<const uint8_t*>(bytes.data()));
  int64_t before = 1;
  unsigned place = 0;
  for (auto at = view.first(); at != ListpackView::kNone; at = view.next(at), place = (place + 1) % 3) {
    if (place != 2) continue;
    const ListpackValue value = view.get(at);
    if (!value.is_integer() || value.integer < 0) return false;
    if (value.integer != 0 && (before == 0 || value.integer < before)) return false;
    before = value.integer;
  }
  return true;
}

Entry* load_hash_listpack(RdbReader* reader, bool with_ttls, const RdbEntryHead& head, const RdbLimits& limits) {
  const std::string bytes(reader->string());
  Hash hash;
  if (!reader->failed() && (!ListpackView::validate(bytes, true) || !listpack_keys_differ(bytes, with_ttls ? 3 : 2) ||
                            (with_ttls && !valid_triples(bytes)))) {
    reader->fail("Hash listpack integrity check failed");
  }
  if (!reader->failed() && !ListpackView(reinterpret_cast<const uint8_t*>(bytes.data())).empty()) {
    hash = Hash::from_listpack(bytes, with_ttls);
    hash.fit(limits.hash);
  }
  return finish(reader, ValueType::kHash, head, std::move(hash));
}

// --- Streams.

StreamId id_of_bytes(std::string_view bytes) {
  uint64_t words[2];
  std::memcpy(words, bytes.data(), sizeof words);
  return {__builtin_bswap64(words[0]), __builtin_bswap64(words[1])};
}

StreamId read_raw_id(RdbReader* reader) {
  const std::string_view bytes = reader->raw(16);
  return reader->failed() ? StreamId() : id_of_bytes(bytes);
}

StreamId read_id_lengths(RdbReader* reader) {
  const uint64_t ms = reader->length();
  return {ms, reader->length()};
}

void load_consumer(RdbReader* reader, uint8_t type, ConsumerGroup* group) {
  const std::string name(reader->string());
  const int64_t seen_ms = reader->milliseconds();
  const int64_t active_ms = type >= kRdbStreamListpacks3 ? reader->milliseconds() : seen_ms;
  if (reader->failed()) return;
  if (group->find_consumer(name) != nullptr) return reader->fail("Duplicate stream consumer detected");
  StreamConsumer* consumer = group->create_consumer(name, seen_ms);
  consumer->active_time_ms = active_ms;
  for (uint64_t left = reader->length(); left > 0 && !reader->failed(); --left) {
    const StreamId id = read_raw_id(reader);
    if (!reader->failed() && !group->load_owner(id, consumer)) {
      reader->fail("consumer entry not found in group global PEL");
    }
  }
}

void load_group(RdbReader* reader, uint8_t type, Stream* stream) {
  const std::string name(reader->string());
  const StreamId last_id = read_id_lengths(reader);
  const int64_t entries_read =
      type >= kRdbStreamListpacks2 ? static_cast<int64_t>(reader->length()) : stream->estimate_entries_read(last_id);
  if (reader->failed()) return;
  ConsumerGroup* group = stream->create_group(name, last_id, entries_read);
  if (group == nullptr) return reader->fail("duplicated consumer group name");
  for (uint64_t left = reader->length(); left > 0 && !reader->failed(); --left) {
    const StreamId id = read_raw_id(reader);
    const int64_t delivery_ms = reader->milliseconds();
    const uint64_t deliveries = reader->length();
    if (!reader->failed() && !group->load_pending(id, delivery_ms, deliveries)) {
      reader->fail("duplicated global PEL entry");
    }
  }
  for (uint64_t left = reader->length(); left > 0 && !reader->failed(); --left) load_consumer(reader, type, group);
  if (!reader->failed() && !group->owners_complete()) reader->fail("NACK entry without consumer");
}

void load_stream_blocks(RdbReader* reader, Stream* stream) {
  for (uint64_t left = reader->length(); left > 0 && !reader->failed(); --left) {
    const std::string key(reader->string());
    if (!reader->failed() && key.size() != 16) reader->fail("stream node key entry is not the size of a stream ID");
    const std::string_view pack = reader->string();
    if (reader->failed()) return;
    if (!ListpackView::validate(pack, true) || !stream->load_block(id_of_bytes(key), pack)) {
      reader->fail("Stream listpack integrity check failed");
    }
  }
}

Entry* load_stream(RdbReader* reader, uint8_t type, const RdbEntryHead& head) {
  Stream stream;
  load_stream_blocks(reader, &stream);
  const uint64_t length = reader->length();
  const StreamId last_id = read_id_lengths(reader);
  Stream::Totals totals;
  if (!reader->failed()) totals = stream.totals_before_redis7(length, last_id);
  if (type >= kRdbStreamListpacks2) {
    totals.first_id = read_id_lengths(reader);
    totals.max_deleted_id = read_id_lengths(reader);
    totals.entries_added = reader->length();
  }
  if (!reader->failed() && !stream.load_totals(totals)) reader->fail("stream totals do not fit its entries");
  for (uint64_t left = reader->length(); left > 0 && !reader->failed(); --left) load_group(reader, type, &stream);
  return finish(reader, ValueType::kStream, head, std::move(stream), true);
}

}  // namespace

RdbLimits::RdbLimits(const Config& config)
    : list{.max_listpack_size = config.list_max_listpack_size,
           .compress_depth = static_cast<int>(config.list_compress_depth),
           .plain_threshold = static_cast<size_t>(config.list_packed_threshold)},
      set{static_cast<size_t>(config.set_max_intset_entries), static_cast<size_t>(config.set_max_listpack_entries),
          static_cast<size_t>(config.set_max_listpack_value)},
      hash{static_cast<size_t>(config.hash_max_listpack_entries), static_cast<size_t>(config.hash_max_listpack_value)},
      zset{static_cast<size_t>(config.zset_max_listpack_entries), static_cast<size_t>(config.zset_max_listpack_value)},
      packing(value_packing(config)) {}

Entry* load_rdb_value(RdbReader* reader, uint8_t type, const RdbEntryHead& head, const RdbLimits& limits) {
  switch (type) {
    case kRdbString:
      return load_string(reader, head, limits);
    case kRdbList:
      return load_list_elements(reader, head, limits);
    case kRdbListZiplist:
      return load_list_ziplists(reader, 1, head, limits);
    case kRdbListQuicklist:
      return load_list_ziplists(reader, reader->length(), head, limits);
    case kRdbListQuicklist2:
      return load_quicklist2(reader, head, limits);
    case kRdbSet:
      return load_set_members(reader, head, limits);
    case kRdbSetIntset:
      return load_intset(reader, head, limits);
    case kRdbSetListpack:
      return load_set_listpack(reader, head, limits);
    case kRdbZset:
    case kRdbZset2:
      return load_zset_members(reader, type == kRdbZset2, head, limits);
    case kRdbZsetZiplist:
      return load_zset_ziplist(reader, head, limits);
    case kRdbZsetListpack:
      return load_zset_listpack(reader, head, limits);
    case kRdbHash:
    case kRdbHashMetadata:
    case kRdbHashMetadataPreGa:
      return load_hash_fields(reader, type, head, limits);
    case kRdbHashZipmap:
      return load_hash_zipmap(reader, head, limits);
    case kRdbHashZiplist:
      return load_hash_ziplist(reader, head, limits);
    case kRdbHashListpack:
      return load_hash_listpack(reader, false, head, limits);
    case kRdbHashListpackEx:
      reader->milliseconds();  // the earliest expiry, which the triples hold too
      return load_hash_listpack(reader, true, head, limits);
    case kRdbHashListpackExPreGa:
      return load_hash_listpack(reader, true, head, limits);
    case kRdbStreamListpacks:
    case kRdbStreamListpacks2:
    case kRdbStreamListpacks3:
      return load_stream(reader, type, head);
    case kRdbModulePreGa:
      reader->fail("module values of Redis 4.0 release candidates cannot be read");
      return nullptr;
    case kRdbModule2:
      reader->fail("a value of the module type '" + rdb_module_name(reader->length()) +
                   "', for which there is no module");
      return nullptr;
    default:
      reader->fail("unknown value type " + to_text(type));
      return nullptr;
  }
}

void skip_rdb_module_parts(RdbReader* reader) {
  while (!reader->failed()) {
    switch (reader->length()) {
      case kRdbModuleEof:
        return;
      case kRdbModuleSint:
      case kRdbModuleUint:
        reader->length();
        break;
      case kRdbModuleFloat:
        reader->raw(sizeof(float));
        break;
      case kRdbModuleDouble:
        reader->binary_double();
        break;
      case kRdbModuleString:
        reader->string();
        break;
      default:
        reader->fail("unknown part of a module's data");
    }
  }
}

// Nine characters of six bits each, and ten bits of version.
std::string rdb_module_name(uint64_t module_id) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string name(9, ' ');
  module_id >>= 10;
  for (size_t i = name.size(); i-- > 0; module_id >>= 6) name[i] = kAlphabet[module_id & 63];
  return name;
}

}  // namespace synap
