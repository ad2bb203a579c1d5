// Format: https://github.com/msgpack/msgpack/blob/master/spec.md
#include "scripting/lua_cmsgpack.h"

#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "scripting/lua_edge.h"

namespace synap {
namespace {

constexpr int kNestingMax = 16;  // deeper tables are written as nil

// ---- Encoding, into the engine's scratch text. ----

void encode_value(lua_State* lua, std::string& out, int level);

// A type byte and the low `bytes` bytes of `value`, big-endian.
void put(std::string& out, unsigned type, uint64_t value, int bytes) {
  char text[9];
  text[0] = static_cast<char>(type);
  for (int i = 0; i < bytes; ++i) text[1 + i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
  out.append(text, static_cast<size_t>(bytes) + 1);
}

void encode_string(lua_State* lua, std::string& out) {
  size_t size = 0;
  const char* text = lua_tolstring(lua, -1, &size);
  if (out.size() + size > kEncodedBytesMax) luaL_error(lua, "not enough memory");
  if (size < 32) {
    put(out, static_cast<unsigned>(0xa0 | size), 0, 0);
  } else if (size <= 0xff) {
    put(out, 0xd9, size, 1);
  } else if (size <= 0xffff) {
    put(out, 0xda, size, 2);
  } else {
    put(out, 0xdb, size, 4);
  }
  out.append(text, size);
}

void encode_integer(std::string& out, int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  if (value >= 0) {
    if (value <= 127) return put(out, static_cast<unsigned>(value), 0, 0);
    if (value <= 0xff) return put(out, 0xcc, bits, 1);
    if (value <= 0xffff) return put(out, 0xcd, bits, 2);
    if (value <= 0xffffffffLL) return put(out, 0xce, bits, 4);
    return put(out, 0xcf, bits, 8);
  }
  if (value >= -32) return put(out, static_cast<unsigned>(bits & 0xff), 0, 0);
  if (value >= -128) return put(out, 0xd0, bits, 1);
  if (value >= -32768) return put(out, 0xd1, bits, 2);
  if (value >= -2147483648LL) return put(out, 0xd2, bits, 4);
  put(out, 0xd3, bits, 8);
}

bool is_int64(double number) {
  return number >= -0x1p63 && number < 0x1p63 && std::trunc(number) == number;
}

void encode_number(lua_State* lua, std::string& out) {
  const double number = lua_tonumber(lua, -1);
  if (is_int64(number)) return encode_integer(out, static_cast<int64_t>(number));
  const auto narrow = static_cast<float>(number);
  if (static_cast<double>(narrow) == number) {
    uint32_t bits = 0;
    std::memcpy(&bits, &narrow, sizeof(bits));
    return put(out, 0xca, bits, 4);
  }
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof(bits));
  put(out, 0xcb, bits, 8);
}

// Whether the keys of the table on top are exactly 1..n; *count is the number of its pairs in either case.
bool is_array(lua_State* lua, size_t* count) {
  luaL_checkstack(lua, 3, "in function table_is_an_array");
  bool array = true;
  double max = 0;
  *count = 0;
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pop(lua, 1);
    const double key = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : 0;
    if (!(key > 0 && key <= INT_MAX && std::trunc(key) == key)) array = false;
    if (key > max) max = key;
    ++*count;
  }
  return array && max == static_cast<double>(*count);
}

void encode_table(lua_State* lua, std::string& out, int level) {
  size_t count = 0;
  const bool array = is_array(lua, &count);
  if (out.size() > kEncodedBytesMax) luaL_error(lua, "not enough memory");
  const unsigned base = array ? 0x90 : 0x80;
  if (count <= 15) {
    put(out, static_cast<unsigned>(base | count), 0, 0);
  } else if (count <= 0xffff) {
    put(out, array ? 0xdc : 0xde, count, 2);
  } else {
    put(out, array ? 0xdd : 0xdf, count, 4);
  }
  if (array) {
    for (size_t i = 1; i <= count; ++i) {
      lua_rawgeti(lua, -1, static_cast<int>(i));
      encode_value(lua, out, level + 1);
    }
    return;
  }
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pushvalue(lua, -2);
    encode_value(lua, out, level + 1);  // the key
    encode_value(lua, out, level + 1);
  }
}

// Takes the value on top off the stack.
void encode_value(lua_State* lua, std::string& out, int level) {
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
      encode_string(lua, out);
      break;
    case LUA_TBOOLEAN:
      put(out, lua_toboolean(lua, -1) ? 0xc3 : 0xc2, 0, 0);
      break;
    case LUA_TNUMBER:
      encode_number(lua, out);
      break;
    case LUA_TTABLE:
      if (level < kNestingMax) {
        encode_table(lua, out, level);
        break;
      }
      [[fallthrough]];
    default:
      put(out, 0xc0, 0, 0);
  }
  lua_pop(lua, 1);
}

int cmsgpack_pack(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
  if (!lua_checkstack(lua, count)) return luaL_argerror(lua, 0, "Too many arguments for MessagePack pack.");
  std::string& out = LuaEdge::scratch(lua);
  out.clear();
  for (int i = 1; i <= count; ++i) {
    luaL_checkstack(lua, 1, "in function mp_check");
    lua_pushvalue(lua, i);
    encode_value(lua, out, 0);
  }
  lua_pushlstring(lua, out.data(), out.size());
  return 1;
}

// ---- Decoding. ----

enum class Problem : uint8_t { kNone, kMissingBytes, kBadFormat };

struct Decoder {
  lua_State* lua;
  const unsigned char* at;
  size_t left;
  Problem problem = Problem::kNone;
};

void decode_value(Decoder& from);

// Reads the type byte and `bytes` of a big-endian number behind it.
bool take(Decoder& from, size_t bytes, uint64_t* value) {
  if (from.left < bytes + 1) {
    from.problem = Problem::kMissingBytes;
    return false;
  }
  *value = 0;
  for (size_t i = 1; i <= bytes; ++i) *value = *value << 8 | from.at[i];
  from.at += bytes + 1;
  from.left -= bytes + 1;
  return true;
}

void decode_string(Decoder& from, size_t size) {
  if (from.left < size) {
    from.problem = Problem::kMissingBytes;
    return;
  }
  lua_pushlstring(from.lua, reinterpret_cast<const char*>(from.at), size);
  from.at += size;
  from.left -= size;
}

void decode_array(Decoder& from, size_t count) {
  lua_newtable(from.lua);
  luaL_checkstack(from.lua, 1, "in function mp_decode_to_lua_array");
  for (size_t i = 1; i <= count; ++i) {
    decode_value(from);
    if (from.problem != Problem::kNone) return;
    lua_rawseti(from.lua, -2, static_cast<int>(i));
  }
}

void decode_map(Decoder& from, size_t count) {
  lua_newtable(from.lua);
  for (size_t i = 0; i < count; ++i) {
    decode_value(from);
    if (from.problem != Problem::kNone) return;
    decode_value(from);
    if (from.problem != Problem::kNone) return;
    lua_settable(from.lua, -3);
  }
}

void push_integer(lua_State* lua, int64_t value) {
  lua_pushnumber(lua, static_cast<lua_Number>(value));
}

void push_float(lua_State* lua, uint64_t bits, bool narrow) {
  double number = 0;
  if (narrow) {
    const auto low = static_cast<uint32_t>(bits);
    float single = 0;
    std::memcpy(&single, &low, sizeof(single));
    number = static_cast<double>(single);
  } else {
    std::memcpy(&number, &bits, sizeof(number));
  }
  // Lua's own NaN: another bit pattern could be taken for a tagged value.
  lua_pushnumber(lua, std::isnan(number) ? std::nan("") : number);
}

// Types with a number behind the type byte: 0xca to 0xdf.
void decode_sized(Decoder& from, unsigned type) {
  static constexpr uint8_t kBytes[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4};
  uint64_t value = 0;
  if (!take(from, kBytes[type - 0xca], &value)) return;
  switch (type) {
    case 0xca:
      return push_float(from.lua, value, true);
    case 0xcb:
      return push_float(from.lua, value, false);
    case 0xd0:
      return push_integer(from.lua, static_cast<int8_t>(value));
    case 0xd1:
      return push_integer(from.lua, static_cast<int16_t>(value));
    case 0xd2:
      return push_integer(from.lua, static_cast<int32_t>(value));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return decode_string(from, value);
    case 0xdc:
    case 0xdd:
      return decode_array(from, value);
    case 0xde:
    case 0xdf:
      return decode_map(from, value);
    default:
      return push_integer(from.lua, static_cast<int64_t>(value));  // 0xcc to 0xcf, 0xd3
  }
}

void decode_value(Decoder& from) {
  if (from.left == 0) {
    from.problem = Problem::kMissingBytes;
    return;
  }
  luaL_checkstack(from.lua, 1, "too many return values at once; use unpack_one or unpack_limit instead.");
  const unsigned type = from.at[0];
  const bool is_sized = type >= 0xca && type <= 0xdf && (type < 0xd4 || type > 0xd8);
  if (is_sized) return decode_sized(from, type);
  if ((type >= 0xc1 && type <= 0xdf) && type != 0xc2 && type != 0xc3) {
    from.problem = Problem::kBadFormat;
    return;
  }
  ++from.at;
  --from.left;
  if (type < 0x80) return push_integer(from.lua, static_cast<int64_t>(type));
  if (type < 0x90) return decode_map(from, type & 0xf);
  if (type < 0xa0) return decode_array(from, type & 0xf);
  if (type < 0xc0) return decode_string(from, type & 0x1f);
  if (type == 0xc0) return lua_pushnil(from.lua);
  if (type <= 0xc3) return lua_pushboolean(from.lua, type == 0xc3);
  push_integer(from.lua, static_cast<int8_t>(type));
}

int unpack(lua_State* lua, lua_Integer limit, lua_Integer offset) {
  size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  const bool decode_all = limit == 0 && offset == 0;
  if (offset < 0 || limit < 0) {
    return luaL_error(lua, "Invalid request to unpack with offset of %d and limit of %d.", static_cast<int>(offset),
                      static_cast<int>(size));
  }
  if (static_cast<size_t>(offset) > size) {
    return luaL_error(lua, "Start offset %d greater than input length %d.", static_cast<int>(offset),
                      static_cast<int>(size));
  }
  if (decode_all) limit = INT_MAX;
  Decoder from{lua, reinterpret_cast<const unsigned char*>(text) + offset, size - static_cast<size_t>(offset)};
  int count = 0;
  for (; from.left > 0 && count < limit; ++count) {
    decode_value(from);
    if (from.problem == Problem::kMissingBytes) return luaL_error(lua, "Missing bytes in input.");
    if (from.problem == Problem::kBadFormat) return luaL_error(lua, "Bad data format in input.");
  }
  if (decode_all) return count;
  luaL_checkstack(lua, 1, "in function mp_unpack_full");
  lua_pushinteger(lua, from.left == 0 ? -1 : static_cast<lua_Integer>(size - from.left));
  lua_insert(lua, 2);
  return count + 1;
}

int cmsgpack_unpack(lua_State* lua) {
  return unpack(lua, 0, 0);
}

int cmsgpack_unpack_one(lua_State* lua) {
  const lua_Integer offset = luaL_optinteger(lua, 2, 0);
  lua_settop(lua, 1);
  return unpack(lua, 1, offset);
}

int cmsgpack_unpack_limit(lua_State* lua) {
  const lua_Integer limit = luaL_checkinteger(lua, 2);
  const lua_Integer offset = luaL_optinteger(lua, 3, 0);
  lua_settop(lua, 1);
  return unpack(lua, limit, offset);
}

}  // namespace

void push_cmsgpack_library(lua_State* lua) {
  static constexpr luaL_Reg kFunctions[] = {{"pack", cmsgpack_pack},
                                            {"unpack", cmsgpack_unpack},
                                            {"unpack_one", cmsgpack_unpack_one},
                                            {"unpack_limit", cmsgpack_unpack_limit}};
  lua_createtable(lua, 0, 8);
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(lua, function.func);
    lua_setfield(lua, -2, function.name);
  }
  lua_pushliteral(lua, "cmsgpack");
  lua_setfield(lua, -2, "_NAME");
  lua_pushliteral(lua, "lua-cmsgpack 0.4.0");
  lua_setfield(lua, -2, "_VERSION");
  lua_pushliteral(lua, "Copyright (C) 2012, Redis Ltd.");
  lua_setfield(lua, -2, "_COPYRIGHT");
  lua_pushliteral(lua, "MessagePack C implementation for Lua");
  lua_setfield(lua, -2, "_DESCRIPTION");
}

}  // namespace synap
