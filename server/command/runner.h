// CommandRunner: how EXEC, scripts, the AOF loader and the replication link run commands: the same pipeline as clients'.
#pragma once

#include "protocol/args.h"
#include "protocol/reply.h"
#include "server/command/command.h"
#include "server/command/context.h"

namespace synap {

class CommandRunner {
 public:
  // Runs a command that was looked up and checked, inside the one whose context is `outer`: under its guard, with its
  // session, effects gathered into its block. Exactly one reply is written to `reply`.
  virtual void run_inner(Context& outer, const Command* command, const Args& args, Reply* reply) = 0;
  // What the command's cost function says, 0 without one.
  virtual uint64_t inner_cost(Context& outer, const Command* command, const Args& args) = 0;

 protected:
  ~CommandRunner() = default;
};

}  // namespace synap
