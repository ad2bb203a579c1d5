// Values through RDB and back: every type and size, old encodings, and bytes that are cut or flipped.
#include "persistence/rdb_values.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "datatypes/stream/stream.h"
#include "persistence/rdb_format.h"
#include "server/base/random.h"
#include "server/command/context.h"
#include "server/keyspace/type_ops.h"

namespace synap {
namespace {

const RdbLimits& limits() {
  static const RdbLimits instance{Config{}};
  return instance;
}

Entry* entry_of(ValueType type, uint64_t word) {
  return Entry::make({.type = type, .storage = Storage::kObject, .key = "key", .word = word});
}

Entry* string_entry(std::string_view value) { return Entry::make(string_parts("key", value, kNoExpiry, 0, {})); }

std::string saved(const Entry& entry) {
  std::string out;
  StringSink sink(&out);
  RdbWriter writer(&sink, {.compress = true, .checksum = false});
  save_rdb_value(entry, &writer);
  CHECK(writer.finish().ok());
  return out;
}

Entry* loaded(std::string_view bytes, uint8_t type, std::string* error = nullptr) {
  StringSource source(bytes);
  RdbReader reader(&source, false);
  Entry* entry = load_rdb_value(&reader, type, {.key = "key"}, limits());
  if (entry != nullptr) CHECK(reader.at_end());
  if (error != nullptr) *error = reader.error();
  return entry;
}

std::string text_of(Random& random, size_t bytes_max) {
  if (random.below(4) == 0) return std::to_string(static_cast<int64_t>(random.next() >> random.below(64)));
  std::string text(random.below(bytes_max + 1), ' ');
  for (char& c : text) c = static_cast<char>(random.below(4) == 0 ? random.next() : 'a' + random.below(3));
  return text;
}

Entry* random_value(Random& random, ValueType type, size_t elements) {
  switch (type) {
    case ValueType::kList: {
      List list;
      for (size_t i = 0; i < elements; ++i) list.push(List::End::kTail, text_of(random, 100), limits().list);
      return entry_of(type, word_of(std::move(list)));
    }
    case ValueType::kSet: {
      Set set;
      const bool integers = random.below(2) == 0;
      for (size_t i = 0; i < elements; ++i) {
        set.add(integers ? std::to_string(random.below(100000)) : text_of(random, 60), limits().set);
      }
      return entry_of(type, word_of(std::move(set)));
    }
    case ValueType::kZset: {
      Zset zset;
      double score;
      for (size_t i = 0; i < elements; ++i) {
        zset.add(text_of(random, 60), static_cast<double>(random.below(1000)) / 8, {}, limits().zset, &score);
      }
      return entry_of(type, word_of(std::move(zset)));
    }
    case ValueType::kHash: {
      Hash hash;
      const bool timed = random.below(2) == 0;
      for (size_t i = 0; i < elements; ++i) {
        const std::string field = text_of(random, 40);
        hash.set(field, text_of(random, 60), limits().hash);
        if (timed && random.below(3) == 0) hash.set_expiry(field, static_cast<int64_t>(1 + random.below(1ULL << 44)));
      }
      return entry_of(type, word_of(std::move(hash)));
    }
    case ValueType::kStream: {
      Stream stream;
      for (size_t i = 0; i < elements; ++i) {
        const std::string value = text_of(random, 50);
        const std::string_view fields[] = {"field", value};
        stream.append({i + 1, random.below(3)}, fields, {});
      }
      if (elements > 2) {
        stream.erase({2, 0});
        ConsumerGroup* group = stream.create_group("group", {3, 0}, 2);
        StreamConsumer* consumer = group->create_consumer("consumer", 1234);
        group->deliver({1, 0}, consumer, 5678);
      }
      return entry_of(type, word_of(std::move(stream)));
    }
    default:
      return string_entry(text_of(random, 3000));
  }
}

constexpr ValueType kTypes[] = {ValueType::kString, ValueType::kList, ValueType::kSet,
                                ValueType::kZset,   ValueType::kHash, ValueType::kStream};

std::string bytes_of(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

}  // namespace

TEST_CASE("every type and size comes back as it was") {
  Random random(7);
  for (const ValueType type : kTypes) {
    for (const size_t elements : {1, 2, 5, 60, 200, 1500}) {
      Entry* entry = random_value(random, type, elements);
      const std::string bytes = saved(*entry);
      Entry* copy = loaded(bytes, rdb_type_of(*entry));
      REQUIRE(copy != nullptr);
      CHECK(copy->type() == type);
      CHECK(type_ops(copy).length(copy) == type_ops(entry).length(entry));
      CHECK(next_field_expiry_ms(copy) == next_field_expiry_ms(entry));
      // A table's order may differ, so sizes are compared where bytes cannot be.
      if (rdb_type_of(*copy) == rdb_type_of(*entry) && type != ValueType::kSet && type != ValueType::kHash) {
        CHECK(saved(*copy) == bytes);
      }
      CHECK(saved(*copy).size() == bytes.size());
      free_entry(entry);
      free_entry(copy);
    }
  }
}

TEST_CASE("integers, long strings and repeating ones take their short forms") {
  for (const char* text : {"0", "127", "-128", "32767", "-32769", "2147483647", "2147483648", "-9223372036854775808"}) {
    Entry* entry = string_entry(text);
    Entry* copy = loaded(saved(*entry), kRdbString);
    REQUIRE(copy != nullptr);
    CHECK(copy->integer() == entry->integer());
    free_entry(entry);
    free_entry(copy);
  }
  Entry* repeating = string_entry(std::string(5000, 'x'));
  CHECK(saved(*repeating).size() < 100);
  free_entry(repeating);
}

TEST_CASE("values in the forms of old versions") {
  // A list of plain strings, a set, a zset with scores as text, a hash.
  const std::string strings = bytes_of({2, 1}) + "a" + bytes_of({1}) + "b";
  for (const uint8_t type : {kRdbList, kRdbSet}) {
    Entry* entry = loaded(strings, type);
    REQUIRE(entry != nullptr);
    CHECK(type_ops(entry).length(entry) == 2);
    free_entry(entry);
  }
  Entry* zset = loaded(bytes_of({2, 1}) + "a" + bytes_of({3}) + "1.5" + bytes_of({1}) + "b" + bytes_of({254}), kRdbZset);
  REQUIRE(zset != nullptr);
  CHECK(zset->object<Zset>()->score("a") == 1.5);
  CHECK(*zset->object<Zset>()->score("b") > 1e300);
  free_entry(zset);
  // A ziplist {"a", "1"}: total bytes, tail offset, count, two entries with back links, end.
  const std::string ziplist = bytes_of({15, 0, 0, 0, 13, 0, 0, 0, 2, 0, 0, 1, 'a', 3, 0xf2, 0xff});
  const std::string framed = bytes_of({static_cast<int>(ziplist.size())}) + ziplist;
  std::string fixed = framed;
  fixed[1] = static_cast<char>(ziplist.size());
  Entry* hash = loaded(fixed, kRdbHashZiplist);
  REQUIRE(hash != nullptr);
  HashValue value;
  REQUIRE(hash->object<Hash>()->get("a", 0, &value));
  CHECK(value.text == "1");
  free_entry(hash);
}

TEST_CASE("duplicates, NaN and nonsense are refused with a reason") {
  std::string error;
  CHECK(loaded(bytes_of({2, 1}) + "a" + bytes_of({1}) + "a", kRdbSet, &error) == nullptr);
  CHECK(error == "duplicate set members detected");
  CHECK(loaded(bytes_of({1, 1}) + "a" + bytes_of({253}), kRdbZset, &error) == nullptr);
  CHECK(error == "zset with NaN score detected");
  CHECK(loaded("", 99, &error) == nullptr);
  CHECK(error == "unknown value type 99");
  CHECK(loaded(bytes_of({0}), kRdbSet, &error) == nullptr);  // empty: no key, but no error
  CHECK(error.empty());
}

TEST_CASE("no cut and no flipped bit crashes the loader") {
  Random random(11);
  for (const ValueType type : kTypes) {
    for (int round = 0; round < 60; ++round) {
      Entry* entry = random_value(random, type, 1 + random.below(round % 6 == 0 ? 300 : 12));
      const uint8_t rdb_type = rdb_type_of(*entry);
      const std::string bytes = saved(*entry);
      free_entry(entry);
      for (int damage = 0; damage < 20; ++damage) {
        std::string bad = bytes.substr(0, damage % 4 == 0 ? random.below(bytes.size() + 1) : bytes.size());
        if (!bad.empty()) bad[random.below(bad.size())] ^= static_cast<char>(1 << random.below(8));
        StringSource source(bad);
        RdbReader reader(&source, false);
        Entry* damaged = load_rdb_value(&reader, rdb_type, {.key = "key"}, limits());
        if (damaged == nullptr) continue;
        // What was let in must hold together.
        CHECK(!saved(*damaged).empty());
        free_entry(damaged);
      }
    }
  }
}

}  // namespace synap
