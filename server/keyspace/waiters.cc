#include "server/keyspace/waiters.h"

#include <algorithm>

namespace synap {

void WaiterTable::add(int db, std::string_view key, std::shared_ptr<Waiter> waiter) {
  keys_[Key{db, std::string(key)}].push_back(std::move(waiter));
}

void WaiterTable::remove(int db, std::string_view key, const Waiter* waiter) {
  const auto it = keys_.find(Key{db, std::string(key)});
  if (it == keys_.end()) return;
  it->second.remove_if([waiter](const std::shared_ptr<Waiter>& other) { return other.get() == waiter; });
  if (it->second.empty()) keys_.erase(it);
}

std::vector<std::shared_ptr<Waiter>> WaiterTable::waiting(int db, std::string_view key) {
  const auto it = keys_.find(Key{db, std::string(key)});
  if (it == keys_.end()) return {};
  it->second.remove_if([](const std::shared_ptr<Waiter>& waiter) { return waiter->claimed(); });
  if (it->second.empty()) {
    keys_.erase(it);
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
