// The table of CONFIG's subcommands.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kConfigCommands;

}  // namespace synap
