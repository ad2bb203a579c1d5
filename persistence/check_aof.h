// Checks the append-only file without a server, in the words of redis-check-aof: a manifest with all its files, or one
// file. Mends what it is asked to: cuts a file off after its last whole command, or before the first one after a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "persistence/file.h"

namespace synap {

struct AofCheck {
  std::string path;  // of the manifest, or of a file
  bool fix = false;  // cut a damaged end off; asks first, on standard input
  std::optional<int64_t> truncate_to_s;
};

// Prints its findings. The exit code.
int check_aof(FileSystem* files, const AofCheck& check);

}  // namespace synap
