// Loading the append-only file: the base, RDB or commands, then the increments in order. Commands run through
// CommandRunner::replay. A torn end of the last file is cut off if the configuration allows it; anything else that is wrong
// refuses the whole AOF, with file, offset and reason in the log.
// Thread: the caller owns the keyspace.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "persistence/aof_manifest.h"
#include "persistence/file.h"
#include "persistence/rdb_file.h"
#include "server/command/runner.h"
#include "server/command/server_api.h"

namespace synap {

// Loads function libraries that a file held; an error's text or empty. On a thread that runs commands.
using LoadLibraries = std::function<std::string(const std::vector<std::string>& codes, bool replace)>;

struct AofLoad {
  Server* server;
  FileSystem* files;
  CommandRunner* runner;
  LoadLibraries load_libraries;
  std::string directory;
  AofManifest manifest;
  RdbLoadOptions rdb_options;
  RdbProgress* progress;             // bytes of all files
  const std::atomic<bool>* cancelled;
};

// All files' bytes; an error, logged, when one is missing.
Result<uint64_t> aof_total_bytes(FileSystem* files, const std::string& directory, const AofManifest& manifest);

// What went wrong is in the log.
Status load_aof(const AofLoad& load, RdbLoadResult* result);

}  // namespace synap
