// The part of the sandbox that is written in Lua.
#pragma once

#include <string_view>

namespace synap {

// A chunk that gets a table of natives and returns a table of functions, to be compiled without debug information: its
// functions then look like built-in ones in error messages.
extern const std::string_view kLuaPrelude;
inline constexpr const char* kPreludeChunk = "=prelude";

}  // namespace synap
