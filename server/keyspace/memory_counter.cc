#include "server/keyspace/memory_counter.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/sync.h"

#if defined(SYNAP_JEMALLOC)
#include <jemalloc/jemalloc.h>
#elif defined(SYNAP_SANITIZED)
// g++ does not ship <sanitizer/allocator_interface.h>.
extern "C" size_t __sanitizer_get_current_allocated_bytes();
#else
#include <malloc.h>
#endif

namespace synap {

namespace {

#if defined(SYNAP_JEMALLOC)

// One thread's counters, in the allocator's thread-local memory: read by others, written by their thread alone.
struct Pair {
  const uint64_t* allocated = nullptr;
  const uint64_t* freed = nullptr;

  int64_t net() const {
    return static_cast<int64_t>(__atomic_load_n(allocated, __ATOMIC_RELAXED) - __atomic_load_n(freed, __ATOMIC_RELAXED));
  }
  static Pair of_this_thread() {
    Pair pair;
    size_t size = sizeof(uint64_t*);
    mallctl("thread.allocatedp", static_cast<void*>(&pair.allocated), &size, nullptr, 0);
    mallctl("thread.deallocatedp", static_cast<void*>(&pair.freed), &size, nullptr, 0);
    return pair;
  }
};

// Living threads and the balance of everybody else.
class Counters {
 public:
  void join(const Pair& pair) {
    LockGuard guard(mutex_);
    threads_.push_back(pair);
    others_ = static_cast<int64_t>(memory_counter_exact()) - joined();
  }
  void leave(const Pair& pair) {
    LockGuard guard(mutex_);
    std::erase_if(threads_, [&](const Pair& one) { return one.allocated == pair.allocated; });
    others_ += pair.net();
  }
  size_t total() {
    LockGuard guard(mutex_);
    return static_cast<size_t>(std::max<int64_t>(others_ + joined(), 0));
  }
  void settle() {
    LockGuard guard(mutex_);
    others_ = static_cast<int64_t>(memory_counter_exact()) - joined();
  }

 private:
  int64_t joined() const REQUIRES(mutex_) {
    int64_t sum = 0;
    for (const Pair& pair : threads_) sum += pair.net();
    return sum;
  }

  Mutex mutex_{LockRank::kLeaf};
  std::vector<Pair> threads_ GUARDED_BY(mutex_);
  int64_t others_ GUARDED_BY(mutex_) = 0;
};

// Lives as long as the process: threads may end during exit.
Counters& counters() {
  static auto* const instance = [] {
    auto* made = new Counters;
    made->settle();
    return made;
  }();
  return *instance;
}

struct Membership {
  Pair pair = Pair::of_this_thread();
  bool joined = false;
  ~Membership() {
    if (joined) counters().leave(pair);
  }
};

Membership& membership() {
  thread_local Membership of_this_thread;
  return of_this_thread;
}

size_t figure(const std::string& name) {
  size_t value = 0;
  size_t size = sizeof value;
  mallctl(name.c_str(), &value, &size, nullptr, 0);
  return value;
}

#endif

}  // namespace

#if defined(SYNAP_JEMALLOC)

void memory_counter_join() {
  Membership& mine = membership();
  if (mine.joined) return;
  counters().join(mine.pair);
  mine.joined = true;
}
size_t memory_counter_total() { return counters().total(); }
int64_t memory_counter_own() { return membership().pair.net(); }
void memory_counter_settle() { counters().settle(); }

size_t memory_counter_exact() {
  static const std::string all_arenas = "stats.arenas." + std::to_string(MALLCTL_ARENAS_ALL) + ".tcache_bytes";
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);
  const size_t allocated = figure("stats.allocated");
  return allocated - std::min(allocated, figure(all_arenas));
}

#else

// Sanitizers' and the C library's allocators have no counters per thread, but cheap ones of the process.
void memory_counter_join() {}
size_t memory_counter_total() { return memory_counter_exact(); }
int64_t memory_counter_own() { return 0; }
void memory_counter_settle() {}

size_t memory_counter_exact() {
#if defined(SYNAP_SANITIZED)
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

#endif

}  // namespace synap
