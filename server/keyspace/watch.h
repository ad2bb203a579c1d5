// WatchTable: versions of the keys under WATCH in one shard. A key has a version only while somebody watches it; every
// change of the key raises it, and EXEC compares. Under the shard's lock.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace synap {

class WatchTable {
 public:
  bool empty() const { return keys_.empty(); }

  // Starts watching: returns the key's version now.
  uint64_t watch(int db, std::string_view key);
  void unwatch(int db, std::string_view key);
  uint64_t version(int db, std::string_view key) const;

  // The key changed (or may have, in a flush).
  void touch(int db, std::string_view key) {
    if (!keys_.empty()) raise(db, key);
  }
  // visit(key, version&) for all watched keys of a database.
  template <class Visit>
  void for_each(int db, Visit visit) {
    for (auto it = keys_.lower_bound(Key{db, {}}); it != keys_.end() && it->first.first == db; ++it) {
      visit(std::string_view(it->first.second), it->second.version);
    }
  }

 private:
  using Key = std::pair<int, std::string>;
  struct Watched {
    uint64_t version = 0;
    uint32_t watchers = 0;
  };
  void raise(int db, std::string_view key);

  std::map<Key, Watched> keys_;
};

}  // namespace synap
