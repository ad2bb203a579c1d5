// Union, intersection and difference against plain maps.
#include "datatypes/zset/algebra.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>

namespace synap {
namespace {

using Scores = std::map<std::string, double>;

struct Operands {
  std::vector<Zset> zsets;
  std::vector<Scores> models;
  std::vector<std::unique_ptr<ZsetMembersView>> views;
  std::vector<AlgebraOperand> list;
};

Operands random_operands(Random& random, size_t n) {
  Operands operands;
  operands.zsets.resize(n);
  operands.models.resize(n);
  for (size_t i = 0; i < n; ++i) {
    size_t size = random.below(3) == 0 ? random.below(5) : random.below(600);
    for (size_t k = 0; k < size; ++k) {
      std::string member = "m" + std::to_string(random.below(500));
      auto score = static_cast<double>(random.below(1000));
      double result = 0;
      operands.zsets[i].add(member, score, {}, ZsetLimits{}, &result);
      operands.models[i][member] = score;
    }
  }
  for (size_t i = 0; i < n; ++i) {
    operands.views.push_back(std::make_unique<ZsetMembersView>(operands.zsets[i]));
    operands.list.push_back({operands.views[i].get(), static_cast<double>(random.below(7)) - 3});
  }
  return operands;
}

double combine(Aggregate aggregate, double a, double b) {
  if (aggregate == Aggregate::kSum) return a + b;
  return aggregate == Aggregate::kMin ? std::min(a, b) : std::max(a, b);
}

void check_result(ZsetBuilder& builder, const Scores& expected) {
  Zset result = builder.finish({});
  result.check();
  REQUIRE(result.size() == expected.size());
  result.for_each([&](std::string_view member, double score) {
    auto at = expected.find(std::string(member));
    REQUIRE(at != expected.end());
    REQUIRE(at->second == score);
  });
}

}  // namespace

TEST_CASE("zset algebra: agrees with maps") {
  Random random(31);
  for (int round = 0; round < 200; ++round) {
    Operands operands = random_operands(random, 1 + random.below(4));
    auto aggregate = static_cast<Aggregate>(random.below(3));
    Scores in_union;
    Scores in_all;
    Scores in_first = operands.models[0];
    for (size_t i = 0; i < operands.models.size(); ++i) {
      double weight = operands.list[i].weight;
      Scores shared;
      for (auto& [member, score] : operands.models[i]) {
        auto [at, fresh] = in_union.insert({member, weight * score});
        if (!fresh) at->second = combine(aggregate, at->second, weight * score);
        auto before = in_all.find(member);
        if (i == 0) shared[member] = weight * score;
        if (i > 0 && before != in_all.end()) shared[member] = combine(aggregate, before->second, weight * score);
        if (i > 0) in_first.erase(member);
      }
      in_all = shared;
    }
    ZsetBuilder of_union;
    zset_union(operands.list, aggregate, &of_union);
    check_result(of_union, in_union);
    ZsetBuilder of_all;
    zset_intersect(operands.list, aggregate, &of_all);
    check_result(of_all, in_all);
    ZsetBuilder of_first;
    zset_subtract(operands.list, &of_first);
    check_result(of_first, in_first);
    CHECK(zset_intersection_size(operands.list, 0) == in_all.size());
    CHECK(zset_intersection_size(operands.list, 3) == std::min<size_t>(3, in_all.size()));
  }
}

TEST_CASE("zset algebra: absent operands, one value twice, infinities") {
  Zset zset;
  double result = 0;
  zset.add("a", INFINITY, {}, {}, &result);
  zset.add("b", 2, {}, {}, &result);
  ZsetMembersView view(zset);

  ZsetBuilder doubled;
  zset_intersect({{&view, 1}, {&view, 3}}, Aggregate::kSum, &doubled);
  check_result(doubled, {{"a", INFINITY}, {"b", 8}});
  ZsetBuilder cancelled;
  zset_union({{&view, 1}, {&view, -1}}, Aggregate::kSum, &cancelled);
  check_result(cancelled, {{"a", 0}, {"b", 0}});
  ZsetBuilder weightless;
  zset_union({{&view, 0}, {nullptr, 5}}, Aggregate::kSum, &weightless);
  check_result(weightless, {{"a", 0}, {"b", 0}});
  ZsetBuilder nothing;
  zset_intersect({{&view, 1}, {nullptr, 1}}, Aggregate::kSum, &nothing);
  zset_subtract({{&view, 1}, {&view, 1}}, &nothing);
  zset_subtract({{nullptr, 1}, {&view, 1}}, &nothing);
  CHECK(nothing.size() == 0);
  ZsetBuilder all;
  zset_subtract({{&view, 1}, {nullptr, 1}}, &all);
  check_result(all, {{"a", INFINITY}, {"b", 2}});
}

}  // namespace synap
