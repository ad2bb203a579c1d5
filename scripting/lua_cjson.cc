#include "scripting/lua_cjson.h"

#include <strings.h>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "scripting/lua_edge.h"
#include "server/base/number.h"

namespace synap {
namespace {

// Upvalues of every function of the module.
constexpr int kSettings = 1;
constexpr int kArrayMetatable = 2;

JsonSettings& settings_of(lua_State* lua) {
  return *static_cast<JsonSettings*>(lua_touserdata(lua, lua_upvalueindex(kSettings)));
}

// ---- Encoding. Everything is appended to the engine's scratch text, so an error may be raised anywhere. ----

struct Encoder {
  lua_State* lua;
  const JsonSettings& settings;
  std::string& out;
};

void encode_value(const Encoder& to, int depth);

int encode_error(const Encoder& to, int index, const char* reason) {
  return luaL_error(to.lua, "Cannot serialise %s: %s", lua_typename(to.lua, lua_type(to.lua, index)), reason);
}

void encode_string(const Encoder& to, int index) {
  static constexpr char kHex[] = "0123456789abcdef";
  size_t size = 0;
  const char* text = lua_tolstring(to.lua, index, &size);
  std::string& out = to.out;
  if (out.size() + size > kEncodedBytesMax) luaL_error(to.lua, "not enough memory");
  out.push_back('"');
  size_t plain = 0;  // start of the bytes not yet copied
  for (size_t i = 0; i < size; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != '/' && c != 0x7f) continue;
    out.append(text + plain, i - plain);
    plain = i + 1;
    out.push_back('\\');
    switch (c) {
      case '\b':
        out.push_back('b');
        break;
      case '\t':
        out.push_back('t');
        break;
      case '\n':
        out.push_back('n');
        break;
      case '\f':
        out.push_back('f');
        break;
      case '\r':
        out.push_back('r');
        break;
      case '"':
      case '\\':
      case '/':
        out.push_back(text[i]);
        break;
      default:
        out.append("u00");
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
    }
  }
  out.append(text + plain, size - plain);
  out.push_back('"');
}

void encode_number(const Encoder& to, int index) {
  const double number = lua_tonumber(to.lua, index);
  if (std::isinf(number) || std::isnan(number)) {
    if (to.settings.encode_invalid_numbers == 0) encode_error(to, index, "must not be NaN or Inf");
    if (to.settings.encode_invalid_numbers == 2) {
      to.out.append("null");
      return;
    }
    if (std::isnan(number)) {
      to.out.append("nan");
      return;
    }
  }
  char text[kInt64CharsMax + 12];
  if (to.settings.number_precision == 14 && std::fabs(number) < 1e14 && number == std::floor(number) &&
      !(number == 0 && std::signbit(number))) {
    to.out.append(text, format_int64(text, static_cast<int64_t>(number)));
    return;
  }
  const int size = std::snprintf(text, sizeof(text), "%.*g", to.settings.number_precision, number);
  to.out.append(text, static_cast<size_t>(size));
}

// The length of the table on top if it is an array worth writing as one, else 0 or less.
int array_length(const Encoder& to) {
  lua_State* lua = to.lua;
  int max = 0;
  int64_t items = 0;
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    const double key = lua_type(lua, -2) == LUA_TNUMBER ? lua_tonumber(lua, -2) : 0;
    if (!(key >= 1) || std::floor(key) != key) {
      lua_pop(lua, 2);
      return -1;
    }
    // Beyond an int the original wraps, and the table is written as an object.
    if (key > max) max = key > INT_MAX ? INT_MIN : static_cast<int>(key);
    ++items;
    lua_pop(lua, 1);
  }
  const JsonSettings& settings = to.settings;
  if (settings.sparse_ratio > 0 && max > items * settings.sparse_ratio && max > settings.sparse_safe) {
    if (!settings.sparse_convert) encode_error(to, -1, "excessively sparse array");
    return -1;
  }
  return max;
}

void encode_array(const Encoder& to, int length, int depth) {
  to.out.push_back('[');
  for (int i = 1; i <= length; ++i) {
    if (i > 1) to.out.push_back(',');
    lua_rawgeti(to.lua, -1, i);
    encode_value(to, depth);
    lua_pop(to.lua, 1);
  }
  to.out.push_back(']');
}

void encode_object(const Encoder& to, int depth) {
  to.out.push_back('{');
  bool first = true;
  lua_pushnil(to.lua);
  while (lua_next(to.lua, -2) != 0) {
    if (!first) to.out.push_back(',');
    first = false;
    switch (lua_type(to.lua, -2)) {
      case LUA_TNUMBER:
        to.out.push_back('"');
        encode_number(to, -2);
        to.out.append("\":");
        break;
      case LUA_TSTRING:
        encode_string(to, -2);
        to.out.push_back(':');
        break;
      default:
        encode_error(to, -2, "table key must be a number or string");
    }
    encode_value(to, depth);
    lua_pop(to.lua, 1);
  }
  to.out.push_back('}');
}

void encode_table(const Encoder& to, int depth) {
  lua_State* lua = to.lua;
  if (depth > to.settings.encode_depth_max || !lua_checkstack(lua, 3)) {
    luaL_error(lua, "Cannot serialise, excessive nesting (%d)", depth);
  }
  if (to.out.size() > kEncodedBytesMax) luaL_error(lua, "not enough memory");
  if (lua_getmetatable(lua, -1)) {
    const bool as_array = lua_rawequal(lua, -1, lua_upvalueindex(kArrayMetatable)) != 0;
    lua_pop(lua, 1);
    if (as_array) return encode_array(to, static_cast<int>(lua_objlen(lua, -1)), depth);
  }
  const int length = array_length(to);
  if (length > 0) return encode_array(to, length, depth);
  encode_object(to, depth);
}

// The value on top of the stack, which stays there.
void encode_value(const Encoder& to, int depth) {
  switch (lua_type(to.lua, -1)) {
    case LUA_TSTRING:
      return encode_string(to, -1);
    case LUA_TNUMBER:
      return encode_number(to, -1);
    case LUA_TBOOLEAN:
      to.out.append(lua_toboolean(to.lua, -1) ? "true" : "false");
      return;
    case LUA_TTABLE:
      return encode_table(to, depth + 1);
    case LUA_TNIL:
      to.out.append("null");
      return;
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(to.lua, -1) == nullptr) {
        to.out.append("null");
        return;
      }
      [[fallthrough]];
    default:
      encode_error(to, -1, "type not supported");
  }
}

int json_encode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  std::string& out = LuaEdge::scratch(lua);
  out.clear();
  encode_value(Encoder{lua, settings_of(lua), out}, 0);
  lua_pushlstring(lua, out.data(), out.size());
  return 1;
}

// ---- Decoding. Lua ends every string with a zero byte, on which each scan stops. ----

enum class Token : uint8_t {
  kObjectBegin,
  kObjectEnd,
  kArrayBegin,
  kArrayEnd,
  kString,
  kNumber,
  kBoolean,
  kNull,
  kColon,
  kComma,
  kEnd,
  kError,
};
constexpr const char* kTokenNames[] = {"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER",
                                       "T_BOOLEAN",   "T_NULL",    "T_COLON",     "T_COMMA",   "T_END"};

struct Decoder {
  lua_State* lua;
  const JsonSettings& settings;
  std::string& text;  // of the last string token
  const char* begin;
  const char* at;
  int depth = 0;

  Token token = Token::kEnd;
  size_t token_offset = 0;
  double number = 0;
  bool boolean = false;
  const char* problem = nullptr;
};

void decode_value(Decoder& from);

void token_error(Decoder& from, const char* problem) {
  from.token = Token::kError;
  from.token_offset = static_cast<size_t>(from.at - from.begin);
  from.problem = problem;
}

int decode_error(Decoder& from, const char* expected) {
  const char* found = from.token == Token::kError ? from.problem : kTokenNames[static_cast<size_t>(from.token)];
  return luaL_error(from.lua, "Expected %s but found %s at character %d", expected, found,
                    static_cast<int>(from.token_offset + 1));
}

int hex4(const char* text) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = text[i];
    const char low = static_cast<char>(c | 0x20);
    int digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (low >= 'a' && low <= 'f') {
      digit = low - 'a' + 10;
    } else {
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

void append_utf8(std::string& out, int code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
    return;
  }
  const int tails = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr int kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out.push_back(static_cast<char>(kLead[tails] | (code >> (6 * tails))));
  for (int i = tails - 1; i >= 0; --i) out.push_back(static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F)));
}

// At a "\u": a code unit, or a pair of surrogates.
bool decode_unicode_escape(Decoder& from) {
  int code = hex4(from.at + 2);
  if (code < 0) return false;
  const char* next = from.at + 6;
  if ((code & 0xF800) == 0xD800) {
    if (code & 0x400) return false;
    if (next[0] != '\\' || next[1] != 'u') return false;
    const int low = hex4(next + 2);
    if (low < 0 || (low & 0xFC00) != 0xDC00) return false;
    code = (((code & 0x3FF) << 10) | (low & 0x3FF)) + 0x10000;
    next += 6;
  }
  append_utf8(from.text, code);
  from.at = next;
  return true;
}

char unescape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'f':
      return '\f';
    case 'r':
      return '\r';
    default:
      return 0;
  }
}

void next_string(Decoder& from) {
  from.text.clear();
  ++from.at;
  for (;;) {
    const char* plain = from.at;
    while (*from.at != '"' && *from.at != '\\' && *from.at != 0) ++from.at;
    from.text.append(plain, static_cast<size_t>(from.at - plain));
    if (*from.at == '"') break;
    if (*from.at == 0) return token_error(from, "unexpected end of string");
    if (from.at[1] == 'u') {
      if (!decode_unicode_escape(from)) return token_error(from, "invalid unicode escape code");
      continue;
    }
    const char c = unescape(from.at[1]);
    if (c == 0) return token_error(from, "invalid escape code");
    from.text.push_back(c);
    from.at += 2;
  }
  ++from.at;
  from.token = Token::kString;
}

// What strtod takes but JSON does not: a plus sign, hexadecimals, leading zeros, infinity, NaN.
bool is_invalid_number(const char* at) {
  if (*at == '+') return true;
  if (*at == '-') ++at;
  if (*at == '0') return (at[1] | 0x20) == 'x' || (at[1] >= '0' && at[1] <= '9');
  if (*at <= '9') return false;
  return strncasecmp(at, "inf", 3) == 0 || strncasecmp(at, "nan", 3) == 0;
}

// Digits alone, few enough to be exact; null when there is more to it. The text ends with a zero byte.
const char* read_small_integer(const char* at, double* number) {
  constexpr int kDigitsMax = 15;
  const bool negative = *at == '-';
  const char* digit = at + (negative ? 1 : 0);
  const char* begin = digit;
  int64_t value = 0;
  for (; *digit >= '0' && *digit <= '9' && digit - begin < kDigitsMax; ++digit) value = value * 10 + (*digit - '0');
  const bool ends = !(*digit >= '0' && *digit <= '9') && *digit != '.' && (*digit | 0x20) != 'e' && (*digit | 0x20) != 'x';
  if (digit == begin || !ends || (negative && value == 0)) return nullptr;
  *number = static_cast<double>(negative ? -value : value);
  return digit;
}

void next_number(Decoder& from) {
  if (const char* after = read_small_integer(from.at, &from.number)) {
    from.at = after;
    from.token = Token::kNumber;
    return;
  }
  char* end = nullptr;
  from.number = std::strtod(from.at, &end);
  if (end == from.at) return token_error(from, "invalid number");
  from.at = end;
  from.token = Token::kNumber;
}

bool next_word(Decoder& from, std::string_view word, Token token) {
  if (std::strncmp(from.at, word.data(), word.size()) != 0) return false;
  from.at += word.size();
  from.token = token;
  return true;
}

void next_token(Decoder& from) {
  while (*from.at == ' ' || *from.at == '\t' || *from.at == '\n' || *from.at == '\r') ++from.at;
  from.token_offset = static_cast<size_t>(from.at - from.begin);
  const char c = *from.at;
  switch (c) {
    case 0:
      from.token = Token::kEnd;
      return;
    case '{':
      from.token = Token::kObjectBegin;
      break;
    case '}':
      from.token = Token::kObjectEnd;
      break;
    case '[':
      from.token = Token::kArrayBegin;
      break;
    case ']':
      from.token = Token::kArrayEnd;
      break;
    case ',':
      from.token = Token::kComma;
      break;
    case ':':
      from.token = Token::kColon;
      break;
    case '"':
      return next_string(from);
    case 't':
    case 'f':
    case 'n':
    case 'N':
    case 'i':
    case 'I':
    case '+':
      from.boolean = c == 't';
      if (next_word(from, "true", Token::kBoolean) || next_word(from, "false", Token::kBoolean)) return;
      if (next_word(from, "null", Token::kNull)) return;
      if (from.settings.decode_invalid_numbers && is_invalid_number(from.at)) return next_number(from);
      return token_error(from, "invalid token");
    default:
      if (c != '-' && (c < '0' || c > '9')) return token_error(from, "invalid token");
      if (!from.settings.decode_invalid_numbers && is_invalid_number(from.at)) {
        return token_error(from, "invalid number");
      }
      return next_number(from);
  }
  ++from.at;
}

void descend(Decoder& from, int slots) {
  ++from.depth;
  if (from.depth <= from.settings.decode_depth_max && lua_checkstack(from.lua, slots)) return;
  luaL_error(from.lua, "Found too many nested data structures (%d) at character %d", from.depth,
             static_cast<int>(from.at - from.begin));
}

void decode_object(Decoder& from) {
  descend(from, 3);
  lua_newtable(from.lua);
  next_token(from);
  while (from.token != Token::kObjectEnd) {
    if (from.token != Token::kString) decode_error(from, "object key string");
    lua_pushlstring(from.lua, from.text.data(), from.text.size());
    next_token(from);
    if (from.token != Token::kColon) decode_error(from, "colon");
    next_token(from);
    decode_value(from);
    lua_rawset(from.lua, -3);
    next_token(from);
    if (from.token == Token::kObjectEnd) break;
    if (from.token != Token::kComma) decode_error(from, "comma or object end");
    next_token(from);
    if (from.token == Token::kObjectEnd) decode_error(from, "object key string");
  }
  --from.depth;
}

void decode_array(Decoder& from) {
  descend(from, 2);
  lua_newtable(from.lua);
  if (from.settings.decode_array_with_array_mt) {
    lua_pushvalue(from.lua, lua_upvalueindex(kArrayMetatable));
    lua_setmetatable(from.lua, -2);
  }
  next_token(from);
  for (int i = 1; from.token != Token::kArrayEnd; ++i) {
    decode_value(from);
    lua_rawseti(from.lua, -2, i);
    next_token(from);
    if (from.token == Token::kArrayEnd) break;
    if (from.token != Token::kComma) decode_error(from, "comma or array end");
    next_token(from);
    if (from.token == Token::kArrayEnd) decode_error(from, "value");
  }
  --from.depth;
}

void decode_value(Decoder& from) {
  switch (from.token) {
    case Token::kString:
      lua_pushlstring(from.lua, from.text.data(), from.text.size());
      return;
    case Token::kNumber:
      lua_pushnumber(from.lua, from.number);
      return;
    case Token::kBoolean:
      lua_pushboolean(from.lua, from.boolean);
      return;
    case Token::kObjectBegin:
      return decode_object(from);
    case Token::kArrayBegin:
      return decode_array(from);
    case Token::kNull:
      lua_pushlightuserdata(from.lua, nullptr);
      return;
    default:
      decode_error(from, "value");
  }
}

int json_decode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  size_t size = 0;
  const char* json = luaL_checklstring(lua, 1, &size);
  if (size >= 2 && (json[0] == 0 || json[1] == 0)) luaL_error(lua, "JSON parser does not support UTF-16 or UTF-32");
  Decoder from{lua, settings_of(lua), LuaEdge::scratch(lua), json, json};
  next_token(from);
  decode_value(from);
  next_token(from);
  if (from.token != Token::kEnd) decode_error(from, "the end");
  return 1;
}

// ---- Settings. Each function sets what it is given and returns what holds. ----

JsonSettings& settings_with_args(lua_State* lua, int args_max) {
  luaL_argcheck(lua, lua_gettop(lua) <= args_max, args_max + 1, "found too many arguments");
  lua_settop(lua, args_max);
  return settings_of(lua);
}

void integer_setting(lua_State* lua, int index, int* setting, int min, int max) {
  if (!lua_isnil(lua, index)) {
    const auto value = luaL_checkinteger(lua, index);
    if (value < min || value > max) {
      luaL_argerror(lua, 1, lua_pushfstring(lua, "expected integer between %d and %d", min, max));
    }
    *setting = static_cast<int>(value);
  }
  lua_pushinteger(lua, *setting);
}

void boolean_setting(lua_State* lua, int index, bool* setting) {
  static const char* const kNames[] = {"off", "on", nullptr};
  if (lua_isboolean(lua, index)) {
    *setting = lua_toboolean(lua, index) != 0;
  } else if (!lua_isnil(lua, index)) {
    *setting = luaL_checkoption(lua, index, nullptr, kNames) == 1;
  }
  lua_pushboolean(lua, *setting);
}

int json_encode_sparse_array(lua_State* lua) {
  JsonSettings& settings = settings_with_args(lua, 3);
  boolean_setting(lua, 1, &settings.sparse_convert);
  integer_setting(lua, 2, &settings.sparse_ratio, 0, INT_MAX);
  integer_setting(lua, 3, &settings.sparse_safe, 0, INT_MAX);
  return 3;
}

int json_encode_max_depth(lua_State* lua) {
  integer_setting(lua, 1, &settings_with_args(lua, 1).encode_depth_max, 1, INT_MAX);
  return 1;
}

int json_decode_max_depth(lua_State* lua) {
  integer_setting(lua, 1, &settings_with_args(lua, 1).decode_depth_max, 1, INT_MAX);
  return 1;
}

int json_encode_number_precision(lua_State* lua) {
  integer_setting(lua, 1, &settings_with_args(lua, 1).number_precision, 1, 14);
  return 1;
}

// The buffer is the engine's, so the setting changes nothing but what it answers.
int json_encode_keep_buffer(lua_State* lua) {
  boolean_setting(lua, 1, &settings_with_args(lua, 1).keep_buffer);
  return 1;
}

int json_encode_invalid_numbers(lua_State* lua) {
  static const char* const kNames[] = {"off", "on", "null", nullptr};
  int& setting = settings_with_args(lua, 1).encode_invalid_numbers;
  if (lua_isboolean(lua, 1)) {
    setting = lua_toboolean(lua, 1);
  } else if (!lua_isnil(lua, 1)) {
    setting = luaL_checkoption(lua, 1, nullptr, kNames);
  }
  if (setting == 2) {
    lua_pushliteral(lua, "null");
  } else {
    lua_pushboolean(lua, setting);
  }
  return 1;
}

int json_decode_invalid_numbers(lua_State* lua) {
  boolean_setting(lua, 1, &settings_with_args(lua, 1).decode_invalid_numbers);
  return 1;
}

int json_decode_array_with_array_mt(lua_State* lua) {
  boolean_setting(lua, 1, &settings_with_args(lua, 1).decode_array_with_array_mt);
  return 1;
}

int json_new(lua_State* lua);

constexpr luaL_Reg kFunctions[] = {
    {"encode", json_encode},
    {"decode", json_decode},
    {"encode_sparse_array", json_encode_sparse_array},
    {"encode_max_depth", json_encode_max_depth},
    {"decode_max_depth", json_decode_max_depth},
    {"encode_number_precision", json_encode_number_precision},
    {"encode_keep_buffer", json_encode_keep_buffer},
    {"encode_invalid_numbers", json_encode_invalid_numbers},
    {"decode_invalid_numbers", json_decode_invalid_numbers},
    {"decode_array_with_array_mt", json_decode_array_with_array_mt},
    {"new", json_new},
};

// From the settings (userdata) and the arrays' metatable on top of the stack to the module's table.
void make_module(lua_State* lua) {
  lua_createtable(lua, 0, 16);
  for (const luaL_Reg& function : kFunctions) {
    lua_pushvalue(lua, -3);
    lua_pushvalue(lua, -3);
    lua_pushcclosure(lua, function.func, 2);
    lua_setfield(lua, -2, function.name);
  }
  lua_pushlightuserdata(lua, nullptr);
  lua_setfield(lua, -2, "null");
  lua_pushliteral(lua, "cjson");
  lua_setfield(lua, -2, "_NAME");
  lua_pushliteral(lua, "2.1.0");
  lua_setfield(lua, -2, "_VERSION");
  lua_replace(lua, -3);
  lua_pop(lua, 1);
}

// A module with settings of its own.
int json_new(lua_State* lua) {
  new (lua_newuserdata(lua, sizeof(JsonSettings))) JsonSettings();
  lua_pushvalue(lua, lua_upvalueindex(kArrayMetatable));
  make_module(lua);
  return 1;
}

}  // namespace

void push_json_library(lua_State* lua) {
  lua_pushlightuserdata(lua, &LuaEdge::json(lua));
  lua_insert(lua, -2);
  make_module(lua);
}

}  // namespace synap
