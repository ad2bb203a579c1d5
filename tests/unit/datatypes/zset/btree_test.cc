// BTree against std::set under random and sequential change, with every invariant checked on the way.
#include "datatypes/zset/btree.h"

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/base/random.h"

namespace synap {
namespace {

struct KeyLess {
  bool operator()(const ZsetItem* a, const ZsetItem* b) const {
    return a->score < b->score || (a->score == b->score && a->member() < b->member());
  }
};
using Model = std::set<ZsetItem*, KeyLess>;

struct Owner {
  BTree tree;
  Model model;

  ~Owner() {
    for (ZsetItem* item : model) std::free(item);
  }
  void insert(double score, const std::string& member) {
    ZsetItem* item = ZsetItem::create(score, member);
    if (!model.insert(item).second) {
      std::free(item);
      return;
    }
    tree.insert(item);
  }
  void remove(Model::iterator at) {
    ZsetItem* item = *at;
    model.erase(at);
    tree.remove(item);
    std::free(item);
  }
  Model::iterator any(Random& random) {
    ZsetItem* probe = ZsetItem::create(static_cast<double>(random.below(100)), std::to_string(random.below(100000)));
    auto at = model.lower_bound(probe);
    std::free(probe);
    return at == model.end() ? model.begin() : at;
  }
  void compare() {
    tree.check();
    REQUIRE(tree.size() == model.size());
    auto cursor = tree.first();
    size_t rank = 0;
    for (ZsetItem* item : model) {
      REQUIRE(cursor.valid());
      REQUIRE(cursor.item() == item);
      if (rank % 7 == 0) {
        REQUIRE(tree.rank(item) == rank);
        REQUIRE(tree.at(rank).item() == item);
      }
      cursor.next();
      ++rank;
    }
    CHECK_FALSE(cursor.valid());
    cursor = tree.last();
    for (auto at = model.rbegin(); at != model.rend(); ++at) {
      REQUIRE(cursor.item() == *at);
      cursor.prev();
    }
    CHECK_FALSE(cursor.valid());
  }
};

std::string padded(size_t n) {
  std::string text = std::to_string(n);
  return std::string(8 - text.size(), '0') + text;
}

}  // namespace

TEST_CASE("btree: random inserts, removals and moves agree with std::set") {
  Random random(7);
  for (uint64_t score_range : {uint64_t{1}, uint64_t{5}, uint64_t{100}, uint64_t{1} << 40}) {
    Owner owner;
    for (int round = 0; round < 30; ++round) {
      bool growing = round < 12 || round % 3 == 0;
      for (int i = 0; i < 700; ++i) {
        if (owner.model.empty() || random.below(10) < (growing ? 7U : 2U)) {
          owner.insert(static_cast<double>(random.below(score_range)), std::to_string(random.below(100000)));
        } else if (random.below(2) == 0) {
          owner.remove(owner.any(random));
        } else {
          auto at = owner.any(random);
          ZsetItem* item = *at;
          // Far away, or to a place nearby.
          double score = random.below(2) == 0 ? item->score + static_cast<double>(random.below(3))
                                              : static_cast<double>(random.below(score_range));
          ZsetItem* probe = ZsetItem::create(score, item->member());
          bool taken = owner.model.count(probe) > 0;
          std::free(probe);
          if (taken) continue;
          owner.model.erase(at);
          owner.tree.rescore(item, score);
          owner.model.insert(item);
        }
      }
      owner.compare();
    }
    while (!owner.model.empty()) owner.remove(owner.any(random));
    owner.compare();
  }
}

TEST_CASE("btree: bounds by score and by member") {
  Random random(8);
  Owner owner;
  for (int i = 0; i < 5000; ++i)
    owner.insert(static_cast<double>(random.below(300)), std::to_string(random.below(99999)));
  for (int i = -1; i <= 301; ++i) {
    for (bool after_equal : {false, true}) {
      size_t expected = 0;
      for (ZsetItem* item : owner.model) expected += item->score < i || (after_equal && item->score == i) ? 1 : 0;
      auto place = owner.tree.seek(ScoreBound{static_cast<double>(i), after_equal});
      REQUIRE(place.rank == expected);
      REQUIRE(place.cursor.valid() == (expected < owner.model.size()));
      if (place.cursor.valid()) REQUIRE(owner.tree.rank(place.cursor.item()) == expected);
    }
  }
  Owner lexical;
  for (size_t i = 0; i < 3000; ++i) lexical.insert(1, padded(2 * i));
  for (size_t i = 0; i < 6000; i += 7) {
    CHECK(lexical.tree.seek(LexBound{padded(i), false}).rank == (i + 1) / 2);
    CHECK(lexical.tree.seek(LexBound{padded(i), true}).rank == i / 2 + 1);
  }
}

TEST_CASE("btree: ranges of ranks leave in order") {
  Random random(9);
  Owner owner;
  for (int round = 0; round < 60; ++round) {
    while (owner.model.size() < 4000) {
      owner.insert(static_cast<double>(random.below(1000)), std::to_string(random.below(100000)));
    }
    size_t rank = random.below(4000);
    size_t count = random.below(round % 2 == 0 ? 4001 - rank : std::min<size_t>(200, 4001 - rank));
    auto at = std::next(owner.model.begin(), static_cast<ptrdiff_t>(rank));
    owner.tree.remove_range(rank, count, [&](ZsetItem* item) {
      REQUIRE(*at == item);
      at = owner.model.erase(at);
      std::free(item);
    });
    owner.compare();
  }
}

TEST_CASE("btree: leaves stay three quarters full") {
  Random random(10);
  constexpr size_t kCount = 60000;
  auto fill_of = [](auto score_at) {
    Owner owner;
    for (size_t i = 0; i < kCount; ++i) owner.insert(score_at(i), std::to_string(i));
    owner.compare();
    return owner.tree.check();
  };
  CHECK(fill_of([](size_t i) { return static_cast<double>(i); }) > 0.98);
  CHECK(fill_of([](size_t i) { return -static_cast<double>(i); }) > 0.98);
  double at_random = fill_of([&](size_t) { return random.unit(); });
  double few_scores = fill_of([&](size_t i) { return static_cast<double>(i % 10); });
  double outside_in = fill_of([](size_t i) { return (i % 2 == 0 ? 1.0 : -1.0) / static_cast<double>(i + 1); });
  double descending_runs =
      fill_of([](size_t i) { return static_cast<double>(i % 10) - static_cast<double>(i) * 1e-7; });
  MESSAGE("fill: random ", at_random, ", ten ascending runs ", few_scores, ", outside in ", outside_in,
          ", ten descending runs ", descending_runs);
  CHECK(at_random > 0.75);
  CHECK(few_scores > 0.75);
  CHECK(outside_in > 0.75);
  CHECK(descending_runs > 0.75);
}

}  // namespace synap
