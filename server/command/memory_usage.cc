#include "server/command/memory_usage.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <thread>
#include <vector>

#include "server/base/log.h"
#include "server/base/thread_scheduling.h"
#include "server/keyspace/memory_counter.h"
#include "server/keyspace/script_heap.h"

#ifdef SYNAP_JEMALLOC
#include <jemalloc/jemalloc.h>
#else
#include <malloc.h>
#endif

namespace synap {

namespace {

#ifdef SYNAP_JEMALLOC
size_t read_figure(const char* name) {
  size_t value = 0;
  size_t size = sizeof value;
  mallctl(name, &value, &size, nullptr, 0);
  return value;
}

// The small size classes' slabs over all arenas.
class SlabFigures {
 public:
  SlabFigures() {
    unsigned classes = 0;
    size_t size = sizeof classes;
    mallctl("arenas.nbins", &classes, &size, nullptr, 0);
    for (unsigned i = 0; i < classes; ++i) {
      const std::string at = std::to_string(i);
      SlabClass one;
      uint32_t regions = 0;
      size = sizeof regions;
      mallctl(("arenas.bin." + at + ".nregs").c_str(), &regions, &size, nullptr, 0);
      one.regions = regions;
      one.region_bytes = read_figure(("arenas.bin." + at + ".size").c_str());
      const std::string merged = "stats.arenas." + std::to_string(MALLCTL_ARENAS_ALL) + ".bins." + at;
      mallctlnametomib((merged + ".curslabs").c_str(), one.slabs_name.data(), &one.name_length);
      mallctlnametomib((merged + ".curregs").c_str(), one.used_name.data(), &one.name_length);
      classes_.push_back(one);
    }
  }

  // Without the scripts' arena, which nobody can defragment. As of the allocator's last epoch.
  size_t holes() const {
    const int scripts = ScriptHeap::arena();
    const size_t all = holes_of(MALLCTL_ARENAS_ALL);
    return scripts < 0 ? all : all - std::min(all, holes_of(static_cast<size_t>(scripts)));
  }

 private:
  static constexpr size_t kNameLength = 6;

  struct SlabClass {
    size_t regions = 0;
    size_t region_bytes = 0;
    size_t name_length = kNameLength;
    std::array<size_t, kNameLength> slabs_name = {};
    std::array<size_t, kNameLength> used_name = {};
  };

  size_t holes_of(size_t arena) const {
    size_t bytes = 0;
    for (const SlabClass& one : classes_) {
      const size_t room = read(one.slabs_name, one.name_length, arena) * one.regions;
      bytes += (room - std::min(room, read(one.used_name, one.name_length, arena))) * one.region_bytes;
    }
    return bytes;
  }

  // The name is "stats.arenas.<arena>.…"; 0 of an arena that the epoch does not know yet.
  static size_t read(const std::array<size_t, kNameLength>& any, size_t length, size_t arena) {
    std::array<size_t, kNameLength> name = any;
    name[2] = arena;
    size_t value = 0;
    size_t size = sizeof value;
    mallctlbymib(name.data(), length, &value, &size, nullptr, 0);
    return value;
  }

  std::vector<SlabClass> classes_;
};

const SlabFigures& slab_figures() {
  static const SlabFigures instance;
  return instance;
}

size_t script_bytes() {
  if (ScriptHeap::arena() < 0) return 0;
  const std::string arena = "stats.arenas." + std::to_string(ScriptHeap::arena());
  return read_figure((arena + ".small.allocated").c_str()) + read_figure((arena + ".large.allocated").c_str());
}

#endif

}  // namespace

AllocatorFigures allocator_figures() {
#ifdef SYNAP_JEMALLOC
  memory_counter_settle();  // refreshes the other figures too
  return {memory_counter_total(), read_figure("stats.active"), read_figure("stats.resident"),
          read_figure("stats.retained"), slab_figures().holes(), script_bytes()};
#else
  const size_t allocated = memory_counter_exact();
  return {allocated, allocated, resident_memory_bytes(), 0, 0, 0};
#endif
}

size_t used_memory_bytes() { return memory_counter_total(); }

const char* allocator_name() {
#ifdef SYNAP_JEMALLOC
  return "jemalloc-5.3.0";
#else
  return "libc";
#endif
}

size_t resident_memory_bytes() {
  size_t total = 0;
  size_t resident = 0;
  FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  const int fields = std::fscanf(file, "%zu %zu", &total, &resident);
  std::fclose(file);
  return fields == 2 ? resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

size_t total_system_memory_bytes() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

bool huge_pages_always() {
  FILE* file = std::fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
  if (file == nullptr) return false;
  char text[64] = {};
  const bool read = std::fgets(text, sizeof text, file) != nullptr;
  std::fclose(file);
  return read && std::string_view(text).find("[always]") != std::string_view::npos;
}

bool refuse_huge_pages() { return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0; }

std::string allocator_report() {
#ifdef SYNAP_JEMALLOC
  std::string report;
  malloc_stats_print([](void* out, const char* text) { static_cast<std::string*>(out)->append(text); }, &report, nullptr);
  return report;
#else
  return "Stats not supported for the current allocator";
#endif
}

bool allocator_control([[maybe_unused]] const std::string& name, [[maybe_unused]] const int64_t* value,
                       [[maybe_unused]] int64_t* old) {
#ifdef SYNAP_JEMALLOC
  // Figures are bool, 32-bit or 64-bit: ask for the widest that fits.
  for (size_t size : {sizeof(int64_t), sizeof(int32_t), sizeof(bool)}) {
    int64_t out = 0;
    size_t out_size = size;
    int64_t in = value == nullptr ? 0 : *value;
    if (mallctl(name.c_str(), &out, &out_size, value == nullptr ? nullptr : &in, value == nullptr ? 0 : size) == 0) {
      *old = out;
      return true;
    }
  }
#endif
  return false;
}

bool allocator_control_text([[maybe_unused]] const std::string& name, [[maybe_unused]] std::string* old) {
#ifdef SYNAP_JEMALLOC
  const char* text = nullptr;
  size_t size = sizeof text;
  if (mallctl(name.c_str(), &text, &size, nullptr, 0) == 0 && text != nullptr) {
    *old = text;
    return true;
  }
#endif
  return false;
}

bool allocator_control_set([[maybe_unused]] const std::string& name, [[maybe_unused]] const std::string* value) {
#ifdef SYNAP_JEMALLOC
  const char* text = value == nullptr ? nullptr : value->c_str();
  return mallctl(name.c_str(), nullptr, nullptr, text == nullptr ? nullptr : &text, text == nullptr ? 0 : sizeof text) == 0;
#else
  return false;
#endif
}

void purge_allocator() {
#ifdef SYNAP_JEMALLOC
  mallctl("arena." "4096" ".purge", nullptr, nullptr, nullptr, 0);  // 4096: MALLCTL_ARENAS_ALL
#else
  malloc_trim(0);
#endif
}

void set_allocator_thread([[maybe_unused]] bool wanted) {
#ifdef SYNAP_JEMALLOC
  // It is scheduled as the thread that starts it.
  std::thread([wanted]() mutable {
    schedule_as_worker();
    size_t threads_max = 1;
    mallctl("max_background_threads", nullptr, nullptr, &threads_max, sizeof threads_max);
    if (mallctl("background_thread", nullptr, nullptr, &wanted, sizeof wanted) == 0) return;
    log_warning("jemalloc cannot start its background thread: freed memory is returned by whoever allocates next.");
  }).join();
#endif
}

}  // namespace synap
