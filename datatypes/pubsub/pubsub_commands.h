// The rows of the pub/sub family.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kPubSubCommands;

}  // namespace synap
