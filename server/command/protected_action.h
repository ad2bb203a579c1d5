// What only trusted connections may do: enable-debug-command, enable-protected-configs.
#pragma once

#include "server/command/config.h"
#include "server/command/session.h"

namespace synap {

// From this machine: a Unix socket or the loopback interface.
bool is_local(const Session& session);
bool is_allowed(ProtectedAction setting, const Session& session);

}  // namespace synap
