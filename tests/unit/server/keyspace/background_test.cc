#include "server/keyspace/background.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace synap;

namespace {

std::atomic<size_t> released_here{0}, released_elsewhere{0};
std::thread::id here;

void count_release(void*) {
  ++(std::this_thread::get_id() == here ? released_here : released_elsewhere);
}

// Reactor 0 and a worker, at place 1, that began its job before the items were retired.
struct RetiredBesideJob {
  explicit RetiredBesideJob(size_t items) {
    here = std::this_thread::get_id();
    released_here = released_elsewhere = 0;
    reclamation_start(1, 1);
    reclamation_enter(1);
    for (size_t i = 0; i < items; ++i) reclamation_retire(nullptr, count_release);
    retired_at = reclamation_now();
  }
  ~RetiredBesideJob() { reclamation_start(0, 0); }

  uint64_t retired_at;
};

}  // namespace

TEST_CASE("what a job may be reading is kept until it ends") {
  RetiredBesideJob retired(10);
  for (int turn = 0; turn < 5; ++turn) reclamation_quiescent(0);
  CHECK(released_here + released_elsewhere == 0);
  CHECK_FALSE(reclamation_released(retired.retired_at));
  reclamation_leave(1);
  reclamation_quiescent(0);
  CHECK(released_here == 10);
  CHECK(reclamation_released(retired.retired_at));
}

TEST_CASE("a reactor does not stop to release all that a long job held back") {
  RetiredBesideJob retired(100'000);
  reclamation_leave(1);
  for (int turn = 0; turn < 3; ++turn) reclamation_quiescent(0);
  background_drain();
  CHECK(released_here == 0);
  CHECK(released_elsewhere == 100'000);
  CHECK(reclamation_released(retired.retired_at));
}

TEST_CASE("what was handed to the background thread counts as released once it is") {
  RetiredBesideJob retired(1'000);
  std::atomic<bool> go_on{false};
  background_free([&] { go_on.wait(false); }, 0);
  reclamation_leave(1);
  for (int turn = 0; turn < 3; ++turn) reclamation_quiescent(0);
  CHECK_FALSE(reclamation_released(retired.retired_at));
  go_on = true;
  go_on.notify_one();
  background_drain();
  CHECK(reclamation_released(retired.retired_at));
}
