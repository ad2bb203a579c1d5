#include "server/keyspace/waiters.h"

#include <algorithm>

namespace synap {

namespace {

bool any_on_nokey(const std::list<std::shared_ptr<Waiter>>& waiters) {
  return std::any_of(waiters.begin(), waiters.end(), [](const auto& waiter) { return waiter->wake_on_delete; });
}

}  // namespace

// After a key's waiters changed. Under the shard's lock: only this thread writes.
void WaiterTable::recount(const Waiters& waiters, bool had_nokey) {
  const size_t gained = any_on_nokey(waiters) ? 1 : 0;
  const size_t lost = had_nokey ? 1 : 0;
  nokey_count_.store(nokey_count_.load(std::memory_order_relaxed) + gained - lost, std::memory_order_relaxed);
}

void WaiterTable::add(int db, std::string_view key, std::shared_ptr<Waiter> waiter) {
  Waiters& waiters = keys_[Key{db, std::string(key)}];
  const bool on_nokey = waiter->wake_on_delete;
  const bool had_nokey = on_nokey && any_on_nokey(waiters);
  waiters.push_back(std::move(waiter));
  if (on_nokey) recount(waiters, had_nokey);
  key_count_.store(keys_.size(), std::memory_order_relaxed);
}

void WaiterTable::remove(int db, std::string_view key, const Waiter* waiter) {
  const auto it = keys_.find(Key{db, std::string(key)});
  if (it == keys_.end()) return;
  const bool had_nokey = waiter->wake_on_delete && any_on_nokey(it->second);
  it->second.remove_if([waiter](const std::shared_ptr<Waiter>& other) { return other.get() == waiter; });
  if (waiter->wake_on_delete) recount(it->second, had_nokey);
  if (it->second.empty()) keys_.erase(it);
  key_count_.store(keys_.size(), std::memory_order_relaxed);
}

std::vector<std::shared_ptr<Waiter>> WaiterTable::waiting(int db, std::string_view key) {
  const auto it = keys_.find(Key{db, std::string(key)});
  if (it == keys_.end()) return {};
  const bool had_nokey = any_on_nokey(it->second);
  it->second.remove_if([](const std::shared_ptr<Waiter>& waiter) { return waiter->claimed(); });
  if (had_nokey) recount(it->second, had_nokey);
  if (it->second.empty()) {
    keys_.erase(it);
    key_count_.store(keys_.size(), std::memory_order_relaxed);
    return {};
  }
  return {it->second.begin(), it->second.end()};
}

void WaiterTable::mark_ready(int db, std::string_view key, bool deleted) {
  if (keys_.find(Key{db, std::string(key)}) == keys_.end()) return;
  const auto same = std::find_if(ready_.begin(), ready_.end(),
                                 [&](const ReadyKey& ready) { return ready.db == db && ready.key == key; });
  if (same != ready_.end()) {
    same->deleted = deleted;
    return;
  }
  ready_.push_back(ReadyKey{db, std::string(key), deleted});
}

}  // namespace synap
