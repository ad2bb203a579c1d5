// Scripting: everything about scripts and functions that outlives one call. One object for the server; each thread that
// runs commands has a Lua state of its own in it, with what that thread compiled.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/output_buffer.h"
#include "scripting/function_library.h"
#include "scripting/lua_engine.h"
#include "scripting/script_cache.h"
#include "server/base/sync.h"
#include "server/command/command_table.h"
#include "server/command/runner.h"
#include "server/keyspace/keyspace.h"

namespace synap {

// A thread's Lua state and its compiled scripts and libraries.
class ScriptThread {
 public:
  ScriptThread(ScriptCache* cache, FunctionRegistry* registry, const LuaEngineOptions& options)
      : engine_(options), cache_(cache), registry_(registry) {}

  struct Compiled {
    std::shared_ptr<CachedScript> script;
    int function_ref = LUA_NOREF;
  };

  LuaEngine& engine() { return engine_; }
  // The reply of the command that a script called just now, until it is a Lua value.
  OutputBuffer inner_output;
  // CommandTable::find_call, remembering the commands that scripts of this thread call.
  const Command* find_command(const CommandTable& table, std::span<const std::string_view> args);
  // Null with the text after "ERR " in *error. EVAL's hot path hashes the body once and compares it, no SHA1.
  const Compiled* script_of_body(std::string_view body, bool by_eval, std::string* error);
  // Null when there is no such script; *error is set if it exists and does not compile here.
  const Compiled* script_of_sha(std::string_view sha, std::string* error);

  // After SCRIPT FLUSH: what was compiled goes, too.
  void forget_flushed();

  const FunctionSet& functions();
  // The reference of a function's callback, compiled when needed; LUA_NOREF with the text in *error.
  int callback_of(const FunctionRef& function, std::string* error);
  // Runs a library's code to see what it registers. Null with the text in *error.
  // With `taken`, a library whose name is in that set is refused before its code runs.
  std::shared_ptr<const FunctionLibrary> load_library(std::string_view code, int64_t timeout_ms, std::string* error,
                                                      const FunctionSet* taken = nullptr);

 private:
  struct CompiledLibrary {
    std::unordered_map<std::string, int> callbacks;
  };

  struct Memo {
    char name[15] = {};  // as the script spells it
    uint8_t size = 0;
    const Command* command = nullptr;
  };
  static constexpr size_t kMemos = 64;

  const Compiled* compile(std::shared_ptr<CachedScript> script, std::string_view body, uint64_t body_hash,
                          std::string* error);
  void forget_dead_scripts();
  void forget_library(CompiledLibrary* library);

  std::array<Memo, kMemos> memos_;
  LuaEngine engine_;
  ScriptCache* cache_;
  FunctionRegistry* registry_;
  std::unordered_map<uint64_t, Compiled> by_body_;         // hash of the body
  std::unordered_map<std::string_view, uint64_t> by_sha_;  // views of CachedScript::sha
  std::array<const Compiled*, 64> recent_{};               // of by_body_, by a sample of the body
  size_t sweep_at_ = 64;
  uint64_t seen_flushes_ = 0;
  uint64_t seen_version_ = 0;
  std::shared_ptr<const FunctionSet> functions_;
  std::unordered_map<uint64_t, CompiledLibrary> libraries_;  // by library id
};

// A script that has been running for longer than its first slice.
struct RunningScript {
  ScriptRun* run;
  bool is_function;
  bool from_master;
  std::atomic<bool> has_written{false};
  bool is_busy = false;         // beyond busy-reply-threshold
  bool may_grow = false;        // and then: it holds the growing right
  ShardMask busy_shards = 0;    // and these shards
  std::vector<std::string> command;  // as the client sent it
};

class Scripting {
 public:
  Scripting() = default;

  ScriptCache& cache() { return cache_; }
  FunctionRegistry& registry() { return registry_; }
  const ScriptCache& cache() const { return cache_; }
  const FunctionRegistry& registry() const { return registry_; }
  // Of the calling thread, made at its first script.
  ScriptThread& thread(CommandRunner* runner, const LuaEngineOptions& options);
  // On each reactor now and then: its thread need not run a script again to forget those that were flushed.
  void forget_flushed(CommandRunner* runner);

  using Running = std::list<RunningScript>::iterator;
  Running add_running(ScriptRun* run, bool is_function, bool from_master, std::vector<std::string> command);
  void remove_running(Running script);
  // SCRIPT KILL and FUNCTION KILL: the error's text, empty when a script was told to end.
  std::string_view kill(bool is_function);
  struct Status {
    bool is_running = false;
    bool is_function = false;
    std::string name;
    std::vector<std::string> command;
    int64_t started_us = 0;
  };
  Status oldest_running() const;
  // The script is beyond busy-reply-threshold and holds these shards.
  void set_busy(Running script, ShardMask shards, bool may_grow);
  // How many are.
  size_t busy_count() const { return busy_count_.load(std::memory_order_relaxed); }
  // Whether one of them holds one of these shards; 0: the growing right.
  bool is_busy(ShardMask shards) const {
    if (busy_count() == 0) return false;
    return shards == 0 ? busy_grows_.load(std::memory_order_relaxed)
                       : (busy_shards_.load(std::memory_order_relaxed) & shards) != 0;
  }
  // What others are told then: how to kill the oldest of them.
  std::string_view busy_error() const;

  // DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may run commands that are not for scripts.
  void set_any_command_allowed(bool allowed) { any_command_allowed_.store(allowed, std::memory_order_relaxed); }
  bool any_command_allowed() const { return any_command_allowed_.load(std::memory_order_relaxed); }

  // Bytes of all Lua states, for INFO.
  size_t lua_bytes() const;

 private:
  static constexpr size_t kThreadsMax = 256;
  struct Slot {
    std::atomic<CommandRunner*> runner{nullptr};
    std::unique_ptr<ScriptThread> thread;
  };

  ScriptCache cache_;
  FunctionRegistry registry_;
  std::array<Slot, kThreadsMax> slots_;
  mutable Mutex mutex_{LockRank::kScripts};
  std::list<RunningScript> running_ GUARDED_BY(mutex_);
  void sum_busy() REQUIRES(mutex_);

  std::atomic<size_t> busy_count_{0};
  std::atomic<ShardMask> busy_shards_{0};
  std::atomic<bool> busy_grows_{false};
  std::atomic<bool> any_command_allowed_{false};
};

}  // namespace synap
