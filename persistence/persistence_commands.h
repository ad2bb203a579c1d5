// The rows of snapshots and of single values in RDB form.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kSnapshotCommands;  // snapshot_commands.cc
extern const CommandFamily kDumpCommands;      // dump_commands.cc
extern const CommandFamily kWaitCommands;      // wait_commands.cc
extern const CommandFamily kMigrateCommands;   // migrate_commands.cc

}  // namespace synap
