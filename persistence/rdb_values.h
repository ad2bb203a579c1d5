// How each type's value is saved and loaded: the one place that knows an RDB type from a container.
// Thread: the caller holds the entry's shard (or is the only thread, as in a forked child).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "datatypes/hash/hash.h"
#include "datatypes/list/list.h"
#include "datatypes/set/set.h"
#include "datatypes/zset/zset.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "server/command/config.h"
#include "server/keyspace/entry.h"
#include "server/keyspace/packed_value.h"

namespace synap {

// The RDB type byte that save_rdb_value will use for this value.
uint8_t rdb_type_of(const Entry& entry);
// The oldest RDB version that has this type.
int rdb_version_of(uint8_t type);
void save_rdb_value(const Entry& entry, RdbWriter* writer);

// The encodings that loaded values get.
struct RdbLimits {
  explicit RdbLimits(const Config& config);
  ListLimits list;
  SetLimits set;
  HashLimits hash;
  ZsetLimits zset;
  ValuePacking packing;
};

// What a loaded value's entry gets beside the value.
struct RdbEntryHead {
  std::string_view key;
  int64_t expiry_ms = kNoExpiry;
  uint32_t access_clock = 0;
};

// Reads one value and makes its entry. Null when the bytes make no sense (reader->failed()), or when the value is an
// empty container, which does not exist as a key (the reader has not failed).
Entry* load_rdb_value(RdbReader* reader, uint8_t type, const RdbEntryHead& head, const RdbLimits& limits);

// Passes over a module's value or auxiliary data.
void skip_rdb_module_parts(RdbReader* reader);
// The name in a module's id.
std::string rdb_module_name(uint64_t module_id);

}  // namespace synap
