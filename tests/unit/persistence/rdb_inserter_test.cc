#include "persistence/rdb_inserter.h"

#include <doctest/doctest.h>

#include <string>

#include "server/command/context.h"
#include "server/keyspace/type_ops.h"

namespace synap {
namespace {

void add(RdbInserter* inserter, Keyspace* keyspace, const std::string& key, const std::string& value) {
  const uint64_t hash = hash_bytes(key);
  inserter->add(&keyspace->slice(0, hash), hash, Entry::make(string_parts(key, value, kNoExpiry, 0, {})));
}

std::string value_of(Keyspace& keyspace, const std::string& key) {
  const uint64_t hash = hash_bytes(key);
  const Entry* entry = keyspace.slice(0, hash).find(hash, key);
  if (entry == nullptr) return "absent";
  StringRef value;
  Context::open_string(*entry, &value);
  return std::string(value.view());
}

}  // namespace

TEST_CASE("Loaded entries are all in their tables when the inserter has finished") {
  for (const int keys : {0, 1, 511, 512, 513, 40'000}) {
    Keyspace keyspace(1);
    RdbInserter inserter(false);
    for (int i = 0; i < keys; ++i) add(&inserter, &keyspace, "key" + std::to_string(i), "v" + std::to_string(i));
    inserter.finish();
    CHECK_FALSE(inserter.failed());
    REQUIRE(keyspace.key_count(0) == static_cast<size_t>(keys));
    for (int i = 0; i < keys; ++i) REQUIRE(value_of(keyspace, "key" + std::to_string(i)) == "v" + std::to_string(i));
  }
}

TEST_CASE("A key that occurs twice is a failure, or the later one stays") {
  for (const int between : {0, 5000}) {
    for (const bool replace : {false, true}) {
      Keyspace keyspace(1);
      RdbInserter inserter(replace);
      add(&inserter, &keyspace, "twice", "first");
      for (int i = 0; i < between; ++i) add(&inserter, &keyspace, "key" + std::to_string(i), "v");
      add(&inserter, &keyspace, "twice", "second");
      inserter.finish();
      CHECK(inserter.failed() == !replace);
      CHECK(inserter.repeated_key() == (replace ? "" : "twice"));
      CHECK(value_of(keyspace, "twice") == (replace ? "second" : "first"));
      CHECK(keyspace.key_count(0) == static_cast<size_t>(between) + 1);
    }
  }
}

}  // namespace synap
