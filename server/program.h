// The server as a process: reads the configuration, goes to the background if asked, opens the log, serves until shut down.
// Shared by the program and by the tests' server whose files are recorded.
#pragma once

#include <string>
#include <vector>

#include "persistence/file.h"
#include "server/command/process_title.h"

namespace synap {

// `args`: a configuration file, then --directive value …; without the program's name. Returns the exit code.
int run_server(const std::vector<std::string>& args, ProcessTitle* title, FileSystem* files);

}  // namespace synap
