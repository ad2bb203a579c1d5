// Values between RESP and Lua, by Redis's rules. RESP to Lua may raise (memory, nesting) and runs inside the script;
// Lua to RESP raises nothing.
#pragma once

#include <lua.hpp>

#include <string_view>

#include "protocol/reply.h"

namespace synap {

// Pushes one value for one RESP2 or RESP3 reply of our own making. Errors become {err = text}, statuses {ok = text}.
void push_reply(lua_State* lua, std::string_view reply);

// Writes the value on top of the stack and pops it. `script_resp` is what redis.setresp chose: in 2, booleans are 1
// and null. Nesting ends in "reached lua stack limit", size in an error as well, whatever the tables refer to.
void write_value(lua_State* lua, int script_resp, Reply* reply);

}  // namespace synap
