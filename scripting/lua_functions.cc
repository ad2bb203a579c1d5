#include "scripting/lua_functions.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "scripting/lua_edge.h"
#include "scripting/lua_prelude.h"

namespace synap {
namespace {

constexpr const char* kReadOnly = "Attempt to modify a readonly table";

// Pushes the content of the front at `index`; without one pushes nothing and returns false.
bool push_content(lua_State* lua, int index) {
  lua_pushvalue(lua, index);
  lua_rawget(lua, lua_upvalueindex(1));
  if (!lua_isnil(lua, -1)) return true;
  lua_pop(lua, 1);
  return false;
}

// From a C function Redis raises it without the place.
int raise_read_only(lua_State* lua) {
  lua_pushstring(lua, kReadOnly);
  return lua_error(lua);
}

}  // namespace

// ---- Functions that know fronts. ----

int read_only_error(lua_State* lua) {
  return luaL_error(lua, kReadOnly);
}

int missing_error(lua_State* lua) {
  if (lua_gettop(lua) != 2) return luaL_error(lua, "Wrong number of arguments to luaProtectedTableError");
  if (!lua_isstring(lua, 2)) {
    return luaL_error(lua, "Second argument to luaProtectedTableError must be a string or number");
  }
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'", lua_tostring(lua, 2));
}

int base_next(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_settop(lua, 2);
  if (push_content(lua, 1)) lua_replace(lua, 1);
  if (lua_next(lua, 1) != 0) return 2;
  lua_pushnil(lua);
  return 1;
}

int base_pairs(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const bool is_front = push_content(lua, 1);
  lua_pushvalue(lua, lua_upvalueindex(is_front ? 3 : 2));
  lua_pushvalue(lua, 1);
  lua_pushnil(lua);
  return 3;
}

int base_rawget(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  if (push_content(lua, 1)) lua_replace(lua, 1);
  lua_rawget(lua, 1);
  return 1;
}

int base_rawset(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  luaL_checkany(lua, 3);
  lua_settop(lua, 3);
  if (push_content(lua, 1)) return raise_read_only(lua);
  lua_rawset(lua, 1);
  return 1;
}

int base_getmetatable(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (push_content(lua, 1)) {
    lua_pushvalue(lua, 1);
    lua_rawget(lua, lua_upvalueindex(2));
    return 1;
  }
  if (!lua_getmetatable(lua, 1)) {
    lua_pushnil(lua);
    return 1;
  }
  luaL_getmetafield(lua, 1, "__metatable");
  return 1;
}

int base_setmetatable(lua_State* lua) {
  const int type = lua_type(lua, 2);
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_argcheck(lua, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
  if (push_content(lua, 1)) return raise_read_only(lua);
  if (luaL_getmetafield(lua, 1, "__metatable")) return luaL_error(lua, "cannot change a protected metatable");
  lua_settop(lua, 2);
  lua_setmetatable(lua, 1);
  return 1;
}

int table_insert(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  if (push_content(lua, 1)) return raise_read_only(lua);
  const int end = static_cast<int>(lua_objlen(lua, 1)) + 1;
  switch (lua_gettop(lua)) {
    case 2:
      lua_rawseti(lua, 1, end);
      return 0;
    case 3: {
      const auto place = static_cast<int>(luaL_checkinteger(lua, 2));
      for (int i = end > place ? end : place; i > place; --i) {
        lua_rawgeti(lua, 1, i - 1);
        lua_rawseti(lua, 1, i);
      }
      lua_rawseti(lua, 1, place);
      return 0;
    }
    default:
      return luaL_error(lua, "wrong number of arguments to 'insert'");
  }
}

int table_remove(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const int end = static_cast<int>(lua_objlen(lua, 1));  // of a front: none
  const auto place = static_cast<int>(luaL_optinteger(lua, 2, end));
  if (place < 1 || place > end) return 0;
  lua_rawgeti(lua, 1, place);
  for (int i = place; i < end; ++i) {
    lua_rawgeti(lua, 1, i + 1);
    lua_rawseti(lua, 1, i);
  }
  lua_pushnil(lua);
  lua_rawseti(lua, 1, end);
  return 1;
}

// ---- Other replacements. ----

int table_setn(lua_State* lua) {
  return luaL_error(lua, "'setn' is obsolete");
}

int base_loadstring(lua_State* lua) {
  size_t size = 0;
  const char* code = luaL_checklstring(lua, 1, &size);
  const char* name = luaL_optstring(lua, 2, code);
  if (luaL_loadbufferx(lua, code, size, name, "t") == 0) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int load_any(lua_State* lua) {
  size_t size = 0;
  const char* code = luaL_checklstring(lua, 1, &size);
  if (luaL_loadbuffer(lua, code, size, luaL_optstring(lua, 2, kPreludeChunk)) != 0) return lua_error(lua);
  return 1;
}

// The collector is shared by all scripts: they may ask and push it, not stop or tune it.
int base_collectgarbage(lua_State* lua) {
  static const char* const kNames[] = {"stop",     "restart",    "collect",   "count", "step",
                                       "setpause", "setstepmul", "isrunning", nullptr};
  const int what = luaL_checkoption(lua, 1, "collect", kNames);
  const auto amount = static_cast<int>(luaL_optinteger(lua, 2, 0));
  switch (what) {
    case 2:
      lua_pushinteger(lua, lua_gc(lua, LUA_GCCOLLECT, 0));
      break;
    case 3:
      lua_pushnumber(lua, lua_gc(lua, LUA_GCCOUNT, 0) + lua_gc(lua, LUA_GCCOUNTB, 0) / 1024.0);
      break;
    case 4:
      lua_pushboolean(lua, lua_gc(lua, LUA_GCSTEP, amount));
      break;
    case 5:
    case 6:
      lua_pushinteger(lua, 200);
      break;
    case 7:
      lua_pushboolean(lua, 1);
      break;
    default:
      lua_pushinteger(lua, 0);
  }
  return 1;
}

int os_clock(lua_State* lua) {
  lua_pushnumber(lua, static_cast<lua_Number>(std::clock()) / CLOCKS_PER_SEC);
  return 1;
}

int math_random(lua_State* lua) {
  const double unit = static_cast<double>(LuaEdge::random(lua).next() % LuaRandom::kMax) / LuaRandom::kMax;
  switch (lua_gettop(lua)) {
    case 0:
      lua_pushnumber(lua, unit);
      return 1;
    case 1: {
      const int high = luaL_checkint(lua, 1);
      luaL_argcheck(lua, 1 <= high, 1, "interval is empty");
      lua_pushnumber(lua, std::floor(unit * high) + 1);
      return 1;
    }
    case 2: {
      const int low = luaL_checkint(lua, 1);
      const int high = luaL_checkint(lua, 2);
      luaL_argcheck(lua, low <= high, 2, "interval is empty");
      lua_pushnumber(lua, std::floor(unit * (static_cast<double>(high) - low + 1)) + low);
      return 1;
    }
    default:
      return luaL_error(lua, "wrong number of arguments");
  }
}

int math_randomseed(lua_State* lua) {
  LuaEdge::random(lua).seed(luaL_checkint(lua, 1));
  return 0;
}

// LuaJIT's own misreads a count of -2^31.
int bit_tohex(lua_State* lua) {
  const auto to_bits = [lua](int index) {
    const double number = luaL_checknumber(lua, index) + 6755399441055744.0;  // 2^52 + 2^51: the low word is the number
    uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof(bits));
    return static_cast<uint32_t>(bits);
  };
  uint32_t value = to_bits(1);
  const auto count = lua_isnone(lua, 2) ? 8 : static_cast<int64_t>(static_cast<int32_t>(to_bits(2)));
  const char* digits = count < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  const auto size = static_cast<size_t>(std::min<int64_t>(std::abs(count), 8));
  char text[8];
  for (size_t i = size; i-- > 0; value >>= 4) text[i] = digits[value & 15];
  lua_pushlstring(lua, text, size);
  return 1;
}

int gsub_limit(lua_State* lua) {
  lua_pushinteger(lua, luaL_optinteger(lua, 1, lua_tointeger(lua, 2)));
  return 1;
}

// ---- Coroutines. ----

int resume_slice(lua_State* lua) {
  constexpr int kDepthMax = 190;  // each level is a C call; Lua 5.1 stops at 200
  lua_State* thread = lua_tothread(lua, 1);
  ScriptRun* run = LuaEdge::run(lua);
  const int count = lua_gettop(lua) - 1;
  const char* problem = nullptr;
  if (run == nullptr || thread == nullptr) {
    problem = "coroutine expected";
  } else if (LuaEdge::resume_depth(*run) >= kDepthMax) {
    problem = "C stack overflow";
  } else if (!lua_checkstack(thread, count)) {
    problem = "too many arguments to resume";
  }
  if (problem != nullptr) {
    lua_pushboolean(lua, 0);
    lua_pushstring(lua, problem);
    return 2;
  }
  lua_xmove(lua, thread, count);
  ++LuaEdge::resume_depth(*run);
  const int status = lua_resume(thread, count);
  --LuaEdge::resume_depth(*run);
  if (status != 0 && status != LUA_YIELD) {
    lua_pushboolean(lua, 0);
    lua_xmove(thread, lua, 1);
    return 2;
  }
  if (status == LUA_YIELD && LuaEdge::host_yield(*run)) {
    lua_pushlightuserdata(lua, &LuaEdge::engine(lua));
    return 1;
  }
  const int results = lua_gettop(thread);
  if (!lua_checkstack(lua, results + 1)) {
    lua_settop(thread, 0);
    lua_pushboolean(lua, 0);
    lua_pushliteral(lua, "too many results to resume");
    return 2;
  }
  lua_pushboolean(lua, 1);
  lua_xmove(thread, lua, results);
  return results + 1;
}

int yield_to_host(lua_State* lua) {
  return lua_yield(lua, 0);
}

int coroutine_yield(lua_State* lua) {
  const ScriptRun* run = LuaEdge::run(lua);
  if (run == nullptr || lua == LuaEdge::thread(*run)) {
    lua_pushliteral(lua, "attempt to yield across metamethod/C-call boundary");
    return lua_error(lua);
  }
  return lua_yield(lua, lua_gettop(lua));
}

int coroutine_running(lua_State* lua) {
  const ScriptRun* run = LuaEdge::run(lua);
  if (run == nullptr || lua == LuaEdge::thread(*run)) {
    lua_pushnil(lua);
  } else {
    lua_pushthread(lua);
  }
  return 1;
}

}  // namespace synap
