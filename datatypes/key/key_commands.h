// The rows of the commands on keys of any type.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kKeyCommands;       // key_commands.cc: DEL … COPY MOVE
extern const CommandFamily kKeyspaceCommands;  // keyspace_commands.cc: KEYS SCAN DBSIZE FLUSHALL SWAPDB …
extern const CommandFamily kExpiryCommands;    // expiry_commands.cc
extern const CommandFamily kObjectCommands;    // object_commands.cc
extern const CommandFamily kSortCommands;      // sort_commands.cc

}  // namespace synap
