// SlicedCall: a command that runs in slices (a script). Between slices its reactor serves other clients while the guard
// stays held; when it needs more shards it waits for them without blocking its thread.
#pragma once

#include "server/keyspace/keyspace.h"

namespace synap {

class Context;

class SlicedCall {
 public:
  enum class Step : uint8_t {
    kDone,        // the reply is written
    kSliced,      // more to do: call again after others had their turn
    kNeedShards,  // Context::extend_guard() said no: call again when those shards are held
  };

  virtual ~SlicedCall() = default;
  // The same context at every step, but its argument views move between the first and the second.
  virtual Step step(Context& ctx) = 0;
};

}  // namespace synap
