// Fuzzes the loading of values: what a file or RESTORE holds may be anything. Bytes that load must be a value that can be
// used: saved and loaded again the same, copied, changed, freed. The first byte is the RDB type, the second one picks the
// changes, the rest is the value.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "datatypes/stream/stream.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_values.h"
#include "server/command/config.h"
#include "server/keyspace/type_ops.h"

namespace synap {
namespace {

void require(bool condition, int line = __builtin_LINE()) {
  if (condition) return;
  std::fprintf(stderr, "line %d\n", line);
  std::abort();
}

const RdbLimits& limits() {
  static const RdbLimits instance{Config{}};
  return instance;
}

std::string saved(const Entry& entry) {
  std::string out;
  StringSink sink(&out);
  RdbWriter writer(&sink, {.compress = true, .checksum = false});
  save_rdb_value(entry, &writer);
  require(writer.finish().ok());
  return out;
}

Entry* loaded(std::string_view bytes, uint8_t type) {
  StringSource source(bytes);
  RdbReader reader(&source, false);
  return load_rdb_value(&reader, type, {.key = "key"}, limits());
}

void change(Entry* entry, uint8_t choice) {
  const std::string text = std::to_string(choice);
  switch (entry->type()) {
    case ValueType::kString:
      return;
    case ValueType::kList: {
      auto* list = entry->object<List>();
      list->push(choice & 1 ? List::End::kHead : List::End::kTail, text, limits().list);
      list->pop(choice & 2 ? List::End::kHead : List::End::kTail, 1, limits().list);
      return;
    }
    case ValueType::kSet: {
      auto* set = entry->object<Set>();
      set->add(text, limits().set);
      set->add("text", limits().set);
      require(set->remove(text));
      return;
    }
    case ValueType::kZset: {
      auto* zset = entry->object<Zset>();
      double score;
      zset->add(text, choice, {}, limits().zset, &score);
      zset->add("first", -1e300, {}, limits().zset, &score);
      require(zset->remove(text));
      return;
    }
    case ValueType::kHash: {
      auto* hash = entry->object<Hash>();
      hash->set(text, "value", limits().hash);
      if (choice & 1) hash->set_expiry(text, 1000);
      require(hash->remove(text));
      return;
    }
    case ValueType::kStream: {
      auto* stream = entry->object<Stream>();
      StreamTrim how{.strategy = StreamTrim::Strategy::kMaxLen, .length_max = choice};
      how.references = choice & 1 ? StreamReferences::kDelete : StreamReferences::kKeep;
      stream->trim(how);
      size_t entries = 0;
      StreamCursor cursor(*stream, StreamId::min(), StreamId::max());
      while (cursor.next()) ++entries;
      require(entries == stream->length());
      return;
    }
    default:
      std::abort();
  }
}

void value(std::string_view bytes, uint8_t type, uint8_t choice) {
  Entry* entry = loaded(bytes, type);
  if (entry == nullptr) return;
  const std::string again = saved(*entry);
  Entry* second = loaded(again, rdb_type_of(*entry));
  require(second != nullptr && type_ops(second).length(second) == type_ops(entry).length(entry));
  // A set of integers may become an intset.
  require(rdb_type_of(*second) != rdb_type_of(*entry) || saved(*second).size() == again.size());
  free_entry(second);
  change(entry, choice);
  const bool empty = entry->type() != ValueType::kString && entry->type() != ValueType::kStream && type_ops(entry).empty(entry);
  if (!empty) {
    second = loaded(saved(*entry), rdb_type_of(*entry));
    require(second != nullptr && type_ops(second).length(second) == type_ops(entry).length(entry));
    free_entry(second);
  }
  require(entry_memory_bytes(entry, 0) > 0);
  free_entry(entry);
}

}  // namespace
}  // namespace synap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  synap::value({reinterpret_cast<const char*>(data) + 2, size - 2}, data[0], data[1]);
  return 0;
}
