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

struct Member {
  std::string_view text;
  uint64_t hash;
  double score;
};

// Walks an operand some members at a time: prefetch(hash, part) for each of a group, then visit(member) -> bool for
// each. So the cache misses of a group's lookups happen together instead of one after the other.
template <class Prefetch, class Visit>
void walk_in_groups(const ScoredMembers& members, Prefetch prefetch, Visit visit) {
  constexpr size_t kGroup = 16;
  const size_t group_max = members.stays_in_place() ? kGroup : 1;
  Member group[kGroup];
  size_t n = 0;
  bool going = true;
  auto flush = [&] {
    for (size_t i = 0; i < n && n > 1; ++i) prefetch(group[i].hash, ScoredMembers::Part::kItem);
    for (size_t i = 0; i < n && going; ++i) going = visit(group[i]);
    n = 0;
  };
  members.for_each([&](std::string_view text, double score) {
    group[n] = {text, hash_bytes(text), score};
    prefetch(group[n].hash, ScoredMembers::Part::kBucket);
    if (++n == group_max) flush();
    return going;
  });
  if (going) flush();
}

// visit(member, score) -> bool for every member that all operands share.
template <class Visit>
void walk_intersection(std::vector<AlgebraOperand>& operands, Aggregate aggregate, Visit visit) {
  smallest_first(operands);
  const AlgebraOperand& smallest = operands.front();
  if (smallest.size() == 0) return;
  auto prefetch = [&](uint64_t hash, ScoredMembers::Part part) {
    for (size_t i = 1; i < operands.size(); ++i) operands[i].members->prefetch(hash, part);
  };
  walk_in_groups(*smallest.members, prefetch, [&](const Member& member) {
    double total = zero_if_nan(smallest.weight * member.score);
    for (size_t i = 1; i < operands.size(); ++i) {
      const AlgebraOperand& other = operands[i];
      std::optional<double> score = member.score;
      if (other.members->identity() != smallest.members->identity()) {
        score = other.members->score(member.text, member.hash);
      }
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

std::optional<double> ZsetMembersView::score(std::string_view member, uint64_t hash) const {
  return zset_.score(member, hash);
}

void ZsetMembersView::prefetch(uint64_t hash, Part part) const {
  const ZsetMembers* table = zset_.members_or_null();
  if (table == nullptr) return;
  part == Part::kBucket ? void(table->prefetch_bucket(hash)) : table->fetch_item(hash);
}

void zset_union(std::vector<AlgebraOperand> operands, Aggregate aggregate, ZsetBuilder* result) {
  smallest_first(operands);
  if (!operands.empty()) result->reserve(operands.back().size());
  const ZsetMembers& found = result->members();
  auto prefetch = [&](uint64_t hash, ScoredMembers::Part part) {
    part == ScoredMembers::Part::kBucket ? void(found.prefetch_bucket(hash)) : found.fetch_item(hash);
  };
  for (const AlgebraOperand& operand : operands) {
    if (operand.size() == 0) continue;
    walk_in_groups(*operand.members, prefetch, [&](const Member& member) {
      const double weighted = zero_if_nan(operand.weight * member.score);
      bool fresh = false;
      double* total = result->find_or_add(member.text, member.hash, weighted, &fresh);
      if (!fresh) *total = combine(aggregate, *total, weighted);
      return true;
    });
  }
}

void zset_intersect(std::vector<AlgebraOperand> operands, Aggregate aggregate, ZsetBuilder* result) {
  walk_intersection(operands, aggregate, [&](const Member& member, double score) {
    result->add(member.text, member.hash, score);
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
  auto prefetch = [&](uint64_t hash, ScoredMembers::Part part) {
    for (const ScoredMembers* other : others) other->prefetch(hash, part);
  };
  walk_in_groups(first, prefetch, [&](const Member& member) {
    const bool elsewhere = std::any_of(others.begin(), others.end(), [&](const ScoredMembers* other) {
      return other->score(member.text, member.hash).has_value();
    });
    if (!elsewhere) result->add(member.text, member.hash, member.score);
    return true;
  });
}

size_t zset_intersection_size(std::vector<AlgebraOperand> operands, size_t limit) {
  size_t n = 0;
  walk_intersection(operands, Aggregate::kSum, [&](const Member&, double) { return ++n != limit; });
  return n;
}

}  // namespace synap
