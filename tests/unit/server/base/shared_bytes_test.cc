#include "server/base/shared_bytes.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

namespace synap {

TEST_CASE("handles share one block") {
  SharedBytes first = SharedBytes::copy_of("hello");
  CHECK(first.view() == "hello");
  CHECK(first.unique());
  SharedBytes second = first.share();
  CHECK_FALSE(first.unique());
  CHECK(second.data() == first.data());
  second.reset();
  CHECK(first.unique());
  CHECK_FALSE(second);
  CHECK(second.view().empty());
}

TEST_CASE("a block stored as a word keeps its reference") {
  SharedBytes::Block* word = SharedBytes::copy_of("stored").release();
  SharedBytes reader = SharedBytes::share_of(word);
  CHECK(word->view() == "stored");
  SharedBytes owner = SharedBytes::adopt(word);
  CHECK_FALSE(owner.unique());
  owner.reset();
  CHECK(reader.view() == "stored");
  CHECK(reader.unique());
}

TEST_CASE("capacity and absurd sizes") {
  SharedBytes bytes = SharedBytes::allocate(100);
  CHECK(bytes.size() == 0);
  bytes.resize(100);
  CHECK(bytes.capacity() == 100);
  CHECK_FALSE(SharedBytes::try_allocate(SIZE_MAX - 10));
}

TEST_CASE("references are dropped from several threads") {
  SharedBytes bytes = SharedBytes::copy_of("x");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([mine = bytes.share()]() mutable {
      for (int i = 0; i < 10'000; ++i) {
        SharedBytes copy = mine.share();
        SharedBytes moved = std::move(copy);
      }
      mine.reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(bytes.unique());
}

}  // namespace synap
