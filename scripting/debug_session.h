// A debugging session of one EVAL. With SCRIPT DEBUG YES it lives in a forked process: it sees the data as they were, what
// it changes is gone with it, and the server goes on serving. With SYNC it runs on a worker of the slow lane, under the
// guard of its shards, and its changes stay. Both speak with the client on its socket themselves.
#pragma once

#include <functional>

#include "server/command/context.h"

namespace synap {

// Runs the body (all of the EVAL, replying through ctx) in a forked process and leaves the client to it. In the server the
// connection ends without a reply. The child never returns from here.
void debug_in_child(Context& ctx, const std::function<void(int socket, int lifeline)>& body);

}  // namespace synap
