// Whole snapshots: written to a disk that fails, read when bits are flipped or the end is missing.
#include "persistence/rdb_file.h"

#include <doctest/doctest.h>

#include "datatypes/list/list.h"
#include "persistence/check_rdb.h"
#include "persistence/file_stream.h"
#include "server/keyspace/type_ops.h"
#include "server/command/context.h"
#include "tests/unit/persistence/memory_files.h"

using namespace synap;
using synap_test::MemoryFiles;
using Fault = MemoryFiles::Fault;

namespace {

const Config kConfig;

struct Data {
  Data() {
    for (int i = 0; i < 20; ++i) {
      add(i % 3, Entry::make(string_parts("key:" + std::to_string(i), std::string(static_cast<size_t>(i) * 7, 'v'), i % 2 == 0 ? kNoExpiry : 4102444800000 + i, 0, {})));
    }
    List list;
    for (int i = 0; i < 30; ++i) list.push(List::End::kTail, std::to_string(i * i), RdbLimits(kConfig).list);
    add(2, Entry::make({.type = ValueType::kList, .storage = Storage::kObject, .key = "list", .word = word_of(std::move(list))}));
  }
  ~Data() { clear(keyspace); }

  void add(int db, Entry* entry) {
    const uint64_t hash = hash_bytes(entry->key());
    keyspace.slice(db, hash).add(hash, entry);
  }
  static void clear(Keyspace& keyspace) {
    for (size_t i = 0; i < kShards; ++i) {
      for (DbSlice& slice : keyspace.shard(i).dbs) {
        DbSlice old;
        std::swap(old, slice);
        old.table.for_each([](Entry* entry, bool) { free_entry(entry); });
      }
    }
  }

  // In writes of a few bytes each.
  Status save(MemoryFiles* files) {
    auto file = files->open("dump", FileSystem::Mode::kReplace);
    if (!file.ok()) return file.status();
    FileSink sink(file->get(), 0);
    RdbProgress progress;
    RdbSaveOptions options;
    options.encoding = {.compress = true, .checksum = true};
    return save_rdb(keyspace, options, &sink, &progress);
  }

  Keyspace keyspace{3};
};

struct Loaded {
  explicit Loaded(const std::string& bytes) {
    StringSource source(bytes);
    RdbReader reader(&source, true);
    RdbLoadOptions options(kConfig);
    options.now_ms = 1;
    RdbProgress progress;
    status = load_rdb(&reader, &keyspace, options, &result, &progress);
  }
  ~Loaded() { Data::clear(keyspace); }
  Keyspace keyspace{3};
  RdbLoadResult result;
  Status status;
};

}  // namespace

TEST_CASE("Snapshot: every flipped bit and every missing end is noticed") {
  Data data;
  MemoryFiles files;
  REQUIRE(data.save(&files).ok());
  const std::string whole = files.content("dump");
  {
    Loaded good(whole);
    CHECK(good.status.ok());
    CHECK(good.result.keys_loaded == 21);
  }
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    CAPTURE(bit);
    CHECK_FALSE(Loaded(flipped).status.ok());
  }
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(Loaded(whole.substr(0, size)).status.ok());
  }
  // Zeros instead of its last block; all but the last eight bytes, which without a checksum are zeros, too.
  for (size_t size = 0; size + 9 < whole.size(); size += 13) {
    CAPTURE(size);
    CHECK_FALSE(Loaded(whole.substr(0, size) + std::string(whole.size() - size, '\0')).status.ok());
  }
}

TEST_CASE("Snapshot: whichever write fails, saving says so") {
  Data data;
  for (const Fault fault : {Fault::kOpen, Fault::kWrite, Fault::kShortWrite}) {
    bool failed = true;
    for (int n = 1; failed; ++n) {
      MemoryFiles files;
      files.fail(fault, n);
      const Status status = data.save(&files);
      failed = files.failures() != 0;
      CHECK(status.ok() != failed);
      if (!failed) CHECK(n > 1);
    }
  }
}

TEST_CASE("check_rdb: exit codes") {
  Data data;
  MemoryFiles files;
  REQUIRE(data.save(&files).ok());
  CHECK(check_rdb(&files, "dump") == 0);
  std::string damaged = files.content("dump");
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 8);
  files.put("dump", damaged);
  CHECK(check_rdb(&files, "dump") == 1);
  CHECK(check_rdb(&files, "none") == 1);
}
