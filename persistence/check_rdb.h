// Checks an RDB file without a server, in the words of redis-check-rdb: what is in it, and where and why it cannot be
// loaded. Changes nothing; values are read one at a time.
#pragma once

#include <cstdint>
#include <string>

#include "persistence/file.h"

namespace synap {

// Prints its findings. The exit code.
int check_rdb(FileSystem* files, const std::string& path);

// The same without the greeting, of a file or of what an AOF begins with; `name` is printed. *end: where the RDB part ends.
bool check_rdb_part(File* file, const std::string& name, uint64_t* end);

}  // namespace synap
