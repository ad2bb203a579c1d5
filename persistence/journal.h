// Journal: the one order of all effects. A byte sequence of RESP commands with offsets; its bytes are the AOF's increment
// file, the replication backlog and the stream to replicas. Appended under the shards' locks of what is journaled, so
// the order of bytes is an order of execution. A leaf: nothing is called while its lock is held but the subscribers'
// append, which only copies.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/sync.h"

namespace synap {

// Takes what is appended, in order; must only copy (it runs under the journal's lock).
class JournalSubscriber {
 public:
  // `parts`, one after the other, are whole commands: a file may end after them. `end_offset`: after the last byte.
  virtual void append(std::span<const std::string_view> parts, uint64_t end_offset) = 0;

 protected:
  ~JournalSubscriber() = default;
};

class Journal {
 public:
  // Whether anybody wants effects. Read without the lock at each loop turn.
  bool active() const { return active_.load(std::memory_order_acquire); }

  // One command's (EXEC's, script's) effects: `count` commands in `resp`, all of database `db` unless they select another
  // themselves (first_db: the database of the first). Adds SELECT and MULTI … EXEC where needed. Returns the offset after.
  uint64_t append(std::string_view resp, size_t count, int first_db, int last_db);

  // The offset after the last byte. An effect is counted here before its shards are released.
  uint64_t end_offset() const { return end_offset_.load(std::memory_order_acquire); }

  // The next append starts with SELECT.
  void subscribe(JournalSubscriber* subscriber);
  void unsubscribe(JournalSubscriber* subscriber);
  // The next append starts with SELECT (a new file begins, a replica attaches).
  void forget_database();

 private:
  Mutex mutex_{LockRank::kJournal};
  std::atomic<bool> active_{false};
  std::atomic<uint64_t> end_offset_{0};
  std::vector<JournalSubscriber*> subscribers_ GUARDED_BY(mutex_);
  int selected_db_ GUARDED_BY(mutex_) = -1;
};

}  // namespace synap
