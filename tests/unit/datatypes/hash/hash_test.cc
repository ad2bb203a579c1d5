// Hash against std::map under random operations with field expiry, its conversions, random choice and cursor scans.
#include "datatypes/hash/hash.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/base/number.h"
#include "tests/unit/rounds.h"

namespace synap {
namespace {

struct ModelValue {
  std::string value;
  int64_t expiry_ms = kNoFieldExpiry;
  bool operator==(const ModelValue&) const = default;
};
using Model = std::map<std::string, ModelValue>;

constexpr HashLimits kLimits{8, 20};

Model contents(const Hash& hash, int64_t now_ms) {
  Model fields;
  hash.for_each(now_ms, [&](const HashEntry& entry) {
    const ModelValue value{std::string(entry.value), entry.expiry_ms};
    REQUIRE(fields.emplace(std::string(entry.field), value).second);
  });
  return fields;
}

bool is_due(const ModelValue& value, int64_t now_ms) {
  return value.expiry_ms != kNoFieldExpiry && value.expiry_ms <= now_ms;
}

Model live(Model fields, int64_t now_ms) {
  std::erase_if(fields, [&](const auto& pair) { return is_due(pair.second, now_ms); });
  return fields;
}

int64_t earliest(const Model& fields) {
  int64_t earliest_ms = kNoFieldExpiry;
  for (const auto& [field, value] : fields) {
    if (value.expiry_ms == kNoFieldExpiry) continue;
    if (earliest_ms == kNoFieldExpiry || value.expiry_ms < earliest_ms) earliest_ms = value.expiry_ms;
  }
  return earliest_ms;
}

std::string random_text(Random& random, uint64_t variety) {
  const uint64_t n = random.below(variety);
  switch (random.below(4)) {
    case 0:
      return to_text(static_cast<int64_t>(n) - static_cast<int64_t>(variety / 2));
    case 1:
      return std::string(n % 30, 'v');
    default:
      return "text:" + to_text(n);
  }
}

Hash numbered(size_t count, const HashLimits& limits) {
  Hash hash;
  for (size_t i = 0; i < count; ++i) hash.set("field:" + to_text(i), to_text(i), limits);
  return hash;
}

double chi_square(const std::map<std::string, size_t>& counts, size_t kinds, size_t draws) {
  const double expected = static_cast<double>(draws) / static_cast<double>(kinds);
  double sum = (static_cast<double>(kinds) - static_cast<double>(counts.size())) * expected;
  for (const auto& [field, count] : counts) {
    const double off = static_cast<double>(count) - expected;
    sum += off * off / expected;
  }
  return sum / static_cast<double>(kinds - 1);
}

// One random change to both; every result is compared.
void change(Random& random, uint64_t variety, int64_t now_ms, const HashLimits& limits, Hash* hash, Model* model) {
  const std::string field = random_text(random, variety);
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2: {
      const std::string value = random_text(random, 1000);
      REQUIRE(hash->set(field, value, limits) == !model->contains(field));
      (*model)[field] = ModelValue{value, kNoFieldExpiry};
      break;
    }
    case 3: {
      const std::string value = random_text(random, 1000);
      hash->set(field, value, limits, Hash::Expiry::kKeep);
      (*model)[field].value = value;
      break;
    }
    case 4:
    case 5:
      REQUIRE(hash->remove(field) == (model->erase(field) == 1));
      break;
    case 6:
    case 7: {
      const int64_t expiry_ms =
          random.below(4) == 0 ? kNoFieldExpiry : now_ms + 1 + static_cast<int64_t>(random.below(500));
      REQUIRE(hash->set_expiry(field, expiry_ms) == model->contains(field));
      if (model->contains(field)) (*model)[field].expiry_ms = expiry_ms;
      break;
    }
    case 8: {
      const Result<int64_t> result = hash->increment(field, 7, now_ms, limits);
      const auto it = model->find(field);
      const bool fresh = it == model->end() || is_due(it->second, now_ms);
      int64_t number = 0;
      if (!fresh && !parse_int64(it->second.value, &number)) {
        REQUIRE(result.code() == StatusCode::kNotInteger);
        break;
      }
      REQUIRE(*result == number + 7);
      (*model)[field] = ModelValue{to_text(number + 7), fresh ? kNoFieldExpiry : it->second.expiry_ms};
      break;
    }
    default: {
      const size_t max_fields = random.below(4);
      int64_t last_ms = 0;
      const size_t expired = hash->expire_due(now_ms, max_fields, [&](std::string_view gone) {
        const auto it = model->find(std::string(gone));
        REQUIRE(it != model->end());
        REQUIRE(is_due(it->second, now_ms));
        REQUIRE(it->second.expiry_ms >= last_ms);
        last_ms = it->second.expiry_ms;
        model->erase(it);
      });
      REQUIRE((expired == max_fields || live(*model, now_ms) == *model));
    }
  }
}

TEST_CASE("hash: random operations match std::map in every form") {
  Random random(31);
  for (const uint64_t variety : {6, 40, 3000}) {
    for (const HashLimits& limits : {kLimits, HashLimits{4000, 64}, HashLimits{0, 0}}) {
      Hash hash;
      Model model;
      int64_t now_ms = 1000;
      const int steps = rounds(limits.max_listpack_entries > 1000 && variety > 1000 ? 3000 : 12000);
      for (int step = 0; step < steps; ++step) {
        change(random, variety, now_ms, limits, &hash, &model);
        now_ms += static_cast<int64_t>(random.below(3));
        REQUIRE(hash.length() == model.size());
        REQUIRE(hash.next_expiry_ms() == earliest(model));
        const std::string probe = random_text(random, variety);
        HashValue value;
        const auto it = model.find(probe);
        const bool present = it != model.end() && !is_due(it->second, now_ms);
        REQUIRE(hash.get(probe, now_ms, &value) == present);
        if (present) {
          REQUIRE(value.text == it->second.value);
          REQUIRE(value.expiry_ms == it->second.expiry_ms);
        }
        if (step % 250 != 0) continue;
        REQUIRE(contents(hash, 0) == model);
        REQUIRE(contents(hash, now_ms) == live(model, now_ms));
        REQUIRE(hash.live_length(now_ms) == live(model, now_ms).size());
        const Hash twin = hash.copy();
        REQUIRE(contents(twin, 0) == model);
        REQUIRE(twin.next_expiry_ms() == hash.next_expiry_ms());
        REQUIRE((twin.encoding() == hash.encoding() || model.empty()));
      }
    }
  }
}

TEST_CASE("hash: encodings change at Redis's limits") {
  Hash hash = numbered(8, kLimits);
  CHECK(hash.encoding_name() == "listpack");
  CHECK_FALSE(hash.set("field:3", "other", kLimits));
  CHECK(hash.encoding_name() == "listpack");
  CHECK(hash.set_expiry("field:5", 5000));
  CHECK(hash.encoding_name() == "listpackex");
  CHECK(hash.set_expiry("field:5", kNoFieldExpiry));
  CHECK(hash.encoding_name() == "listpackex");
  CHECK_FALSE(hash.set_expiry("absent", 1));
  hash.set("one more", "x", kLimits);
  CHECK(hash.encoding_name() == "hashtable");
  CHECK(hash.length() == 9);

  Hash long_value;
  long_value.set("f", std::string(20, 'x'), kLimits);
  CHECK(long_value.encoding_name() == "listpack");
  long_value.set("f", std::string(21, 'x'), kLimits);
  CHECK(long_value.encoding_name() == "hashtable");
  Hash many;
  many.prepare(9, 1, 18, kLimits);
  CHECK(many.encoding_name() == "hashtable");
}

TEST_CASE("hash: the compact form with expiries is Redis's: triples by expiry, those without last") {
  Hash hash;
  for (const char* field : {"a", "b", "c", "d"}) hash.set(field, "1", kLimits);
  hash.set_expiry("c", 300);
  hash.set_expiry("a", 200);
  hash.set_expiry("d", 250);
  std::vector<std::string> elements;
  const ListpackView view(reinterpret_cast<const uint8_t*>(hash.listpack_bytes().data()));
  for (auto at = view.first(); at != ListpackView::kNone; at = view.next(at)) elements.push_back(view.to_string(at));
  CHECK(elements == std::vector<std::string>{"a", "1", "200", "d", "1", "250", "c", "1", "300", "b", "1", "0"});
  Hash again = Hash::from_listpack(hash.listpack_bytes(), true);
  CHECK(contents(again, 0) == contents(hash, 0));
  again.fit(HashLimits{3, 20});
  CHECK(again.encoding_name() == "hashtable");
  CHECK(contents(again, 0) == contents(hash, 0));
  CHECK(again.next_expiry_ms() == 200);
}

TEST_CASE("hash: increments report what is wrong and change nothing then") {
  Hash hash;
  hash.set("n", "9223372036854775800", kLimits);
  hash.set("t", "text", kLimits);
  CHECK(hash.increment("n", 8, 0, kLimits).code() == StatusCode::kOverflow);
  CHECK(hash.increment("t", 1, 0, kLimits).code() == StatusCode::kNotInteger);
  CHECK(hash.increment_float("t", 1, 0, kLimits).code() == StatusCode::kNotFloat);
  CHECK(*hash.increment("n", 7, 0, kLimits) == INT64_MAX);
  CHECK(*hash.increment_float("f", 10.5L, 0, kLimits) == "10.5");
  CHECK(*hash.increment_float("f", 0.1L, 0, kLimits) == "10.6");
  CHECK(hash.length() == 3);
  hash.set_expiry("f", 100);
  CHECK(*hash.increment_float("f", 1, 100, kLimits) == "1");
  CHECK(hash.next_expiry_ms() == kNoFieldExpiry);
}

TEST_CASE("hash: random choice is uniform over live fields") {
  Random random(33);
  for (const HashLimits& limits : {HashLimits{500, 64}, HashLimits{0, 0}}) {
    for (const bool mostly_due : {false, true}) {
      Hash hash = numbered(300, limits);
      for (size_t i = 0; i < (mostly_due ? 220U : 60U); ++i) hash.set_expiry("field:" + to_text(i), 10);
      const size_t kinds = hash.live_length(10);
      REQUIRE(kinds == (mostly_due ? 80 : 240));
      std::map<std::string, size_t> counts;
      const auto count = [&](const HashEntry& entry) {
        REQUIRE(entry.expiry_ms == kNoFieldExpiry);
        ++counts[std::string(entry.field)];
      };
      hash.random_with_repeats(random, 15000, 10, count);
      CHECK(chi_square(counts, kinds, 15000) < 1.7);
      counts.clear();
      for (int i = 0; i < 500; ++i) hash.random_distinct(random, 30, 10, count);
      CHECK(chi_square(counts, kinds, 15000) < 1.7);
    }
  }
}

TEST_CASE("hash: distinct picks of every count are different fields") {
  Random random(34);
  for (const HashLimits& limits : {HashLimits{500, 64}, HashLimits{0, 0}}) {
    const Hash hash = numbered(50, limits);
    for (size_t count = 0; count <= 55; ++count) {
      std::set<std::string> drawn;
      hash.random_distinct(random, count, 0, [&](const HashEntry& entry) {
        REQUIRE(drawn.emplace(entry.field).second);
        REQUIRE(entry.field == "field:" + std::string(entry.value));
      });
      REQUIRE(drawn.size() == std::min<size_t>(count, 50));
    }
  }
}

TEST_CASE("hash: a scan returns whatever stayed, through growth and shrinking") {
  for (int round = 0; round < 20; ++round) {
    Hash hash;
    for (int i = 0; i < 1500; ++i) {
      hash.set("stay:" + to_text(i), "v", kLimits);
      hash.set("leave:" + to_text(i), "v", kLimits);
    }
    std::set<std::string> seen;
    uint64_t cursor = 0;
    int next = 0;
    do {
      cursor = hash.scan(cursor, 10, 0, [&](const HashEntry& entry) { seen.emplace(entry.field); });
      for (int i = 0; i < 40; ++i, ++next) {
        if (round % 2 == 0) {
          hash.set("new:" + to_text(next), "v", kLimits);
        } else {
          hash.remove("leave:" + to_text(next));
        }
      }
    } while (cursor != 0);
    for (int i = 0; i < 1500; ++i) REQUIRE(seen.contains("stay:" + to_text(i)));
  }
}

TEST_CASE("hash: a 17-byte field with a 16-byte value in a big hash costs at most 70 bytes") {
  Hash hash;
  for (size_t i = 0; i < 100000; ++i) {
    char field[32];
    snprintf(field, sizeof field, "field:%011zu", i);
    hash.set(std::string_view(field, 17), "0123456789abcdef", kLimits);
  }
  CHECK(static_cast<double>(hash.memory_bytes()) / 100000.0 <= 70.0);
}

}  // namespace
}  // namespace synap
