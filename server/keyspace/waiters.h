// Clients blocked on keys (BLPOP, XREAD BLOCK, …). A Waiter is one blocked command; each shard's WaiterTable lists, for
// every key in it, its waiters in order of arrival. The table is under the shard's lock; a waiter's own fate is decided
// by its claim: service, time-out, CLIENT UNBLOCK and disconnection race for it, one wins. Whoever serves may find nothing
// and give the claim back; who wanted to end the wait meanwhile gets it then.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/keyspace/entry.h"

namespace synap {

struct Waiter {
  virtual ~Waiter() = default;

  // To serve it. True for exactly one caller, who then answers the client or gives the claim back.
  bool claim() {
    uint8_t free = 0;
    return state_.compare_exchange_strong(free, kClaimed, std::memory_order_acq_rel);
  }
  // To end the wait. False: somebody is about to serve it, and passes the claim on if there is nothing.
  bool claim_to_end() { return (state_.fetch_or(kClaimed | kEnds, std::memory_order_acq_rel) & kClaimed) == 0; }
  bool claimed() const { return (state_.load(std::memory_order_acquire) & kClaimed) != 0; }
  // Serving found nothing. False: the claim goes to the client's reactor, which wants to end the wait.
  bool unclaim() {
    uint8_t serving = kClaimed;
    return state_.compare_exchange_strong(serving, 0, std::memory_order_acq_rel);
  }
  // The client is to look again on its reactor. False: it will already.
  bool begin_retry() { return !retried_.exchange(true, std::memory_order_acq_rel); }
  void end_retry() { retried_.store(false, std::memory_order_release); }

  int db = 0;
  std::vector<std::string> keys;
  ValueType type = ValueType::kString;
  bool wake_on_delete = false;

 private:
  static constexpr uint8_t kClaimed = 1, kEnds = 2;
  std::atomic<uint8_t> state_{0};
  std::atomic<bool> retried_{false};
};

class WaiterTable {
 public:
  bool empty() const { return keys_.empty(); }
  // Keys that clients wait on, and those of them whose going away wakes somebody. Any thread, for INFO.
  size_t key_count() const { return key_count_.load(std::memory_order_relaxed); }
  size_t nokey_count() const { return nokey_count_.load(std::memory_order_relaxed); }

  void add(int db, std::string_view key, std::shared_ptr<Waiter> waiter);
  void remove(int db, std::string_view key, const Waiter* waiter);

  // The waiters of a key, oldest first; claimed ones are dropped on the way.
  std::vector<std::shared_ptr<Waiter>> waiting(int db, std::string_view key);

  // Called when a key may serve somebody: a value appeared, or (deleted) went away. Remembered until taken.
  void key_changed(int db, std::string_view key, bool deleted) {
    if (!keys_.empty()) mark_ready(db, key, deleted);
  }
  bool has_ready() const { return !ready_.empty(); }
  struct ReadyKey {
    int db;
    std::string key;
    bool deleted;
  };
  std::vector<ReadyKey> take_ready() { return std::exchange(ready_, {}); }
  // visit(key) for every key of a database that somebody waits on.
  template <class Visit>
  void for_each_key(int db, Visit visit) const {
    for (auto it = keys_.lower_bound(Key{db, {}}); it != keys_.end() && it->first.first == db; ++it) {
      visit(std::string_view(it->first.second));
    }
  }

 private:
  using Key = std::pair<int, std::string>;
  using Waiters = std::list<std::shared_ptr<Waiter>>;
  void recount(const Waiters& waiters, bool had_nokey);
  void mark_ready(int db, std::string_view key, bool deleted);

  std::map<Key, Waiters> keys_;
  std::atomic<size_t> key_count_{0}, nokey_count_{0};
  std::vector<ReadyKey> ready_;
};

}  // namespace synap
