// CommandRunner: how EXEC, scripts, the AOF loader and the replication link run commands: the same pipeline as clients'.
#pragma once

#include "protocol/args.h"
#include "protocol/reply.h"
#include "server/command/command.h"
#include "server/command/context.h"

namespace synap {

// A command run inside another one, in slices of its own if it is a sliced call.
class InnerCall {
 public:
  virtual ~InnerCall() = default;
  virtual SlicedCall::Step step() = 0;
};

class CommandRunner {
 public:
  // Runs a command that was looked up and checked, inside the one whose context is `outer`: under its guard, with its
  // session, effects gathered into its block. Exactly one reply is written to `reply`.
  virtual void run_inner(Context& outer, const Command* command, const Args& args, Reply* reply) = 0;
  // The same for an outer command that is a sliced call itself (EXEC): runs as its steps are called. The arguments must
  // last as long.
  virtual std::unique_ptr<InnerCall> start_inner(Context& outer, const Command* command, const Args& args,
                                                 Reply* reply) = 0;
  // A command of the AOF, while the caller owns the whole keyspace: no guard, nothing is journaled or counted, nobody is
  // told. `session` says which database.
  virtual void replay(Session* session, const Command* command, const Args& args, Reply* reply) = 0;
  // A script was not allowed to run the command (null: there is none).
  virtual void count_rejected(const Command* command, std::string_view error_code) = 0;
  // Extends the outer guard to the command's keys, then runs it. False: as Context::extend_guard, and nothing has run.
  virtual bool try_run_inner(Context& outer, const Command* command, const Args& args, Reply* reply) = 0;
  // What the command's cost function says, 0 without one.
  virtual uint64_t inner_cost(Context& outer, const Command* command, const Args& args) = 0;

 protected:
  ~CommandRunner() = default;
};

}  // namespace synap
