// EVAL and its kin, SCRIPT; FUNCTION and FCALL.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kScriptCommands;    // script_commands.cc
extern const CommandFamily kFunctionCommands;  // function_commands.cc

}  // namespace synap
