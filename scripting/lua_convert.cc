#include "scripting/lua_convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "scripting/lua_api.h"
#include "scripting/lua_edge.h"
#include "server/base/number.h"

namespace synap {
namespace {

// ---- RESP to Lua. The bytes come from our own handlers; still nothing is read beyond their end. ----

// What an aggregate and the elements that are none need of the stack.
constexpr int kStackPerLevel = 12;

struct RespCursor {
  const char* at;
  const char* end;
};

// The rest of the line, without its end.
std::string_view take_line(RespCursor* cursor) {
  const size_t left = static_cast<size_t>(cursor->end - cursor->at);
  const void* found = left == 0 ? nullptr : std::memchr(cursor->at, '\r', left);
  const char* line = cursor->at;
  const char* stop = found == nullptr ? cursor->end : static_cast<const char*>(found);
  cursor->at = std::min(stop + 2, cursor->end);
  return {line, static_cast<size_t>(stop - line)};
}

int64_t take_number(RespCursor* cursor) {
  // Nearly all have a few digits.
  constexpr ptrdiff_t kDigitsMax = 18;
  const char* at = cursor->at;
  int64_t value = 0;
  while (at < cursor->end && *at >= '0' && *at <= '9' && at - cursor->at < kDigitsMax) value = value * 10 + (*at++ - '0');
  if (at != cursor->at && cursor->end - at >= 2 && *at == '\r') {
    cursor->at = at + 2;
    return value;
  }
  value = 0;
  return parse_int64(take_line(cursor), &value) ? value : -1;
}

std::string_view take_bytes(RespCursor* cursor, int64_t size) {
  const auto left = static_cast<size_t>(cursor->end - cursor->at);
  const std::string_view bytes(cursor->at, std::min(static_cast<size_t>(size), left));
  cursor->at += std::min(bytes.size() + 2, left);
  return bytes;
}

void push_value(lua_State* lua, RespCursor* cursor);

void push_view(lua_State* lua, std::string_view bytes) {
  lua_pushlstring(lua, bytes.data(), bytes.size());
}

// {name = text}
void push_wrapped_text(lua_State* lua, const char* name, std::string_view text) {
  lua_createtable(lua, 0, 1);
  push_view(lua, text);
  lua_setfield(lua, -2, name);
}

void push_error(lua_State* lua, RespCursor* cursor) {
  const char* begin = cursor->at - 1;
  const std::string_view text = take_line(cursor);
  push_error_table(lua, {begin, text.size() + 1});
  lua_pushboolean(lua, 1);
  lua_setfield(lua, -2, "ignore_error_stats_update");
}

void push_bulk(lua_State* lua, RespCursor* cursor) {
  const int64_t size = take_number(cursor);
  if (size < 0) {
    lua_pushboolean(lua, 0);
  } else {
    push_view(lua, take_bytes(cursor, size));
  }
}

void push_array(lua_State* lua, RespCursor* cursor) {
  const int64_t count = take_number(cursor);
  if (count < 0) {
    lua_pushboolean(lua, 0);
    return;
  }
  luaL_checkstack(lua, kStackPerLevel, "reply nested too deeply");
  lua_createtable(lua, static_cast<int>(std::min<int64_t>(count, cursor->end - cursor->at)), 0);
  for (int64_t i = 1; i <= count && cursor->at < cursor->end; ++i) {
    push_value(lua, cursor);
    lua_rawseti(lua, -2, static_cast<int>(i));
  }
}

// {map = {…}} or {set = {member = true, …}}
void push_keyed(lua_State* lua, RespCursor* cursor, bool is_map) {
  const int64_t count = take_number(cursor);
  luaL_checkstack(lua, kStackPerLevel, "reply nested too deeply");
  lua_createtable(lua, 0, 1);
  lua_createtable(lua, 0, static_cast<int>(std::clamp<int64_t>(count, 0, cursor->end - cursor->at)));
  for (int64_t i = 0; i < count && cursor->at < cursor->end; ++i) {
    push_value(lua, cursor);
    if (is_map) {
      push_value(lua, cursor);
    } else {
      lua_pushboolean(lua, 1);
    }
    if (lua_isnil(lua, -2)) {
      lua_pop(lua, 2);  // no table has nil as a key
    } else {
      lua_rawset(lua, -3);
    }
  }
  lua_setfield(lua, -2, is_map ? "map" : "set");
}

void push_verbatim(lua_State* lua, RespCursor* cursor) {
  const std::string_view bytes = take_bytes(cursor, std::max<int64_t>(take_number(cursor), 0));
  lua_createtable(lua, 0, 1);
  lua_createtable(lua, 0, 2);
  push_view(lua, bytes.substr(std::min<size_t>(bytes.size(), 4)));
  lua_setfield(lua, -2, "string");
  push_view(lua, bytes.substr(0, 3));
  lua_setfield(lua, -2, "format");
  lua_setfield(lua, -2, "verbatim_string");
}

void push_double(lua_State* lua, std::string_view text) {
  double value = 0;
  if (!parse_double(text, &value)) value = std::nan("");
  lua_createtable(lua, 0, 1);
  lua_pushnumber(lua, value);
  lua_setfield(lua, -2, "double");
}

void push_value(lua_State* lua, RespCursor* cursor) {
  const char type = cursor->at < cursor->end ? *cursor->at++ : '_';
  switch (type) {
    case ':':
      lua_pushnumber(lua, static_cast<lua_Number>(take_number(cursor)));
      return;
    case '$':
      return push_bulk(lua, cursor);
    case '*':
    case '>':
      return push_array(lua, cursor);
    case '+':
      return push_wrapped_text(lua, "ok", take_line(cursor));
    case '-':
      return push_error(lua, cursor);
    case '%':
      return push_keyed(lua, cursor, true);
    case '~':
      return push_keyed(lua, cursor, false);
    case '#':
      lua_pushboolean(lua, take_line(cursor) == "t");
      return;
    case ',':
      return push_double(lua, take_line(cursor));
    case '(':
      return push_wrapped_text(lua, "big_number", take_line(cursor));
    case '=':
      return push_verbatim(lua, cursor);
    case '|':  // attributes are not shown to scripts
      luaL_checkstack(lua, kStackPerLevel, "reply nested too deeply");
      for (int64_t pairs = take_number(cursor); pairs > 0 && cursor->at < cursor->end; --pairs) {
        push_value(lua, cursor);
        push_value(lua, cursor);
        lua_pop(lua, 2);
      }
      return push_value(lua, cursor);
    default:
      take_line(cursor);
      lua_pushnil(lua);
  }
}

// ---- Lua to RESP. ----

constexpr size_t kReplyBytesMax = size_t{512} << 20;

struct Writer {
  lua_State* lua;
  int script_resp;
  Reply* reply;
  size_t begin;  // of the whole value in the buffer
  bool too_large = false;
};

void write_top(Writer& to);

// Redis passes these texts as C strings.
std::string_view text_at_top(lua_State* lua) {
  return lua_tostring(lua, -1);
}

// Replaces line breaks, in the engine's scratch text.
std::string_view one_line(lua_State* lua, std::string_view text) {
  std::string& line = LuaEdge::scratch(lua);
  line.assign(text);
  for (char& c : line) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return line;
}

// Pushes the raw field `name` of the table on top, if it has that type.
bool push_field(lua_State* lua, const char* name, int type) {
  lua_pushstring(lua, name);
  lua_rawget(lua, -2);
  if (lua_type(lua, -1) == type) return true;
  lua_pop(lua, 1);
  return false;
}

void write_integer(Reply* reply, double number) {
  const bool fits = number >= -0x1p63 && number < 0x1p63;
  reply->integer(fits ? static_cast<int64_t>(number) : INT64_MIN);
}

// {verbatim_string = {format = …, string = …}}; false when it is not complete.
bool write_verbatim(Writer& to) {
  lua_State* lua = to.lua;
  bool written = false;
  if (push_field(lua, "format", LUA_TSTRING)) {
    char format[4] = "   ";
    const std::string_view given = text_at_top(lua);
    std::memcpy(format, given.data(), std::min<size_t>(given.size(), 3));
    lua_pop(lua, 1);
    if (push_field(lua, "string", LUA_TSTRING)) {
      size_t size = 0;
      const char* text = lua_tolstring(lua, -1, &size);
      to.reply->verbatim({format, 3}, {text, size});
      lua_pop(lua, 1);
      written = true;
    }
  }
  lua_pop(lua, 1);
  return written;
}

// The inner table of {map = …} or {set = …} is on top.
void write_keyed(Writer& to, bool is_map) {
  lua_State* lua = to.lua;
  const size_t mark = to.reply->deferred_begin();
  size_t count = 0;
  lua_pushnil(lua);
  while (!to.too_large && lua_next(lua, -2) != 0) {
    if (is_map) {
      lua_pushvalue(lua, -2);
      write_top(to);
      write_top(to);
    } else {
      lua_pop(lua, 1);
      lua_pushvalue(lua, -1);
      write_top(to);
    }
    ++count;
  }
  if (to.too_large) return;
  is_map ? to.reply->deferred_end_map(mark, count) : to.reply->deferred_end_set(mark, count);
  lua_pop(lua, 1);
}

void write_array(Writer& to) {
  lua_State* lua = to.lua;
  const size_t mark = to.reply->deferred_begin();
  size_t count = 0;
  while (!to.too_large) {
    lua_rawgeti(lua, -1, static_cast<int>(count + 1));
    if (lua_isnil(lua, -1)) break;
    write_top(to);
    ++count;
  }
  if (to.too_large) return;
  lua_pop(lua, 1);
  to.reply->deferred_end_array(mark, count);
}

// One of the tables with a meaning; false for an array. Leaves the table on the stack.
bool write_tagged(Writer& to) {
  lua_State* lua = to.lua;
  bool done = true;
  if (push_field(lua, "err", LUA_TSTRING)) {
    to.reply->error(text_at_top(lua));
    lua_pop(lua, 1);
    // An error of a command was counted when the command replied it.
    if (push_field(lua, "ignore_error_stats_update", LUA_TBOOLEAN)) {
      if (lua_toboolean(lua, -1)) to.reply->mark_error_counted();
      lua_pop(lua, 1);
    }
  } else if (push_field(lua, "ok", LUA_TSTRING)) {
    to.reply->simple(one_line(lua, text_at_top(lua)));
    lua_pop(lua, 1);
  } else if (push_field(lua, "double", LUA_TNUMBER)) {
    to.reply->dbl(lua_tonumber(lua, -1));
    lua_pop(lua, 1);
  } else if (push_field(lua, "big_number", LUA_TSTRING)) {
    size_t size = 0;
    const char* text = lua_tolstring(lua, -1, &size);
    to.reply->big_number(one_line(lua, {text, size}));
    lua_pop(lua, 1);
  } else if (push_field(lua, "verbatim_string", LUA_TTABLE) && write_verbatim(to)) {
  } else if (push_field(lua, "map", LUA_TTABLE)) {
    write_keyed(to, true);
  } else if (push_field(lua, "set", LUA_TTABLE)) {
    write_keyed(to, false);
  } else {
    done = false;
  }
  return done;
}

// Writes the value on top and pops it, unless the whole has become too large: then the stack is left as it is.
void write_top(Writer& to) {
  lua_State* lua = to.lua;
  if (to.reply->buffer().size() - to.begin > kReplyBytesMax) to.too_large = true;
  if (to.too_large) return;
  if (!lua_checkstack(lua, 4)) {
    to.reply->error("ERR reached lua stack limit");
    lua_pop(lua, 1);
    return;
  }
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING: {
      size_t size = 0;
      const char* bytes = lua_tolstring(lua, -1, &size);
      to.reply->bulk({bytes, size});
      break;
    }
    case LUA_TBOOLEAN:
      if (to.script_resp != 2) {
        to.reply->boolean(lua_toboolean(lua, -1) != 0);
      } else if (lua_toboolean(lua, -1)) {
        to.reply->one();
      } else {
        to.reply->null();
      }
      break;
    case LUA_TNUMBER:
      write_integer(to.reply, lua_tonumber(lua, -1));
      break;
    case LUA_TTABLE:
      if (!write_tagged(to)) write_array(to);
      if (to.too_large) return;
      break;
    default:
      to.reply->null();
  }
  lua_pop(lua, 1);
}

}  // namespace

void push_reply(lua_State* lua, std::string_view reply) {
  RespCursor cursor{reply.data(), reply.data() + reply.size()};
  luaL_checkstack(lua, kStackPerLevel, "reply nested too deeply");
  push_value(lua, &cursor);
}

void write_value(lua_State* lua, int script_resp, Reply* reply) {
  const int base = lua_gettop(lua) - 1;
  Writer to{lua, script_resp, reply, reply->buffer().size()};
  write_top(to);
  if (to.too_large) {
    reply->buffer().truncate(to.begin);
    reply->error("ERR the script's reply is too large");
  }
  lua_settop(lua, base);
}

}  // namespace synap
