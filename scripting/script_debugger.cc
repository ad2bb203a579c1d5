// Commands and texts: https://redis.io/docs/latest/develop/interact/programmability/lua-debugging/
#include "scripting/script_debugger.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "server/base/clock.h"
#include "server/base/number.h"
#include "server/base/quoted_args.h"
#include "server/base/text.h"

namespace synap {
namespace {

constexpr size_t kBreakpointsMax = 64;
constexpr int kDepthMax = 10;
constexpr size_t kCallWordsShown = 10;

// ---- Values as text. Nothing here calls into the script: no metamethods.

void append_value(lua_State* lua, int index, int depth, std::string* out);

// Both ways at once: as a list, and with keys, in case it turns out to be none.
void append_table(lua_State* lua, int table, int depth, std::string* out) {
  std::string list;
  std::string keyed;
  bool is_list = true;
  int expected = 1;
  lua_pushnil(lua);
  while (lua_next(lua, table) != 0) {
    const int value = lua_gettop(lua);
    const int key = value - 1;
    if (lua_type(lua, key) != LUA_TNUMBER || lua_tonumber(lua, key) != expected) is_list = false;
    ++expected;
    std::string text;
    append_value(lua, value, depth + 1, &text);
    list += (list.empty() ? "" : "; ") + text;
    keyed += keyed.empty() ? "[" : "; [";
    append_value(lua, key, depth + 1, &keyed);
    keyed += "]=" + text;
    lua_pop(lua, 1);
  }
  *out += "{" + (is_list ? list : keyed) + "}";
}

void append_value(lua_State* lua, int index, int depth, std::string* out) {
  if (depth > kDepthMax || !lua_checkstack(lua, 4)) {
    *out += "<max recursion level reached! Nested table?>";
    return;
  }
  size_t size = 0;
  switch (lua_type(lua, index)) {
    case LUA_TSTRING: {
      const char* bytes = lua_tolstring(lua, index, &size);
      *out += quote_arg({bytes, size});
      break;
    }
    case LUA_TBOOLEAN:
      *out += lua_toboolean(lua, index) ? "true" : "false";
      break;
    case LUA_TNUMBER:
      *out += format_text("%g", lua_tonumber(lua, index));
      break;
    case LUA_TNIL:
      *out += "nil";
      break;
    case LUA_TTABLE:
      append_table(lua, index, depth, out);
      break;
    default:
      *out += format_text("\"%s@%p\"", lua_typename(lua, lua_type(lua, index)), lua_topointer(lua, index));
  }
}

std::string value_text(lua_State* lua, int index) {
  std::string text;
  append_value(lua, index < 0 ? lua_gettop(lua) + 1 + index : index, 0, &text);
  return text;
}

// ---- Replies as text.

struct ReplyReader {
  std::string_view rest;

  std::string_view line() {
    const size_t end = std::min(rest.find("\r\n"), rest.size());
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 2, rest.size()));
    return text;
  }
  std::string_view bytes(size_t count) {
    const std::string_view text = rest.substr(0, count);
    rest.remove_prefix(std::min(count + 2, rest.size()));
    return text;
  }
};

void append_reply(ReplyReader* reader, std::string* out);

void append_elements(ReplyReader* reader, std::string_view header, const char* brackets, const char* link,
                     std::string* out) {
  int64_t count = 0;
  if (!parse_int64(header.substr(1), &count) || count < 0) {
    *out += "NULL";
    return;
  }
  out->push_back(brackets[0]);
  for (int64_t i = 0; i < count && !reader->rest.empty(); ++i) {
    if (i != 0) out->push_back(',');
    append_reply(reader, out);
    if (link == nullptr) continue;
    *out += link;
    append_reply(reader, out);
  }
  out->push_back(brackets[1]);
}

void append_reply(ReplyReader* reader, std::string* out) {
  const std::string_view header = reader->line();
  int64_t size = 0;
  switch (header.empty() ? '_' : header[0]) {
    case ':':
      *out += header.substr(1);
      break;
    case '$':
    case '=':
      if (!parse_int64(header.substr(1), &size) || size < 0) {
        *out += "NULL";
      } else {
        *out += quote_arg(reader->bytes(static_cast<size_t>(size)));
      }
      break;
    case '+':
    case '-':
      *out += quote_arg(header);
      break;
    case '*':
    case '>':
      append_elements(reader, header, "[]", nullptr, out);
      break;
    case '~':
      *out += "~";
      append_elements(reader, header, "()", nullptr, out);
      break;
    case '%':
      append_elements(reader, header, "{}", " => ", out);
      break;
    case '#':
      *out += header == "#t" ? "#true" : "#false";
      break;
    case ',':
      *out += "(double) ";
      *out += header.substr(1);
      break;
    case '(':
      *out += header.substr(1);
      break;
    default:
      *out += "(null)";
  }
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return equals_ignore_case(word, name); });
}

std::string joined(const std::vector<std::string>& words, size_t from) {
  std::string text;
  for (size_t i = from; i < words.size(); ++i) text += (i == from ? "" : " ") + words[i];
  return text;
}

bool is_in_script(const lua_Debug& frame) { return std::strstr(frame.short_src, "user_script") != nullptr; }

}  // namespace

ScriptDebugger::ScriptDebugger(DebugWire* wire, std::string_view source, int64_t timeout_ms)
    : wire_(wire), timeout_ms_(timeout_ms == 0 ? 5000 : timeout_ms), running_since_us_(monotonic_us()) {
  while (source.ends_with('\n') || source.ends_with('\r')) source.remove_suffix(1);
  for (size_t at = 0; at <= source.size();) {
    const size_t end = std::min(source.find('\n', at), source.size());
    source_.emplace_back(source.substr(at, end - at));
    at = end + 1;
  }
}

bool ScriptDebugger::is_breakpoint(int line) const {
  return std::find(breakpoints_.begin(), breakpoints_.end(), line) != breakpoints_.end();
}

const std::string& ScriptDebugger::on_hook(lua_State* lua, lua_Debug* event) {
  raise_.clear();
  if (client_gone_ && event->event == LUA_HOOKLINE) return raise_;
  lua_getinfo(lua, "Sl", event);
  if (!is_in_script(*event)) return raise_;
  line_ = event->currentline;
  const bool breaks = is_breakpoint(line_) || stop_requested_;
  const char* reason = "step over";
  if (event->event == LUA_HOOKCOUNT && !stepping_ && !breaks) {
    if (monotonic_us() - running_since_us_ < timeout_ms_ * 1000) return raise_;
    if (client_gone_) {
      raise_ = "timeout during Lua debugging with client closing connection";
      return raise_;
    }
    reason = "timeout reached, infinite loop?";
  } else if (event->event == LUA_HOOKCOUNT || !(stepping_ || breaks)) {
    return raise_;
  }
  if (breaks) reason = stop_requested_ ? "redis.breakpoint() called" : "break point";
  stepping_ = false;
  stop_requested_ = false;
  wire_->log(format_text("* Stopped at %d, stop reason = %s", line_, reason));
  show_line(line_);
  wire_->send_logs();
  converse(lua);
  running_since_us_ = monotonic_us();
  return raise_;
}

// Until a command lets the script go on.
void ScriptDebugger::converse(lua_State* lua) {
  Words words;
  for (;;) {
    switch (wire_->read_command(&words)) {
      case DebugWire::Input::kClosed:
        // The script runs on without anybody to look at it.
        client_gone_ = true;
        breakpoints_.clear();
        return;
      case DebugWire::Input::kBroken:
        raise_ = "protocol error in debugger command";
        return;
      case DebugWire::Input::kCommand:
        if (run(lua, words) == Next::kGoOn) return;
        wire_->send_logs();
    }
  }
}

ScriptDebugger::Next ScriptDebugger::run(lua_State* lua, const Words& words) {
  const std::string& name = words[0];
  if (is_one_of(name, {"s", "step", "n", "next"})) {
    stepping_ = true;
    return Next::kGoOn;
  }
  if (is_one_of(name, {"c", "continue"})) return Next::kGoOn;
  if (is_one_of(name, {"a", "abort"})) {
    raise_ = "script aborted for user request";
    return Next::kGoOn;
  }
  if (is_one_of(name, {"h", "help"})) {
    show_help();
  } else if (is_one_of(name, {"b", "break"})) {
    change_breakpoints(words);
  } else if (is_one_of(name, {"e", "eval"})) {
    evaluate(lua, words);
  } else if (is_one_of(name, {"r", "redis", "server"}) && words.size() > 1) {
    call_command(lua, words);
  } else if (!show_something(lua, words)) {
    wire_->log("<error> Unknown Redis Lua debugger command or wrong number of arguments.");
  }
  return Next::kStay;
}

bool ScriptDebugger::show_something(lua_State* lua, const Words& words) {
  const std::string& name = words[0];
  if (is_one_of(name, {"t", "trace"})) {
    trace(lua);
  } else if (is_one_of(name, {"p", "print"})) {
    words.size() == 2 ? print(lua, words[1]) : print_all(lua);
  } else if (is_one_of(name, {"w", "whole"})) {
    list(1, 1000000);
  } else if (is_one_of(name, {"l", "list"})) {
    const auto number = [&words](size_t index, int otherwise) {
      int64_t value;
      const bool given = words.size() > index && parse_int64(words[index], &value) && value > 0 && value < INT32_MAX;
      return given ? static_cast<int>(value) : otherwise;
    };
    list(number(1, line_), number(2, 5));
  } else if (is_one_of(name, {"m", "maxlen"})) {
    int64_t bytes = 0;
    if (words.size() == 2 && parse_int64(words[1], &bytes) && bytes >= 0) {
      wire_->set_line_bytes_max(bytes == 0 ? 0 : std::max<size_t>(static_cast<size_t>(bytes), 60));
      wire_->log(bytes == 0 ? "<value> replies are unlimited."
                            : format_text("<value> replies are truncated at %lld bytes.",
                                          static_cast<long long>(std::max<int64_t>(bytes, 60))));
    } else {
      wire_->log("<value> usage: maxlen <bytes>, 0 for no limit");
    }
  } else {
    return false;
  }
  return true;
}

void ScriptDebugger::show_help() {
  for (const char* line : {
           "Redis Lua debugger help:",
           "[h]elp               Show this help.",
           "[s]tep               Run current line and stop again.",
           "[n]ext               Alias for step.",
           "[c]ontinue           Run till next breakpoint.",
           "[l]ist               List source code around current line.",
           "[l]ist [line]        List source code around [line].",
           "                     line = 0 means: current position.",
           "[l]ist [line] [ctx]  In this form [ctx] specifies how many lines",
           "                     to show before/after [line].",
           "[w]hole              List all source code. Alias for 'list 1 1000000'.",
           "[p]rint              Show all the local variables.",
           "[p]rint <var>        Show the value of the specified variable.",
           "                     Can also show global vars KEYS and ARGV.",
           "[b]reak              Show all breakpoints.",
           "[b]reak <line>       Add a breakpoint to the specified line.",
           "[b]reak -<line>      Remove breakpoint from the specified line.",
           "[b]reak 0            Remove all breakpoints.",
           "[t]race              Show a backtrace.",
           "[e]val <code>        Execute some Lua code (in a different callframe).",
           "[r]edis <cmd>        Execute a Redis command.",
           "[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.",
           "                     Specifying zero as <len> means unlimited.",
           "[a]bort              Stop the execution of the script. In sync",
           "                     mode dataset changes will be retained.",
           "",
           "Debugger functions you can call from Lua scripts:",
           "redis.debug()        Produce logs in the debugger console.",
           "redis.breakpoint()   Stop execution like if there was a breakpoint in the",
           "                     next line of code.",
       }) {
    wire_->log(line);
  }
}

void ScriptDebugger::show_line(int line) {
  const bool exists = line > 0 && static_cast<size_t>(line) <= source_.size();
  const bool current = line == line_;
  const char* prefix = is_breakpoint(line) ? (current ? "->#" : "  #") : (current ? "-> " : "   ");
  wire_->log(format_text("%s%-3d ", prefix, line) +
             (exists ? source_[static_cast<size_t>(line) - 1] : std::string("<out of range source code line>")));
}

void ScriptDebugger::list(int around, int context) {
  for (int line = 1; static_cast<size_t>(line) <= source_.size(); ++line) {
    if (std::abs(line - around) <= context) show_line(line);
  }
}

void ScriptDebugger::change_breakpoints(const Words& words) {
  if (words.size() == 1) {
    if (breakpoints_.empty()) return wire_->log("No breakpoints set. Use 'b <line>' to add one.");
    wire_->log(format_text("%zu breakpoints set:", breakpoints_.size()));
    for (const int line : breakpoints_) show_line(line);
    return;
  }
  for (size_t i = 1; i < words.size(); ++i) {
    int64_t line = 0;
    if (!parse_int64(words[i], &line)) {
      wire_->log("Invalid argument:'" + words[i] + "'");
    } else if (line == 0) {
      breakpoints_.clear();
      wire_->log("All breakpoints removed.");
    } else if (line < 0) {
      const size_t removed = std::erase_if(breakpoints_, [&](int known) { return known == -line; });
      wire_->log(removed != 0 ? "Breakpoint removed." : "No breakpoint in the specified line.");
    } else if (breakpoints_.size() == kBreakpointsMax) {
      wire_->log("Too many breakpoints set.");
    } else if (line > static_cast<int64_t>(source_.size()) || is_breakpoint(static_cast<int>(line))) {
      wire_->log("Wrong line number.");
    } else {
      breakpoints_.push_back(static_cast<int>(line));
      list(static_cast<int>(line), 1);
    }
  }
}

void ScriptDebugger::trace(lua_State* lua) {
  lua_Debug frame;
  int shown = 0;
  for (int level = 0; lua_getstack(lua, level, &frame) != 0; ++level) {
    lua_getinfo(lua, "Snl", &frame);
    if (!is_in_script(frame)) continue;
    wire_->log(std::string(shown++ == 0 ? "In " : "From ") + (frame.name != nullptr ? frame.name : "top level") + ":");
    show_line(frame.currentline);
  }
  if (shown == 0) wire_->log("<error> Can't retrieve Lua stack.");
}

void ScriptDebugger::evaluate(lua_State* lua, const Words& words) {
  const std::string code = joined(words, 1);
  const std::string expression = "return " + code;
  bool failed = luaL_loadbuffer(lua, expression.data(), expression.size(), "@ldb_eval") != 0;
  if (failed) {
    lua_pop(lua, 1);
    failed = luaL_loadbuffer(lua, code.data(), code.size(), "@ldb_eval") != 0;
  }
  failed = failed || lua_pcall(lua, 0, 1, 0) != 0;
  if (failed && lua_istable(lua, -1)) {
    lua_pushliteral(lua, "err");
    lua_rawget(lua, -2);
    lua_remove(lua, -2);
  }
  if (failed) {
    wire_->log("<error> " + (lua_isstring(lua, -1) ? std::string(lua_tostring(lua, -1)) : value_text(lua, -1)));
  } else {
    wire_->log("<retval> " + value_text(lua, -1), true);
  }
  lua_pop(lua, 1);
}

void ScriptDebugger::call_command(lua_State* lua, const Words& words) {
  const int base = lua_gettop(lua);
  if (!lua_checkstack(lua, static_cast<int>(words.size()) + 3)) return wire_->log("<error> too many arguments");
  lua_getglobal(lua, "redis");
  lua_getfield(lua, -1, "call");
  for (size_t i = 1; i < words.size(); ++i) lua_pushlstring(lua, words[i].data(), words[i].size());
  stepping_ = true;  // calls are shown while stepping
  lua_pcall(lua, static_cast<int>(words.size()) - 1, 1, 0);
  stepping_ = false;
  lua_settop(lua, base);
}

void ScriptDebugger::print(lua_State* lua, const std::string& name) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(lua, level, &frame) != 0; ++level) {
    for (int i = 1;; ++i) {
      const char* local = lua_getlocal(lua, &frame, i);
      if (local == nullptr) break;
      const bool found = name == local;
      if (found) wire_->log("<value> " + value_text(lua, -1), true);
      lua_pop(lua, 1);
      if (found) return;
    }
  }
  if (name != "KEYS" && name != "ARGV") return wire_->log("No such variable.");
  lua_getglobal(lua, name.c_str());
  wire_->log("<value> " + value_text(lua, -1), true);
  lua_pop(lua, 1);
}

void ScriptDebugger::print_all(lua_State* lua) {
  lua_Debug frame;
  size_t shown = 0;
  if (lua_getstack(lua, 0, &frame) != 0) {
    for (int i = 1;; ++i) {
      const char* local = lua_getlocal(lua, &frame, i);
      if (local == nullptr) break;
      if (local[0] != '(') {  // not the interpreter's own
        wire_->log("<value> " + std::string(local) + " = " + value_text(lua, -1), true);
        ++shown;
      }
      lua_pop(lua, 1);
    }
  }
  if (shown == 0) wire_->log("No local variables in the current context.");
}

void ScriptDebugger::on_call(const std::vector<std::string_view>& args) {
  if (!stepping_) return;
  std::string line = "<redis>";
  for (size_t i = 0; i < args.size(); ++i) {
    if (i == kCallWordsShown) {
      line += format_text(" ... (%zu more)", args.size() - i - 1);
      break;
    }
    line.append(" ").append(args[i]);
  }
  wire_->log(line);
}

void ScriptDebugger::on_reply(std::string_view reply) {
  if (!stepping_) return;
  ReplyReader reader{reply};
  std::string line = "<reply> ";
  append_reply(&reader, &line);
  wire_->log(line, true);
}

void ScriptDebugger::on_error(std::string_view error) {
  if (stepping_) wire_->log("<error> " + std::string(error));
}

void ScriptDebugger::show_values(lua_State* lua) {
  std::string line = format_text("<debug> line %d: ", line_);
  const int count = lua_gettop(lua);
  for (int i = 1; i <= count; ++i) line += (i == 1 ? "" : ", ") + value_text(lua, i);
  wire_->log(line);
}

void ScriptDebugger::end() {
  wire_->log("<endsession>");
  wire_->send_logs();
}

}  // namespace synap
