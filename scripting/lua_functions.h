// What scripts get in place of Lua's own functions: those that would see through a front (lua_sandbox.h), and those that
// Redis or the slices have otherwise. All are called by Lua and may raise.
#pragma once

#include <lua.hpp>

namespace synap {

// A front's metamethods.
int read_only_error(lua_State* lua);
int missing_error(lua_State* lua);

// Their first upvalue is the table of fronts.
int base_next(lua_State* lua);
// Further upvalues: Lua's own next (with which LuaJIT iterates fastest), base_next.
int base_pairs(lua_State* lua);
int base_rawget(lua_State* lua);
int base_rawset(lua_State* lua);
// Further upvalue: views of metatables.
int base_getmetatable(lua_State* lua);
int base_setmetatable(lua_State* lua);
int table_insert(lua_State* lua);
int table_remove(lua_State* lua);

int table_setn(lua_State* lua);
int base_loadstring(lua_State* lua);
// Code in any form, raising what is wrong with it.
int load_any(lua_State* lua);
int base_collectgarbage(lua_State* lua);
int os_clock(lua_State* lua);
int math_random(lua_State* lua);
int math_randomseed(lua_State* lua);
int bit_tohex(lua_State* lua);
// Of the prelude's gsub: the count it was called with, or else the second argument.
int gsub_limit(lua_State* lua);

// resume_slice(thread, ...): true or false and what the coroutine gave, or SUSPENDED when its slice ended inside.
int resume_slice(lua_State* lua);
int yield_to_host(lua_State* lua);
int coroutine_yield(lua_State* lua);
int coroutine_running(lua_State* lua);

}  // namespace synap
