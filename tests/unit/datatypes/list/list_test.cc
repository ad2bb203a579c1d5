#include "datatypes/list/list.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "server/base/number.h"
#include "server/base/random.h"

namespace synap {
namespace {

using Model = std::deque<std::string>;

std::vector<std::string> read_all(const List& list, List::Iterator::Direction direction) {
  std::vector<std::string> out;
  ListpackValue value;
  const bool forward = direction == List::Iterator::Direction::kForward;
  for (List::Iterator it(list, forward ? 0 : -1, direction); it.next(&value);) out.push_back(value.to_string());
  if (!forward) std::reverse(out.begin(), out.end());
  return out;
}

void check_same(const List& list, const Model& model) {
  REQUIRE(list.length() == model.size());
  const std::vector<std::string> expected(model.begin(), model.end());
  REQUIRE(read_all(list, List::Iterator::Direction::kForward) == expected);
  REQUIRE(read_all(list, List::Iterator::Direction::kBackward) == expected);
}

// Every node within the depth of an end is raw; no node is empty; counts and bytes are those of the packs.
void check_nodes(const List& list, const ListLimits& limits) {
  size_t nodes = 0;
  size_t index = 0;
  list.for_each_node([&](const List::NodeImage&) { ++nodes; });
  list.for_each_node([&](const List::NodeImage& image) {
    const auto depth = static_cast<size_t>(limits.compress_depth);
    if (index < depth || nodes - 1 - index < depth) REQUIRE(image.lzf.empty());
    if (!image.plain && image.lzf.empty()) REQUIRE(ListpackView::validate(image.raw, true));
    ++index;
  });
}

List reload(const List& list, const ListLimits& limits) {
  List::Loader loader(limits);
  list.for_each_node([&](const List::NodeImage& image) {
    if (!image.lzf.empty()) return;
    if (image.plain) {
      loader.add_plain(image.raw);
    } else {
      loader.add_pack(image.raw);
    }
  });
  return loader.finish();
}

struct Shape {
  ListLimits limits;
  size_t element_bytes_max;
};

std::string random_element(Random& random, const Shape& shape) {
  switch (random.below(8)) {
    case 0:
      return std::string(random.below(shape.element_bytes_max), 'b');
    case 1:
      return to_text(static_cast<int64_t>(random.next()));
    case 2:
      return std::string(random.below(shape.element_bytes_max / 4 + 1), static_cast<char>(random.below(256)));
    default:
      return to_text(random.below(20));
  }
}

void random_walk(Random& random, const Shape& shape, int steps) {
  const ListLimits& limits = shape.limits;
  List list;
  Model model;
  for (int step = 0; step < steps; ++step) {
    const std::string text = random_element(random, shape);
    const size_t index = model.empty() ? 0 : random.below(model.size());
    const auto offset = static_cast<ptrdiff_t>(index);
    const List::End end = random.below(2) == 0 ? List::End::kHead : List::End::kTail;
    switch (random.below(11)) {
      case 0:
      case 1:
      case 2: {
        std::vector<std::string> texts(1 + random.below(random.below(10) == 0 ? 40 : 3), text);
        for (std::string& each : texts) each += to_text(random.below(5));
        const std::vector<std::string_view> views(texts.begin(), texts.end());
        list.push(end, views, limits);
        for (const std::string& each : texts) {
          if (end == List::End::kHead) {
            model.push_front(each);
          } else {
            model.push_back(each);
          }
        }
        break;
      }
      case 3: {
        const size_t count = random.below(random.below(10) == 0 ? 100 : 3);
        list.pop(end, count, limits);
        for (size_t i = 0; i < count && !model.empty(); ++i) {
          if (end == List::End::kHead) {
            model.pop_front();
          } else {
            model.pop_back();
          }
        }
        break;
      }
      case 4: {
        const int64_t place = random.below(2) == 0 ? offset : offset - static_cast<int64_t>(model.size());
        REQUIRE(list.set(model.empty() ? 0 : place, text, limits) == !model.empty());
        if (!model.empty()) model[index] = text;
        REQUIRE_FALSE(list.set(static_cast<int64_t>(model.size()), "no", limits));
        REQUIRE_FALSE(list.set(-1 - static_cast<int64_t>(model.size()), "no", limits));
        break;
      }
      case 5:
      case 6: {
        const std::string pivot = model.empty() ? "none" : model[index];
        const bool after = random.below(2) == 0;
        REQUIRE(list.insert(pivot, after, text, limits) == !model.empty());
        if (model.empty()) break;
        const auto found = std::find(model.begin(), model.end(), pivot);
        model.insert(found + (after ? 1 : 0), text);
        break;
      }
      case 7: {
        const std::string needle = model.empty() ? "none" : model[index];
        const int64_t count = static_cast<int64_t>(random.below(7)) - 3;
        size_t expected = 0;
        const size_t wanted = count == 0 ? SIZE_MAX : static_cast<size_t>(std::abs(count));
        for (size_t i = 0; i < model.size() && expected < wanted;) {
          const size_t place = count >= 0 ? i : model.size() - 1 - i;
          if (model[place] == needle) {
            model.erase(model.begin() + static_cast<ptrdiff_t>(place));
            ++expected;
          } else {
            ++i;
          }
        }
        REQUIRE(list.remove(needle, count, limits) == expected);
        REQUIRE(list.remove("not in any list", 0, limits) == 0);
        break;
      }
      case 8: {
        if (random.below(5) != 0) break;
        const size_t keep = model.size() - random.below(model.size() / 2 + 1);
        const size_t start = random.below(model.size() - keep + 1);
        list.keep(start, keep, limits);
        model.erase(model.begin() + static_cast<ptrdiff_t>(start + keep), model.end());
        model.erase(model.begin(), model.begin() + static_cast<ptrdiff_t>(start));
        break;
      }
      case 9: {
        const size_t count = random.below(20);
        list.erase(index, count, limits);
        const auto last = static_cast<ptrdiff_t>(std::min(model.size(), index + count));
        model.erase(model.begin() + offset, model.begin() + last);
        break;
      }
      default: {
        if (!model.empty()) {
          const List::End to = random.below(2) == 0 ? List::End::kHead : List::End::kTail;
          list.rotate(end, to, limits);
          const std::string moved = end == List::End::kHead ? model.front() : model.back();
          end == List::End::kHead ? model.pop_front() : model.pop_back();
          to == List::End::kHead ? model.push_front(moved) : model.push_back(moved);
        }
        if (random.below(10) == 0) list = list.copy();
        if (random.below(10) == 0 && limits.compress_depth == 0) list = reload(list, limits);
        if (model.empty()) break;
        ListpackValue value;
        List::Iterator it(list, offset, List::Iterator::Direction::kForward);
        for (size_t i = index; i < std::min(index + 5, model.size()); ++i) {
          REQUIRE(it.next(&value));
          REQUIRE(value.equals(model[i]));
        }
        List::Iterator back(list, offset - static_cast<int64_t>(model.size()), List::Iterator::Direction::kBackward);
        for (size_t i = index + 1; i-- > (index > 5 ? index - 5 : 0);) {
          REQUIRE(back.next(&value));
          REQUIRE(value.equals(model[i]));
        }
        REQUIRE(list.peek(List::End::kHead).equals(model.front()));
        REQUIRE(list.peek(List::End::kTail).equals(model.back()));
      }
    }
    if (step % 8 == 0) {
      check_same(list, model);
      check_nodes(list, limits);
    }
  }
  check_same(list, model);
}

TEST_CASE("list: random operations agree with a deque") {
  Random& random = thread_random();
  const Shape shapes[] = {
      {{-2, 0, 0}, 100}, {{-1, 1, 0}, 600},  {{4, 0, 0}, 40},    {{4, 1, 0}, 200},
      {{1, 2, 0}, 100},  {{3, 3, 50}, 100},  {{-2, 1, 20}, 60},  {{128, 0, 0}, 12000},
      {{0, 1, 0}, 100},  {{-1, 0, 0}, 6000}, {{-5, 1, 0}, 3000},
  };
  for (const Shape& shape : shapes) {
    for (int round = 0; round < 6; ++round) random_walk(random, shape, 700);
  }
}

TEST_CASE("list: many nodes keep their order, index and memory") {
  const ListLimits limits{2, 1, 0};
  List list;
  Model model;
  for (int i = 0; i < 4000; ++i) {
    const std::string text = to_text(i);
    list.push(i % 3 == 0 ? List::End::kHead : List::End::kTail, text, limits);
    if (i % 3 == 0) {
      model.push_front(text);
    } else {
      model.push_back(text);
    }
  }
  check_same(list, model);
  CHECK(list.node_count() == 2001);  // the first listpack of two is in the middle, then pairs at both ends
  Random& random = thread_random();
  for (int i = 0; i < 2000; ++i) {
    const size_t index = random.below(model.size());
    ListpackValue value;
    List::Iterator it(list, static_cast<int64_t>(index));
    REQUIRE(it.next(&value));
    REQUIRE(value.equals(model[index]));
    REQUIRE(list.insert(model[index], true, "x" + to_text(i), limits));
    model.insert(model.begin() + static_cast<ptrdiff_t>(index) + 1, "x" + to_text(i));
  }
  check_same(list, model);
  while (model.size() > 10) {
    const size_t index = random.below(model.size());
    const size_t count = std::min(model.size() - index, random.below(10));
    list.erase(index, count, limits);
    model.erase(model.begin() + static_cast<ptrdiff_t>(index), model.begin() + static_cast<ptrdiff_t>(index + count));
  }
  check_same(list, model);
}

TEST_CASE("list: a queue that only moves does not grow") {
  const ListLimits limits{1, 0, 0};
  List list;
  for (int i = 0; i < 1000; ++i) list.push(List::End::kTail, to_text(i), limits);
  const size_t before = list.memory_bytes();
  for (int i = 1000; i < 200000; ++i) {
    list.push(List::End::kTail, to_text(i), limits);
    list.pop(List::End::kHead, 1, limits);
  }
  CHECK(list.length() == 1000);
  CHECK(list.peek(List::End::kHead).integer == 199000);
  CHECK(list.memory_bytes() < before * 2);
}

TEST_CASE("list: encodings change where Redis changes them") {
  const ListLimits by_count{4, 0, 0};
  List list;
  for (int i = 0; i < 4; ++i) list.push(List::End::kTail, "a", by_count);
  CHECK(list.encoding_name() == "listpack");
  list.push(List::End::kTail, "a", by_count);
  CHECK(list.encoding_name() == "quicklist");
  CHECK(list.node_count() == 2);
  list.pop(List::End::kHead, 1, by_count);  // 3 + 1 elements in two nodes
  CHECK(list.encoding_name() == "quicklist");
  list.pop(List::End::kTail, 1, by_count);  // one node, still above half the limit
  CHECK(list.encoding_name() == "quicklist");
  list.pop(List::End::kTail, 1, by_count);
  CHECK(list.encoding_name() == "listpack");

  const ListLimits by_size{-1, 0, 0};
  List sized;
  sized.push(List::End::kTail, std::string(4096, 'x'), by_size);
  CHECK(sized.encoding_name() == "quicklist");
  CHECK(sized.set(0, "small", by_size));
  CHECK(sized.encoding_name() == "listpack");
  CHECK(sized.set(0, std::string(5000, 'x'), by_size));
  CHECK(sized.encoding_name() == "quicklist");
  bool plain = false;
  sized.for_each_node([&](const List::NodeImage& image) { plain = image.plain; });
  CHECK(plain);
}

TEST_CASE("list: inner nodes are compressed and readers may share them") {
  const ListLimits limits{-1, 1, 0};
  List list;
  const std::string text(200, 'z');
  for (int i = 0; i < 1000; ++i) list.push(List::End::kTail, text, limits);
  size_t compressed = 0;
  list.for_each_node([&](const List::NodeImage& image) { compressed += image.lzf.empty() ? 0 : 1; });
  CHECK(compressed == list.node_count() - 2);
  CHECK(list.memory_bytes() < 30000);
  std::vector<std::thread> readers;
  std::atomic<int> seen{0};
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      ListpackValue value;
      for (List::Iterator it(list); it.next(&value);) seen += value.equals(text) ? 1 : 0;
    });
  }
  for (std::thread& reader : readers) reader.join();
  CHECK(seen == 3000);
}

}  // namespace
}  // namespace synap
