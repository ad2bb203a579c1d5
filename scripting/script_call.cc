#include "scripting/script_call.h"

#include <algorithm>
#include <array>
#include <bit>

#include "protocol/errors.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/command/acl.h"
#include "server/command/command_table.h"
#include "server/command/runner.h"
#include "server/command/server_api.h"
#include "server/keyspace/shard_guard.h"

namespace synap {
namespace {

bool must_obey(const Session& session) {
  return session.has(kSessionMaster);
}

// The same trouble in the words Redis has for a script with a shebang.
std::string disk_error_of_scripts(const std::string& error) {
  constexpr std::string_view kAof = "MISCONF Errors writing to the AOF file: ";
  constexpr std::string_view kBlocked =
      ", but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only "
      "scripts.";
  if (!error.starts_with(kAof)) {
    return "MISCONF Redis is configured to save RDB snapshots" + std::string(kBlocked);
  }
  return "MISCONF Redis is configured to persist data to AOF" + std::string(kBlocked) +
         " AOF error: " + error.substr(kAof.size());
}

bool has_promised(uint32_t flags) {
  return (flags & kScriptNoShebang) == 0 && (flags & kScriptDeclaredKeysOnly) != 0;
}

}  // namespace

uint32_t script_guard(uint32_t flags) {
  const bool reads_only = (flags & (kScriptNoWrites | kScriptNoShebang)) == kScriptNoWrites;
  const uint32_t guard = reads_only ? uint32_t{kGuardNoWrites} : 0;
  if (!has_promised(flags)) return guard;
  return guard | kGuardDeclared | (reads_only ? uint32_t{kGuardShared} : 0);
}

bool admit_script(Context& ctx, uint32_t flags, bool read_only) {
  const StateBits& state = *ctx.server().state;
  const bool obey = must_obey(ctx.session());
  const bool stale = state.has(kStateStale) && !obey;
  if ((flags & kScriptNoShebang) != 0) {
    if (stale) ctx.error(kMasterDownError);
    return !stale;
  }
  if (stale && (flags & kScriptAllowStale) == 0) {
    ctx.error(
        "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is "
        "not set on the script.");
    return false;
  }
  if ((flags & kScriptNoWrites) == 0) {
    if (state.has(kStateReplica) && !obey) {
      ctx.error("READONLY Can not run script with write flag on readonly replica");
      return false;
    }
    if (state.has(kStateDiskError) && !obey) {
      ctx.error(disk_error_of_scripts(ctx.server().disk_error()));
      return false;
    }
    if (read_only) {
      ctx.error("ERR Can not execute a script with write flag using *_ro command.");
      return false;
    }
  }
  if (state.has(kStateOutOfMemory) && !obey && (flags & (kScriptAllowOom | kScriptNoWrites)) == 0) {
    ctx.error("OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'");
    return false;
  }
  return true;
}

ScriptCall::ScriptCall(Context& ctx, Scripting* scripting, ScriptThread* thread, const What& what)
    : ctx_(&ctx),
      scripting_(scripting),
      thread_(thread),
      engine_(&thread->engine()),
      read_only_(what.read_only || ((what.flags & kScriptNoShebang) == 0 && (what.flags & kScriptNoWrites) != 0)),
      allow_oom_((what.flags & kScriptNoShebang) == 0 && (what.flags & kScriptAllowOom) != 0),
      declared_keys_only_(has_promised(what.flags)),
      declared_keys_(what.keys),
      oom_at_start_(ctx.server().state->has(kStateOutOfMemory)),
      db_(ctx.session().db) {
  const std::span<const std::string_view> rest = ctx.args().subspan(3);
  const auto keys = rest.first(what.keys);
  const auto args = rest.subspan(what.keys);
  run_ = what.kind == ScriptKind::kEval ? engine_->begin_eval(what.function_ref, what.name, keys, args, this)
                                        : engine_->begin_function(what.function_ref, what.name, keys, args, this);
}

ScriptCall::~ScriptCall() {
  if (running_.has_value()) scripting_->remove_running(*running_);
  if (is_busy_ && scripting_->busy_count() == 0) ctx_->server().state->clear(kStateBusyScript);
  engine_->end(run_);
}

SlicedCall::Step ScriptCall::step(Context& ctx) {
  ctx_ = &ctx;
  ctx.session().set(kSessionScript);
  const ScriptState state = engine_->resume(run_);
  ctx.session().clear(kSessionScript);
  switch (state) {
    case ScriptState::kSliced:
      note_long_run();
      return Step::kSliced;
    case ScriptState::kWaiting:
      note_long_run();
      return Step::kNeedShards;
    case ScriptState::kDone:
      break;
    case ScriptState::kFailed:
      if (run_->kill_requested()) {
        log_notice("Lua script killed by user with %s KILL.",
                   run_->kind() == ScriptKind::kEval ? "SCRIPT" : "FUNCTION");
      }
      break;
  }
  ctx.mute_effects(false);
  engine_->write_result(run_, &ctx.reply());
  if (run_->error_was_counted()) ctx.reply().mark_error_counted();
  return Step::kDone;
}

// From now on others can see and kill it, and after busy-reply-threshold they are told that it runs.
void ScriptCall::note_long_run() {
  const bool is_function = run_->kind() == ScriptKind::kFunction;
  if (!running_.has_value()) {
    running_ = scripting_->add_running(run_, is_function, must_obey(ctx_->session()),
                                       {ctx_->args().begin(), ctx_->args().end()});
  }
  if (has_written_) (*running_)->has_written.store(true, std::memory_order_relaxed);
  if (is_busy_) return scripting_->set_busy(*running_, ctx_->guarded_shards(), !ctx_->guard_is_fixed());
  const int64_t threshold_ms = ctx_->config().busy_reply_threshold;
  const int64_t elapsed_ms = (monotonic_us() - run_->started_us()) / 1000;
  if (threshold_ms != 0 && elapsed_ms >= threshold_ms) become_busy(elapsed_ms);
}

void ScriptCall::become_busy(int64_t elapsed_ms) {
  const bool is_function = run_->kind() == ScriptKind::kFunction;
  is_busy_ = true;
  scripting_->set_busy(*running_, ctx_->guarded_shards(), !ctx_->guard_is_fixed());
  if (ctx_->config().busy_scope == BusyScope::kServer) ctx_->server().state->set(kStateBusyScript);
  // Those who wait for its shards already are told as well.
  for (ShardMask rest = ctx_->guarded_shards(); rest != 0; rest &= rest - 1) {
    ctx_->keyspace().shard(static_cast<size_t>(std::countr_zero(rest))).lock.wake_waiters();
  }
  ctx_->server().guards->wake_waiters();
  log_warning(
      "Slow script detected: still in execution after %lld milliseconds. You can try killing the script using "
      "the %s command. Script name is: %s.",
      static_cast<long long>(elapsed_ms), is_function ? "FUNCTION KILL" : "SCRIPT KILL", run_->name().c_str());
}

// ---- What the script asks for.

ScriptHost::Progress ScriptCall::call(std::span<const std::string_view> args, int resp, std::string_view* reply) {
  pending_ = check(args);
  if (pending_ == nullptr) {
    *reply = text_;
    return Progress::kDone;
  }
  pending_args_ = Args(args);
  pending_resp_ = resp;
  return fetch(reply);
}

ScriptHost::Progress ScriptCall::fetch(std::string_view* reply) {
  if (!run_pending()) {
    if (!ctx_->guard_is_fixed()) return Progress::kWait;
    // It promised nothing when its guard was taken: the function was replaced in that moment.
    text_ = "-ERR The script was replaced while it started, try again\r\n";
    *reply = text_;
    return Progress::kDone;
  }
  *reply = inner_reply();
  return Progress::kDone;
}

// False: it needs shards that are busy.
bool ScriptCall::run_pending() {
  Session& session = ctx_->session();
  const int client_db = session.db;
  session.db = db_;
  thread_->inner_output.restart();
  Reply reply(&thread_->inner_output, pending_resp_);
  const bool has_run = ctx_->runner().try_run_inner(*ctx_, pending_, pending_args_, &reply);
  db_ = session.db;
  session.db = client_db;
  return has_run;
}

std::string_view ScriptCall::inner_reply() {
  std::array<iovec, 2> pieces;
  const OutputBuffer& output = thread_->inner_output;
  if (output.gather(pieces) == 1) return {static_cast<const char*>(pieces[0].iov_base), pieces[0].iov_len};
  text_ = output.to_string();
  return text_;
}

// Most calls: whatever could forbid one does not hold.
bool ScriptCall::nothing_forbids(const Command& command, int count) const {
  const Session& session = ctx_->session();
  return command.handler != nullptr && command.subcommands.empty() && !command.has(kNoScript) &&
         (command.arity > 0 ? count == command.arity : count >= -command.arity) && !read_only_ && !declared_keys_only_ &&
         !oom_at_start_ && ctx_->server().state->get() == 0 && session.user != nullptr && session.user->unrestricted();
}

// The row, or null with the error as a reply in text_.
const Command* ScriptCall::check(std::span<const std::string_view> args) {
  const Command* command = thread_->find_command(*ctx_->server().commands, args);
  const auto count = static_cast<int>(args.size());
  if (command != nullptr && nothing_forbids(*command, count)) [[likely]] {
    if (command->has(kWrite)) has_written_ = true;
    return command;
  }
  std::string problem;
  const bool is_known = command != nullptr && (command->subcommands.empty() || args.size() < 2);
  if (!is_known) {
    command = nullptr;
    problem = "ERR Unknown Redis command called from script";
  } else if (command->handler == nullptr || (command->arity > 0 ? count != command->arity : count < -command->arity)) {
    problem = "ERR Wrong number of args calling Redis command from script";
  } else {
    problem = problem_of(*command, args);
    if (problem.empty() && declared_keys_only_) problem = key_problem_of(*command, args);
  }
  if (problem.empty()) {
    if (command->has(kWrite)) has_written_ = true;
    return command;
  }
  ctx_->runner().count_rejected(command, std::string_view(problem).substr(0, problem.find(' ')));
  text_ = "-" + problem + "\r\n";
  return nullptr;
}

std::string ScriptCall::problem_of(const Command& command, std::span<const std::string_view> args) const {
  Server& server = ctx_->server();
  const Session& session = ctx_->session();
  if (command.has(kNoScript) && !scripting_->any_command_allowed()) return "ERR This Redis command is not allowed from script";
  if (server.state->has(kStateStale) && !command.has(kStale) && !must_obey(session)) {
    return "ERR Can not execute the command on a stale replica";
  }
  if (session.user != nullptr && !session.user->unrestricted()) {
    std::string denied = synap::acl_check(server, session, command, args, AclContext::kScript);
    if (denied.starts_with("NOPERM ")) denied.erase(0, 7);
    if (!denied.empty()) return "ERR ACL failure in script: " + denied;
  }
  return write_problem_of(command);
}

std::string ScriptCall::write_problem_of(const Command& command) const {
  const StateBits& state = *ctx_->server().state;
  if (read_only_ && command.has(kWrite | kMayReplicate)) {
    return "ERR Write commands are not allowed from read-only scripts.";
  }
  // Once it has changed something it cannot be failed halfway.
  if (has_written_ || must_obey(ctx_->session())) return {};
  if (command.has(kWrite)) {
    if (state.has(kStateReplica)) return std::string(kReadOnlyError);
    if (state.has(kStateDiskError)) return ctx_->server().disk_error();
  }
  if (!allow_oom_ && oom_at_start_ && command.has(kDenyOom)) return std::string(kOutOfMemoryError);
  return {};
}

bool ScriptCall::is_declared(std::string_view key) const {
  const auto declared = ctx_->args().subspan(3, declared_keys_);
  return std::find(declared.begin(), declared.end(), key) != declared.end();
}

// For a script that promised to keep to its KEYS.
std::string ScriptCall::key_problem_of(const Command& command, std::span<const std::string_view> args) const {
  const bool sees_all = command.guard != nullptr && (command.guard(ctx_->server(), args) & kGuardAllShards) != 0;
  if (sees_all || command.has(kAllShards | kSelfGuarded)) {
    return "ERR A script with the flag declared-keys-only called a command that sees all keys";
  }
  std::vector<KeyRef> keys;
  find_keys(command, args, &keys);
  for (const KeyRef& key : keys) {
    if (!is_declared(args[key.position])) {
      return "ERR A script with the flag declared-keys-only accessed a key that it did not declare";
    }
  }
  return {};
}

ScriptHost::AclAnswer ScriptCall::acl_check(std::span<const std::string_view> args) {
  Server& server = ctx_->server();
  const Session& session = ctx_->session();
  const Command* command = server.commands->find_call(args);
  if (command == nullptr) return AclAnswer::kUnknownCommand;
  if (session.user == nullptr || session.user->unrestricted()) return AclAnswer::kAllowed;
  const bool allowed = synap::acl_allows(server, session, *command, args);
  return allowed ? AclAnswer::kAllowed : AclAnswer::kDenied;
}

// The journal is one for the AOF and for replicas, so an effect goes to both or to neither.
void ScriptCall::set_replication(unsigned targets) {
  ctx_->mute_effects(targets == 0);
}

}  // namespace synap
