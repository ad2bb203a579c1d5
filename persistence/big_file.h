// Removing files that may be big, on threads that somebody waits for.
#pragma once

#include <string>

#include "persistence/file.h"

namespace synap {

// The name goes at once; the blocks, which can take a disk a tenth of a second, when the background thread closes the file.
// Any thread.
Status remove_big_file(FileSystem* files, const std::string& path);

}  // namespace synap
