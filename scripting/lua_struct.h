// struct for scripts: Roberto Ierusalimschy's library 0.2 as in Redis (formats > < ! x b B h H l L T i I c s f d), with
// its error texts. Bounds-safe on any format and data.
#pragma once

#include <lua.hpp>

namespace synap {

// Pushes the module's table.
void push_struct_library(lua_State* lua);

}  // namespace synap
