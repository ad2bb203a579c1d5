// WatchTable: versions of the keys under WATCH in one shard. A key has a version only while somebody watches it; every
// change of the key raises it, and EXEC compares. Under the shard's lock.
// A key that was past its expiry when it was watched was not there for its watcher: that it is deleted for good changes
// nothing for him, but it does for those who watched it while it lived. So a version counts two things.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace synap {

class WatchTable {
 public:
  // The part of a version that counts changes other than the end of a key past its expiry.
  static uint64_t changes(uint64_t version) { return version >> 32; }

  bool empty() const { return keys_.empty(); }

  // Starts watching: returns the key's version now.
  uint64_t watch(int db, std::string_view key);
  void unwatch(int db, std::string_view key);
  uint64_t version(int db, std::string_view key) const;

  // The key changed (or may have, in a flush).
  void touch(int db, std::string_view key) {
    if (!keys_.empty()) raise(db, key, kChange);
  }
  // The key was deleted because it was past its expiry.
  void touch_expired(int db, std::string_view key) {
    if (!keys_.empty()) raise(db, key, kExpiry);
  }
  // All watched keys of a database at once: look(key) says what happens to it.
  enum class Fate : uint8_t { kNone, kExpired, kChanged };
  template <class Look>
  void touch_each(int db, Look look) {
    for (auto it = keys_.lower_bound(Key{db, {}}); it != keys_.end() && it->first.first == db; ++it) {
      const Fate fate = look(std::string_view(it->first.second));
      if (fate != Fate::kNone) it->second.version += fate == Fate::kChanged ? kChange : kExpiry;
    }
  }

 private:
  using Key = std::pair<int, std::string>;
  struct Watched {
    uint64_t version = 0;
    uint32_t watchers = 0;
  };
  static constexpr uint64_t kChange = uint64_t{1} << 32;
  static constexpr uint64_t kExpiry = 1;
  void raise(int db, std::string_view key, uint64_t step);

  std::map<Key, Watched> keys_;
};

}  // namespace synap
