// The families of commands that make up the server. Adding a family means adding a line in command_list.cc.
#pragma once

#include <span>

#include "server/command/command.h"

namespace synap {

std::span<const CommandFamily> command_families();

}  // namespace synap
