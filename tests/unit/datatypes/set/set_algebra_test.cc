// Set algebra against std::set, over all pairs of encodings, and the encodings of stored results.
#include "datatypes/set/set_algebra.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "server/base/number.h"
#include "tests/unit/rounds.h"

namespace synap {
namespace {

using Model = std::set<std::string>;

Model members_of(const Set& set) {
  Model members;
  set.for_each([&](std::string_view member) { members.emplace(member); });
  return members;
}

struct Collector {
  Model members;
  SetVisitor visitor() {
    return [this](const SetElement& element) { REQUIRE(members.insert(element.to_string()).second); };
  }
};

Set random_set(Random& random, const SetLimits& limits) {
  Set set;
  const uint64_t size = random.below(4) == 0 ? random.below(800) : random.below(60);
  const bool words = random.below(2) == 0;
  for (uint64_t i = 0; i < size; ++i) {
    const uint64_t n = random.below(size * 2);
    set.add(words && n % 3 == 0 ? "word:" + to_text(n) : to_text(n), limits);
  }
  return set;
}

TEST_CASE("set algebra: results match the model, visited and built") {
  Random random(21);
  const SetLimits limits{100, 40, 64};
  for (int round = 0; round < rounds(3000); ++round) {
    std::vector<Set> sets;
    for (uint64_t i = 1 + random.below(6); i > 0; --i) sets.push_back(random_set(random, limits));
    std::vector<const Set*> inputs;
    for (const Set& set : sets) inputs.push_back(set.empty() || random.below(30) == 0 ? nullptr : &set);
    if (random.below(10) == 0) inputs.push_back(inputs[random.below(inputs.size())]);

    Model all;
    Model common;
    Model rest;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Model members = inputs[i] == nullptr ? Model() : members_of(*inputs[i]);
      all.insert(members.begin(), members.end());
      if (i == 0) {
        common = rest = members;
        continue;
      }
      std::erase_if(common, [&](const std::string& member) { return !members.contains(member); });
      std::erase_if(rest, [&](const std::string& member) { return members.contains(member); });
    }
    Collector unite;
    Collector intersect;
    Collector subtract;
    REQUIRE(visit_union(inputs, unite.visitor()) == all.size());
    REQUIRE(unite.members == all);
    REQUIRE(visit_intersection(inputs, 0, intersect.visitor()) == common.size());
    REQUIRE(intersect.members == common);
    REQUIRE(visit_difference(inputs, subtract.visitor()) == rest.size());
    REQUIRE(subtract.members == rest);
    REQUIRE(members_of(build_union(inputs, limits)) == all);
    REQUIRE(members_of(build_intersection(inputs, limits)) == common);
    REQUIRE(members_of(build_difference(inputs, limits)) == rest);
    const size_t limit = 1 + random.below(20);
    Collector some;
    REQUIRE(visit_intersection(inputs, limit, some.visitor()) == std::min(limit, common.size()));
    REQUIRE(some.members.size() == std::min(limit, common.size()));
  }
}

TEST_CASE("set algebra: stored results have Redis's encoding") {
  const SetLimits limits{16, 8, 20};
  Set words;
  Set integers;
  Set table;
  for (int i = 0; i < 10; ++i) {
    integers.add(to_text(i), limits);
    table.add(to_text(i), limits);
    if (i < 5) words.add(i < 3 ? to_text(i) : "word" + to_text(i), limits);
  }
  for (int i = 0; i < 10; ++i) table.add("word" + to_text(i), limits);
  REQUIRE(table.encoding() == SetEncoding::kTable);
  REQUIRE(words.encoding() == SetEncoding::kListpack);
  const std::vector<const Set*> both{&words, &table};
  CHECK(build_intersection(both, limits).encoding_name() == "listpack");
  const std::vector<const Set*> only_numbers{&integers, &table};
  CHECK(build_intersection(only_numbers, limits).encoding_name() == "intset");
  const std::vector<const Set*> subtract_integers{&table, &integers};
  CHECK(build_difference(subtract_integers, limits).encoding_name() == "hashtable");
  const std::vector<const Set*> first_only{&words};
  CHECK(build_union(first_only, limits).encoding_name() == "listpack");
  const std::vector<const Set*> numbers_only{&integers, nullptr};
  CHECK(build_union(numbers_only, limits).encoding_name() == "intset");
}

}  // namespace
}  // namespace synap
