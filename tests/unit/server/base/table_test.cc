#include "server/base/table.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "server/base/hash.h"

namespace synap {
namespace {

struct Word {
  std::string key;
};

struct WordTraits {
  using Item = Word;
  static constexpr int kSkipBits = 0;
  static uint64_t hash(const Word* word) { return hash_bytes(word->key); }
  static bool equals(const Word* word, std::string_view key) { return word->key == key; }
  static void retire(void* memory) { std::free(memory); }
};

// Items whose top 6 bits agree, as within a shard.
struct SkippingTraits : WordTraits {
  static constexpr int kSkipBits = 6;
};

template <class Traits>
struct OwningTable : Table<Traits> {
  ~OwningTable() {
    this->for_each([](Word* word, bool) { delete word; });
  }
  void add(const std::string& key, bool mark = false) { this->insert(hash_bytes(key), new Word{key}, mark); }
  void remove(const std::string& key) { delete this->erase(hash_bytes(key), key); }
  bool has(const std::string& key) const { return this->find(hash_bytes(key), key) != nullptr; }
};

std::string numbered(int i) { return "key:" + std::to_string(i); }

TEST_CASE_TEMPLATE("table agrees with a set under random inserts and erases", Traits, WordTraits, SkippingTraits) {
  OwningTable<Traits> table;
  std::set<std::string> model;
  std::mt19937 random(7);
  for (int phase = 0; phase < 6; ++phase) {
    const unsigned inserts_of_ten = phase % 2 == 0 ? 8 : 2;
    for (int i = 0; i < 20000; ++i) {
      const std::string key = numbered(static_cast<int>(random() % 30000));
      if (random() % 10 < inserts_of_ten) {
        if (model.insert(key).second) table.add(key);
      } else if (model.erase(key) == 1) {
        table.remove(key);
      }
    }
    REQUIRE(table.size() == model.size());
    REQUIRE(table.consistent());
  }
  for (int i = 0; i < 30000; ++i) REQUIRE(table.has(numbered(i)) == (model.count(numbered(i)) == 1));
  for (const std::string& key : model) table.remove(key);
  CHECK(table.empty());
  CHECK(table.memory_bytes() == 0);
}

TEST_CASE_TEMPLATE("a table with room for its items is no bigger than one that grew, and works like it", Traits, WordTraits,
                   SkippingTraits) {
  for (const int n : {1, 5, 40, 100, 1000, 5000, 30000}) {
    CAPTURE(n);
    OwningTable<Traits> table;
    table.reserve(static_cast<size_t>(n));
    const size_t reserved = table.memory_bytes();
    CHECK(reserved <= static_cast<size_t>(n) * 17 + 64 + sizeof(uint64_t));
    for (int i = 0; i < n; ++i) table.add(numbered(i));
    CHECK(table.memory_bytes() <= reserved + reserved / 8 + 64);  // few segments were built again
    std::set<std::string> seen;
    uint64_t cursor = 0;
    do {
      cursor = table.scan(cursor, [&](const Word* word) { seen.insert(word->key); });
    } while (cursor != 0);
    CHECK(seen.size() == static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) REQUIRE(table.has(numbered(i)));
    table.reserve(1'000'000);  // nothing: it holds items
    CHECK(table.memory_bytes() <= reserved + reserved / 8 + 64);
    for (int i = 0; i < n; ++i) table.remove(numbered(i));
    CHECK(table.empty());
    CHECK(table.memory_bytes() == 0);
  }
}

TEST_CASE("a batched lookup meets every item, those that spilled out of their home bucket, too") {
  OwningTable<WordTraits> table;
  using Home = OwningTable<WordTraits>::Home;
  const Home nowhere = table.unlocked_home_of(hash_bytes("key:1"));
  CHECK(table.probable_item(nowhere, hash_bytes("key:1")) == nullptr);
  CHECK_FALSE(table.prefetch_if_spilled(nowhere));
  int spilled = 0;
  int others = 0;
  for (int i = 0; i < 20000; ++i) {
    table.add(numbered(i));
    const uint64_t hash = hash_bytes(numbered(i / 2));
    const Home home = table.unlocked_home_of(hash);
    const Word* item = table.probable_item(home, hash);
    if (item == nullptr) {
      REQUIRE(table.prefetch_if_spilled(home));
      item = table.probable_spilled_item(home, hash);
      ++spilled;
    }
    REQUIRE(item != nullptr);
    others += item == table.find_item(hash, numbered(i / 2)) ? 0 : 1;
  }
  CHECK(spilled > 0);
  CHECK(others < 100);  // of the same bucket and 16-bit tag
}

TEST_CASE("a scan returns everything that stays, while the table grows and shrinks") {
  OwningTable<WordTraits> table;
  for (int i = 0; i < 5000; ++i) table.add(numbered(i));
  for (const bool growing : {true, false}) {
    std::unordered_set<std::string> seen;
    uint64_t cursor = 0;
    int step = 0;
    do {
      cursor = table.scan(cursor, [&](const Word* word) { seen.insert(word->key); });
      CHECK(cursor < uint64_t{1} << 46);
      for (int i = 0; i < 16; ++i, ++step) {
        if (growing) {
          table.add(numbered(10000 + step));
        } else if (table.has(numbered(10000 + step))) {
          table.remove(numbered(10000 + step));
        }
      }
    } while (cursor != 0);
    for (int i = 0; i < 5000; ++i) CHECK(seen.count(numbered(i)) == 1);
  }
  CHECK(table.consistent());
}

TEST_CASE("a scan of a table at rest returns each item once and every hash-order bucket in turn") {
  OwningTable<WordTraits> table;
  for (int i = 0; i < 3000; ++i) table.add(numbered(i));
  std::map<std::string, int> seen;
  uint64_t cursor = 0;
  do {
    cursor = table.scan(cursor, [&](const Word* word) { ++seen[word->key]; });
  } while (cursor != 0);
  CHECK(seen.size() == 3000);
  for (const auto& [key, times] : seen) CHECK(times == 1);
}

TEST_CASE("any number is accepted as a cursor") {
  OwningTable<WordTraits> table;
  for (int i = 0; i < 100; ++i) table.add(numbered(i));
  for (const uint64_t cursor : {uint64_t{1}, uint64_t{12345}, ~uint64_t{0}, uint64_t{1} << 63}) {
    table.scan(cursor, [](const Word*) {});
  }
}

TEST_CASE("random picks are uniform") {
  OwningTable<WordTraits> table;
  constexpr int kItems = 700;
  for (int i = 0; i < kItems; ++i) table.add(numbered(i));
  std::map<const Word*, int> picks;
  std::mt19937_64 random(11);
  constexpr int kPicks = 700 * 200;
  for (int i = 0; i < kPicks; ++i) ++picks[table.random([&] { return random(); })];
  double chi_square = 0;
  for (const auto& [word, count] : picks) chi_square += (count - 200.0) * (count - 200.0) / 200.0;
  CHECK(picks.size() == kItems);
  CHECK(chi_square < 900);  // 699 degrees of freedom: mean 699, standard deviation 37
}

TEST_CASE("marks follow their items") {
  OwningTable<WordTraits> table;
  for (int i = 0; i < 2000; ++i) table.add(numbered(i), i % 7 == 0);
  std::set<std::string> marked;
  uint64_t cursor = 0;
  do {
    cursor = table.sample_marked(cursor, [&](const Word* word) { marked.insert(word->key); });
  } while (cursor != 0);
  CHECK(marked.size() == 286);
  for (const std::string& key : marked) CHECK(std::stoi(key.substr(4)) % 7 == 0);
}

TEST_CASE("the table's share of memory stays within the budget of 14 bytes an item on average") {
  OwningTable<WordTraits> table;
  double sum = 0;
  int samples = 0;
  for (int i = 0; i < 200000; ++i) {
    table.add(numbered(i));
    if (i > 20000 && i % 1000 == 0) {
      sum += static_cast<double>(table.memory_bytes()) / i;
      ++samples;
    }
  }
  MESSAGE("bytes per item: ", sum / samples);
  CHECK(sum / samples < 14);
}

}  // namespace
}  // namespace synap
