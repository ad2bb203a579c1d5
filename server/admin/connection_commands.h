// The tables of what clients do with their own connection and learn about the server's commands.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kConnectionCommands;  // connection_commands.cc: PING ECHO AUTH HELLO SELECT QUIT RESET
extern const CommandFamily kClientCommands;      // client_commands.cc: CLIENT …
extern const CommandFamily kAclCommands;         // acl_commands.cc: ACL …
extern const CommandFamily kCommandCommands;     // command_commands.cc: COMMAND …

}  // namespace synap
