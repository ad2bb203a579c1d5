// EVAL EVALSHA EVAL_RO EVALSHA_RO and SCRIPT.
#include "scripting/script_commands.h"

#include <memory>
#include <string>

#include "scripting/debug_session.h"
#include "scripting/debug_wire.h"
#include "scripting/script_arguments.h"
#include "scripting/script_call.h"
#include "scripting/script_debugger.h"
#include "server/base/log.h"
#include "server/command/help_reply.h"

namespace synap {
namespace {

// The whole script at once, under the debugger.
void run_debugged(Context& ctx, ScriptThread& thread, const ScriptCall::What& what, int socket, int lifeline) {
  DebugWire wire(socket, lifeline);
  ScriptDebugger debugger(&wire, ctx.arg(1), ctx.config().busy_reply_threshold);
  thread.engine().set_debugger(&debugger);
  {
    ScriptCall call(ctx, ctx.server().scripting, &thread, what);
    while (call.step(ctx) != SlicedCall::Step::kDone) {
    }
  }
  thread.engine().set_debugger(nullptr);
  debugger.end();
}

void debug_eval(Context& ctx, ScriptThread& thread, const ScriptCall::What& what) {
  Session& session = ctx.session();
  const bool in_server = session.has(kSessionDebugSync);
  session.clear(kSessionDebugScript | kSessionDebugSync);
  if (session.has(kSessionTls)) return ctx.error("ERR The script debugger needs a connection without TLS");
  if (in_server) {
    log_notice("Debugging a script in the server");
    run_debugged(ctx, thread, what, session.shared->fd.load(std::memory_order_relaxed), -1);
    session.set(kSessionCloseAfterReply);
    return;
  }
  debug_in_child(ctx, [&](int socket, int lifeline) {
    const size_t begin = ctx.reply().buffer().size();
    run_debugged(ctx, thread, what, socket, lifeline);
    DebugWire(socket, lifeline).send(std::string_view(ctx.reply().buffer().to_string()).substr(begin));
  });
}

void eval(Context& ctx, bool by_sha, bool read_only) {
  const bool debugged = ctx.session().has(kSessionDebugScript) && !ctx.is_inner();
  if (debugged && by_sha) return ctx.error("ERR Please use EVAL instead of EVALSHA for debugging");
  size_t keys = 0;
  if (by_sha && ctx.arg(1).size() != 40) return ctx.error(kNoScriptError);
  if (!parse_key_count(ctx, kNotIntegerError, &keys)) return;
  ScriptThread& thread = script_thread(ctx);
  std::string error;
  const ScriptThread::Compiled* compiled =
      by_sha ? thread.script_of_sha(ctx.arg(1), &error) : thread.script_of_body(ctx.arg(1), true, &error);
  if (compiled == nullptr) {
    return error.empty() ? ctx.error(kNoScriptError) : ctx.error("ERR " + error);
  }
  const CachedScript& script = *compiled->script;
  if (!admit_script(ctx, script.shebang.flags, read_only)) return;
  const ScriptCall::What what{
      ScriptKind::kEval, compiled->function_ref, script.sha, script.shebang.flags, read_only, keys};
  if (debugged) return debug_eval(ctx, thread, what);
  ctx.continue_with(std::make_unique<ScriptCall>(ctx, ctx.server().scripting, &thread, what));
}

uint32_t eval_guard(Server&, ArgViews args) {
  if (args.size() < 3 || !args[1].starts_with("#!")) return 0;
  ScriptShebang shebang;
  std::string error;
  return parse_script_shebang(args[1], &shebang, &error) ? script_guard(shebang.flags) : 0;
}

uint32_t evalsha_guard(Server& server, ArgViews args) {
  const ScriptCache& cache = server.scripting->cache();
  // Who promises only not to write matters to nothing but a pause.
  if (args.size() < 3 || (!cache.has_promising() && !server.state->has(kStatePausedWrites))) return 0;
  const auto script = cache.find(args[1]);
  return script == nullptr ? 0 : script_guard(script->shebang.flags);
}

void cmd_eval(Context& ctx) {
  eval(ctx, false, false);
}
void cmd_eval_ro(Context& ctx) {
  eval(ctx, false, true);
}
void cmd_evalsha(Context& ctx) {
  eval(ctx, true, false);
}
void cmd_evalsha_ro(Context& ctx) {
  eval(ctx, true, true);
}

void cmd_script_load(Context& ctx) {
  std::string error;
  const ScriptThread::Compiled* compiled = script_thread(ctx).script_of_body(ctx.arg(2), false, &error);
  if (compiled == nullptr) return ctx.error("ERR " + error);
  ctx.reply().bulk(compiled->script->sha);
}

void cmd_script_exists(Context& ctx) {
  ctx.reply().array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) {
    ctx.reply().integer(ctx.server().scripting->cache().find(ctx.arg(i)) != nullptr ? 1 : 0);
  }
}

void cmd_script_flush(Context& ctx) {
  if (!parse_flush_mode(ctx, "ERR SCRIPT FLUSH only support SYNC|ASYNC option")) return;
  ctx.server().scripting->cache().flush();
  ctx.reply().ok();
}

void cmd_script_kill(Context& ctx) {
  const std::string_view problem = ctx.server().scripting->kill(false);
  problem.empty() ? ctx.reply().ok() : ctx.error(problem);
}

void cmd_script_show(Context& ctx) {
  const auto script = ctx.arg(2).size() == 40 ? ctx.server().scripting->cache().find(ctx.arg(2)) : nullptr;
  const std::string_view body = script == nullptr ? std::string_view() : script->body.view();
  if (body.data() == nullptr) return ctx.error(kNoScriptError);
  ctx.reply().bulk(body);
}

void cmd_script_debug(Context& ctx) {
  if (ctx.reply().buffer().size() != 0) return ctx.error("ERR SCRIPT DEBUG must be called outside a pipeline");
  const bool sync = equals_ignore_case(ctx.arg(2), "sync");
  const bool off = equals_ignore_case(ctx.arg(2), "no");
  if (!sync && !off && !equals_ignore_case(ctx.arg(2), "yes")) {
    return ctx.error("ERR Use SCRIPT DEBUG YES/SYNC/NO");
  }
  ctx.session().clear(kSessionDebugScript | kSessionDebugSync);
  if (!off) ctx.session().set(kSessionDebugScript | (sync ? uint64_t{kSessionDebugSync} : 0));
  ctx.reply().ok();
}

void cmd_script_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "DEBUG (YES|SYNC|NO)",
      "    Set the debug mode for subsequent scripts executed.",
      "EXISTS <sha1> [<sha1> ...]",
      "    Return information about the existence of the scripts in the script cache.",
      "FLUSH [ASYNC|SYNC]",
      "    Flush the Lua scripts cache. Very dangerous on replicas.",
      "    When called without the optional mode argument, the behavior is determined",
      "    by the lazyfree-lazy-user-flush configuration directive. Valid modes are:",
      "    * ASYNC: Asynchronously flush the scripts cache.",
      "    * SYNC: Synchronously flush the scripts cache.",
      "KILL",
      "    Kill the currently executing Lua script.",
      "LOAD <script>",
      "    Load a script into the scripts cache without executing it.",
      "SHOW <sha1>",
      "    Show a script from the scripts cache.",
  };
  reply_help(ctx, kLines);
}

constexpr uint64_t kScripts = kCatScripting;
constexpr uint32_t kAnyKey = kKeyRW | kKeyAccess | kKeyUpdate;
constexpr uint32_t kReadKey = kKeyRO | kKeyAccess;
constexpr uint64_t kEvalFlags =
    kNoScript | kSkipMonitor | kMayReplicate | kNoMandatoryKeys | kStale | kGrowingGuard | kMovableKeys;
constexpr uint64_t kEvalRoFlags =
    kNoScript | kSkipMonitor | kReadonly | kNoMandatoryKeys | kStale | kGrowingGuard | kMovableKeys;

constexpr Command kScriptSubcommands[] = {
    {.name = "debug", .handler = cmd_script_debug, .arity = 3, .flags = kNoScript, .categories = kScripts},
    {.name = "exists",
     .handler = cmd_script_exists,
     .arity = -3,
     .flags = kNoScript,
     .categories = kScripts,
     .tips = {"request_policy:all_shards", "response_policy:agg_logical_and"}},
    {.name = "flush",
     .handler = cmd_script_flush,
     .arity = -2,
     .flags = kNoScript,
     .categories = kScripts,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
    {.name = "help", .handler = cmd_script_help, .arity = 2, .flags = kLoading | kStale, .categories = kScripts},
    {.name = "kill",
     .handler = cmd_script_kill,
     .arity = 2,
     .flags = kNoScript | kAllowBusy,
     .categories = kScripts,
     .tips = {"request_policy:all_shards", "response_policy:one_succeeded"}},
    {.name = "load",
     .handler = cmd_script_load,
     .arity = 3,
     .flags = kNoScript | kStale,
     .categories = kScripts,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
    {.name = "show", .handler = cmd_script_show, .arity = 3, .flags = kNoScript, .categories = kScripts},
};

constexpr Command kRows[] = {
    {.name = "eval",
     .handler = cmd_eval,
     .arity = -3,
     .flags = kEvalFlags,
     .categories = kScripts,
     .key_specs = {counted_keys(2, kAnyKey)},
     .guard = eval_guard},
    {.name = "eval_ro",
     .handler = cmd_eval_ro,
     .arity = -3,
     .flags = kEvalRoFlags,
     .categories = kScripts,
     .key_specs = {counted_keys(2, kReadKey)},
     .guard = eval_guard},
    {.name = "evalsha",
     .handler = cmd_evalsha,
     .arity = -3,
     .flags = kEvalFlags,
     .categories = kScripts,
     .key_specs = {counted_keys(2, kAnyKey)},
     .guard = evalsha_guard},
    {.name = "evalsha_ro",
     .handler = cmd_evalsha_ro,
     .arity = -3,
     .flags = kEvalRoFlags,
     .categories = kScripts,
     .key_specs = {counted_keys(2, kReadKey)},
     .guard = evalsha_guard},
    {.name = "script", .arity = -2, .subcommands = kScriptSubcommands},
};

}  // namespace

const CommandFamily kScriptCommands = kRows;

}  // namespace synap
