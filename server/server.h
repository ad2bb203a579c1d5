// Synap: the running server. Builds the parts in order, connects them, runs the reactors, takes everything down again.
#pragma once

#include <memory>

#include "persistence/file.h"
#include "server/command/config_file.h"
#include "server/command/process_title.h"

namespace synap {

class Synap {
 public:
  // `title`: of this process. `files`: what persistence reads and writes.
  Synap(LoadedConfig loaded, ProcessTitle* title, FileSystem* files);
  ~Synap();
  Synap(const Synap&) = delete;
  Synap& operator=(const Synap&) = delete;

  // Opens the listeners, loads the data set, serves until shut down. The process's exit code.
  int run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace synap
