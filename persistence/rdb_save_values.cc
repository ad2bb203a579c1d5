// Saving: each value in the oldest RDB type that can carry it. Reads only: a forked child runs this.
#include <cstring>

#include "datatypes/stream/stream.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_values.h"

namespace synap {

namespace {

void save_string(const Entry& entry, RdbWriter* writer) {
  switch (entry.storage()) {
    case Storage::kInt:
      return writer->integer_string(entry.integer());
    case Storage::kBlock:
      return writer->string(entry.block()->view());
    case Storage::kPacked:
      return writer->string(entry.packed()->unpack().view());
    default:
      return writer->string(entry.inline_value());
  }
}

void save_list(const List& list, RdbWriter* writer) {
  uint64_t nodes = 0;
  list.for_each_node([&](const List::NodeImage&) { ++nodes; });
  writer->length(nodes);
  list.for_each_node([&](const List::NodeImage& node) {
    writer->length(node.plain ? kRdbPlainNode : kRdbPackedNode);
    if (node.raw.empty() && !node.lzf.empty()) return writer->lzf_string(node.lzf, node.raw_bytes);
    writer->string(node.raw);
  });
}

void save_set(const Set& set, RdbWriter* writer) {
  if (set.encoding() == SetEncoding::kIntset) return writer->string(set.compact_bytes());
  writer->length(set.size());
  set.for_each([&](std::string_view member) { writer->string(member); });
}

void save_zset(const Zset& zset, RdbWriter* writer) {
  if (zset.is_listpack()) return writer->string(zset.listpack().raw());
  writer->length(zset.size());
  // Backwards, as Redis does: its loader then always inserts at the head of the skiplist.
  zset.walk(zset.size() - 1, zset.size(), true, [&](std::string_view member, double score) {
    writer->string(member);
    writer->binary_double(score);
  });
}

void save_hash(const Hash& hash, RdbWriter* writer) {
  switch (hash.encoding()) {
    case HashEncoding::kListpackEx:
      if (hash.has_expiries()) {
        writer->milliseconds(hash.next_expiry_ms());
        return writer->string(hash.listpack_bytes());
      }
      break;
    case HashEncoding::kListpack:
      return writer->string(hash.listpack_bytes());
    case HashEncoding::kTable:
      break;
  }
  const int64_t first_ms = hash.next_expiry_ms();
  if (first_ms != kNoFieldExpiry) writer->milliseconds(first_ms);
  writer->length(hash.length());
  hash.for_each(0, [&](const HashEntry& entry) {
    if (first_ms != kNoFieldExpiry) {
      writer->length(entry.expiry_ms == kNoFieldExpiry ? 0 : static_cast<uint64_t>(entry.expiry_ms - first_ms) + 1);
    }
    writer->string(entry.field);
    writer->string(entry.value);
  });
}

// A stream's id in 16 bytes whose order is that of the ids.
void save_stream_id(const StreamId& id, char* out) {
  const uint64_t words[2] = {__builtin_bswap64(id.ms), __builtin_bswap64(id.seq)};
  std::memcpy(out, words, sizeof words);
}

void save_id_lengths(const StreamId& id, RdbWriter* writer) {
  writer->length(id.ms);
  writer->length(id.seq);
}

void save_group(const std::string& name, const ConsumerGroup& group, RdbWriter* writer) {
  char id[16];
  writer->string(name);
  save_id_lengths(group.last_id, writer);
  writer->length(static_cast<uint64_t>(group.entries_read));
  const auto& pending = group.pending();
  writer->length(pending.size());
  for (auto at = pending.begin(); at != pending.end(); at = pending.next(at)) {
    save_stream_id(pending[at].id, id);
    writer->raw({id, sizeof id});
    writer->milliseconds(pending[at].delivery_time_ms);
    writer->length(pending[at].delivery_count);
  }
  writer->length(group.consumers().size());
  for (const auto& [consumer_name, consumer] : group.consumers()) {
    writer->string(consumer_name);
    writer->milliseconds(consumer.seen_time_ms);
    writer->length(consumer.pending.size());
    for (auto at = consumer.pending.begin(); at != consumer.pending.end(); at = consumer.pending.next(at)) {
      save_stream_id(consumer.pending[at].id, id);
      writer->raw({id, sizeof id});
    }
  }
}

void save_stream(const Stream& stream, RdbWriter* writer) {
  const Stream::Blocks& blocks = stream.blocks();
  writer->length(blocks.size());
  for (auto at = blocks.begin(); at != blocks.end(); at = blocks.next(at)) {
    char id[16];
    save_stream_id(blocks[at].id, id);
    writer->string({id, sizeof id});
    writer->string(blocks[at].view().raw());
  }
  writer->length(stream.length());
  save_id_lengths(stream.last_id(), writer);
  save_id_lengths(stream.first_id(), writer);
  save_id_lengths(stream.max_deleted_id(), writer);
  writer->length(stream.entries_added());
  writer->length(stream.groups().size());
  for (const auto& [name, group] : stream.groups()) save_group(name, group, writer);
}

uint8_t hash_type(const Hash& hash) {
  if (hash.encoding() == HashEncoding::kListpack) return kRdbHashListpack;
  if (!hash.has_expiries()) return kRdbHash;
  return hash.encoding() == HashEncoding::kListpackEx ? kRdbHashListpackEx : kRdbHashMetadata;
}

}  // namespace

uint8_t rdb_type_of(const Entry& entry) {
  switch (entry.type()) {
    case ValueType::kString:
      return kRdbString;
    case ValueType::kList:
      return kRdbListQuicklist2;
    case ValueType::kSet:
      return entry.object<Set>()->encoding() == SetEncoding::kIntset ? kRdbSetIntset : kRdbSet;
    case ValueType::kZset:
      return entry.object<Zset>()->is_listpack() ? kRdbZsetListpack : kRdbZset2;
    case ValueType::kHash:
      return hash_type(*entry.object<Hash>());
    case ValueType::kStream:
      return kRdbStreamListpacks2;
    default:
      SYNAP_ASSERT(false && "a type without RDB form");
      return kRdbString;
  }
}

int rdb_version_of(uint8_t type) { return type >= kRdbHashMetadataPreGa ? kRdbVersionFieldTtl : kRdbVersionBase; }

void save_rdb_value(const Entry& entry, RdbWriter* writer) {
  switch (entry.type()) {
    case ValueType::kString:
      return save_string(entry, writer);
    case ValueType::kList:
      return save_list(*entry.object<List>(), writer);
    case ValueType::kSet:
      return save_set(*entry.object<Set>(), writer);
    case ValueType::kZset:
      return save_zset(*entry.object<Zset>(), writer);
    case ValueType::kHash:
      return save_hash(*entry.object<Hash>(), writer);
    case ValueType::kStream:
      return save_stream(*entry.object<Stream>(), writer);
    default:
      SYNAP_ASSERT(false && "a type without RDB form");
  }
}

}  // namespace synap
