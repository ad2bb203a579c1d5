// Union, intersection and difference over sorted sets and sets, with weights and aggregation, in Redis's arithmetic:
// the smallest operand first, and what is not a number becomes 0.
// Operands are an interface, so that this file knows neither keys nor the set type.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "datatypes/zset/zset.h"

namespace synap {

enum class Aggregate { kSum, kMin, kMax };

// An operand: members with scores. A plain set gives 1 to each member.
class ScoredMembers {
 public:
  // Returns false to stop the walk.
  using Visit = std::function<bool(std::string_view member, double score)>;
  // What a lookup reads, in this order.
  enum class Part { kBucket, kItem };

  virtual ~ScoredMembers() = default;
  virtual size_t size() const = 0;
  virtual void for_each(const Visit& visit) const = 0;
  // Whether the members that for_each shows stay where they are until the value changes.
  virtual bool stays_in_place() const = 0;
  // `hash` is the member's hash_bytes.
  virtual std::optional<double> score(std::string_view member, uint64_t hash) const = 0;
  // Fetches what a lookup will read.
  virtual void prefetch(uint64_t hash, Part part) const = 0;
  // Whether both are the same value (one key named twice).
  virtual const void* identity() const = 0;
};

class ZsetMembersView : public ScoredMembers {
 public:
  explicit ZsetMembersView(const Zset& zset) : zset_(zset) {}
  size_t size() const override { return zset_.size(); }
  void for_each(const Visit& visit) const override;
  bool stays_in_place() const override { return !zset_.is_listpack(); }
  std::optional<double> score(std::string_view member, uint64_t hash) const override;
  void prefetch(uint64_t hash, Part part) const override;
  const void* identity() const override { return &zset_; }

 private:
  const Zset& zset_;
};

// An absent key is an operand with null members.
struct AlgebraOperand {
  const ScoredMembers* members = nullptr;
  double weight = 1;

  size_t size() const { return members == nullptr ? 0 : members->size(); }
};

void zset_union(std::vector<AlgebraOperand> operands, Aggregate aggregate, ZsetBuilder* result);
void zset_intersect(std::vector<AlgebraOperand> operands, Aggregate aggregate, ZsetBuilder* result);
// The first operand's elements that no other has; weights are not used.
void zset_subtract(std::vector<AlgebraOperand> operands, ZsetBuilder* result);
// How many members all operands share, at most `limit` (0: no limit).
size_t zset_intersection_size(std::vector<AlgebraOperand> operands, size_t limit);

}  // namespace synap
