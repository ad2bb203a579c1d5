#include "datatypes/key/sort.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "server/base/random.h"

namespace synap {

TEST_CASE("sort: patterns name keys and fields") {
  std::string key;
  SortPattern("w_*").key_for("7", &key);
  CHECK(key == "w_7");
  const SortPattern hash("u:*:x->name");
  hash.key_for("7", &key);
  CHECK(key == "u:7:x");
  CHECK(hash.field() == "name");
  // An arrow without a field, or before the star, belongs to the key.
  const SortPattern no_field("u*->");
  no_field.key_for("7", &key);
  CHECK(key == "u7->");
  CHECK(no_field.field().empty());
  SortPattern("a->b*").key_for("7", &key);
  CHECK(key == "a->b7");
  CHECK_FALSE(SortPattern("nosort").names_keys());
  CHECK(SortPattern("#").is_element());
}

TEST_CASE("sort: scores as strtod reads them") {
  TextArena arena;
  CHECK(sort_score(arena.add("-12")) == -12.0);
  CHECK(sort_score(arena.add("1.5e3")) == 1500.0);
  CHECK(sort_score(arena.add("")) == 0.0);
  CHECK_FALSE(sort_score(arena.add("12a")).has_value());
  CHECK_FALSE(sort_score(arena.add("nan")).has_value());
  CHECK_FALSE(sort_score(arena.add("1e999")).has_value());
}

TEST_CASE("sort: every window of a sorted list is what a full sort gives") {
  Random& random = thread_random();
  TextArena arena;
  for (int round = 0; round < 300; ++round) {
    std::vector<SortItem> items(1 + random.below(40));
    for (size_t i = 0; i < items.size(); ++i) {
      items[i].index = static_cast<uint32_t>(i);
      items[i].score = static_cast<double>(random.below(5));
      const auto number = static_cast<int64_t>(random.below(20));
      items[i].text = random.below(2) == 0 ? SortText(number) : SortText(arena.add(std::to_string(number)));
    }
    const SortOrder order{.alpha = random.below(2) == 0, .descending = random.below(2) == 0};
    std::vector<SortItem> expected = items;
    std::stable_sort(expected.begin(), expected.end(), [&](const SortItem& a, const SortItem& b) {
      const SortItem& low = order.descending ? b : a;
      const SortItem& high = order.descending ? a : b;
      if (!order.alpha && low.score != high.score) return low.score < high.score;
      SortText::Scratch low_scratch;
      SortText::Scratch high_scratch;
      return low.text.view(low_scratch) < high.text.view(high_scratch);
    });
    const size_t first = random.below(items.size());
    const size_t count = random.below(items.size() - first + 1);
    sort_items(&items, order, first, count);
    for (size_t i = first; i < first + count; ++i) CHECK(items[i].index == expected[i].index);
  }
}

}  // namespace synap
