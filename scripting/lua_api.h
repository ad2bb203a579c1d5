// The tables `redis` and `server` that scripts call the server through. Everything goes to the run's ScriptHost.
#pragma once

#include <lua.hpp>

#include <string_view>

namespace synap {

inline constexpr const char* kScriptRedisVersion = "7.4.1";
inline constexpr int kScriptRedisVersionNumber = 0x00070401;

// Pushes the table for scripts, or without the debugger's functions for function libraries. `exports` is the stack
// index of the prelude's functions.
void push_redis_api(lua_State* lua, int exports, bool for_eval);
// Pushes the table that the code of a library sees while it is loaded.
void push_library_api(lua_State* lua);

// Pushes {err = text}. A '-' before the code is dropped, a text without a code gets "ERR".
void push_error_table(lua_State* lua, std::string_view text);

}  // namespace synap
