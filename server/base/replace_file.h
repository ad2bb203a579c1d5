// Replacing a small file as a whole: a new one beside it, synced, then renamed over it. A crash leaves the old or the
// new one, never a part.
#pragma once

#include <string>
#include <string_view>

#include "server/base/status.h"

namespace synap {

// The detail of a failure is errno's text.
Status replace_file(const std::string& path, std::string_view text);

}  // namespace synap
