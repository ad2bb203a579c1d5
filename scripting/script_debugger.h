// ScriptDebugger: the commands of a debugging session (SCRIPT DEBUG, redis-cli --ldb) on one script: stepping, break
// points, looking at values. The engine calls it from its hook; it waits for the client there.
#pragma once

#include <lua.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "scripting/debug_wire.h"

namespace synap {

class ScriptDebugger {
 public:
  ScriptDebugger(DebugWire* wire, std::string_view source, int64_t timeout_ms);

  // A line begins or some instructions have passed. What to raise in the script; empty: go on.
  const std::string& on_hook(lua_State* lua, lua_Debug* event);
  // What the script calls and gets.
  void on_call(const std::vector<std::string_view>& args);
  void on_reply(std::string_view reply);
  void on_error(std::string_view error);
  // redis.breakpoint(), redis.debug(…) with all values on the stack.
  void stop_at_next_line() { stop_requested_ = true; }
  void show_values(lua_State* lua);

  void end();

 private:
  using Words = std::vector<std::string>;
  enum class Next { kStay, kGoOn };

  void converse(lua_State* lua);
  Next run(lua_State* lua, const Words& words);
  bool show_something(lua_State* lua, const Words& words);
  void show_help();
  void show_line(int line);
  void list(int around, int context);
  void change_breakpoints(const Words& words);
  void trace(lua_State* lua);
  void evaluate(lua_State* lua, const Words& words);
  void call_command(lua_State* lua, const Words& words);
  void print(lua_State* lua, const std::string& name);
  void print_all(lua_State* lua);
  bool is_breakpoint(int line) const;

  DebugWire* const wire_;
  std::vector<std::string> source_;
  std::vector<int> breakpoints_;
  const int64_t timeout_ms_;
  int64_t running_since_us_;
  int line_ = 0;
  bool stepping_ = true;
  bool stop_requested_ = false;
  bool client_gone_ = false;
  std::string raise_;
};

}  // namespace synap
