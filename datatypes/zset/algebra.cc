#include "datatypes/zset/algebra.h"

#include <algorithm>
#include <cmath>

namespace synap {
namespace {

double zero_if_nan(double value) {
  return std::isnan(value) ? 0 : value;
}

double combine(Aggregate aggregate, double a, double b) {
  switch (aggregate) {
    case Aggregate::kSum:
      return zero_if_nan(a + b);  // +inf and -inf
    case Aggregate::kMin:
      return b < a ? b : a;
    case Aggregate::kMax:
      return b > a ? b : a;
  }
  return a;
}

void smallest_first(std::vector<AlgebraOperand>& operands) {
  std::stable_sort(operands.begin(), operands.end(),
                   [](const AlgebraOperand& a, const AlgebraOperand& b) { return a.size() < b.size(); });
}

// visit(member, score) -> bool for every member that all operands share.
template <class Visit>
void walk_intersection(std::vector<AlgebraOperand>& operands, Aggregate aggregate, Visit visit) {
  smallest_first(operands);
  if (operands.front().size() == 0) return;
  const AlgebraOperand& smallest = operands.front();
  smallest.members->for_each([&](std::string_view member, double own_score) {
    double total = zero_if_nan(smallest.weight * own_score);
    for (size_t i = 1; i < operands.size(); ++i) {
      const AlgebraOperand& other = operands[i];
      std::optional<double> score = own_score;
      if (other.members->identity() != smallest.members->identity()) score = other.members->score(member);
      if (!score) return true;
      total = combine(aggregate, total, *score * other.weight);
    }
    return visit(member, total);
  });
}

}  // namespace

void ZsetMembersView::for_each(const Visit& visit) const {
  for (auto at = zset_.begin(); at.valid(); at.next()) {
    if (!visit(at.member(), at.score())) return;
  }
}

void zset_union(std::vector<AlgebraOperand> operands, Aggregate aggregate, ZsetBuilder* result) {
  smallest_first(operands);
  if (!operands.empty()) result->reserve(operands.back().size());
  for (const AlgebraOperand& operand : operands) {
    if (operand.size() == 0) continue;
    operand.members->for_each([&](std::string_view member, double score) {
      double weighted = zero_if_nan(operand.weight * score);
      bool fresh = false;
      double* total = result->find_or_add(member, weighted, &fresh);
      if (!fresh) *total = combine(aggregate, *total, weighted);
      return true;
    });
  }
}

void zset_intersect(std::vector<AlgebraOperand> operands, Aggregate aggregate, ZsetBuilder* result) {
  walk_intersection(operands, aggregate, [&](std::string_view member, double score) {
    result->add(member, score);
    return true;
  });
}

void zset_subtract(std::vector<AlgebraOperand> operands, ZsetBuilder* result) {
  if (operands.front().size() == 0) return;
  const ScoredMembers& first = *operands.front().members;
  std::vector<const ScoredMembers*> others;
  for (size_t i = 1; i < operands.size(); ++i) {
    if (operands[i].size() == 0) continue;
    if (operands[i].members->identity() == first.identity()) return;
    others.push_back(operands[i].members);
  }
  // The largest is the likeliest to have a member.
  std::stable_sort(others.begin(), others.end(),
                   [](const ScoredMembers* a, const ScoredMembers* b) { return a->size() > b->size(); });
  first.for_each([&](std::string_view member, double score) {
    bool elsewhere = std::any_of(others.begin(), others.end(),
                                 [&](const ScoredMembers* other) { return other->score(member).has_value(); });
    if (!elsewhere) result->add(member, score);
    return true;
  });
}

size_t zset_intersection_size(std::vector<AlgebraOperand> operands, size_t limit) {
  size_t n = 0;
  walk_intersection(operands, Aggregate::kSum, [&](std::string_view, double) { return ++n != limit; });
  return n;
}

}  // namespace synap
