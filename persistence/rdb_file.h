// A whole data set as an RDB file: all databases and the function libraries.
// Thread: the caller owns the keyspace (all its shards, or it is a forked child, or nobody else runs yet).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "persistence/rdb_values.h"
#include "scripting/function_library.h"
#include "server/keyspace/access_clock.h"
#include "server/keyspace/keyspace.h"

namespace synap {

// All that a file says beside the keys. Made before a fork: a child may take no Mutex.
struct RdbSaveOptions {
  RdbEncoding encoding;
  std::shared_ptr<const FunctionSet> functions;  // null: none
  size_t used_memory_bytes = 0;
  bool aof_base = false;  // the base file of a multi-part AOF
  int64_t now_ms = 0;
  int64_t key_delay_us = 0;  // for tests (rdb-key-save-delay); negative: a microsecond's sleep every that many keys
  bool save_idle_times = false;   // of an LRU policy
  bool save_frequencies = false;  // of an LFU policy
  AccessClock access_clock;
  std::function<void()> on_keys;  // called every kKeysPerCall keys, if set: a child measures itself
  static constexpr uint64_t kKeysPerCall = 256;
};

// What others may watch while a file is saved or loaded.
struct RdbProgress {
  std::atomic<uint64_t> keys{0};
  std::atomic<uint64_t> bytes{0};
};

Status save_rdb(const Keyspace& keyspace, const RdbSaveOptions& options, ByteSink* sink, RdbProgress* progress);

// Follows a file that is only checked.
struct RdbLoadTrace {
  // Something worth telling that begins before this offset.
  virtual void note(uint64_t offset, const std::string& text) = 0;
  std::string key;  // under way
  int type = -1;    // of its value; -1: no value is being read
  uint64_t keys = 0, expires = 0, already_expired = 0;
  bool checksum_found = false;

 protected:
  ~RdbLoadTrace() = default;
};

struct RdbLoadOptions {
  explicit RdbLoadOptions(const Config& config) : limits(config) {}
  RdbLimits limits;
  bool checksum = true;
  int64_t now_ms = 0;
  bool keep_expired = false;  // of an AOF's base, or on a replica: deletions follow
  bool replace = false;       // keys that are there already: replaced, otherwise an error
  int64_t key_delay_us = 0;   // for tests (key-load-delay)
  uint64_t source_bytes = 0;  // about how many there are to read: no more room is made than they can fill
  AccessClock access_clock;
  const std::atomic<bool>* cancelled = nullptr;
  RdbLoadTrace* trace = nullptr;  // check only: keys are read and dropped
};

struct RdbLoadResult {
  uint64_t keys_loaded = 0;
  uint64_t keys_expired = 0;
  uint64_t empty_keys_skipped = 0;
  bool aof_base = false;
  std::vector<std::string> libraries;  // codes of function libraries, to be loaded by the caller
};

// kCorrupt with offset and reason in the detail, kIoError when the file ends early. The keys read until then are in the
// keyspace. Reads no further than the file's end mark, so that an AOF may follow in the same file.
Status load_rdb(RdbReader* reader, Keyspace* keyspace, const RdbLoadOptions& options, RdbLoadResult* result,
                RdbProgress* progress);

}  // namespace synap
