// The rows of the string family.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kStringCommands;  // string_commands.cc
extern const CommandFamily kLcsCommands;     // lcs_commands.cc

}  // namespace synap
