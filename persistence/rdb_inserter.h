// RdbInserter: puts loaded entries into their tables on a thread of its own, while the loader's reads on: half of
// loading is reading and making values, the other half is cache misses in tables. add(), failed() and finish() on the
// loader's thread, which has the whole keyspace and lends it until finish().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "server/base/sync.h"
#include "server/keyspace/keyspace.h"

namespace synap {

class RdbInserter {
 public:
  // `replace`: an entry whose key is there already takes its place; otherwise that is a failure.
  explicit RdbInserter(bool replace) : replace_(replace) {}
  ~RdbInserter() { finish(); }
  RdbInserter(const RdbInserter&) = delete;
  RdbInserter& operator=(const RdbInserter&) = delete;

  // The entry is the inserter's now.
  void add(DbSlice* slice, uint64_t hash, Entry* entry);
  // Room for about so many keys in an empty database, in order with what is added.
  void reserve(Keyspace* keyspace, size_t db, size_t keys);
  // Whether a key occurred twice; what was added after it may be missing.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  const std::string& repeated_key() const { return repeated_key_; }
  // Waits until everything added is in its table.
  void finish();

 private:
  struct Item {
    DbSlice* slice;
    uint64_t hash;
    Entry* entry;
  };
  struct Batch {
    static constexpr size_t kItemsMax = 512;
    std::function<void()> before;  // runs first
    size_t count = 0;
    std::array<Item, kItemsMax> items;
  };
  static constexpr size_t kQueuedMax = 32;

  void hand_over();
  void run();
  void insert(const Batch& batch);
  void insert(const Item& item);

  const bool replace_;
  std::unique_ptr<Batch> batch_;  // being filled
  std::thread thread_;            // once there is a full one
  std::atomic<bool> failed_{false};
  std::string repeated_key_;  // set before failed_

  Mutex mutex_{LockRank::kLeaf};
  CondVar changed_;
  std::deque<std::unique_ptr<Batch>> queue_ GUARDED_BY(mutex_);
  bool ending_ GUARDED_BY(mutex_) = false;
};

}  // namespace synap
