// The set family's rows, and what its two files of handlers share.
#pragma once

#include "datatypes/set/set.h"
#include "server/command/command.h"
#include "server/command/context.h"

namespace synap {

extern const CommandFamily kSetCommands;
extern const CommandFamily kSetAlgebraCommands;  // SINTER SUNION SDIFF, their STORE forms, SINTERCARD

SetLimits set_limits(const Context& ctx);

}  // namespace synap
