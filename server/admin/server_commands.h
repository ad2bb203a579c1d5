// The rows of the commands about the server itself.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kServerCommands;   // server_commands.cc: TIME ROLE SHUTDOWN MONITOR LOLWUT
extern const CommandFamily kSlowlogCommands;  // slowlog_commands.cc
extern const CommandFamily kLatencyCommands;  // latency_commands.cc
extern const CommandFamily kMemoryCommands;   // memory_commands.cc
extern const CommandFamily kDebugCommands;    // debug_commands.cc
extern const CommandFamily kClusterCommands;  // cluster_commands.cc
extern const CommandFamily kModuleCommands;   // module_commands.cc

}  // namespace synap
