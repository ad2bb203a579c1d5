// Union, intersection and difference of sets: visited without building a result where that is cheaper, or built as a
// Set. A null pointer among the sets is a missing key: an empty set. Inputs are only read.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "datatypes/set/set.h"

namespace synap {

using SetSpan = std::span<const Set* const>;
using SetVisitor = std::function<void(const SetElement&)>;

// Elements that an operation over these sets may look at: the unit of the slow lane's cost.
size_t total_size(SetSpan sets);

// Visits the members of all sets, walking the smallest; stops after `limit` members (0: no limit). Returns how many.
size_t visit_intersection(SetSpan sets, size_t limit, const SetVisitor& visit);
// Visits every member of any set once. Returns how many.
size_t visit_union(SetSpan sets, const SetVisitor& visit);
// Visits the members of the first set that are in none of the others. Returns how many.
size_t visit_difference(SetSpan sets, const SetVisitor& visit);

// The same as sets, in the encoding Redis would store.
Set build_intersection(SetSpan sets, const SetLimits& limits);
Set build_union(SetSpan sets, const SetLimits& limits);
Set build_difference(SetSpan sets, const SetLimits& limits);

}  // namespace synap
