// Slowlog: the last commands that ran longer than slowlog-log-slower-than, newest first. Any thread; under one lock,
// which only slow commands take.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "server/base/sync.h"

namespace synap {

class Context;

struct SlowlogEntry {
  int64_t id;
  int64_t time_seconds;
  int64_t duration_us;
  std::vector<std::string> args;  // shortened as Redis does: 32 arguments, 128 bytes each
  std::string peer;
  std::string client_name;
};

class Slowlog {
 public:
  // Long lists and arguments are cut; sensitive ones redacted by the caller's row.
  void add(Context& ctx, int64_t duration_us);
  void trim(size_t max_entries);
  void reset();
  size_t size() const;
  // At most `count` entries, all for a negative count.
  std::vector<SlowlogEntry> newest(int64_t count) const;

 private:
  mutable Mutex mutex_{LockRank::kMonitor};
  int64_t next_id_ GUARDED_BY(mutex_) = 0;
  std::deque<SlowlogEntry> entries_ GUARDED_BY(mutex_);
};

}  // namespace synap
