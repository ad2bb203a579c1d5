#include "datatypes/encoding/listpack.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "server/base/number.h"

namespace synap {
namespace {

using Model = std::vector<std::string>;

Model read_forward(ListpackView view) {
  Model out;
  for (auto at = view.first(); at != ListpackView::kNone; at = view.next(at)) out.push_back(view.to_string(at));
  return out;
}

Model read_backward(ListpackView view) {
  Model out;
  for (auto at = view.last(); at != ListpackView::kNone; at = view.prev(at)) out.push_back(view.to_string(at));
  std::reverse(out.begin(), out.end());
  return out;
}

void check_same(const Listpack& pack, const Model& model) {
  REQUIRE(ListpackView::validate(pack.view().raw(), true));
  REQUIRE(pack.length() == model.size());
  REQUIRE(read_forward(pack.view()) == model);
  REQUIRE(read_backward(pack.view()) == model);
}

std::string random_element(Random& random) {
  static constexpr size_t kSizes[] = {0, 1, 5, 62, 63, 64, 65, 120, 126, 127, 128, 4094, 4095, 4096, 16380, 16384};
  static constexpr int64_t kEdges[] = {
      0,       127,     128,      4095,     4096,      -4096, -4097, 32767,     32768,     -32768,    -32769,
      8388607, 8388608, -8388608, -8388609, INT32_MAX, -1,    -128,  INT32_MIN, INT64_MAX, INT64_MIN, int64_t{1} << 31,
      1000};
  switch (random.below(4)) {
    case 0:
      return to_text(kEdges[random.below(std::size(kEdges))]);
    case 1:
      return to_text(static_cast<int64_t>(random.next() >> random.below(64)));
    case 2:
      return std::string(random.below(20), static_cast<char>(random.below(256)));
    default:
      return std::string(kSizes[random.below(random.below(8) == 0 ? std::size(kSizes) : 9)], 'x');
  }
}

std::string bytes_of(std::initializer_list<int> list) {
  std::string out;
  for (const int byte : list) out.push_back(static_cast<char>(byte));
  return out;
}

TEST_CASE("listpack: the bytes are Redis's") {
  Listpack pack;
  CHECK(pack.view().raw() == bytes_of({7, 0, 0, 0, 0, 0, 0xFF}));
  pack.append("a");
  pack.append("5");
  pack.append("-1");
  pack.append("300");
  pack.append("70000");
  CHECK(pack.view().raw() == bytes_of({7 + 3 + 2 + 3 + 3 + 5,
                                       0,
                                       0,
                                       0,
                                       5,
                                       0,  //
                                       0x81,
                                       'a',
                                       2,
                                       5,
                                       1,
                                       0xDF,
                                       0xFF,
                                       2,
                                       0xC1,
                                       0x2C,
                                       2,
                                       0xF2,
                                       0x70,
                                       0x11,
                                       1,
                                       4,
                                       0xFF}));
}

TEST_CASE("listpack: texts that only look like numbers stay texts") {
  for (const char* text : {"01", "-0", "+1", " 1", "1 ", "", "-", "9223372036854775808", "-9223372036854775809"}) {
    Listpack pack;
    pack.append(text);
    CHECK_FALSE(pack.view().get(pack.view().first()).is_integer());
    CHECK(pack.view().to_string(pack.view().first()) == text);
  }
}

TEST_CASE("listpack: random operations agree with a vector") {
  Random& random = thread_random();
  for (int round = 0; round < 60; ++round) {
    Listpack pack;
    Model model;
    for (int step = 0; step < 200; ++step) {
      const std::string text = random_element(random);
      const size_t index = model.empty() ? 0 : random.below(model.size());
      const auto offset = static_cast<ptrdiff_t>(index);
      const int64_t either_end = random.below(2) == 0 ? offset : offset - static_cast<ptrdiff_t>(model.size());
      const auto at = pack.view().seek(either_end);
      REQUIRE((at == ListpackView::kNone) == model.empty());
      int64_t number;
      switch (model.empty() ? random.below(3) : random.below(13)) {
        case 0:
          pack.append(text);
          model.push_back(text);
          break;
        case 1:
          if (parse_int64(text, &number)) {
            pack.prepend_integer(number);
          } else {
            pack.prepend(text);
          }
          model.insert(model.begin(), text);
          break;
        case 2: {
          const std::string_view texts[] = {text, "17", "tail"};
          pack.append_many(texts);
          for (const std::string_view each : texts) model.emplace_back(each);
          break;
        }
        case 3:
          pack.insert_before(at, text);
          model.insert(model.begin() + offset, text);
          break;
        case 4: {
          const auto inserted = pack.insert_after(at, text);
          REQUIRE(pack.view().equals(inserted, text));
          model.insert(model.begin() + offset + 1, text);
          break;
        }
        case 5:
          if (parse_int64(text, &number)) {
            pack.replace_integer(at, number);
          } else {
            pack.replace(at, text);
          }
          model[index] = text;
          break;
        case 6: {
          const auto next = pack.erase(at);
          model.erase(model.begin() + offset);
          REQUIRE((next == ListpackView::kNone) == (index == model.size()));
          if (next != ListpackView::kNone) REQUIRE(pack.view().equals(next, model[index]));
          break;
        }
        case 7: {
          const size_t count = random.below(6);
          pack.erase_range(either_end, count);
          const auto end = static_cast<ptrdiff_t>(std::min(model.size(), index + count));
          model.erase(model.begin() + offset, model.begin() + end);
          break;
        }
        case 8: {
          std::vector<ListpackView::Position> positions;
          Model kept;
          size_t i = 0;
          for (auto p = pack.view().first(); p != ListpackView::kNone; p = pack.view().next(p), ++i) {
            if (random.below(4) == 0) {
              positions.push_back(p);
            } else {
              kept.push_back(model[i]);
            }
          }
          pack.erase_many(positions);
          model = kept;
          break;
        }
        case 9: {
          const unsigned skip = static_cast<unsigned>(random.below(2));
          const std::string& needle = random.below(3) == 0 ? text : model[index];
          auto expected = ListpackView::kNone;
          for (size_t i = 0; i < model.size(); i += skip + 1) {
            if (model[i] == needle) {
              expected = pack.view().seek(static_cast<int64_t>(i));
              break;
            }
          }
          REQUIRE(pack.view().find(needle, pack.view().first(), skip) == expected);
          break;
        }
        case 10: {
          Listpack tail = pack.split_off(at);
          check_same(tail, Model(model.begin() + offset, model.end()));
          check_same(pack, Model(model.begin(), model.begin() + offset));
          if (random.below(2) == 0) {
            pack.append_pack(tail.view());
          } else {
            tail.prepend_pack(pack.view());
            pack = std::move(tail);
          }
          break;
        }
        case 11:
          pack = pack.copy();
          break;
        default: {
          uint8_t* block = pack.release();
          pack = Listpack::adopt(block);
        }
      }
      check_same(pack, model);
    }
  }
}

TEST_CASE("listpack: more elements than the header can count") {
  Listpack pack;
  for (int i = 0; i < 70000; ++i) pack.append_integer(i);
  CHECK(pack.length() == 70000);
  CHECK(ListpackView::validate(pack.view().raw(), true));
  CHECK(pack.view().to_string(pack.view().seek(-1)) == "69999");
  CHECK(pack.view().to_string(pack.view().seek(65535)) == "65535");
  CHECK(pack.view().seek(70000) == ListpackView::kNone);
  CHECK(pack.view().seek(-70001) == ListpackView::kNone);
  pack.erase_range(10, 69980);
  CHECK(pack.length() == 20);
  CHECK(ListpackView::validate(pack.view().raw(), true));
}

TEST_CASE("listpack: corrupt bytes are refused without reading outside") {
  Random& random = thread_random();
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Listpack pack;
    for (size_t i = random.below(6); i > 0; --i) pack.append(random_element(random).substr(0, 200));
    std::string bytes(pack.view().raw());
    for (size_t i = 1 + random.below(3); i > 0; --i) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    }
    if (random.below(4) == 0) bytes.resize(random.below(bytes.size()));
    // An exact heap block lets the sanitizer see any byte read outside.
    std::vector<char> exact(bytes.begin(), bytes.end());
    const std::string_view view(exact.data(), exact.size());
    if (!ListpackView::validate(view, true)) continue;
    ++accepted;
    Listpack loaded = Listpack::copy_of(view);
    const Model model = read_forward(loaded.view());
    REQUIRE(read_backward(loaded.view()) == model);
  }
  CHECK(accepted > 0);
  size_t seen = 0;
  Listpack pack;
  pack.append("a");
  pack.append("7");
  CHECK(ListpackView::validate(pack.view().raw(), true, [&](const ListpackValue& value, size_t count) {
    ++seen;
    return count == 2 && value.is_integer() == (seen == 2);
  }));
  CHECK(seen == 2);
  CHECK_FALSE(ListpackView::validate(pack.view().raw(), true, [](const ListpackValue&, size_t) { return false; }));
}

TEST_CASE("listpack: an integer kept as text is found and compared as text") {
  // Packs from elsewhere may hold a text that we would have stored as an integer.
  const std::string bytes = bytes_of({7 + 4, 0, 0, 0, 1, 0, 0x82, '1', '2', 3, 0xFF});
  REQUIRE(ListpackView::validate(bytes, true));
  const Listpack pack = Listpack::copy_of(bytes);
  CHECK(pack.view().find("12", pack.view().first()) == pack.view().first());
  int64_t number;
  CHECK(pack.view().get(pack.view().first()).to_integer(&number));
  CHECK(number == 12);
}

TEST_CASE("listpack: random picks are uniform") {
  Listpack pack;
  for (int i = 0; i < 10; ++i) {
    pack.append_integer(i);
    pack.append("value");
  }
  Random& random = thread_random();
  std::map<std::string, int> with_repeats;
  std::map<std::string, int> unique;
  for (int round = 0; round < 20000; ++round) {
    std::vector<ListpackView::Position> picks;
    pack.view().random_with_repeats(random, 3, 2, &picks);
    REQUIRE(picks.size() == 3);
    for (const auto at : picks) ++with_repeats[pack.view().to_string(at)];
    picks.clear();
    pack.view().random_unique(random, 3, 2, &picks);
    REQUIRE(picks.size() == 3);
    REQUIRE(std::set<ListpackView::Position>(picks.begin(), picks.end()).size() == 3);
    for (const auto at : picks) ++unique[pack.view().to_string(at)];
  }
  for (int i = 0; i < 10; ++i) {
    const std::string name = to_text(static_cast<int64_t>(i));
    CHECK(std::abs(with_repeats[name] - 6000) < 500);
    CHECK(std::abs(unique[name] - 6000) < 500);
  }
  std::vector<ListpackView::Position> all;
  pack.view().random_unique(random, 100, 2, &all);
  CHECK(all.size() == 10);
}

}  // namespace
}  // namespace synap
