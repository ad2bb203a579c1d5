#include "scripting/scripting.h"

#include <cstring>
#include <utility>

#include "protocol/errors.h"
#include "scripting/library_load.h"
#include "scripting/sha1.h"
#include "server/base/hash.h"
#include "server/base/text.h"

namespace synap {

namespace {

// A hash of a text's length, begin, middle and end: cheap, for places where a comparison follows.
uint64_t sample(std::string_view text) {
  constexpr uint64_t kMix = 0x9e3779b97f4a7c15;
  uint64_t begin = 0, middle = 0, end = 0;
  if (text.size() >= sizeof(uint64_t)) {
    std::memcpy(&begin, text.data(), sizeof begin);
    std::memcpy(&middle, text.data() + (text.size() - sizeof middle) / 2, sizeof middle);
    std::memcpy(&end, text.data() + text.size() - sizeof end, sizeof end);
  } else {
    for (const char c : text) begin = begin << 8 | static_cast<unsigned char>(c);
  }
  return ((begin * kMix ^ middle) * kMix ^ end ^ text.size()) * kMix >> 32;
}

}  // namespace

// ---- Commands.

const Command* ScriptThread::find_command(const CommandTable& table, std::span<const std::string_view> args) {
  const std::string_view name = args[0];
  if (name.empty() || name.size() > sizeof(Memo::name)) return table.find_call(args);
  Memo& memo = memos_[sample(name) % kMemos];
  if (memo.size == name.size() && std::memcmp(memo.name, name.data(), name.size()) == 0) return memo.command;
  const Command* command = table.find_call(args);
  if (command == nullptr || !command->subcommands.empty() || !command->full_name.empty()) return command;
  std::memcpy(memo.name, name.data(), name.size());
  memo.size = static_cast<uint8_t>(name.size());
  memo.command = command;
  return command;
}

// ---- Scripts.

const ScriptThread::Compiled* ScriptThread::script_of_body(std::string_view body, bool by_eval, std::string* error) {
  const Compiled*& recent = recent_[sample(body) % recent_.size()];
  if (by_eval && recent != nullptr && recent->script->body.view() == body && recent->script->live.load(std::memory_order_acquire)) {
    cache_->touch(recent->script.get());
    return recent;
  }
  const uint64_t hash = hash_bytes(body);
  const auto found = by_body_.find(hash);
  if (found != by_body_.end() && found->second.script->live.load(std::memory_order_acquire) &&
      found->second.script->body.view() == body) {
    if (by_eval) {
      cache_->touch(found->second.script.get());
    } else {
      cache_->add(found->second.script->sha, body, found->second.script->shebang, false);
    }
    recent = &found->second;
    return recent;
  }
  char sha[kSha1HexBytes];
  sha1_hex(body, sha);
  const std::string_view name(sha, sizeof(sha));
  std::shared_ptr<CachedScript> script = cache_->find(name);
  if (script != nullptr && !by_eval) cache_->add(name, body, script->shebang, false);
  if (script == nullptr) {
    ScriptShebang shebang;
    if (!parse_script_shebang(body, &shebang, error)) return nullptr;
    // It must compile before it may be found by others.
    const int ref = engine_.compile(body.substr(shebang.bytes), "@user_script", error);
    if (ref == LUA_NOREF) {
      error->insert(0, "Error compiling script (new function): ");
      return nullptr;
    }
    engine_.release(ref);
    script = cache_->add(name, body, shebang, by_eval);
  }
  return compile(std::move(script), body, hash, error);
}

const ScriptThread::Compiled* ScriptThread::script_of_sha(std::string_view sha, std::string* error) {
  if (sha.size() != kSha1HexBytes) return nullptr;
  char lower[kSha1HexBytes];
  for (size_t i = 0; i < sha.size(); ++i) lower[i] = to_lower(sha[i]);
  const std::string_view name(lower, sizeof(lower));
  const auto known = by_sha_.find(name);
  if (known != by_sha_.end()) {
    const Compiled& compiled = by_body_.at(known->second);
    if (compiled.script->live.load(std::memory_order_acquire)) {
      cache_->touch(compiled.script.get());
      return &compiled;
    }
  }
  std::shared_ptr<CachedScript> script = cache_->find(name);
  if (script == nullptr) return nullptr;
  const std::string_view body = script->body.view();
  if (body.data() == nullptr) return nullptr;  // flushed since
  return compile(std::move(script), body, hash_bytes(body), error);
}

const ScriptThread::Compiled* ScriptThread::compile(std::shared_ptr<CachedScript> script, std::string_view body,
                                                    uint64_t body_hash, std::string* error) {
  recent_.fill(nullptr);
  if (by_body_.size() >= sweep_at_) forget_dead_scripts();
  const auto old = by_body_.find(body_hash);
  if (old != by_body_.end()) {
    engine_.release(old->second.function_ref);
    by_sha_.erase(old->second.script->sha);
    by_body_.erase(old);
  }
  const int ref = engine_.compile(body.substr(script->shebang.bytes), "@user_script", error);
  if (ref == LUA_NOREF) {
    error->insert(0, "Error compiling script (new function): ");
    return nullptr;
  }
  const Compiled& compiled = by_body_.emplace(body_hash, Compiled{std::move(script), ref}).first->second;
  by_sha_.emplace(compiled.script->sha, body_hash);
  return &compiled;
}

void ScriptThread::forget_flushed() {
  const uint64_t flushes = cache_->flushes();
  if (std::exchange(seen_flushes_, flushes) == flushes) return;
  forget_dead_scripts();
  engine_.collect();
}

void ScriptThread::forget_dead_scripts() {
  recent_.fill(nullptr);
  for (auto at = by_body_.begin(); at != by_body_.end();) {
    if (at->second.script->live.load(std::memory_order_acquire)) {
      ++at;
      continue;
    }
    engine_.release(at->second.function_ref);
    by_sha_.erase(at->second.script->sha);
    at = by_body_.erase(at);
  }
  sweep_at_ = 2 * by_body_.size() + 64;
}

// ---- Functions.

const FunctionSet& ScriptThread::functions() {
  const uint64_t version = registry_->version();
  if (functions_ != nullptr && version == seen_version_) return *functions_;
  functions_ = registry_->current();
  seen_version_ = version;
  for (auto at = libraries_.begin(); at != libraries_.end();) {
    bool alive = false;
    for (const auto& [name, library] : functions_->libraries) alive = alive || library->id == at->first;
    if (alive) {
      ++at;
    } else {
      forget_library(&at->second);
      at = libraries_.erase(at);
    }
  }
  return *functions_;
}

void ScriptThread::forget_library(CompiledLibrary* library) {
  for (const auto& [name, ref] : library->callbacks) engine_.release(ref);
}

int ScriptThread::callback_of(const FunctionRef& function, std::string* error) {
  const uint64_t id = function.library->id;
  auto found = libraries_.find(id);
  if (found == libraries_.end()) {
    LibraryShebang shebang;
    LibraryLoad load;
    const std::string& code = function.library->code;
    if (!parse_library_shebang(code, &shebang, error)) return LUA_NOREF;
    if (!engine_.run_library(std::string_view(code).substr(shebang.bytes), 0, &load, error)) return LUA_NOREF;
    found = libraries_.emplace(id, CompiledLibrary()).first;
    for (RegisteredFunction& registered : load.functions) {
      found->second.callbacks.emplace(std::move(registered.name), registered.callback_ref);
    }
  }
  const auto callback = found->second.callbacks.find(function.function->name);
  if (callback != found->second.callbacks.end()) return callback->second;
  *error = "Function not found";
  return LUA_NOREF;
}

std::shared_ptr<const FunctionLibrary> ScriptThread::load_library(std::string_view code, int64_t timeout_ms,
                                                                  std::string* error, const FunctionSet* taken) {
  LibraryShebang shebang;
  if (!parse_library_shebang(code, &shebang, error)) return nullptr;
  if (!is_library_name(shebang.name)) {
    *error = kLibraryNameError;
    return nullptr;
  }
  if (!equals_ignore_case(shebang.engine, "lua")) {
    *error = "Engine '" + shebang.engine + "' not found";
    return nullptr;
  }
  if (taken != nullptr && taken->libraries.contains(shebang.name)) {
    *error = "Library '" + shebang.name + "' already exists";
    return nullptr;
  }
  LibraryLoad load;
  if (!engine_.run_library(code.substr(shebang.bytes), timeout_ms, &load, error)) return nullptr;
  if (load.functions.empty()) {
    *error = "No functions registered";
    return nullptr;
  }
  auto library = std::make_shared<FunctionLibrary>();
  library->name = std::move(shebang.name);
  library->code = code;
  library->id = registry_->next_library_id();
  CompiledLibrary& compiled = libraries_[library->id];
  for (RegisteredFunction& registered : load.functions) {
    compiled.callbacks.emplace(registered.name, registered.callback_ref);
    library->functions.push_back(
        {std::move(registered.name), std::move(registered.description), registered.has_description, registered.flags});
  }
  return library;
}

// ---- The server's part.

ScriptThread& Scripting::thread(CommandRunner* runner, const LuaEngineOptions& options) {
  for (Slot& slot : slots_) {
    CommandRunner* owner = slot.runner.load(std::memory_order_acquire);
    if (owner == runner) return *slot.thread;
    if (owner == nullptr) break;
  }
  LockGuard lock(mutex_);
  for (Slot& slot : slots_) {
    if (slot.runner.load(std::memory_order_relaxed) != nullptr) continue;
    slot.thread = std::make_unique<ScriptThread>(&cache_, &registry_, options);
    slot.runner.store(runner, std::memory_order_release);
    return *slot.thread;
  }
  SYNAP_ASSERT(false && "too many threads run scripts");
}

void Scripting::forget_flushed(CommandRunner* runner) {
  for (Slot& slot : slots_) {
    CommandRunner* owner = slot.runner.load(std::memory_order_acquire);
    if (owner == nullptr) return;
    if (owner == runner) return slot.thread->forget_flushed();
  }
}

Scripting::Running Scripting::add_running(ScriptRun* run, bool is_function, bool from_master,
                                          std::vector<std::string> command) {
  LockGuard lock(mutex_);
  RunningScript& script = running_.emplace_back();
  script.run = run;
  script.is_function = is_function;
  script.from_master = from_master;
  script.command = std::move(command);
  return std::prev(running_.end());
}

void Scripting::remove_running(Running script) {
  LockGuard lock(mutex_);
  const bool was_busy = script->is_busy;
  running_.erase(script);
  if (was_busy) sum_busy();
}

void Scripting::set_busy(Running script, ShardMask shards, bool may_grow) {
  LockGuard lock(mutex_);
  script->is_busy = true;
  script->busy_shards = shards;
  script->may_grow = may_grow;
  sum_busy();
}

void Scripting::sum_busy() {
  size_t count = 0;
  ShardMask shards = 0;
  bool grows = false;
  for (const RunningScript& script : running_) {
    if (!script.is_busy) continue;
    ++count;
    shards |= script.busy_shards;
    grows = grows || script.may_grow;
  }
  busy_shards_.store(shards, std::memory_order_relaxed);
  busy_grows_.store(grows, std::memory_order_relaxed);
  busy_count_.store(count, std::memory_order_relaxed);
}

std::string_view Scripting::busy_error() const {
  LockGuard lock(mutex_);
  for (const RunningScript& script : running_) {
    if (script.is_busy) return script.is_function ? kBusyFunctionError : kBusyScriptError;
  }
  return kBusyScriptError;
}

std::string_view Scripting::kill(bool is_function) {
  LockGuard lock(mutex_);
  if (running_.empty()) return kNotBusyError;
  std::string_view problem;
  bool killed = false;
  for (RunningScript& script : running_) {
    if (script.from_master) {
      problem =
          "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be "
          "killed.";
    } else if (script.has_written.load(std::memory_order_relaxed)) {
      problem =
          "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the "
          "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
    } else if (script.is_function != is_function) {
      problem = script.is_function ? kBusyFunctionError : kBusyScriptError;
    } else {
      script.run->request_kill();
      killed = true;
    }
  }
  return killed ? std::string_view() : problem;
}

Scripting::Status Scripting::oldest_running() const {
  LockGuard lock(mutex_);
  if (running_.empty()) return {};
  const RunningScript& script = running_.front();
  return {true, script.is_function, script.run->name(), script.command, script.run->started_us()};
}

size_t Scripting::lua_bytes() const {
  size_t bytes = 0;
  for (const Slot& slot : slots_) {
    if (slot.runner.load(std::memory_order_acquire) == nullptr) break;
    bytes += slot.thread->engine().memory_bytes();
  }
  return bytes;
}

}  // namespace synap
