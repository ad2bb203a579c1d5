// The process's oom_score_adj (directives oom-score-adj and oom-score-adj-values): whom the kernel ends first when memory
// runs out. Remembers what the score was before the server touched it, to give it back.
// Thread: one at a time, as the configuration's writers are; a forked child whenever it likes, so there is no Mutex.
#pragma once

#include <atomic>
#include <cstdint>

#include "server/base/status.h"
#include "server/command/config.h"

namespace synap {

// Index into oom-score-adj-values.
enum class OomClass : uint8_t { kMaster, kReplica, kChild };

class OomScore {
 public:
  // At start, when a directive or the server's role changes, and in a forked child.
  Status apply(const Config& config, OomClass oom_class);

 private:
  static constexpr int64_t kUnknown = INT64_MIN;
  std::atomic<int64_t> original_{kUnknown};  // known while ours is in force
};

}  // namespace synap
