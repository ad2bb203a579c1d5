// Function libraries that come with a data set: from an RDB file at start, by DEBUG RELOAD, from a master.
#pragma once

#include <string>
#include <vector>

#include "scripting/scripting.h"

namespace synap {

// Publishes a set of these libraries: with `keep` beside the present ones, of which one of the same name is an error unless
// they `replace` it. An error's text, and nothing is changed, or empty. On the thread that `thread` belongs to.
std::string load_function_libraries(ScriptThread& thread, FunctionRegistry& registry, const std::vector<std::string>& codes,
                                    bool keep, bool replace);

}  // namespace synap
