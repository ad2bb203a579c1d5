// Zset against a std::map, in both encodings and through their conversions.
#include "datatypes/zset/zset.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

namespace synap {
namespace {

struct Model {
  std::map<std::string, double> scores;
  std::set<std::pair<double, std::string>> order;

  void put(const std::string& member, double score) {
    remove(member);
    scores[member] = score;
    order.insert({score, member});
  }
  bool remove(const std::string& member) {
    auto at = scores.find(member);
    if (at == scores.end()) return false;
    order.erase({at->second, member});
    scores.erase(at);
    return true;
  }
  size_t rank_of(const std::string& member) const {
    return static_cast<size_t>(std::distance(order.begin(), order.find({scores.at(member), member})));
  }
};

void compare(const Zset& zset, const Model& model) {
  zset.check();
  REQUIRE(zset.size() == model.scores.size());
  auto expected = model.order.begin();
  zset.for_each([&](std::string_view member, double score) {
    REQUIRE(expected->second == member);
    REQUIRE(expected->first == score);
    ++expected;
  });
  for (double score : {-1.0, 0.0, 3.0, 1e9}) {
    const auto wanted = model.order.lower_bound({score, ""});
    auto found = zset.from_score(score);
    REQUIRE(found.valid() == (wanted != model.order.end()));
    if (found.valid()) REQUIRE(found.member() == wanted->second);
  }
  if (zset.empty()) return;
  auto at = zset.at(zset.size() - 1);
  for (auto back = model.order.rbegin(); back != model.order.rend(); ++back) {
    REQUIRE(at.valid());
    REQUIRE(at.member() == back->second);
    REQUIRE(at.score() == back->first);
    at.prev();
  }
  CHECK_FALSE(at.valid());
}

ZsetAdded model_add(Model& model, const std::string& member, double score, ZsetAdd options) {
  auto present = model.scores.find(member);
  if (present == model.scores.end()) {
    if (options.only_present) return ZsetAdded::kRefused;
    model.put(member, score);
    return ZsetAdded::kAdded;
  }
  double old = present->second;
  if (options.only_new) return ZsetAdded::kRefused;
  if (options.increment) score += old;
  if (options.only_greater && score <= old) return ZsetAdded::kRefused;
  if (options.only_less && score >= old) return ZsetAdded::kRefused;
  if (score == old) return ZsetAdded::kSame;
  model.put(member, score);
  return ZsetAdded::kUpdated;
}

void check_intervals(const Zset& zset, const Model& model, Random& random) {
  for (int i = 0; i < 20; ++i) {
    ScoreRange range{static_cast<double>(random.below(60)) - 30, static_cast<double>(random.below(60)) - 30,
                     random.below(2) == 0, random.below(2) == 0};
    RankSpan span = zset.span(range);
    size_t count = 0;
    size_t below = 0;
    for (auto& [score, member] : model.order) {
      bool above_min = range.min_exclusive ? score > range.min : score >= range.min;
      bool below_max = range.max_exclusive ? score < range.max : score <= range.max;
      count += above_min && below_max ? 1 : 0;
      below += above_min ? 0 : 1;
    }
    REQUIRE(span.count == count);
    if (count > 0) REQUIRE(span.first == below);
  }
}

const ZsetLimits kSmall{16, 32};

}  // namespace

TEST_CASE("zset: random commands agree with a map") {
  Random random(21);
  for (const ZsetLimits& limits : {ZsetLimits{}, kSmall, ZsetLimits{0, 0}}) {
    for (size_t members : {size_t{10}, size_t{150}, size_t{3000}}) {
      Zset zset;
      Model model;
      for (int i = 0; i < 8000; ++i) {
        std::string member = random.below(3) == 0 ? std::to_string(random.below(members))
                                                  : "member:" + std::to_string(random.below(members));
        double score = random.below(2) == 0 ? static_cast<double>(random.below(60)) - 30 : random.unit() * 60 - 30;
        uint64_t choice = random.below(10);
        if (choice < 6) {
          ZsetAdd options;
          options.only_new = choice == 1;
          options.only_present = choice == 2 || (choice == 5 && random.below(2) == 0);
          options.only_greater = choice == 3;
          options.only_less = choice == 4;
          options.increment = choice == 5;
          double result = 0;
          REQUIRE(zset.add(member, score, options, limits, &result) == model_add(model, member, score, options));
        } else if (choice < 8) {
          REQUIRE(zset.remove(member) == model.remove(member));
        } else if (choice == 8) {
          auto at = model.scores.find(member);
          auto ranked = zset.rank(member);
          REQUIRE(ranked.has_value() == (at != model.scores.end()));
          REQUIRE(zset.score(member).has_value() == ranked.has_value());
          if (!ranked) continue;
          REQUIRE(ranked->rank == model.rank_of(member));
          REQUIRE(ranked->score == at->second);
          REQUIRE(zset.at(ranked->rank).member() == member);
        } else if (random.below(40) == 0 && !zset.empty()) {
          RankSpan span{random.below(zset.size()), 0};
          span.count = random.below(zset.size() - span.first + 1);
          for (size_t n = 0; n < span.count; ++n) {
            model.remove(std::next(model.order.begin(), static_cast<ptrdiff_t>(span.first))->second);
          }
          zset.remove_span(span);
        }
        if (i % 1000 == 0) {
          compare(zset, model);
          check_intervals(zset, model, random);
          Zset twin = zset.copy();
          compare(twin, model);
          CHECK(twin.is_listpack() == zset.is_listpack());
        }
      }
      compare(zset, model);
    }
  }
}

TEST_CASE("zset: encodings change where Redis changes them") {
  Zset zset;
  double result = 0;
  CHECK(zset.is_listpack());
  for (size_t i = 0; i < 128; ++i) zset.add(std::to_string(i), 1.5, {}, {}, &result);
  CHECK(std::string(zset.encoding_name()) == "listpack");
  zset.add("0", 7, {}, {}, &result);
  CHECK(zset.is_listpack());
  zset.add("one more", 7, {}, {}, &result);
  CHECK(std::string(zset.encoding_name()) == "skiplist");
  CHECK(zset.size() == 129);
  zset.check();

  Zset expected_big;
  expected_big.prepare(129, 1, {});
  CHECK_FALSE(expected_big.is_listpack());
  CHECK(expected_big.empty());
  expected_big.add("a", 1, {}, {}, &result);
  expected_big.check();

  Zset wide;
  wide.add(std::string(64, 'x'), 1, {}, {}, &result);
  CHECK(wide.is_listpack());
  wide.add(std::string(65, 'x'), 1, {}, {}, &result);
  CHECK_FALSE(wide.is_listpack());
  wide.check();
}

TEST_CASE("zset: special scores") {
  for (const ZsetLimits& limits : {ZsetLimits{}, ZsetLimits{0, 0}}) {
    Zset zset;
    double result = 0;
    CHECK(zset.add("low", -INFINITY, {}, limits, &result) == ZsetAdded::kAdded);
    CHECK(zset.add("high", INFINITY, {}, limits, &result) == ZsetAdded::kAdded);
    CHECK(zset.add("tiny", 5e-324, {}, limits, &result) == ZsetAdded::kAdded);
    CHECK(zset.add("huge", 9007199254740993.0 * 1024, {}, limits, &result) == ZsetAdded::kAdded);
    CHECK(zset.add("huge", 1e300, {}, limits, &result) == ZsetAdded::kUpdated);
    ZsetAdd increment;
    increment.increment = true;
    CHECK(zset.add("high", -INFINITY, increment, limits, &result) == ZsetAdded::kNotANumber);
    CHECK(zset.add("x", NAN, {}, limits, &result) == ZsetAdded::kNotANumber);
    CHECK(zset.score("tiny") == 5e-324);
    CHECK(zset.score("huge") == 1e300);
    CHECK(zset.span(ScoreRange{-INFINITY, INFINITY, false, false}).count == 4);
    CHECK(zset.span(ScoreRange{-INFINITY, INFINITY, true, true}).count == 2);
    zset.check();
  }
}

TEST_CASE("zset: intervals by member") {
  for (const ZsetLimits& limits : {ZsetLimits{}, ZsetLimits{0, 0}}) {
    Zset zset;
    double result = 0;
    for (const char* member : {"alpha", "bar", "cool", "down", "elephant", "foo", "great", "hill", "omega"}) {
      zset.add(member, 0, {}, limits, &result);
    }
    auto count = [&](const char* min, const char* max) {
      LexRange range;
      REQUIRE(parse_lex_range(min, max, &range));
      return zset.span(range).count;
    };
    CHECK(count("-", "+") == 9);
    CHECK(count("+", "-") == 0);
    CHECK(count("-", "[cool") == 3);
    CHECK(count("(bar", "[down") == 2);
    CHECK(count("[bar", "(bar") == 0);
    CHECK(count("[h", "+") == 2);
    CHECK(count("(", "+") == 9);
    CHECK(count("-", "-") == 0);
    CHECK(count("[omega", "[alpha") == 0);
  }
}

TEST_CASE("zset: scan returns everything that stays") {
  Random random(22);
  Zset zset;
  double result = 0;
  for (size_t i = 0; i < 2000; ++i) zset.add("stay:" + std::to_string(i), 1, {}, kSmall, &result);
  std::set<std::string> seen;
  uint64_t cursor = 0;
  size_t added = 0;
  do {
    cursor = zset.scan(cursor, 10, [&](std::string_view member, double) { seen.emplace(member); });
    for (int i = 0; i < 30 && added < 4000; ++i) zset.add("more:" + std::to_string(added++), 2, {}, kSmall, &result);
    if (added > 2000) zset.remove("more:" + std::to_string(random.below(added)));
  } while (cursor != 0);
  for (size_t i = 0; i < 2000; ++i) CHECK(seen.count("stay:" + std::to_string(i)) == 1);
}

TEST_CASE("zset: random choice is uniform") {
  Random random(23);
  for (const ZsetLimits& limits : {ZsetLimits{}, ZsetLimits{0, 0}}) {
    constexpr size_t kSize = 50;
    constexpr size_t kRounds = 20000;
    Zset zset;
    double result = 0;
    for (size_t i = 0; i < kSize; ++i) zset.add(std::to_string(i), static_cast<double>(i), {}, limits, &result);
    std::vector<double> unique_hits(kSize);
    for (size_t i = 0; i < kRounds; ++i) {
      auto ranks = zset.random_unique(random, 3);
      REQUIRE(std::set<size_t>(ranks.begin(), ranks.end()).size() == 3);
      for (size_t rank : ranks) ++unique_hits[rank];
    }
    // Chi-squared with 49 degrees of freedom: 99.99 % lie below 94.
    auto chi_squared = [](const std::vector<double>& counts) {
      double expected = 3.0 * kRounds / kSize;
      double sum = 0;
      for (double n : counts) sum += (n - expected) * (n - expected) / expected;
      return sum;
    };
    CHECK(chi_squared(unique_hits) < 94);
    CHECK(zset.random_unique(random, 80).size() == kSize);
  }
}

TEST_CASE("zset: builder sorts, and keeps to the limits") {
  Random random(24);
  for (size_t n : {size_t{0}, size_t{5}, size_t{16}, size_t{17}, size_t{5000}}) {
    ZsetBuilder builder;
    Model model;
    for (size_t i = 0; i < n; ++i) {
      std::string member = std::to_string(random.below(100000));
      double score = static_cast<double>(random.below(100));
      bool fresh = false;
      double* present = builder.find_or_add(member, score, &fresh);
      REQUIRE(fresh == (model.scores.count(member) == 0));
      if (!fresh) *present += score;
      model.put(member, fresh ? score : model.scores[member] + score);
    }
    Zset zset = builder.finish(kSmall);
    CHECK(zset.is_listpack() == (n <= 16));
    compare(zset, model);
  }
}

TEST_CASE("zset: listpacks from outside") {
  auto pack_of = [](std::initializer_list<const char*> elements) {
    Listpack pack;
    for (const char* element : elements) pack.append(element);
    return pack;
  };
  auto valid = [](const Listpack& pack) { return Zset::valid_listpack(pack.view().raw(), true); };
  CHECK(valid(pack_of({"a", "1", "b", "2.5"})));
  CHECK_FALSE(valid(pack_of({"a", "1", "b"})));
  CHECK_FALSE(valid(pack_of({"a", "x"})));
  CHECK_FALSE(valid(pack_of({"a", "nan"})));
  CHECK_FALSE(valid(pack_of({"a", "2", "b", "1"})));
  CHECK_FALSE(valid(pack_of({"b", "1", "a", "1"})));
  CHECK_FALSE(valid(pack_of({"a", "1", "a", "2"})));

  // What a shallow check lets through must still convert without harm.
  Zset zset = Zset::from_listpack(pack_of({"b", "2", "a", "1", "b", "0"}));
  double result = 0;
  zset.add("c", 3, {}, ZsetLimits{0, 0}, &result);
  CHECK(zset.size() == 3);
  zset.check();
}

TEST_CASE("zset: memory per element") {
  Random random(25);
  Zset zset;
  double result = 0;
  constexpr size_t kCount = 100000;
  for (size_t i = 0; i < kCount; ++i) {
    zset.add("member:" + std::to_string(1000000000 + i), random.unit(), {}, {}, &result);
  }
  double each = static_cast<double>(zset.memory_bytes(0)) / kCount;
  MESSAGE("bytes per element: ", each);
  CHECK(each < 75);
}

}  // namespace synap
