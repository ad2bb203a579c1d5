#include "scripting/lua_sandbox.h"

#include <initializer_list>

#include "scripting/lua_api.h"
#include "scripting/lua_cjson.h"
#include "scripting/lua_cmsgpack.h"
#include "scripting/lua_edge.h"
#include "scripting/lua_functions.h"
#include "scripting/lua_prelude.h"
#include "scripting/lua_struct.h"

namespace synap {
namespace {

// Keys in the registry.
constexpr const char* kFronts = "synap.fronts";         // front → content
constexpr const char* kMetaViews = "synap.meta_views";  // front → what getmetatable says of it
constexpr const char* kScriptGlobals = "synap.script_globals";
constexpr const char* kScriptMetaView = "synap.script_meta_view";
constexpr const char* kFunctionGlobals = "synap.function_globals";
constexpr const char* kLoadGlobals = "synap.load_globals";

// A closure with the table of fronts as its upvalue.
void set_front_function(lua_State* lua, const char* name, lua_CFunction function) {
  lua_getfield(lua, LUA_REGISTRYINDEX, kFronts);
  lua_pushcclosure(lua, function, 1);
  lua_setfield(lua, -2, name);
}

void set_function(lua_State* lua, const char* name, lua_CFunction function) {
  lua_pushcfunction(lua, function);
  lua_setfield(lua, -2, name);
}

// Copies fields of the table at `from` to the one on top.
void copy_fields(lua_State* lua, int from, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    lua_getfield(lua, from, name);
    SYNAP_ASSERT(!lua_isnil(lua, -1));
    lua_setfield(lua, -2, name);
  }
}

// Moves a function from the table of exports at `from` into the table on top.
void take_export(lua_State* lua, int from, const char* name) {
  lua_getfield(lua, from, name);
  SYNAP_ASSERT(lua_isfunction(lua, -1));
  lua_setfield(lua, -2, name);
}

void open_library(lua_State* lua, const char* name, lua_CFunction open) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 0);
}

// LuaJIT's table of functions that look into functions; scripts have no way to it.
void push_bytecode_reader(lua_State* lua) {
  open_library(lua, LUA_JITLIBNAME, luaopen_jit);
  lua_getfield(lua, LUA_REGISTRYINDEX, "_PRELOAD");
  lua_getfield(lua, -1, "jit.util");
  lua_remove(lua, -2);
  lua_call(lua, 0, 1);
}

// From the plain globals to the prelude's table of functions.
void push_prelude(lua_State* lua) {
  const int globals = LUA_GLOBALSINDEX;
  lua_pushcfunction(lua, load_any);
  lua_pushlstring(lua, kLuaPrelude.data(), kLuaPrelude.size());
  lua_call(lua, 1, 1);
  lua_getglobal(lua, "string");
  lua_getfield(lua, -1, "dump");
  lua_pushvalue(lua, -3);
  lua_pushboolean(lua, 1);
  lua_call(lua, 2, 1);  // chunk, string, bytecode without debug information
  lua_pushcfunction(lua, load_any);
  lua_insert(lua, -2);
  lua_call(lua, 1, 1);
  lua_replace(lua, -3);
  lua_pop(lua, 1);  // the stripped chunk
  lua_newtable(lua);
  protect_table(lua, true);
  lua_setfenv(lua, -2);  // it and its functions know no globals

  lua_newtable(lua);  // natives
  copy_fields(lua, globals, {"type", "error", "tostring", "pcall"});
  lua_getglobal(lua, "string");
  const int string = lua_gettop(lua);
  lua_pushvalue(lua, -2);
  copy_fields(lua, string, {"find", "sub", "byte", "gsub", "dump"});
  lua_getglobal(lua, "table");
  const int table = lua_gettop(lua);
  lua_pushvalue(lua, -2);
  copy_fields(lua, table, {"concat", "getn", "foreach", "foreachi", "sort"});
  lua_getglobal(lua, "coroutine");
  const int coroutine = lua_gettop(lua);
  lua_pushvalue(lua, -2);
  copy_fields(lua, coroutine, {"status", "create"});
  lua_getglobal(lua, "math");
  const int math = lua_gettop(lua);
  lua_pushvalue(lua, -2);
  copy_fields(lua, math, {"floor"});
  lua_getglobal(lua, "bit");
  const int bit = lua_gettop(lua);
  lua_pushvalue(lua, -2);
  copy_fields(lua, bit, {"band", "rshift"});
  push_bytecode_reader(lua);
  const int reader = lua_gettop(lua);
  lua_pushvalue(lua, -2);
  copy_fields(lua, reader, {"funcbc", "funck"});
  set_function(lua, "load_text", base_loadstring);
  set_function(lua, "load_any", load_any);
  set_function(lua, "gsub_limit", gsub_limit);
  set_function(lua, "resume_slice", resume_slice);
  set_function(lua, "yield_to_host", yield_to_host);
  lua_pushlightuserdata(lua, &LuaEdge::engine(lua));
  lua_setfield(lua, -2, "suspended");
  lua_getfield(lua, LUA_REGISTRYINDEX, kFronts);
  lua_getglobal(lua, "next");
  lua_getfield(lua, LUA_REGISTRYINDEX, kFronts);
  lua_pushcclosure(lua, base_next, 1);
  lua_pushcclosure(lua, base_pairs, 3);
  lua_setfield(lua, -2, "pairs");
  lua_replace(lua, string);  // natives; chunk is below
  lua_settop(lua, string);
  lua_remove(lua, string - 1);
  lua_call(lua, 1, 1);
}

// A library's table of only these fields of the one that LuaJIT opened, left on the stack.
void push_library(lua_State* lua, const char* name, std::initializer_list<const char*> fields) {
  lua_getglobal(lua, name);
  const int opened = lua_gettop(lua);
  lua_newtable(lua);
  copy_fields(lua, opened, fields);
  lua_remove(lua, opened);
}

// Protects the table on top of the stack and makes it a field of the one below.
void set_library(lua_State* lua, const char* name) {
  protect_table(lua, false);
  lua_setfield(lua, -2, name);
}

void set_string_library(lua_State* lua, int exports) {
  push_library(
      lua, "string",
      {"byte", "char", "dump", "find", "format", "gmatch", "len", "lower", "match", "rep", "reverse", "sub", "upper"});
  lua_getfield(lua, -1, "gmatch");
  lua_setfield(lua, -2, "gfind");
  take_export(lua, exports, "gsub");
  lua_pushvalue(lua, -1);  // for the metatable of strings
  protect_table(lua, false);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -4, "string");
  // Methods of strings: the content itself serves lookups, the front is what getmetatable("") shows.
  lua_newtable(lua);
  lua_insert(lua, -2);
  lua_setfield(lua, -2, "__index");
  protect_table(lua, false);
  lua_pushliteral(lua, "");
  lua_createtable(lua, 0, 2);
  lua_pushvalue(lua, -4);
  lua_setfield(lua, -2, "__index");
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_pop(lua, 3);
}

void set_libraries(lua_State* lua, int exports) {
  set_string_library(lua, exports);

  push_library(lua, "table", {"concat", "getn", "maxn"});
  for (const char* name : {"foreach", "foreachi", "sort"}) take_export(lua, exports, name);
  set_front_function(lua, "insert", table_insert);
  set_front_function(lua, "remove", table_remove);
  set_function(lua, "setn", table_setn);
  set_library(lua, "table");

  push_library(lua, "math", {"abs",   "acos", "asin",  "atan", "atan2", "ceil", "cos",   "cosh", "deg", "exp",
                             "floor", "fmod", "frexp", "huge", "ldexp", "log",  "log10", "max",  "min", "modf",
                             "pi",    "pow",  "rad",   "sin",  "sinh",  "sqrt", "tan",   "tanh"});
  lua_getfield(lua, -1, "fmod");
  lua_setfield(lua, -2, "mod");
  set_function(lua, "random", math_random);
  set_function(lua, "randomseed", math_randomseed);
  set_library(lua, "math");

  push_library(lua, "coroutine", {"create", "status"});
  take_export(lua, exports, "resume");
  take_export(lua, exports, "wrap");
  set_function(lua, "yield", coroutine_yield);
  set_function(lua, "running", coroutine_running);
  set_library(lua, "coroutine");

  push_library(lua, "bit",
               {"tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror", "bswap"});
  set_function(lua, "tohex", bit_tohex);
  set_library(lua, "bit");

  lua_newtable(lua);
  set_function(lua, "clock", os_clock);
  set_library(lua, "os");

  lua_newtable(lua);
  protect_table(lua, false);
  push_json_library(lua);
  set_library(lua, "cjson");
  push_cmsgpack_library(lua);
  set_library(lua, "cmsgpack");
  push_struct_library(lua);
  set_library(lua, "struct");
}

void set_base_functions(lua_State* lua, int exports) {
  copy_fields(lua, LUA_GLOBALSINDEX,
              {"assert", "error", "gcinfo", "ipairs", "rawequal", "select", "tonumber", "tostring", "type", "unpack",
               "_VERSION"});
  for (const char* name : {"pcall", "xpcall", "load"}) take_export(lua, exports, name);
  set_front_function(lua, "next", base_next);
  set_front_function(lua, "rawget", base_rawget);
  set_front_function(lua, "rawset", base_rawset);
  set_front_function(lua, "setmetatable", base_setmetatable);
  set_function(lua, "loadstring", base_loadstring);
  set_function(lua, "collectgarbage", base_collectgarbage);
  lua_getfield(lua, LUA_REGISTRYINDEX, kFronts);
  lua_getglobal(lua, "next");
  lua_getfield(lua, -3, "next");
  lua_pushcclosure(lua, base_pairs, 3);
  lua_setfield(lua, -2, "pairs");
  lua_getfield(lua, LUA_REGISTRYINDEX, kFronts);
  lua_getfield(lua, LUA_REGISTRYINDEX, kMetaViews);
  lua_pushcclosure(lua, base_getmetatable, 2);
  lua_setfield(lua, -2, "getmetatable");
}

// Copies every field of the table at `from` into the table on top.
void copy_table(lua_State* lua, int from) {
  lua_pushnil(lua);
  while (lua_next(lua, from) != 0) {
    lua_pushvalue(lua, -2);
    lua_insert(lua, -2);
    lua_rawset(lua, -4);
  }
}

// The view that getmetatable(_G) gives of the front on top of the stack: a table with what is below it as __index.
void set_meta_view(lua_State* lua) {
  lua_getfield(lua, LUA_REGISTRYINDEX, kMetaViews);
  lua_pushvalue(lua, -2);
  lua_newtable(lua);
  lua_pushvalue(lua, -5);
  lua_setfield(lua, -2, "__index");
  protect_table(lua, false);
  lua_rawset(lua, -3);
  lua_pop(lua, 1);
}

// The same globals as the content on top of the stack, with libraries instead of their fronts, in a table above it.
void push_plain_globals(lua_State* lua) {
  const int content = lua_gettop(lua);
  lua_getfield(lua, LUA_REGISTRYINDEX, kFronts);
  const int fronts = lua_gettop(lua);
  lua_createtable(lua, 0, 64);
  lua_pushnil(lua);
  while (lua_next(lua, content) != 0) {
    lua_pushvalue(lua, -2);
    lua_insert(lua, -2);  // …, key, key, value
    lua_pushvalue(lua, -1);
    lua_rawget(lua, fronts);
    if (lua_isnil(lua, -1)) {
      lua_pop(lua, 1);
    } else {
      lua_remove(lua, -2);
    }
    lua_rawset(lua, -4);
  }
  lua_getmetatable(lua, content);  // what is missing is an error here, too
  lua_setmetatable(lua, -2);
  lua_remove(lua, fronts);
}

void set_api(lua_State* lua) {
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -3, "redis");
  lua_setfield(lua, -2, "server");
}

// Functions see the globals of EVAL without the debugger's, behind a front whose content switches while loading.
void build_function_globals(lua_State* lua, int globals, int exports, Sandbox* sandbox) {
  lua_newtable(lua);
  copy_table(lua, globals);
  push_redis_api(lua, exports, false);
  protect_table(lua, false);
  set_api(lua);
  lua_pushvalue(lua, -1);
  protect_table(lua, true);  // content, front
  lua_pushvalue(lua, -1);
  lua_setfield(lua, -3, "_G");
  lua_pushcfunction(lua, missing_error);
  lua_insert(lua, -2);
  set_meta_view(lua);
  lua_remove(lua, -2);  // content, front of the globals

  lua_newtable(lua);
  protect_table(lua, true);  // the _G of libraries; its __index is switched
  set_meta_view(lua);
  sandbox->function_front_ref = luaL_ref(lua, LUA_REGISTRYINDEX);
  lua_pop(lua, 1);
  push_plain_globals(lua);
  sandbox->function_plain_ref = luaL_ref(lua, LUA_REGISTRYINDEX);
  lua_setfield(lua, LUA_REGISTRYINDEX, kFunctionGlobals);

  lua_newtable(lua);
  push_library_api(lua);
  protect_table(lua, true);
  set_api(lua);
  lua_pushvalue(lua, -1);
  protect_table(lua, true);
  lua_pop(lua, 1);
  lua_setfield(lua, LUA_REGISTRYINDEX, kLoadGlobals);
  switch_function_globals(lua, *sandbox, false);
}

}  // namespace

void protect_table(lua_State* lua, bool missing_is_error) {
  if (missing_is_error) {
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, missing_error);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
  }
  lua_newtable(lua);  // the front
  lua_createtable(lua, 0, 3);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, read_only_error);
  lua_setfield(lua, -2, "__newindex");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_getfield(lua, LUA_REGISTRYINDEX, kFronts);
  lua_pushvalue(lua, -2);
  lua_pushvalue(lua, -4);
  lua_rawset(lua, -3);
  lua_pop(lua, 1);
  lua_remove(lua, -2);
}

void build_sandbox(lua_State* lua, Sandbox* sandbox) {
  lua_newtable(lua);
  lua_setfield(lua, LUA_REGISTRYINDEX, kFronts);
  lua_newtable(lua);
  lua_setfield(lua, LUA_REGISTRYINDEX, kMetaViews);
  open_library(lua, "", luaopen_base);
  open_library(lua, LUA_TABLIBNAME, luaopen_table);
  open_library(lua, LUA_STRLIBNAME, luaopen_string);
  open_library(lua, LUA_MATHLIBNAME, luaopen_math);
  open_library(lua, LUA_BITLIBNAME, luaopen_bit);
  push_prelude(lua);
  const int exports = lua_gettop(lua);
  lua_getfield(lua, exports, "is_plain");
  sandbox->is_plain_ref = luaL_ref(lua, LUA_REGISTRYINDEX);

  lua_newtable(lua);
  const int globals = lua_gettop(lua);
  set_base_functions(lua, exports);
  set_libraries(lua, exports);
  build_function_globals(lua, globals, exports, sandbox);
  push_redis_api(lua, exports, true);
  protect_table(lua, false);
  set_api(lua);
  lua_setfield(lua, LUA_REGISTRYINDEX, kScriptGlobals);

  lua_newtable(lua);
  lua_pushcfunction(lua, missing_error);
  lua_setfield(lua, -2, "__index");
  protect_table(lua, false);
  lua_setfield(lua, LUA_REGISTRYINDEX, kScriptMetaView);

  // Nothing of what was opened stays reachable from a script's first globals.
  lua_newtable(lua);
  protect_table(lua, true);
  lua_replace(lua, LUA_GLOBALSINDEX);
  lua_settop(lua, 0);
}

void push_script_globals(lua_State* lua) {
  lua_createtable(lua, 0, 64);
  const int content = lua_gettop(lua);
  lua_getfield(lua, LUA_REGISTRYINDEX, kScriptGlobals);
  lua_pushvalue(lua, content);
  copy_table(lua, content + 1);
  lua_pop(lua, 2);
  lua_pushvalue(lua, content);
  protect_table(lua, true);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, content, "_G");
  lua_getfield(lua, LUA_REGISTRYINDEX, kMetaViews);
  lua_pushvalue(lua, -2);
  lua_getfield(lua, LUA_REGISTRYINDEX, kScriptMetaView);
  lua_rawset(lua, -3);
  lua_pop(lua, 1);
  lua_insert(lua, content);  // front, content
  push_plain_globals(lua);
}

void drop_script_globals(lua_State* lua) {
  for (const char* table : {kFronts, kMetaViews}) {
    lua_getfield(lua, LUA_REGISTRYINDEX, table);
    lua_pushvalue(lua, -2);
    lua_pushnil(lua);
    lua_rawset(lua, -3);
    lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
}

void switch_function_globals(lua_State* lua, const Sandbox& sandbox, bool loading) {
  lua_rawgeti(lua, LUA_REGISTRYINDEX, sandbox.function_front_ref);
  lua_getmetatable(lua, -1);
  lua_getfield(lua, LUA_REGISTRYINDEX, loading ? kLoadGlobals : kFunctionGlobals);
  lua_setfield(lua, -2, "__index");
  lua_pop(lua, 2);
}

}  // namespace synap
