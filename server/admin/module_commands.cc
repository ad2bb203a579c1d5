// MODULE as a Redis answers it that has none loaded. Modules share Redis's internal interfaces, which are not here to
// share, so none can be loaded.
#include <string>

#include "server/admin/server_commands.h"
#include "server/base/log.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/protected_action.h"

namespace synap {

namespace {

void cmd_module_list(Context& ctx) {
  ctx.reply().array(0);
}

bool may_change_modules(Context& ctx) {
  if (is_allowed(ctx.config().enable_module_command, ctx.session())) return true;
  ctx.error(
      "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a "
      "local connection, otherwise you need to set this option in the configuration file, and then restart the "
      "server.");
  return false;
}

void cmd_module_load(Context& ctx) {
  if (!may_change_modules(ctx)) return;
  log_warning("Module %s failed to load: this server has no interface for modules", std::string(ctx.arg(2)).c_str());
  ctx.error("ERR Error loading the extension. Please check the server logs.");
}

void cmd_module_unload(Context& ctx) {
  if (may_change_modules(ctx)) ctx.error("ERR Error unloading module: no such module with that name");
}

void cmd_module_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "LIST",
      "    Return a list of loaded modules.",
      "LOAD <path> [<arg> ...]",
      "    Load a module library from <path>, passing to it any optional arguments.",
      "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
      "    Load a module library from <path>, while passing it module configurations and optional arguments.",
      "UNLOAD <name>",
      "    Unload a module.",
  };
  reply_help(ctx, kLines);
}

constexpr uint64_t kChanges = kAdmin | kNoScript | kNoAsyncLoading;

constexpr Command kSubcommands[] = {
    {.name = "help", .handler = cmd_module_help, .arity = 2, .flags = kLoading | kStale},
    {.name = "list",
     .handler = cmd_module_list,
     .arity = 2,
     .flags = kAdmin | kNoScript,
     .tips = {"nondeterministic_output_order"}},
    {.name = "load", .handler = cmd_module_load, .arity = -3, .flags = kChanges},
    {.name = "loadex", .handler = cmd_module_load, .arity = -3, .flags = kChanges},
    {.name = "unload", .handler = cmd_module_unload, .arity = 3, .flags = kChanges},
};

constexpr Command kRows[] = {{.name = "module", .arity = -2, .subcommands = kSubcommands}};

}  // namespace

const CommandFamily kModuleCommands = kRows;

}  // namespace synap
