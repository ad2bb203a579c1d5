// The table of the geo commands.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kGeoCommands;

}  // namespace synap
