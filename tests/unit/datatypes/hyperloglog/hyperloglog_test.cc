#include "datatypes/hyperloglog/hyperloglog.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "server/base/random.h"
#include "tests/unit/rounds.h"

using namespace synap;

namespace {

constexpr size_t kSparseMax = 3000;

uint64_t fnv1a(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  return hash;
}

std::string with_elements(int from, int to) {
  std::string bytes = hll_create();
  for (int i = from; i < to; ++i) hll_sparse_add(&bytes, "element:" + std::to_string(i), kSparseMax);
  hll_invalidate(bytes.data());
  return bytes;
}

uint8_t* dense_of(std::string& bytes) {
  return reinterpret_cast<uint8_t*>(bytes.data()) + kHllHeaderBytes;
}

}  // namespace

TEST_CASE("Bytes and counts are Redis's") {
  // From redis-server 7.0: PFADD element:0 … element:n-1, one a command; FNV-1a of GET, then PFCOUNT.
  struct Golden {
    int elements;
    size_t size;
    uint64_t hash;
    uint64_t count;
  };
  for (const Golden& golden : {
           Golden{1, 21, 6751705203108510579u, 1},
           Golden{2, 24, 17304493204272473658u, 2},
           Golden{10, 48, 8642935136638040793u, 10},
           Golden{100, 285, 7472357642562241232u, 99},
           Golden{700, 1401, 2225314619961170439u, 703},
           Golden{1300, 2387, 4705855261313481481u, 1294},
           Golden{1400, 2558, 11678129680998640497u, 1397},
           Golden{5000, 12304, 8193623832026325810u, 5005},
           Golden{50000, 12304, 9166985567170527263u, 49716},
       }) {
    CAPTURE(golden.elements);
    std::string bytes = with_elements(0, golden.elements);
    CHECK(bytes.size() == golden.size);
    CHECK(fnv1a(bytes) == golden.hash);
    CHECK(hll_is_valid(bytes));
    CHECK_FALSE(hll_cached_count(bytes).has_value());
    CHECK(hll_count(bytes) == golden.count);
    hll_cache_count(bytes.data(), golden.count);
    CHECK(hll_cached_count(bytes) == golden.count);
    REQUIRE(hll_make_dense(&bytes));
    CHECK(bytes.size() == kHllDenseBytes);
    CHECK(hll_count(bytes) == golden.count);
    CHECK(hll_cached_count(bytes) == golden.count);
  }
}

TEST_CASE("Dense registers agree with an array, packed and unpacked") {
  Random& random = thread_random();
  std::string bytes = hll_create();
  REQUIRE(hll_make_dense(&bytes));
  HllRegisters model;
  for (int step = 0; step < 200000; ++step) {
    const size_t index = random.below(4) == 0 ? kHllRegisters - 1 - random.below(40) : random.below(kHllRegisters);
    model.values[index] = static_cast<uint8_t>(random.below(kHllRegisterMax + 1));
    hll_dense_set(dense_of(bytes), index, model.values[index]);
  }
  for (size_t i = 0; i < kHllRegisters; ++i) REQUIRE(hll_dense_get(dense_of(bytes), i) == model.values[i]);

  HllRegisters merged;
  for (uint8_t& value : merged.values) value = static_cast<uint8_t>(random.below(kHllRegisterMax + 1));
  HllRegisters expected = merged;
  for (size_t i = 0; i < kHllRegisters; ++i) expected.values[i] = std::max(expected.values[i], model.values[i]);
  hll_dense_merge(dense_of(bytes), &merged);
  CHECK(merged.values == expected.values);

  std::string packed(kHllDenseBytes, '\xA5');
  hll_dense_pack(model, dense_of(packed));
  CHECK(packed.substr(kHllHeaderBytes) == bytes.substr(kHllHeaderBytes));

  HllHistogram histogram{};
  for (const uint8_t value : model.values) ++histogram[value];
  CHECK(hll_histogram(model) == histogram);
}

TEST_CASE("Sparse and dense forms of the same elements agree") {
  for (const size_t sparse_max : {size_t{0}, size_t{100}, kSparseMax, size_t{20000}}) {
    std::string sparse = hll_create();
    std::string dense = hll_create();
    REQUIRE(hll_make_dense(&dense));
    for (int i = 0; i < 6000; ++i) {
      const std::string element = std::to_string(i % 5000);
      const bool changed = hll_dense_add(dense.data(), element);
      REQUIRE(hll_sparse_add(&sparse, element, sparse_max) ==
              (changed ? HllOutcome::kChanged : HllOutcome::kUnchanged));
      if (hll_encoding(sparse) == HllEncoding::kSparse) REQUIRE(sparse.size() <= sparse_max);
      if (i % 500 == 0) {
        HllRegisters a, b;
        REQUIRE(hll_merge(sparse, &a));
        REQUIRE(hll_merge(dense, &b));
        REQUIRE(a.values == b.values);
        REQUIRE(hll_count(sparse) == hll_count(b));
      }
    }
    CHECK((hll_encoding(sparse) == HllEncoding::kSparse) == (sparse_max == 20000));
  }
}

TEST_CASE("Merging counts the union") {
  for (const auto& [split, end] : {std::pair{100, 150}, std::pair{3000, 20000}}) {
    const std::string all = with_elements(0, end);
    const std::string left = with_elements(0, split);
    const std::string right = with_elements(split / 2, end);
    HllRegisters registers;
    REQUIRE(hll_merge(left, &registers));
    REQUIRE(hll_merge(right, &registers));
    CHECK(hll_count(registers) == hll_count(all));
    std::string target = left;
    hll_cache_count(target.data(), 1);
    REQUIRE(hll_raise(&target, registers, kSparseMax));
    CHECK(hll_count(target) == hll_count(all));
    CHECK_FALSE(hll_cached_count(target).has_value());
    std::string dense_target = hll_create();
    REQUIRE(hll_make_dense(&dense_target));
    REQUIRE(hll_raise(&dense_target, registers, kSparseMax));
    CHECK(hll_count(dense_target) == hll_count(all));
  }
}

TEST_CASE("Headers are checked") {
  CHECK(hll_is_valid(hll_create()));
  CHECK_FALSE(hll_is_valid(""));
  CHECK_FALSE(hll_is_valid("HYLL"));
  std::string bytes = hll_create();
  bytes[0] = 'X';
  CHECK_FALSE(hll_is_valid(bytes));
  bytes = hll_create();
  bytes[4] = 2;
  CHECK_FALSE(hll_is_valid(bytes));
  bytes[4] = 0;
  CHECK_FALSE(hll_is_valid(bytes));
  REQUIRE(hll_make_dense(&(bytes = hll_create())));
  CHECK(hll_is_valid(bytes));
  CHECK_FALSE(hll_is_valid(bytes + "x"));
  CHECK_FALSE(hll_is_valid(std::string_view(bytes).substr(1)));
}

TEST_CASE("Damaged sparse code is reported, or harmless") {
  const std::string good = with_elements(0, 300);
  CHECK(hll_decode_sparse(hll_create()) == "Z:16384");
  for (const std::string& bad : {good + "hello", good + "\x7f", good.substr(0, good.size() - 1), good.substr(0, 16)}) {
    HllRegisters registers;
    CHECK_FALSE(hll_count(bad).has_value());
    CHECK_FALSE(hll_merge(bad, &registers));
    std::string copy = bad;
    CHECK_FALSE(hll_make_dense(&copy));
    CHECK(copy == bad);
    CHECK(hll_sparse_add(&copy, "element:100000", 0) == HllOutcome::kCorrupt);
    CHECK(copy == bad);
  }
  Random& random = thread_random();
  for (int step = 0; step < rounds(20000); ++step) {
    std::string bad = good.substr(0, random.below(3) == 0 ? 16 + random.below(good.size() - 16) : good.size());
    for (uint64_t i = 0; i < random.below(4) && bad.size() > 16; ++i) {
      bad[16 + random.below(bad.size() - 16)] = static_cast<char>(random.next());
    }
    HllRegisters registers;
    const bool counted = hll_count(bad).has_value();
    CHECK(hll_merge(bad, &registers) == counted);
    hll_decode_sparse(bad);
    for (int i = 0; i < 20; ++i) hll_sparse_add(&bad, "element:" + std::to_string(random.next()), kSparseMax);
    hll_raise(&bad, registers, kSparseMax);
  }
}
