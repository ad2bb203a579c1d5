// Admission: may a command run in the state the server is in? The hot path is a look at the state word, mostly 0; only a
// state that the row's flags forbid comes here to word the error.
#pragma once

#include <cstdint>
#include <string>

#include "server/command/command.h"
#include "server/command/server_api.h"
#include "server/command/session.h"

namespace synap {

// The state bits that stop a command with these flags.
constexpr uint32_t forbidding_states(uint64_t flags) {
  uint32_t states = 0;
  if ((flags & kLoading) == 0) states |= kStateLoading;
  if ((flags & kNoAsyncLoading) != 0) states |= kStateAsyncLoading;
  if ((flags & kStale) == 0) states |= kStateStale;
  if ((flags & kAllowBusy) == 0) states |= kStateBusyScript;
  if ((flags & kDenyOom) != 0) states |= kStateOutOfMemory;
  if ((flags & kWrite) != 0) states |= kStateReplica | kStateDiskError;
  if ((flags & (kWrite | kRunsQueue | kGrowingGuard)) != 0) states |= kStateJournalFull;
  if ((flags & (kWrite | kMayReplicate | kRunsQueue)) != 0) states |= kStatePausedWrites;
  if ((flags & kAllowPaused) == 0) states |= kStatePausedAll;
  return states;
}

enum class Admission { kRun, kReject, kPostpone };

// Called when state & forbidding_states(flags) is not 0. On kReject *error is the reply.
Admission examine(const Server& server, const Session& session, const Command& command, uint32_t hit,
                  std::string* error);

}  // namespace synap
