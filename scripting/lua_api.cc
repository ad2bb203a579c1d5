#include "scripting/lua_api.h"

#include <cmath>
#include <cstring>

#include "scripting/library_load.h"
#include "scripting/lua_convert.h"
#include "scripting/lua_edge.h"
#include "scripting/script_debugger.h"
#include "scripting/script_flags.h"
#include "scripting/sha1.h"
#include "server/base/log.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {
namespace {

int raise(lua_State* lua, const char* text) {
  push_error_table(lua, text);
  return lua_error(lua);
}

// ---- Commands. ----

// Integers as integers, else the shortest text that reads back the same.
size_t format_argument(char* out, double number) {
  if (number >= -0x1p63 && number < 0x1p63 && !(number == 0 && std::signbit(number))) {
    const auto integer = static_cast<int64_t>(number);
    if (static_cast<double>(integer) == number) return format_int64(out, integer);
  }
  return format_double(out, number);
}

// Gathers the arguments on the stack into run.args_; an error text when one is neither string nor number.
const char* read_arguments(lua_State* lua, ScriptRun& run) {
  const int count = lua_gettop(lua);
  if (count == 0) return "Please specify at least one argument for this redis lib call";
  auto& args = LuaEdge::args(run);
  auto& text = LuaEdge::number_text(run);
  args.resize(static_cast<size_t>(count));
  std::string_view* arg = args.data();
  const size_t text_bytes = static_cast<size_t>(count) * kDoubleCharsMax;  // should all of them be numbers
  if (text.size() < text_bytes) text.resize(text_bytes);
  char* place = text.data();
  for (int i = 1; i <= count; ++i) {
    const int type = lua_type(lua, i);
    if (type == LUA_TSTRING) {
      size_t size = 0;
      const char* bytes = lua_tolstring(lua, i, &size);
      *arg++ = {bytes, size};
    } else if (type == LUA_TNUMBER) {
      *arg++ = {place, format_argument(place, lua_tonumber(lua, i))};
      place += kDoubleCharsMax;
    } else {
      return "Lua redis lib command arguments must be strings or integers";
    }
  }
  return nullptr;
}

// The host's answer as a Lua value; redis.call raises errors.
int give_reply(lua_State* lua, ScriptHost::Progress progress, std::string_view reply, bool raise_errors) {
  if (progress == ScriptHost::Progress::kWait) {
    LuaEdge::yield_to_host(*LuaEdge::run(lua), true);
    lua_pushlightuserdata(lua, &LuaEdge::engine(lua));
    return 1;
  }
  lua_settop(lua, 0);
  push_reply(lua, reply);
  if (raise_errors && !reply.empty() && reply[0] == '-') return lua_error(lua);
  return 1;
}

int start_command(lua_State* lua, bool raise_errors) {
  ScriptRun* run = LuaEdge::run(lua);
  ScriptHost* host = LuaEdge::host(lua);
  const char* problem =
      host == nullptr ? "redis.call can only be called inside a script invocation" : read_arguments(lua, *run);
  if (problem != nullptr) {
    push_error_table(lua, problem);
    return raise_errors ? lua_error(lua) : 1;
  }
  std::string_view reply;
  ScriptDebugger* debugger = LuaEdge::debugger(lua);
  if (debugger != nullptr) [[unlikely]] debugger->on_call(LuaEdge::args(*run));
  const auto progress = host->call(LuaEdge::args(*run), LuaEdge::resp(*run), &reply);
  if (debugger != nullptr) [[unlikely]] debugger->on_reply(reply);
  return give_reply(lua, progress, reply, raise_errors);
}

int finish_command(lua_State* lua, bool raise_errors) {
  std::string_view reply;
  const auto progress = LuaEdge::host(lua)->fetch(&reply);
  return give_reply(lua, progress, reply, raise_errors);
}

int call_start(lua_State* lua) {
  return start_command(lua, true);
}
int call_finish(lua_State* lua) {
  return finish_command(lua, true);
}
int pcall_start(lua_State* lua) {
  return start_command(lua, false);
}
int pcall_finish(lua_State* lua) {
  return finish_command(lua, false);
}

// ---- The rest of redis.*. ----

int redis_sha1hex(lua_State* lua) {
  if (lua_gettop(lua) != 1) return raise(lua, "wrong number of arguments");
  size_t size = 0;
  const char* bytes = lua_tolstring(lua, 1, &size);
  char hex[kSha1HexBytes];
  sha1_hex(bytes == nullptr ? std::string_view() : std::string_view(bytes, size), hex);
  lua_pushlstring(lua, hex, sizeof(hex));
  return 1;
}

int redis_error_reply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    push_error_table(lua, "wrong number or type of arguments");
    return 1;
  }
  // What the script gives begins with its code, whether or not it wrote the '-'.
  const char* text = lua_tostring(lua, 1);
  if (text[0] != '-') {
    lua_pushliteral(lua, "-");
    lua_insert(lua, 1);
    lua_concat(lua, 2);
    text = lua_tostring(lua, 1);
  }
  push_error_table(lua, text);
  return 1;
}

int redis_status_reply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    push_error_table(lua, "wrong number or type of arguments");
    return 1;
  }
  lua_createtable(lua, 0, 1);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, "ok");
  return 1;
}

int redis_set_repl(lua_State* lua) {
  if (lua_gettop(lua) != 1) return raise(lua, "redis.set_repl() requires one argument.");
  const double number = lua_tonumber(lua, 1);
  const auto targets = number >= 0 && number <= kReplicateAll ? static_cast<unsigned>(number) : kReplicateAll + 1;
  if (targets > kReplicateAll) {
    return raise(lua, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  if (LuaEdge::host(lua) != nullptr) LuaEdge::host(lua)->set_replication(targets);
  return 0;
}

int redis_acl_check_cmd(lua_State* lua) {
  ScriptHost* host = LuaEdge::host(lua);
  if (host == nullptr) return raise(lua, "redis.acl_check_cmd can only be called inside a script invocation");
  const char* problem = read_arguments(lua, *LuaEdge::run(lua));
  if (problem != nullptr) return raise(lua, problem);
  const auto answer = host->acl_check(LuaEdge::args(*LuaEdge::run(lua)));
  if (answer == ScriptHost::AclAnswer::kUnknownCommand) {
    return raise(lua, "Invalid command passed to redis.acl_check_cmd()");
  }
  lua_pushboolean(lua, answer == ScriptHost::AclAnswer::kAllowed);
  return 1;
}

int redis_log(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count < 2) return raise(lua, "redis.log() requires two arguments or more.");
  if (!lua_isnumber(lua, 1)) return raise(lua, "First argument must be a number (log level).");
  const double number = lua_tonumber(lua, 1);
  if (!(number > -1 && number < 4)) return raise(lua, "Invalid log level.");
  const auto level = static_cast<LogLevel>(static_cast<int>(number));
  if (!log().enabled(level)) return 0;
  std::string& line = LuaEdge::scratch(lua);
  line.clear();
  for (int i = 2; i <= count; ++i) {
    size_t size = 0;
    const char* bytes = lua_tolstring(lua, i, &size);
    if (bytes == nullptr) continue;
    if (i != 2) line.push_back(' ');
    line.append(bytes, size);
  }
  log().write(level, line);
  return 0;
}

int redis_setresp(lua_State* lua) {
  if (lua_gettop(lua) != 1) return raise(lua, "redis.setresp() requires one argument.");
  const double version = std::trunc(lua_tonumber(lua, 1));
  if (version != 2 && version != 3) return raise(lua, "RESP version must be 2 or 3.");
  if (LuaEdge::run(lua) != nullptr) LuaEdge::set_resp(*LuaEdge::run(lua), static_cast<int>(version));
  return 0;
}

int redis_replicate_commands(lua_State* lua) {
  lua_pushboolean(lua, 1);
  return 1;
}

// Outside a debugging session there is nowhere to stop.
int redis_breakpoint(lua_State* lua) {
  ScriptDebugger* debugger = LuaEdge::debugger(lua);
  if (debugger != nullptr) debugger->stop_at_next_line();
  lua_pushboolean(lua, debugger != nullptr);
  return 1;
}

int redis_debug(lua_State* lua) {
  ScriptDebugger* debugger = LuaEdge::debugger(lua);
  if (debugger != nullptr) debugger->show_values(lua);
  return 0;
}

// ---- redis.register_function. ----

const char* read_flags(lua_State* lua, uint32_t* flags) {
  for (int i = 1;; ++i) {
    lua_rawgeti(lua, -1, i);
    if (lua_isnil(lua, -1)) break;
    const uint32_t flag = lua_isstring(lua, -1) ? script_flag(lua_tostring(lua, -1), true) : 0;
    lua_pop(lua, 1);
    if (flag == 0) return "unknown flag given";
    *flags |= flag;
  }
  lua_pop(lua, 1);
  return nullptr;
}

// The value on top of the stack, under the key `key`.
const char* read_named_argument(lua_State* lua, const char* key, RegisteredFunction* function) {
  size_t size = 0;
  if (equals_ignore_case(key, "function_name") || equals_ignore_case(key, "description")) {
    const bool is_name = equals_ignore_case(key, "function_name");
    if (!lua_isstring(lua, -1)) {
      return is_name ? "function_name argument given to redis.register_function must be a string"
                     : "description argument given to redis.register_function must be a string";
    }
    const char* text = lua_tolstring(lua, -1, &size);
    (is_name ? function->name : function->description).assign(text, size);
    if (!is_name) function->has_description = true;
    return nullptr;
  }
  if (equals_ignore_case(key, "callback")) {
    if (!lua_isfunction(lua, -1)) return "callback argument given to redis.register_function must be a function";
    luaL_unref(lua, LUA_REGISTRYINDEX, function->callback_ref);
    lua_pushvalue(lua, -1);
    function->callback_ref = luaL_ref(lua, LUA_REGISTRYINDEX);
    return nullptr;
  }
  if (equals_ignore_case(key, "flags")) {
    if (!lua_istable(lua, -1)) {
      return "flags argument to redis.register_function must be a table representing function flags";
    }
    return read_flags(lua, &function->flags);
  }
  return "unknown argument given to redis.register_function";
}

const char* read_named_arguments(lua_State* lua, RegisteredFunction* function, bool* is_named) {
  if (!lua_istable(lua, 1)) {
    return "calling redis.register_function with a single argument is only applicable to Lua table (representing named "
           "arguments).";
  }
  *is_named = false;
  lua_pushnil(lua);
  while (lua_next(lua, 1) != 0) {
    if (lua_type(lua, -2) != LUA_TSTRING) {
      return lua_isnumber(lua, -2) ? "unknown argument given to redis.register_function"
                                   : "named argument key given to redis.register_function is not a string";
    }
    const char* key = lua_tostring(lua, -2);
    const char* problem = read_named_argument(lua, key, function);
    if (problem != nullptr) return problem;
    *is_named |= equals_ignore_case(key, "function_name");
    lua_pop(lua, 1);
  }
  if (!*is_named) return "redis.register_function must get a function name argument";
  if (function->callback_ref == LUA_NOREF) return "redis.register_function must get a callback argument";
  return nullptr;
}

const char* read_positional_arguments(lua_State* lua, RegisteredFunction* function) {
  if (!lua_isstring(lua, 1)) return "first argument to redis.register_function must be a string";
  if (!lua_isfunction(lua, 2)) return "second argument to redis.register_function must be a function";
  size_t size = 0;
  const char* name = lua_tolstring(lua, 1, &size);
  function->name.assign(name, size);
  function->callback_ref = luaL_ref(lua, LUA_REGISTRYINDEX);
  return nullptr;
}

// Calls nothing of Lua.
const char* add_pending(LibraryLoad* load) {
  if (!is_library_name(load->pending.name)) return kLibraryNameError.data();
  for (const RegisteredFunction& function : load->functions) {
    if (function.name == load->pending.name) return "Function already exists in the library";
  }
  load->functions.push_back(std::move(load->pending));
  return nullptr;
}

int redis_register_function(lua_State* lua) {
  LibraryLoad* load = LuaEdge::loading(lua);
  if (load == nullptr) return raise(lua, "redis.register_function can only be called on FUNCTION LOAD command");
  load->pending = RegisteredFunction();
  load->pending.callback_ref = LUA_NOREF;
  bool is_named = false;
  const char* problem = nullptr;
  switch (lua_gettop(lua)) {
    case 1:
      problem = read_named_arguments(lua, &load->pending, &is_named);
      break;
    case 2:
      problem = read_positional_arguments(lua, &load->pending);
      break;
    default:
      problem = "wrong number of arguments to redis.register_function";
  }
  if (problem == nullptr) problem = add_pending(load);
  if (problem == nullptr) return 0;
  luaL_unref(lua, LUA_REGISTRYINDEX, load->pending.callback_ref);
  load->pending.callback_ref = LUA_NOREF;
  return raise(lua, problem);
}

// ---- Building. ----

void set_function(lua_State* lua, const char* name, lua_CFunction function) {
  lua_pushcfunction(lua, function);
  lua_setfield(lua, -2, name);
}

void set_number(lua_State* lua, const char* name, lua_Number value) {
  lua_pushnumber(lua, value);
  lua_setfield(lua, -2, name);
}

// redis.call as the prelude wraps it, so that it can wait.
void set_command(lua_State* lua, int exports, const char* name, lua_CFunction start, lua_CFunction finish) {
  lua_getfield(lua, exports, "command");
  lua_pushcfunction(lua, start);
  lua_pushcfunction(lua, finish);
  lua_call(lua, 2, 1);
  lua_setfield(lua, -2, name);
}

void set_common_fields(lua_State* lua) {
  set_function(lua, "log", redis_log);
  set_number(lua, "LOG_DEBUG", 0);
  set_number(lua, "LOG_VERBOSE", 1);
  set_number(lua, "LOG_NOTICE", 2);
  set_number(lua, "LOG_WARNING", 3);
  set_number(lua, "REDIS_VERSION_NUM", kScriptRedisVersionNumber);
  lua_pushstring(lua, kScriptRedisVersion);
  lua_setfield(lua, -2, "REDIS_VERSION");
}

}  // namespace

void push_error_table(lua_State* lua, std::string_view text) {
  std::string& error = LuaEdge::error_scratch(lua);
  if (text.starts_with('-')) {
    const bool has_code = text.find(' ') != std::string_view::npos;
    error.assign(has_code ? "" : "ERR ").append(text.substr(1));
  } else {
    error.assign("ERR ").append(text);
  }
  const size_t code = error.find(' ') + 1;
  const size_t begin = error.find_first_not_of("\r\n", code);
  error.erase(code, begin == std::string::npos ? std::string::npos : begin - code);
  while (error.size() > code && (error.back() == '\n' || error.back() == '\r')) error.pop_back();
  if (ScriptDebugger* debugger = LuaEdge::debugger(lua)) debugger->on_error(error);
  lua_createtable(lua, 0, 1);
  lua_pushlstring(lua, error.data(), error.size());
  lua_setfield(lua, -2, "err");
}

void push_redis_api(lua_State* lua, int exports, bool for_eval) {
  lua_newtable(lua);
  set_command(lua, exports, "call", call_start, call_finish);
  set_command(lua, exports, "pcall", pcall_start, pcall_finish);
  set_common_fields(lua);
  set_function(lua, "setresp", redis_setresp);
  set_function(lua, "sha1hex", redis_sha1hex);
  set_function(lua, "error_reply", redis_error_reply);
  set_function(lua, "status_reply", redis_status_reply);
  set_function(lua, "set_repl", redis_set_repl);
  set_number(lua, "REPL_NONE", 0);
  set_number(lua, "REPL_AOF", kReplicateAof);
  set_number(lua, "REPL_SLAVE", kReplicateReplicas);
  set_number(lua, "REPL_REPLICA", kReplicateReplicas);
  set_number(lua, "REPL_ALL", kReplicateAll);
  set_function(lua, "acl_check_cmd", redis_acl_check_cmd);
  if (!for_eval) return;
  set_function(lua, "breakpoint", redis_breakpoint);
  set_function(lua, "debug", redis_debug);
  set_function(lua, "replicate_commands", redis_replicate_commands);
}

void push_library_api(lua_State* lua) {
  lua_newtable(lua);
  set_function(lua, "register_function", redis_register_function);
  set_common_fields(lua);
}

}  // namespace synap
