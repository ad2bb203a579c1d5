#include "scripting/lua_engine.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "scripting/library_load.h"
#include "scripting/lua_api.h"
#include "scripting/lua_convert.h"
#include "scripting/lua_edge.h"
#include "scripting/lua_prelude.h"
#include "scripting/lua_sandbox.h"
#include "scripting/lua_source.h"
#include "scripting/script_debugger.h"
#include "server/base/assert.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/text.h"

namespace synap {
namespace {

// Instructions between two looks at the clock: some 50 µs.
constexpr int kHookPeriod = 10'000;
constexpr size_t kFreeRunsMax = 16;
// The collector marks everything that lives once per cycle, however little died: while the state is small a cycle starts
// when it has grown tenfold, later when it has doubled.
constexpr size_t kSmallStateBytes = size_t{4} << 20;
constexpr int kSmallStatePause = 1000;  // per cent
constexpr int kBigStatePause = 200;
// Arguments larger than this are not kept until the next run overwrites them.
constexpr size_t kKeptArgumentBytesMax = 64 * 1024;

int build_state(lua_State* lua) {
  build_sandbox(lua, static_cast<Sandbox*>(lua_touserdata(lua, 1)));
  return 0;
}

int panic(lua_State* lua) {
  const char* text = lua_tostring(lua, -1);
  log_warning("Lua raised an error outside a script: %s", text == nullptr ? "(no text)" : text);
  SYNAP_ASSERT(false && "unprotected Lua error");
}

int append_chunk(lua_State*, const void* bytes, size_t size, void* out) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(bytes), size);
  return 0;
}

// What tostring() would say of an error that is no table, without calling anything.
std::string describe(lua_State* lua, int index) {
  switch (lua_type(lua, index)) {
    case LUA_TNIL:
      return "nil";
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, index) ? "true" : "false";
    case LUA_TNUMBER:
    case LUA_TSTRING:
      return lua_tostring(lua, index);
    default:
      return format_text("%s: %p", luaL_typename(lua, index), lua_topointer(lua, index));
  }
}

// The line in "<source>:12: …", or -1.
int line_in_text(std::string_view text, std::string_view source) {
  if (text.starts_with("ERR ")) text.remove_prefix(4);
  if (!text.starts_with(source) || text.size() <= source.size() || text[source.size()] != ':') return -1;
  const int line = std::atoi(text.data() + source.size() + 1);
  return line > 0 ? line : -1;
}

// Where in the script its stopped coroutine stands: " script: <name>, on @user_script:3." Empty when nowhere.
std::string describe_place(lua_State* lua, std::string_view name, std::string_view text) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(lua, level, &frame) != 0; ++level) {
    lua_getinfo(lua, "Sl", &frame);
    if (frame.what[0] == 'C' || std::strcmp(frame.source, kPreludeChunk) == 0) continue;
    // LuaJIT no longer knows the line of the function that failed itself, but then its message has it.
    int line = frame.currentline > 0 ? frame.currentline : line_in_text(text, frame.short_src);
    if (frame.currentline == 0) line = 1;  // before the script's first instruction
    if (line < 0) continue;
    return " script: " + std::string(name) + ", on " + frame.source + ":" + std::to_string(line) + ".";
  }
  return {};
}

}  // namespace

LuaEngine::LuaEngine(const LuaEngineOptions& options) : options_(options) {
  lua_ = lua_newstate(allocate, this);
  SYNAP_ASSERT(lua_ != nullptr);
  lua_atpanic(lua_, panic);
  Sandbox sandbox;
  const int status = lua_cpcall(lua_, build_state, &sandbox);
  if (status != 0) panic(lua_);
  function_env_ref_ = sandbox.function_front_ref;
  function_plain_ref_ = sandbox.function_plain_ref;
  is_plain_ref_ = sandbox.is_plain_ref;
  lua_gc(lua_, LUA_GCCOLLECT, 0);  // what building left behind
  set_collection_pace(false);
  set_hook();
  set_options(options);
}

LuaEngine::~LuaEngine() {
  limit_is_enforced_ = false;
  lua_close(lua_);
}

void LuaEngine::set_options(const LuaEngineOptions& options) {
  options_ = options;
  luaJIT_setmode(lua_, 0, LUAJIT_MODE_ENGINE | (options.jit ? LUAJIT_MODE_ON : LUAJIT_MODE_OFF));
}

void* LuaEngine::allocate(void* engine, void* block, size_t old_bytes, size_t new_bytes) {
  auto& self = *static_cast<LuaEngine*>(engine);
  if (new_bytes == 0) {
    self.heap_.release(block, old_bytes);
    self.add_used_bytes(0 - old_bytes);
    return nullptr;
  }
  if (self.limit_is_enforced_ && new_bytes > old_bytes && self.options_.memory_bytes_max != 0 &&
      self.memory_bytes() + (new_bytes - old_bytes) > self.options_.memory_bytes_max) {
    return nullptr;
  }
  void* grown = self.heap_.resize(block, old_bytes, new_bytes);
  if (grown == nullptr) return nullptr;
  self.add_used_bytes(new_bytes - old_bytes);
  const bool is_big = self.memory_bytes() > kSmallStateBytes;
  if (is_big != self.is_big_) [[unlikely]] self.set_collection_pace(is_big);
  return grown;
}

// Only sets a number in the state: the allocator may.
void LuaEngine::set_collection_pace(bool is_big) {
  is_big_ = is_big;
  lua_gc(lua_, LUA_GCSETPAUSE, is_big ? kBigStatePause : kSmallStatePause);
}

void LuaEngine::set_hook() {
  lua_sethook(lua_, slice_hook, debugger_ == nullptr ? LUA_MASKCOUNT : LUA_MASKCOUNT | LUA_MASKLINE, kHookPeriod);
}

void LuaEngine::set_debugger(ScriptDebugger* debugger) {
  debugger_ = debugger;
  set_hook();
}

// Runs in the script, which may stand in any coroutine of it.
void LuaEngine::slice_hook(lua_State* lua, lua_Debug* event) {
  LuaEngine& self = LuaEdge::engine(lua);
  ScriptRun* run = self.current_;
  if (run == nullptr) return;
  if (self.debugger_ != nullptr && !run->kill_requested()) {
    self.limit_is_enforced_ = false;  // what looks into the script must not fail
    const std::string& problem = self.debugger_->on_hook(lua, event);
    self.limit_is_enforced_ = true;
    if (!problem.empty()) {
      push_error_table(lua, problem);
      lua_error(lua);
    }
    if (event->event == LUA_HOOKLINE) return;
  }
  const bool kill = run->kill_requested() || run->is_stuck_;
  const int64_t elapsed_us = monotonic_us() - run->slice_started_us_;
  if (!kill && elapsed_us < self.options_.slice_us) return;
  if (lua_isyieldable(lua)) {
    run->host_yield_ = true;
    lua_yield(lua, 0);
    return;
  }
  if (!kill && elapsed_us < self.options_.stuck_us_max) return;
  run->is_stuck_ = true;
  self.hook_is_urgent_ = true;
  lua_sethook(lua, slice_hook, LUA_MASKCOUNT, 1);
  lua_pushliteral(lua, "Script stopped");
  lua_error(lua);
}

int LuaEngine::compile(std::string_view code, const char* chunk_name, std::string* error) {
  const std::string framed = keep_return_frames(code);
  if (luaL_loadbufferx(lua_, framed.data(), framed.size(), chunk_name, "t") == 0) return keep_function();
  lua_pop(lua_, 1);
  // The error must speak of the script as it was written.
  if (luaL_loadbufferx(lua_, code.data(), code.size(), chunk_name, "t") == 0) return keep_function();
  *error = lua_tostring(lua_, -1);
  lua_pop(lua_, 1);
  return LUA_NOREF;
}

// A reference to the function on top of the stack, popped.
int LuaEngine::keep_function() {
  const bool plain = is_plain();
  const int ref = luaL_ref(lua_, LUA_REGISTRYINDEX);
  if (plain_.size() <= static_cast<size_t>(ref)) plain_.resize(static_cast<size_t>(ref) + 1);
  plain_[static_cast<size_t>(ref)] = plain;
  return ref;
}

// Of the function on top of the stack, left there: it needs no fronts (see lua_sandbox.h).
bool LuaEngine::is_plain() {
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, is_plain_ref_);
  lua_pushvalue(lua_, -2);
  const bool plain = lua_pcall(lua_, 1, 1, 0) == 0 && lua_toboolean(lua_, -1) != 0;
  lua_pop(lua_, 1);
  return plain;
}

void LuaEngine::release(int function_ref) {
  luaL_unref(lua_, LUA_REGISTRYINDEX, function_ref);
}

void LuaEngine::new_thread(ScriptRun* run) {
  luaL_unref(lua_, LUA_REGISTRYINDEX, run->thread_ref_);
  run->thread_ = lua_newthread(lua_);
  run->thread_ref_ = luaL_ref(lua_, LUA_REGISTRYINDEX);
  run->thread_is_clean_ = true;
}

ScriptRun* LuaEngine::take_run(ScriptKind kind, std::string_view name, ScriptHost* host) {
  // What a script sets in cjson lasts as long as scripts overlap, not longer.
  if (runs_in_flight_ == 0) json_ = JsonSettings();
  if (free_runs_.empty()) {
    auto fresh = std::make_unique<ScriptRun>();
    push_script_globals(lua_);
    fresh->plain_ref_ = luaL_ref(lua_, LUA_REGISTRYINDEX);
    fresh->inner_ref_ = luaL_ref(lua_, LUA_REGISTRYINDEX);
    fresh->env_ref_ = luaL_ref(lua_, LUA_REGISTRYINDEX);
    new_thread(fresh.get());
    free_runs_.push_back(fresh.get());
    runs_.push_back(std::move(fresh));
  }
  ScriptRun* run = free_runs_.back();
  free_runs_.pop_back();
  ++runs_in_flight_;
  run->host_ = host;
  run->kind_ = kind;
  run->name_.assign(name);
  run->error_.clear();
  run->error_was_counted_ = false;
  run->resp_ = 2;
  run->resume_depth_ = 0;
  run->is_stuck_ = false;
  run->is_suspended_ = false;
  run->kill_requested_.store(false, std::memory_order_relaxed);
  run->random_ = random_;
  return run;
}

void LuaEngine::push_strings(lua_State* lua, std::span<const std::string_view> strings) {
  lua_createtable(lua, static_cast<int>(strings.size()), 0);
  int place = 0;
  for (const std::string_view text : strings) {
    lua_pushlstring(lua, text.data(), text.size());
    lua_rawseti(lua, -2, ++place);
  }
}

void LuaEngine::push_function(ScriptRun* run, int function_ref) {
  lua_State* lua = run->thread_;
  lua_rawgeti(lua, LUA_REGISTRYINDEX, function_ref);
  SYNAP_ASSERT(lua_isfunction(lua, -1));
  run->function_ref_ = function_ref;
  if (run->kind_ != ScriptKind::kEval || runs_in_flight_ == 1) return;
  const bool is_running = std::any_of(runs_.begin(), runs_.end(), [&](const std::unique_ptr<ScriptRun>& other) {
    return other.get() != run && other->function_ref_ == function_ref;
  });
  if (!is_running) return;
  // A function has one environment, and two runs have different KEYS: this one gets a copy of the code.
  scratch_.clear();
  lua_dump(lua, append_chunk, &scratch_);
  lua_pop(lua, 1);
  const int status = luaL_loadbuffer(lua, scratch_.data(), scratch_.size(), "@user_script");
  SYNAP_ASSERT(status == 0);
}

ScriptRun* LuaEngine::begin_eval(int function_ref, std::string_view name, std::span<const std::string_view> keys,
                                 std::span<const std::string_view> argv, ScriptHost* host) {
  ScriptRun* run = take_run(ScriptKind::kEval, name, host);
  lua_State* lua = run->thread_;
  const bool plain = plain_[static_cast<size_t>(function_ref)] && debugger_ == nullptr;
  lua_rawgeti(lua, LUA_REGISTRYINDEX, plain ? run->plain_ref_ : run->inner_ref_);
  lua_pushliteral(lua, "KEYS");
  push_strings(lua, keys);
  lua_rawset(lua, -3);
  lua_pushliteral(lua, "ARGV");
  push_strings(lua, argv);
  lua_rawset(lua, -3);
  lua_pop(lua, 1);
  for (const std::string_view text : keys) run->argument_bytes_ += text.size();
  for (const std::string_view text : argv) run->argument_bytes_ += text.size();
  push_function(run, function_ref);
  lua_rawgeti(lua, LUA_REGISTRYINDEX, run->env_ref_);
  if (plain) {
    lua_replace(lua, LUA_GLOBALSINDEX);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, run->plain_ref_);
  } else {
    lua_pushvalue(lua, -1);
    lua_replace(lua, LUA_GLOBALSINDEX);
  }
  lua_setfenv(lua, -2);
  run->argument_count_ = 0;
  return run;
}

ScriptRun* LuaEngine::begin_function(int function_ref, std::string_view name, std::span<const std::string_view> keys,
                                     std::span<const std::string_view> args, ScriptHost* host) {
  ScriptRun* run = take_run(ScriptKind::kFunction, name, host);
  lua_State* lua = run->thread_;
  lua_rawgeti(lua, LUA_REGISTRYINDEX, function_env_ref_);
  lua_replace(lua, LUA_GLOBALSINDEX);
  push_function(run, function_ref);
  push_strings(lua, keys);
  push_strings(lua, args);
  run->argument_count_ = 2;
  return run;
}

ScriptState LuaEngine::resume(ScriptRun* run) {
  const int arguments = run->is_suspended_ ? 0 : run->argument_count_;
  int status = LUA_YIELD;
  if (!run->kill_requested()) {
    run->host_yield_ = false;
    run->waiting_ = false;
    run->thread_is_clean_ = false;
    run->slice_started_us_ = monotonic_us();
    if (!std::exchange(run->is_suspended_, true)) run->started_us_ = run->slice_started_us_;
    current_ = run;
    limit_is_enforced_ = true;
    status = lua_resume(run->thread_, arguments);
    limit_is_enforced_ = false;
    current_ = nullptr;
    if (hook_is_urgent_) {
      hook_is_urgent_ = false;
      set_hook();
    }
  }
  if (run->kill_requested()) {
    if (status == 0) run->thread_is_clean_ = true;
    fail(run, run->kind_ == ScriptKind::kEval ? "ERR Script killed by user with SCRIPT KILL."
                                              : "ERR Script killed by user with FUNCTION KILL.");
    return ScriptState::kFailed;
  }
  if (run->is_stuck_) {
    fail(run, "ERR Script ran too long inside a function that cannot be suspended.");
    return ScriptState::kFailed;
  }
  if (status == LUA_YIELD) return run->waiting_ ? ScriptState::kWaiting : ScriptState::kSliced;
  if (status == 0) {
    run->thread_is_clean_ = true;
    return ScriptState::kDone;
  }
  fail_with_lua_error(run);
  if (status == LUA_ERRMEM) lua_gc(lua_, LUA_GCCOLLECT, 0);
  return ScriptState::kFailed;
}

void LuaEngine::fail(ScriptRun* run, std::string_view text) {
  constexpr std::string_view kInPrelude = "ERR prelude:0: ";
  std::string place = describe_place(run->thread_, run->name_, text);
  if (!text.starts_with(kInPrelude)) {
    run->error_.assign(text).append(place);
    return;
  }
  // Our Lua function stands for a C function of Lua 5.1: what that raises itself begins with the caller's place, what
  // the interpreter raises in it does not.
  text.remove_prefix(kInPrelude.size());
  run->error_ = "ERR ";
  if (!text.starts_with("attempt to ") && !place.empty()) {
    const size_t at = place.rfind('@') + 1;
    run->error_.append(place, at, place.size() - at - 1).append(": ");
  }
  run->error_.append(text).append(place);
}

// The text of the error on top of the script's stack, with its code.
std::string LuaEngine::take_error(ScriptRun* run) {
  lua_State* lua = run->thread_;
  if (!lua_istable(lua, -1)) return "ERR " + describe(lua, -1);
  std::string text = "ERR unknown error";
  lua_pushliteral(lua, "err");
  lua_rawget(lua, -2);
  if (lua_isstring(lua, -1)) text = lua_tostring(lua, -1);
  lua_pop(lua, 1);
  lua_pushliteral(lua, "ignore_error_stats_update");
  lua_rawget(lua, -2);
  run->error_was_counted_ = lua_toboolean(lua, -1) != 0;
  lua_pop(lua, 1);
  return text;
}

void LuaEngine::fail_with_lua_error(ScriptRun* run) {
  const std::string text = take_error(run);
  fail(run, text);
}

void LuaEngine::write_result(ScriptRun* run, Reply* reply) {
  if (!run->error_.empty()) {
    reply->error(run->error_);
    return;
  }
  lua_settop(run->thread_, 1);  // the first of what was returned, or nil
  write_value(run->thread_, run->resp_, reply);
}

void LuaEngine::end(ScriptRun* run) {
  SYNAP_ASSERT(runs_in_flight_ > 0);
  --runs_in_flight_;
  run->host_ = nullptr;
  run->function_ref_ = LUA_NOREF;
  random_ = run->random_;
  if (run->thread_is_clean_) {
    lua_settop(run->thread_, 0);
  } else {
    new_thread(run);
  }
  if (run->argument_bytes_ > kKeptArgumentBytesMax) forget_arguments(run);
  run->argument_bytes_ = 0;
  if (free_runs_.size() < kFreeRunsMax) {
    free_runs_.push_back(run);
    return;
  }
  luaL_unref(lua_, LUA_REGISTRYINDEX, run->thread_ref_);
  luaL_unref(lua_, LUA_REGISTRYINDEX, run->inner_ref_);
  luaL_unref(lua_, LUA_REGISTRYINDEX, run->plain_ref_);
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, run->env_ref_);
  luaL_unref(lua_, LUA_REGISTRYINDEX, run->env_ref_);
  drop_script_globals(lua_);
  std::erase_if(runs_, [run](const std::unique_ptr<ScriptRun>& held) { return held.get() == run; });
}

void LuaEngine::forget_arguments(ScriptRun* run) {
  for (const int globals : {run->inner_ref_, run->plain_ref_}) {
    lua_rawgeti(lua_, LUA_REGISTRYINDEX, globals);
    for (const char* name : {"KEYS", "ARGV"}) {
      lua_pushstring(lua_, name);
      lua_pushboolean(lua_, 0);
      lua_rawset(lua_, -3);
    }
    lua_pop(lua_, 1);
  }
}

bool LuaEngine::run_library(std::string_view code, int64_t timeout_ms, LibraryLoad* load, std::string* error) {
  const int function_ref = compile(code, "@user_function", error);
  if (function_ref == LUA_NOREF) {
    error->insert(0, "Error compiling function: ");
    return false;
  }
  ScriptRun* run = take_run(ScriptKind::kLibraryLoad, "library", nullptr);
  lua_State* lua = run->thread_;
  push_function(run, function_ref);
  lua_rawgeti(lua, LUA_REGISTRYINDEX, function_env_ref_);
  lua_pushvalue(lua, -1);
  lua_replace(lua, LUA_GLOBALSINDEX);
  lua_setfenv(lua, -2);
  run->argument_count_ = 0;

  Sandbox sandbox;
  sandbox.function_front_ref = function_env_ref_;
  switch_function_globals(lua_, sandbox, true);
  loading_ = load;
  const int64_t deadline_us = monotonic_us() + timeout_ms * 1000;
  ScriptState state = resume(run);
  while (state == ScriptState::kSliced && (timeout_ms == 0 || monotonic_us() < deadline_us)) state = resume(run);
  loading_ = nullptr;
  switch_function_globals(lua_, sandbox, false);

  const bool done = state == ScriptState::kDone;
  if (state == ScriptState::kSliced) {
    *error = "Error registering functions: ERR FUNCTION LOAD timeout";
  } else if (!done) {
    *error = "Error registering functions: " + (run->is_stuck_ ? run->error_ : take_error(run));
  }
  end(run);
  release(function_ref);
  for (const RegisteredFunction& function : load->functions) {
    lua_rawgeti(lua_, LUA_REGISTRYINDEX, function.callback_ref);
    if (is_plain()) {
      lua_rawgeti(lua_, LUA_REGISTRYINDEX, function_plain_ref_);
      lua_setfenv(lua_, -2);
    }
    lua_pop(lua_, 1);
  }
  if (!done) {
    for (const RegisteredFunction& function : load->functions) release(function.callback_ref);
    load->functions.clear();
  }
  return done;
}

bool is_library_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace synap
