// The rows of MULTI, EXEC, DISCARD, WATCH and UNWATCH.
#pragma once

#include "server/command/command.h"

namespace synap {

struct Session;

extern const CommandFamily kTransactionCommands;

// Ends the session's transaction; its watches stay.
void end_transaction(Session& session);
// Ends the session's transaction and forgets its watches. The guard covers the watched keys' shards (kUsesWatched).
void discard_transaction(Context& ctx);
void unwatch_all(Context& ctx);

}  // namespace synap
