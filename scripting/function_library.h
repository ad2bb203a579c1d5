// Function libraries: what FUNCTION LOAD registered, shared by all reactors. A set of libraries is immutable; changes
// publish a new set. Each reactor compiles a library when it first calls one of its functions (see scripting.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/base/sync.h"

namespace synap {

struct LibraryFunction {
  std::string name;
  std::string description;
  bool has_description = false;
  uint32_t flags = 0;
};

struct FunctionLibrary {
  std::string name;
  std::string code;  // with its shebang
  std::vector<LibraryFunction> functions;
  uint64_t id = 0;  // never used again: a replaced library has another one

  size_t memory_bytes() const;
};

struct FunctionRef {
  std::shared_ptr<const FunctionLibrary> library;
  const LibraryFunction* function = nullptr;
};

// Functions are found in any case of letters; no two may differ only in it.
struct IgnoreCaseHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const;
};
struct IgnoreCaseEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

struct FunctionSet {
  std::map<std::string, std::shared_ptr<const FunctionLibrary>, std::less<>> libraries;
  std::unordered_map<std::string, FunctionRef, IgnoreCaseHash, IgnoreCaseEqual> functions;
  bool has_promising = false;  // some function keeps to its declared keys

  // False, with Redis's text, when the library's name (unless `replace`) or one of its functions is taken.
  bool add(std::shared_ptr<const FunctionLibrary> library, bool replace, std::string* error);
  bool remove(std::string_view name);
  size_t memory_bytes() const;
};

// All writers run under the guard of all shards (see the rows), so they follow one another.
class FunctionRegistry {
 public:
  FunctionRegistry() : current_(std::make_shared<FunctionSet>()) {}

  std::shared_ptr<const FunctionSet> current() const {
    LockGuard lock(mutex_);
    return current_;
  }
  // Changes with each publish: a reader that saw it needs no lock while it stays.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void publish(std::shared_ptr<const FunctionSet> set);
  bool has_promising() const { return promising_.load(std::memory_order_relaxed); }
  uint64_t next_library_id() { return next_id_.fetch_add(1, std::memory_order_relaxed); }

 private:
  mutable Mutex mutex_{LockRank::kScripts};
  std::shared_ptr<const FunctionSet> current_ GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{1};
  std::atomic<bool> promising_{false};
  std::atomic<uint64_t> next_id_{1};
};

// ---- FUNCTION DUMP and RESTORE: the libraries as in an RDB file, then the RDB version and a CRC-64.

std::string dump_functions(const FunctionSet& set);
// The codes in a payload; false with Redis's text.
bool read_function_dump(std::string_view payload, std::vector<std::string>* codes, std::string* error);

}  // namespace synap
