// LuaEdge: what the C functions inside the Lua state may reach of the engine and of the script that runs. Private to
// scripting/. See lua_engine.h for the rule about destructors.
#pragma once

#include <lua.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "scripting/lua_engine.h"

namespace synap {

// Output of encoders stops here with "not enough memory": tables that share children can be exponentially large.
inline constexpr size_t kEncodedBytesMax = size_t{512} << 20;

struct LuaEdge {
  // The allocator's argument is the engine: the cheapest way from a state to it.
  static LuaEngine& engine(lua_State* lua) {
    void* engine = nullptr;
    lua_getallocf(lua, &engine);
    return *static_cast<LuaEngine*>(engine);
  }
  static ScriptRun* run(lua_State* lua) { return engine(lua).current_; }
  static ScriptHost* host(lua_State* lua) {
    ScriptRun* run = engine(lua).current_;
    return run == nullptr ? nullptr : run->host_;
  }
  static ScriptDebugger* debugger(lua_State* lua) { return engine(lua).debugger_; }
  static LibraryLoad* loading(lua_State* lua) { return engine(lua).loading_; }
  static JsonSettings& json(lua_State* lua) { return engine(lua).json_; }
  static std::string& scratch(lua_State* lua) { return engine(lua).scratch_; }
  static std::string& error_scratch(lua_State* lua) { return engine(lua).error_scratch_; }
  static LuaRandom& random(lua_State* lua) {
    LuaEngine& self = engine(lua);
    return self.current_ == nullptr ? self.random_ : self.current_->random_;
  }

  static lua_State* thread(const ScriptRun& run) { return run.thread_; }
  static int resp(const ScriptRun& run) { return run.resp_; }
  static void set_resp(ScriptRun& run, int resp) { run.resp_ = resp; }
  static int& resume_depth(ScriptRun& run) { return run.resume_depth_; }
  static bool host_yield(const ScriptRun& run) { return run.host_yield_; }
  static void yield_to_host(ScriptRun& run, bool waiting) {
    run.host_yield_ = true;
    run.waiting_ = waiting;
  }
  static std::vector<std::string_view>& args(ScriptRun& run) { return run.args_; }
  static std::vector<char>& number_text(ScriptRun& run) { return run.number_text_; }
};

}  // namespace synap
