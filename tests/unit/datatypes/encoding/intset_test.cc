#include "datatypes/encoding/intset.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

namespace synap {
namespace {

void check_same(const Intset& ints, const std::set<int64_t>& model) {
  REQUIRE(ints.length() == model.size());
  if (!model.empty()) REQUIRE(IntsetView::validate(ints.view().raw(), true));
  size_t i = 0;
  for (const int64_t value : model) REQUIRE(ints.view().at(i++) == value);
}

TEST_CASE("intset: the bytes are Redis's") {
  Intset ints;
  ints.add(5);
  ints.add(-2);
  CHECK(ints.view().raw() == std::string("\x02\0\0\0\x02\0\0\0\xFE\xFF\x05\0", 12));
  ints.add(70000);
  CHECK(ints.view().raw() == std::string("\x04\0\0\0\x03\0\0\0\xFE\xFF\xFF\xFF\x05\0\0\0\x70\x11\x01\0", 20));
}

TEST_CASE("intset: random operations agree with a set") {
  Random& random = thread_random();
  for (int round = 0; round < 100; ++round) {
    Intset ints;
    std::set<int64_t> model;
    const uint64_t shift = random.below(64);
    for (int step = 0; step < 300; ++step) {
      int64_t value = static_cast<int64_t>(random.next()) >> (random.below(10) == 0 ? shift : 57);
      if (random.below(50) == 0) value = random.below(2) == 0 ? INT64_MIN : INT64_MAX;
      REQUIRE(ints.contains(value) == (model.count(value) == 1));
      if (random.below(3) == 0) {
        REQUIRE(ints.remove(value) == (model.erase(value) == 1));
      } else {
        REQUIRE(ints.add(value) == model.insert(value).second);
      }
      check_same(ints, model);
      if (!model.empty()) {
        REQUIRE(ints.view().min() == *model.begin());
        REQUIRE(ints.view().max() == *model.rbegin());
        REQUIRE(model.count(ints.view().random(random)) == 1);
      }
    }
    check_same(ints.copy(), model);
  }
}

TEST_CASE("intset: corrupt bytes are refused") {
  Intset ints;
  for (int i = 0; i < 5; ++i) ints.add(i * 1000);
  const std::string good(ints.view().raw());
  CHECK(IntsetView::validate(good, true));
  for (size_t size = 0; size < good.size(); ++size) {
    const std::vector<char> exact(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));
    CHECK_FALSE(IntsetView::validate({exact.data(), exact.size()}, true));
  }
  std::string bad = good;
  bad[0] = 3;
  CHECK_FALSE(IntsetView::validate(bad, false));
  bad = good;
  bad[4] = 6;
  CHECK_FALSE(IntsetView::validate(bad, false));
  bad = good;
  std::swap(bad[8], bad[10]);
  std::swap(bad[9], bad[11]);
  CHECK(IntsetView::validate(bad, false));
  CHECK_FALSE(IntsetView::validate(bad, true));
  CHECK_FALSE(IntsetView::validate(std::string("\x02\0\0\0\0\0\0\0", 8), true));
}

}  // namespace
}  // namespace synap
