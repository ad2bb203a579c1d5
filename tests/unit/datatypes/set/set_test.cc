// Set against std::set under random operations, its conversions, random choice and cursor scans.
#include "datatypes/set/set.h"

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

using Model = std::set<std::string>;

constexpr SetLimits kLimits{16, 8, 20};

Model members_of(const Set& set) {
  Model members;
  set.for_each([&](std::string_view member) { REQUIRE(members.emplace(member).second); });
  return members;
}

std::string random_member(Random& random, uint64_t variety) {
  const uint64_t n = random.below(variety);
  switch (random.below(4)) {
    case 0:
      return to_text(static_cast<int64_t>(n) - static_cast<int64_t>(variety / 2));
    case 1:
      return std::string(n % 40, 'x');
    case 2:
      return "0" + to_text(n);
    default:
      return "member:" + to_text(n);
  }
}

Set numbers(size_t count, const SetLimits& limits) {
  Set set;
  for (size_t i = 0; i < count; ++i) set.add(to_text(i), limits);
  return set;
}

// Chi-square of the counts against equal chances, divided by the degrees of freedom: near 1 when uniform.
double chi_square(const std::map<std::string, size_t>& counts, size_t kinds, size_t draws) {
  const double expected = static_cast<double>(draws) / static_cast<double>(kinds);
  double sum = (static_cast<double>(kinds) - static_cast<double>(counts.size())) * expected;
  for (const auto& [member, count] : counts) {
    const double off = static_cast<double>(count) - expected;
    sum += off * off / expected;
  }
  return sum / static_cast<double>(kinds - 1);
}

TEST_CASE("set: random operations match std::set in every form") {
  Random random(11);
  for (const uint64_t variety : {6, 30, 400, 5000}) {
    Set set;
    Model model;
    for (int step = 0; step < rounds(20000); ++step) {
      const std::string member = random_member(random, variety);
      if (random.below(5) < 3) {
        REQUIRE(set.add(member, kLimits) == model.insert(member).second);
      } else {
        REQUIRE(set.remove(member) == (model.erase(member) == 1));
      }
      REQUIRE(set.size() == model.size());
      const std::string probe = random_member(random, variety);
      REQUIRE(set.contains(probe) == model.contains(probe));
      if (step % 1000 == 0) {
        REQUIRE(members_of(set) == model);
        const Set twin = set.copy();
        REQUIRE(members_of(twin) == model);
        REQUIRE(twin.encoding() == set.encoding());
        if (random.below(4) == 0) {
          set.clear();
          model.clear();
        }
      }
    }
  }
}

TEST_CASE("set: encodings change at Redis's limits") {
  Set set;
  set.add("1", kLimits);
  CHECK(set.encoding_name() == "intset");
  set.add("2", kLimits);
  set.add("a", kLimits);
  CHECK(set.encoding_name() == "listpack");
  for (const char* member : {"b", "c", "d", "e", "f"}) set.add(member, kLimits);
  CHECK(set.encoding_name() == "listpack");
  CHECK_FALSE(set.add("b", kLimits));
  set.add("g", kLimits);
  CHECK(set.encoding_name() == "hashtable");
  CHECK(set.size() == 9);

  Set integers = numbers(16, kLimits);
  CHECK(integers.encoding_name() == "intset");
  integers.add("16", kLimits);
  CHECK(integers.encoding_name() == "hashtable");

  Set wide = numbers(9, kLimits);
  wide.add("text", kLimits);  // nine integers do not fit a listpack of eight
  CHECK(wide.encoding_name() == "hashtable");

  Set long_member;
  long_member.add(std::string(21, 'x'), kLimits);
  CHECK(long_member.encoding_name() == "hashtable");
  Set long_integer;
  long_integer.add("-9223372036854775808", kLimits);
  long_integer.add("x", SetLimits{16, 8, 19});
  CHECK(long_integer.encoding_name() == "hashtable");

  Set no_intset;
  no_intset.add("1", SetLimits{0, 8, 20});
  CHECK(no_intset.encoding_name() == "listpack");
  Set many;
  many.prepare("1", 17, kLimits);
  CHECK(many.encoding_name() == "hashtable");
  Set pack;
  pack.prepare("x", 2, kLimits);
  CHECK(pack.encoding_name() == "listpack");
  pack.prepare("y", 9, kLimits);
  CHECK(pack.encoding_name() == "hashtable");
}

TEST_CASE("set: bytes go out and come back, and then fit the limits of today") {
  Set integers = numbers(12, kLimits);
  Set again = Set::from_intset(integers.compact_bytes());
  CHECK(members_of(again) == members_of(integers));
  again.fit(SetLimits{11, 8, 20});
  CHECK(again.encoding_name() == "hashtable");
  CHECK(members_of(again) == members_of(integers));
  Set words;
  words.add("one", kLimits);
  words.add("2", kLimits);
  Set words_again = Set::from_listpack(words.compact_bytes());
  CHECK(members_of(words_again) == Model{"2", "one"});
  words_again.fit(kLimits);
  CHECK(words_again.encoding_name() == "listpack");
}

TEST_CASE("set: random choice is uniform") {
  Random random(5);
  for (const size_t size : {7, 100, 3000}) {
    for (const SetLimits& limits : {SetLimits{5000, 0, 0}, SetLimits{0, 5000, 64}, SetLimits{0, 0, 0}}) {
      const Set set = numbers(size, limits);
      const size_t draws = size * 60;
      std::map<std::string, size_t> counts;
      set.random_with_repeats(random, draws, [&](std::string_view member) { ++counts[std::string(member)]; });
      CHECK(chi_square(counts, size, draws) < 1.6 + 8.0 / static_cast<double>(size));
      counts.clear();
      const size_t share = std::max<size_t>(1, size / 10);
      for (size_t i = 0; i < 400; ++i) {
        Model drawn;
        set.random_distinct(random, share, [&](std::string_view member) {
          REQUIRE(drawn.emplace(member).second);
          ++counts[std::string(member)];
        });
        REQUIRE(drawn.size() == share);
      }
      CHECK(chi_square(counts, size, share * 400) < 1.6 + 8.0 / static_cast<double>(size));
    }
  }
}

TEST_CASE("set: distinct picks of every count are different members") {
  Random random(6);
  for (const SetLimits& limits : {SetLimits{500, 0, 0}, SetLimits{0, 500, 64}, SetLimits{0, 0, 0}}) {
    const Set set = numbers(60, limits);
    for (size_t count = 0; count <= 65; ++count) {
      Model drawn;
      set.random_distinct(random, count, [&](std::string_view member) {
        REQUIRE(drawn.emplace(member).second);
        REQUIRE(set.contains(member));
      });
      REQUIRE(drawn.size() == std::min<size_t>(count, 60));
    }
  }
}

TEST_CASE("set: pop removes exactly what it shows, uniformly") {
  Random random(7);
  for (const SetLimits& limits : {SetLimits{500, 0, 0}, SetLimits{0, 500, 64}, SetLimits{0, 0, 0}}) {
    std::map<std::string, size_t> counts;
    for (int round = 0; round < 1000; ++round) {
      Set set = numbers(40, limits);
      Model model = members_of(set);
      set.pop_random(random, 4, limits, [&](std::string_view member) {
        REQUIRE(model.erase(std::string(member)) == 1);
        ++counts[std::string(member)];
      });
      REQUIRE(members_of(set) == model);
      REQUIRE(model.size() == 36);
    }
    CHECK(chi_square(counts, 40, 4000) < 1.9);
  }
}

TEST_CASE("set: popping most of a table leaves a listpack, everything leaves nothing") {
  Random random(8);
  Set set = numbers(1000, kLimits);
  Model model = members_of(set);
  set.pop_random(random, 994, kLimits, [&](std::string_view member) { model.erase(std::string(member)); });
  CHECK(set.encoding_name() == "listpack");
  CHECK(members_of(set) == model);
  CHECK(model.size() == 6);
  set.pop_random(random, 10, kLimits, [&](std::string_view member) { model.erase(std::string(member)); });
  CHECK(set.empty());
  CHECK(model.empty());
}

TEST_CASE("set: a scan returns whatever stayed, through growth and shrinking") {
  Random random(9);
  for (int round = 0; round < 20; ++round) {
    Set set;
    Model stays;
    for (int i = 0; i < 1500; ++i) {
      stays.insert("stay:" + to_text(i));
      set.add("stay:" + to_text(i), kLimits);
      set.add("leave:" + to_text(i), kLimits);
    }
    Model seen;
    uint64_t cursor = 0;
    int next = 0;
    do {
      cursor = set.scan(cursor, 10, [&](std::string_view member) { seen.emplace(member); });
      for (int i = 0; i < 40; ++i, ++next) {
        if (round % 2 == 0) {
          set.add("new:" + to_text(next), kLimits);
        } else {
          set.remove("leave:" + to_text(next));
        }
      }
    } while (cursor != 0);
    REQUIRE(std::includes(seen.begin(), seen.end(), stays.begin(), stays.end()));
  }
  Set small = numbers(5, kLimits);
  size_t visited = 0;
  CHECK(small.scan(0, 1, [&](std::string_view) { ++visited; }) == 0);
  CHECK(visited == 5);
}

TEST_CASE("set: a 17-byte member of a big set costs at most 45 bytes") {
  Set set;
  for (size_t i = 0; i < 100000; ++i) {
    char member[32];
    snprintf(member, sizeof member, "member:%010zu", i);
    set.add(std::string_view(member, 17), kLimits);
  }
  // malloc's own header (glibc) would count in malloc_usable_size only as padding: 17 + 1 bytes take 24 or 32.
  CHECK(static_cast<double>(set.memory_bytes()) / 100000.0 <= 45.0);
}

}  // namespace
}  // namespace synap
