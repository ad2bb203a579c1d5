#include "server/keyspace/watch.h"

#include "server/base/assert.h"

namespace synap {

uint64_t WatchTable::watch(int db, std::string_view key) {
  Watched& watched = keys_[Key{db, std::string(key)}];
  ++watched.watchers;
  return watched.version;
}

void WatchTable::unwatch(int db, std::string_view key) {
  const auto it = keys_.find(Key{db, std::string(key)});
  SYNAP_ASSERT(it != keys_.end());
  if (--it->second.watchers == 0) keys_.erase(it);
}

uint64_t WatchTable::version(int db, std::string_view key) const {
  const auto it = keys_.find(Key{db, std::string(key)});
  SYNAP_ASSERT(it != keys_.end());
  return it->second.version;
}

void WatchTable::raise(int db, std::string_view key, uint64_t step) {
  const auto it = keys_.find(Key{db, std::string(key)});
  if (it != keys_.end()) it->second.version += step;
}

}  // namespace synap
