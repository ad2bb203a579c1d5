// The HyperLogLog commands' table.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kHyperloglogCommands;

}  // namespace synap
