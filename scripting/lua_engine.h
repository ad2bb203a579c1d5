// LuaEngine: one reactor's Lua state, and the scripts in flight in it. A script runs as a coroutine in slices of about
// half a millisecond: resume() returns kSliced and the reactor serves others before it resumes the script again. A script
// that is killed is simply never resumed, so no pcall can swallow the kill.
//
// Owned and used by one thread; only ScriptRun::request_kill may be called from another.
// The Lua edge: Lua raises errors by unwinding past C++ frames, so no object with a destructor may be alive in a
// function that Lua calls, wherever it may raise. Such functions keep their state in the engine or in the run.
#pragma once

#include <lua.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/reply.h"
#include "scripting/lua_cjson.h"
#include "scripting/lua_random.h"
#include "scripting/script_host.h"
#include "server/keyspace/script_heap.h"

namespace synap {

class LuaEngine;
class ScriptDebugger;
struct LibraryLoad;

struct LuaEngineOptions {
  // What the state may hold while a script runs; beyond it the script fails with "not enough memory". 0: no limit.
  size_t memory_bytes_max = size_t{1} << 30;
  int64_t slice_us = 500;
  // How long a script may stay where it cannot be suspended (a metamethod called by a library function).
  int64_t stuck_us_max = 5'000'000;
  // With the compiler on, slices end only in interpreted code: a compiled loop cannot be killed.
  bool jit = false;
};

enum class ScriptState : uint8_t {
  kSliced,   // its time slice is over: resume it later
  kWaiting,  // a command must wait: resume it when the host can answer
  kDone,     // write_result() has its value
  kFailed,   // write_result() has its error
};

// What a script is called in error messages, and what kind of run it is.
enum class ScriptKind : uint8_t { kEval, kFunction, kLibraryLoad };

// One script between its start and its reply. Kept in a pool by the engine.
class ScriptRun {
 public:
  // Any thread. The run fails at its next slice with Redis's text.
  void request_kill() { kill_requested_.store(true, std::memory_order_relaxed); }
  bool kill_requested() const { return kill_requested_.load(std::memory_order_relaxed); }
  int64_t started_us() const { return started_us_; }
  ScriptKind kind() const { return kind_; }
  const std::string& name() const { return name_; }
  // After kFailed: the text with its code, and whether the error was counted when an inner command replied it.
  const std::string& error() const { return error_; }
  bool error_was_counted() const { return error_was_counted_; }

 private:
  friend class LuaEngine;
  friend struct LuaEdge;

  lua_State* thread_ = nullptr;
  int thread_ref_ = LUA_NOREF;
  int env_ref_ = LUA_NOREF;    // the _G that EVAL scripts see: an empty table in front of the next one
  int inner_ref_ = LUA_NOREF;  // its content
  int plain_ref_ = LUA_NOREF;  // the globals of plain scripts
  ScriptHost* host_ = nullptr;
  ScriptKind kind_ = ScriptKind::kEval;
  std::string name_;
  std::string error_;
  bool error_was_counted_ = false;
  bool thread_is_clean_ = true;  // the coroutine ended normally and can run another function
  int argument_count_ = 0;       // pushed on the thread with the function
  size_t argument_bytes_ = 0;    // of KEYS and ARGV
  int function_ref_ = LUA_NOREF;
  int resp_ = 2;
  int resume_depth_ = 0;     // coroutines of the script inside each other
  bool host_yield_ = false;  // the yield in progress is ours, not the script's own
  bool waiting_ = false;     // for a command's reply
  bool is_stuck_ = false;    // was stopped inside code that cannot be suspended
  bool is_suspended_ = false;
  std::atomic<bool> kill_requested_{false};
  int64_t started_us_ = 0;
  int64_t slice_started_us_ = 0;
  LuaRandom random_;
  // Arguments of the command in progress: views of Lua strings on the script's stack and of number_text_.
  std::vector<std::string_view> args_;
  std::vector<char> number_text_;
};

class LuaEngine {
 public:
  explicit LuaEngine(const LuaEngineOptions& options);
  ~LuaEngine();
  LuaEngine(const LuaEngine&) = delete;
  LuaEngine& operator=(const LuaEngine&) = delete;

  void set_options(const LuaEngineOptions& options);
  // All garbage, at once.
  void collect() { lua_gc(lua_, LUA_GCCOLLECT, 0); }
  // Any thread may ask.
  size_t memory_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  size_t runs_in_flight() const { return runs_in_flight_; }

  // Source text only, never bytecode. Returns a reference for begin_*, or LUA_NOREF with *error set.
  int compile(std::string_view code, const char* chunk_name, std::string* error);
  void release(int function_ref);

  // A run to be resumed until kDone or kFailed, and then ended. `name` is the SHA or the function's name.
  ScriptRun* begin_eval(int function_ref, std::string_view name, std::span<const std::string_view> keys,
                        std::span<const std::string_view> argv, ScriptHost* host);
  ScriptRun* begin_function(int function_ref, std::string_view name, std::span<const std::string_view> keys,
                            std::span<const std::string_view> args, ScriptHost* host);
  ScriptState resume(ScriptRun* run);
  // The script's value by Redis's conversion rules, or its error.
  void write_result(ScriptRun* run, Reply* reply);
  // While it is set, the script that runs is debugged: no other may run then. Null ends that.
  void set_debugger(ScriptDebugger* debugger);
  // Also for a run that has not finished: it is dropped.
  void end(ScriptRun* run);

  // Runs a library's code, which registers functions into *load. Ends after timeout_ms, if that is not 0.
  bool run_library(std::string_view code, int64_t timeout_ms, LibraryLoad* load, std::string* error);

 private:
  friend struct LuaEdge;

  static void* allocate(void* engine, void* block, size_t old_bytes, size_t new_bytes);
  static void slice_hook(lua_State* lua, lua_Debug* event);
  void set_collection_pace(bool is_big);
  // The usual mask and period of the hook.
  void set_hook();

  void add_used_bytes(size_t bytes) { used_bytes_.store(memory_bytes() + bytes, std::memory_order_relaxed); }
  int keep_function();
  bool is_plain();
  ScriptRun* take_run(ScriptKind kind, std::string_view name, ScriptHost* host);
  void new_thread(ScriptRun* run);
  void push_function(ScriptRun* run, int function_ref);
  static void push_strings(lua_State* lua, std::span<const std::string_view> strings);
  static void fail(ScriptRun* run, std::string_view text);
  static void fail_with_lua_error(ScriptRun* run);
  static std::string take_error(ScriptRun* run);
  void forget_arguments(ScriptRun* run);

  LuaEngineOptions options_;
  ScriptHeap heap_;
  lua_State* lua_ = nullptr;
  std::atomic<size_t> used_bytes_{0};  // written by the owner alone
  bool is_big_ = false;                // more than a small state: collected more often
  bool limit_is_enforced_ = false;     // only while a script runs, where "not enough memory" can be raised
  bool hook_is_urgent_ = false;        // it fires at every instruction until the stuck script is out
  size_t runs_in_flight_ = 0;
  ScriptRun* current_ = nullptr;
  ScriptDebugger* debugger_ = nullptr;
  LibraryLoad* loading_ = nullptr;
  int function_env_ref_ = LUA_NOREF;
  int function_plain_ref_ = LUA_NOREF;
  int is_plain_ref_ = LUA_NOREF;
  std::vector<bool> plain_;  // by a compiled function's reference
  std::vector<std::unique_ptr<ScriptRun>> runs_;
  std::vector<ScriptRun*> free_runs_;
  LuaRandom random_;
  JsonSettings json_;
  std::string scratch_;        // output of cjson.encode and cmsgpack.pack
  std::string error_scratch_;  // text of an error about to be raised
};

}  // namespace synap
