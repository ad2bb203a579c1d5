// The sandbox: what scripts see of Lua, as in Redis 7. LuaJIT has no read-only tables, so a protected table is an empty
// table (its "front") whose metatable reads from the real one and refuses writes; the real one is never handed out.
// The functions that would see through this (next, pairs, rawset, getmetatable, table.insert, …) are ours and know fronts
// (lua_functions.h). Functions that call back into Lua are written in Lua (lua_prelude.cc), because a coroutine cannot
// yield across C: so a slice can end, and a kill take effect, inside every callback. Everything here may raise and runs
// protected.
#pragma once

#include <lua.hpp>

namespace synap {

// Registry references to what a run needs.
struct Sandbox {
  int function_front_ref = LUA_NOREF;  // the _G of function libraries
  int function_plain_ref = LUA_NOREF;  // what functions that are plain see instead
  int is_plain_ref = LUA_NOREF;        // a function that tells whether one is
};

// Opens the libraries and builds the globals of scripts and of function libraries. Call once for a state.
void build_sandbox(lua_State* lua, Sandbox* sandbox);

// Pushes the front and the content of a fresh _G for EVAL scripts, and the globals of plain ones. In the latter two KEYS and
// ARGV can be set raw. A plain function (see lua_prelude.cc) cannot change what it sees, so it needs no fronts, and reading
// a global or redis.call is one step for it.
void push_script_globals(lua_State* lua);
// Forgets the front on top of the stack and pops it.
void drop_script_globals(lua_State* lua);

// What function libraries see: while one is loaded only registration, afterwards everything.
void switch_function_globals(lua_State* lua, const Sandbox& sandbox, bool loading);

// Replaces the table on top of the stack by a front. `missing_is_error`: reading a field that is not there raises.
void protect_table(lua_State* lua, bool missing_is_error);

}  // namespace synap
