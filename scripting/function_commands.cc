// FUNCTION, FCALL and FCALL_RO.
#include "scripting/script_commands.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "scripting/script_arguments.h"
#include "scripting/script_call.h"
#include "server/base/clock.h"
#include "server/base/glob.h"
#include "server/command/help_reply.h"

namespace synap {
namespace {

constexpr int64_t kLoadTimeoutMs = 500;

void fcall(Context& ctx, bool read_only) {
  ScriptThread& thread = script_thread(ctx);
  const FunctionSet& set = thread.functions();
  const auto found = set.functions.find(ctx.arg(1));
  if (found == set.functions.end()) return ctx.error("ERR Function not found");
  size_t keys = 0;
  if (!parse_key_count(ctx, "ERR Bad number of keys provided", &keys)) return;
  const FunctionRef& function = found->second;
  if (!admit_script(ctx, function.function->flags, read_only)) return;
  std::string error;
  const int callback = thread.callback_of(function, &error);
  if (callback == LUA_NOREF) return ctx.error("ERR " + error);
  const ScriptCall::What what{ScriptKind::kFunction,    callback,  function.function->name,
                              function.function->flags, read_only, keys};
  ctx.continue_with(std::make_unique<ScriptCall>(ctx, ctx.server().scripting, &thread, what));
}

uint32_t fcall_guard(Server& server, ArgViews args) {
  const FunctionRegistry& registry = server.scripting->registry();
  if (args.size() < 3 || (!registry.has_promising() && !server.state->has(kStatePausedWrites))) return 0;
  const auto set = registry.current();
  const auto found = set->functions.find(args[1]);
  return found == set->functions.end() ? 0 : script_guard(found->second.function->flags);
}

void cmd_fcall(Context& ctx) {
  fcall(ctx, false);
}
void cmd_fcall_ro(Context& ctx) {
  fcall(ctx, true);
}

void publish(Context& ctx, std::shared_ptr<const FunctionSet> set) {
  ctx.server().scripting->registry().publish(std::move(set));
  ctx.changed({}, 1, 0, {});
  ctx.force_effect();
}

void cmd_function_load(Context& ctx) {
  bool replace = false;
  size_t at = 2;
  for (; at + 1 < ctx.argc(); ++at) {
    if (!equals_ignore_case(ctx.arg(at), "replace")) {
      return ctx.error("ERR Unknown option given: " + std::string(ctx.arg(at)));
    }
    replace = true;
  }
  const int64_t timeout_ms = ctx.session().has(kSessionMaster) ? 0 : kLoadTimeoutMs;
  std::string error;
  auto set = std::make_shared<FunctionSet>(*ctx.server().scripting->registry().current());
  const auto library = script_thread(ctx).load_library(ctx.arg(at), timeout_ms, &error, replace ? nullptr : set.get());
  if (library == nullptr || !set->add(library, replace, &error)) return ctx.error("ERR " + error);
  publish(ctx, std::move(set));
  ctx.reply().bulk(library->name);
}

void cmd_function_delete(Context& ctx) {
  auto set = std::make_shared<FunctionSet>(*ctx.server().scripting->registry().current());
  if (!set->remove(ctx.arg(2))) return ctx.error("ERR Library not found");
  publish(ctx, std::move(set));
  ctx.reply().ok();
}

void wrong_usage(Context& ctx) {
  ctx.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(ctx.arg(1)) +
            "'. Try FUNCTION HELP.");
}

void cmd_function_flush(Context& ctx) {
  if (ctx.argc() > 3) return wrong_usage(ctx);
  if (!parse_flush_mode(ctx, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option")) return;
  publish(ctx, std::make_shared<FunctionSet>());
  ctx.reply().ok();
}

void cmd_function_dump(Context& ctx) {
  ctx.reply().bulk(dump_functions(*ctx.server().scripting->registry().current()));
}

enum class RestorePolicy : uint8_t { kAppend, kReplace, kFlush };

bool parse_policy(Context& ctx, RestorePolicy* policy) {
  if (ctx.argc() == 3) return true;
  const std::string_view word = ctx.arg(3);
  if (equals_ignore_case(word, "append")) {
    *policy = RestorePolicy::kAppend;
  } else if (equals_ignore_case(word, "replace")) {
    *policy = RestorePolicy::kReplace;
  } else if (equals_ignore_case(word, "flush")) {
    *policy = RestorePolicy::kFlush;
  } else {
    ctx.error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    return false;
  }
  return true;
}

void cmd_function_restore(Context& ctx) {
  if (ctx.argc() > 4) {
    return wrong_usage(ctx);
  }
  RestorePolicy policy = RestorePolicy::kAppend;
  if (!parse_policy(ctx, &policy)) return;
  std::vector<std::string> codes;
  std::string error;
  if (!read_function_dump(ctx.arg(2), &codes, &error)) return ctx.error("ERR " + error);
  FunctionSet restored;
  for (const std::string& code : codes) {
    const auto library = script_thread(ctx).load_library(code, 0, &error);
    if (library == nullptr || !restored.add(library, false, &error)) return ctx.error("ERR " + error);
  }
  auto set = policy == RestorePolicy::kFlush
                 ? std::make_shared<FunctionSet>()
                 : std::make_shared<FunctionSet>(*ctx.server().scripting->registry().current());
  for (const auto& [name, library] : restored.libraries) {
    if (policy != RestorePolicy::kReplace && set->libraries.contains(name)) {
      return ctx.error("ERR Library " + name + " already exists");
    }
    set->remove(name);
  }
  for (const auto& [name, library] : restored.libraries) {
    if (!set->add(library, false, &error)) return ctx.error("ERR " + error);
  }
  publish(ctx, std::move(set));
  ctx.reply().ok();
}

void reply_function(Reply& reply, const LibraryFunction& function) {
  reply.map(3);
  reply.bulk("name");
  reply.bulk(function.name);
  reply.bulk("description");
  function.has_description ? reply.bulk(function.description) : reply.null();
  reply.bulk("flags");
  size_t count = 0;
  for (const ScriptFlagName& flag : kScriptFlagNames) count += (function.flags & flag.flag) != 0 ? 1 : 0;
  reply.set(count);
  for (const ScriptFlagName& flag : kScriptFlagNames) {
    if ((function.flags & flag.flag) != 0) reply.simple(flag.name);
  }
}

void reply_library(Reply& reply, const FunctionLibrary& library, bool with_code) {
  reply.map(with_code ? 4 : 3);
  reply.bulk("library_name");
  reply.bulk(library.name);
  reply.bulk("engine");
  reply.bulk("LUA");
  reply.bulk("functions");
  reply.array(library.functions.size());
  for (const LibraryFunction& function : library.functions) reply_function(reply, function);
  if (!with_code) return;
  reply.bulk("library_code");
  reply.bulk(library.code);
}

void cmd_function_list(Context& ctx) {
  bool with_code = false;
  bool has_pattern = false;
  std::string_view pattern;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    if (!with_code && equals_ignore_case(ctx.arg(i), "withcode")) {
      with_code = true;
    } else if (!has_pattern && equals_ignore_case(ctx.arg(i), "libraryname")) {
      if (i + 1 >= ctx.argc()) return ctx.error("ERR library name argument was not given");
      has_pattern = true;
      pattern = ctx.arg(++i);
    } else {
      return ctx.reply().error({"ERR Unknown argument ", ctx.arg(i)});
    }
  }
  const auto set = ctx.server().scripting->registry().current();
  const size_t mark = ctx.reply().deferred_begin();
  size_t count = 0;
  for (const auto& [name, library] : set->libraries) {
    if (has_pattern && !glob_match(pattern, name, true)) continue;
    reply_library(ctx.reply(), *library, with_code);
    ++count;
  }
  ctx.reply().deferred_end_array(mark, count);
}

void cmd_function_stats(Context& ctx) {
  const Scripting::Status running = ctx.server().scripting->oldest_running();
  if (running.is_running && !running.is_function) return ctx.error(kBusyScriptError);
  const auto set = ctx.server().scripting->registry().current();
  Reply& reply = ctx.reply();
  reply.map(2);
  reply.bulk("running_script");
  if (!running.is_running) {
    reply.null();
  } else {
    reply.map(3);
    reply.bulk("name");
    reply.bulk(running.name);
    reply.bulk("command");
    reply.array(running.command.size());
    for (const std::string& word : running.command) reply.bulk(word);
    reply.bulk("duration_ms");
    reply.integer((monotonic_us() - running.started_us) / 1000);
  }
  reply.bulk("engines");
  reply.map(1);
  reply.bulk("LUA");
  reply.map(2);
  reply.bulk("libraries_count");
  reply.integer(static_cast<int64_t>(set->libraries.size()));
  reply.bulk("functions_count");
  reply.integer(static_cast<int64_t>(set->functions.size()));
}

void cmd_function_kill(Context& ctx) {
  const std::string_view problem = ctx.server().scripting->kill(true);
  problem.empty() ? ctx.reply().ok() : ctx.error(problem);
}

void cmd_function_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "LOAD [REPLACE] <FUNCTION CODE>",
      "    Create a new library with the given library name and code.",
      "DELETE <LIBRARY NAME>",
      "    Delete the given library.",
      "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
      "    Return general information on all the libraries:",
      "    * Library name",
      "    * The engine used to run the Library",
      "    * Functions list",
      "    * Library code (if WITHCODE is given)",
      "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
      "STATS",
      "    Return information about the current function running:",
      "    * Function name",
      "    * Command used to run the function",
      "    * Duration in MS that the function is running",
      "    If no function is running, return nil",
      "    In addition, returns a list of available engines.",
      "KILL",
      "    Kill the current running function.",
      "FLUSH [ASYNC|SYNC]",
      "    Delete all the libraries.",
      "    When called without the optional mode argument, the behavior is determined by the",
      "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
      "    * ASYNC: Asynchronously flush the libraries.",
      "    * SYNC: Synchronously flush the libraries.",
      "DUMP",
      "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE "
      "command",
      "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
      "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
      "    control how to handle existing libraries (default APPEND):",
      "    * FLUSH: delete all existing libraries.",
      "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
      "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
      "      libraries with the new libraries (notice that even on this option there is a chance of failure",
      "      in case of functions name collision with another library).",
  };
  reply_help(ctx, kLines);
}

constexpr uint64_t kScripts = kCatScripting;
constexpr uint64_t kFcallFlags =
    kNoScript | kSkipMonitor | kMayReplicate | kNoMandatoryKeys | kStale | kGrowingGuard | kMovableKeys;
constexpr uint64_t kFcallRoFlags =
    kNoScript | kSkipMonitor | kReadonly | kNoMandatoryKeys | kStale | kGrowingGuard | kMovableKeys;

constexpr Command kFunctionSubcommands[] = {
    {.name = "delete",
     .handler = cmd_function_delete,
     .arity = 3,
     .flags = kNoScript | kWrite | kAllShards,
     .categories = kScripts,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "dump", .handler = cmd_function_dump, .arity = 2, .flags = kNoScript, .categories = kScripts},
    {.name = "flush",
     .handler = cmd_function_flush,
     .arity = -2,
     .flags = kNoScript | kWrite | kAllShards,
     .categories = kScripts,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "help", .handler = cmd_function_help, .arity = 2, .flags = kLoading | kStale, .categories = kScripts},
    {.name = "kill",
     .handler = cmd_function_kill,
     .arity = 2,
     .flags = kNoScript | kAllowBusy,
     .categories = kScripts,
     .tips = {"request_policy:all_shards", "response_policy:one_succeeded"}},
    {.name = "list",
     .handler = cmd_function_list,
     .arity = -2,
     .flags = kNoScript,
     .categories = kScripts,
     .tips = {"nondeterministic_output_order"}},
    {.name = "load",
     .handler = cmd_function_load,
     .arity = -3,
     .flags = kNoScript | kWrite | kDenyOom | kAllShards,
     .categories = kScripts,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "restore",
     .handler = cmd_function_restore,
     .arity = -3,
     .flags = kNoScript | kWrite | kDenyOom | kAllShards,
     .categories = kScripts,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "stats",
     .handler = cmd_function_stats,
     .arity = 2,
     .flags = kNoScript | kAllowBusy,
     .categories = kScripts,
     .tips = {"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}},
};

constexpr Command kRows[] = {
    {.name = "fcall",
     .handler = cmd_fcall,
     .arity = -3,
     .flags = kFcallFlags,
     .categories = kScripts,
     .key_specs = {counted_keys(2, kKeyRW | kKeyAccess | kKeyUpdate)},
     .guard = fcall_guard},
    {.name = "fcall_ro",
     .handler = cmd_fcall_ro,
     .arity = -3,
     .flags = kFcallRoFlags,
     .categories = kScripts,
     .key_specs = {counted_keys(2, kKeyRO | kKeyAccess)},
     .guard = fcall_guard},
    {.name = "function", .arity = -2, .subcommands = kFunctionSubcommands},
};

}  // namespace

const CommandFamily kFunctionCommands = kRows;

}  // namespace synap
