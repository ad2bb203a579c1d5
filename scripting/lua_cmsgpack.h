// cmsgpack for scripts: lua-cmsgpack 0.4 as in Redis, with its error texts. Bounds-safe on any input; the depth of
// what it reads is limited by the Lua stack, of what it writes by 16 tables.
#pragma once

#include <lua.hpp>

namespace synap {

// Pushes the module's table.
void push_cmsgpack_library(lua_State* lua);

}  // namespace synap
