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

size_t remove_from(Model* model, const std::string& needle, int64_t count) {
  const size_t wanted = count == 0 ? SIZE_MAX : static_cast<size_t>(std::abs(count));
  size_t removed = 0;
  for (size_t i = 0; i < model->size() && removed < wanted;) {
    const size_t place = count >= 0 ? i : model->size() - 1 - i;
    if ((*model)[place] == needle) {
      model->erase(model->begin() + static_cast<ptrdiff_t>(place));
      ++removed;
    } else {
      ++i;
    }
  }
  return removed;
}

// One random operation after another on a list and on its model.
class RandomWalk {
 public:
  RandomWalk(Random& random, const Shape& shape) : random_(random), shape_(shape), limits_(shape.limits) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      if (i % 8 != 0) continue;
      check_same(list_, model_);
      check_nodes(list_, limits_);
    }
    check_same(list_, model_);
  }

 private:
  void step() {
    text_ = random_element(random_, shape_);
    index_ = model_.empty() ? 0 : random_.below(model_.size());
    offset_ = static_cast<ptrdiff_t>(index_);
    end_ = random_end();
    switch (random_.below(11)) {
      case 0:
      case 1:
      case 2:
        return push();
      case 3:
        return pop();
      case 4:
        return set();
      case 5:
      case 6:
        return insert();
      case 7:
        return remove();
      case 8:
        return keep();
      case 9:
        return erase();
      default:
        rotate();
        renew();
        read_around();
    }
  }

  List::End random_end() { return random_.below(2) == 0 ? List::End::kHead : List::End::kTail; }

  void push() {
    std::vector<std::string> texts(1 + random_.below(random_.below(10) == 0 ? 40 : 3), text_);
    for (std::string& each : texts) each += to_text(random_.below(5));
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    list_.push(end_, views, limits_);
    for (const std::string& each : texts) push_to_model(end_, each);
  }

  void push_to_model(List::End end, const std::string& element) {
    end == List::End::kHead ? model_.push_front(element) : model_.push_back(element);
  }

  std::string pop_from_model(List::End end) {
    const std::string element = end == List::End::kHead ? model_.front() : model_.back();
    end == List::End::kHead ? model_.pop_front() : model_.pop_back();
    return element;
  }

  void pop() {
    const size_t count = random_.below(random_.below(10) == 0 ? 100 : 3);
    list_.pop(end_, count, limits_);
    for (size_t i = 0; i < count && !model_.empty(); ++i) pop_from_model(end_);
  }

  void set() {
    const auto size = static_cast<int64_t>(model_.size());
    const int64_t place = random_.below(2) == 0 ? offset_ : offset_ - size;
    REQUIRE(list_.set(model_.empty() ? 0 : place, text_, limits_) == !model_.empty());
    if (!model_.empty()) model_[index_] = text_;
    REQUIRE_FALSE(list_.set(size, "no", limits_));
    REQUIRE_FALSE(list_.set(-1 - size, "no", limits_));
  }

  void insert() {
    const std::string pivot = model_.empty() ? "none" : model_[index_];
    const bool after = random_.below(2) == 0;
    REQUIRE(list_.insert(pivot, after, text_, limits_) == !model_.empty());
    if (model_.empty()) return;
    const auto found = std::find(model_.begin(), model_.end(), pivot);
    model_.insert(found + (after ? 1 : 0), text_);
  }

  void remove() {
    const std::string needle = model_.empty() ? "none" : model_[index_];
    const int64_t count = static_cast<int64_t>(random_.below(7)) - 3;
    REQUIRE(list_.remove(needle, count, limits_) == remove_from(&model_, needle, count));
    REQUIRE(list_.remove("not in any list", 0, limits_) == 0);
  }

  void keep() {
    if (random_.below(5) != 0) return;
    const size_t kept = model_.size() - random_.below(model_.size() / 2 + 1);
    const size_t start = random_.below(model_.size() - kept + 1);
    list_.keep(start, kept, limits_);
    model_.erase(model_.begin() + static_cast<ptrdiff_t>(start + kept), model_.end());
    model_.erase(model_.begin(), model_.begin() + static_cast<ptrdiff_t>(start));
  }

  void erase() {
    const size_t count = random_.below(20);
    list_.erase(index_, count, limits_);
    const auto last = static_cast<ptrdiff_t>(std::min(model_.size(), index_ + count));
    model_.erase(model_.begin() + offset_, model_.begin() + last);
  }

  void rotate() {
    if (model_.empty()) return;
    const List::End to = random_end();
    list_.rotate(end_, to, limits_);
    push_to_model(to, pop_from_model(end_));
  }

  void renew() {
    if (random_.below(10) == 0) list_ = list_.copy();
    if (random_.below(10) == 0 && limits_.compress_depth == 0) list_ = reload(list_, limits_);
  }

  void read_around() {
    if (model_.empty()) return;
    ListpackValue value;
    List::Iterator it(list_, offset_, List::Iterator::Direction::kForward);
    for (size_t i = index_; i < std::min(index_ + 5, model_.size()); ++i) {
      REQUIRE(it.next(&value));
      REQUIRE(value.equals(model_[i]));
    }
    List::Iterator back(list_, offset_ - static_cast<int64_t>(model_.size()), List::Iterator::Direction::kBackward);
    for (size_t i = index_ + 1; i-- > (index_ > 5 ? index_ - 5 : 0);) {
      REQUIRE(back.next(&value));
      REQUIRE(value.equals(model_[i]));
    }
    REQUIRE(list_.peek(List::End::kHead).equals(model_.front()));
    REQUIRE(list_.peek(List::End::kTail).equals(model_.back()));
  }

  Random& random_;
  const Shape& shape_;
  const ListLimits& limits_;
  List list_;
  Model model_;
  // Of the step under way.
  std::string text_;
  size_t index_ = 0;
  ptrdiff_t offset_ = 0;
  List::End end_ = List::End::kHead;
};

TEST_CASE("list: random operations agree with a deque") {
  Random& random = thread_random();
  const Shape shapes[] = {
      {{-2, 0, 0}, 100}, {{-1, 1, 0}, 600},  {{4, 0, 0}, 40},    {{4, 1, 0}, 200},
      {{1, 2, 0}, 100},  {{3, 3, 50}, 100},  {{-2, 1, 20}, 60},  {{128, 0, 0}, 12000},
      {{0, 1, 0}, 100},  {{-1, 0, 0}, 6000}, {{-5, 1, 0}, 3000},
  };
  for (const Shape& shape : shapes) {
    for (int round = 0; round < 6; ++round) RandomWalk(random, shape).run(700);
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
