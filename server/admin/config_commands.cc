// CONFIG GET, SET, REWRITE, RESETSTAT and HELP. What a value means and what follows from it is elsewhere: the option
// rows and ConfigStore's callbacks.
#include "scripting/scripting.h"
#include "server/admin/config_commands.h"

#include "server/base/glob.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/command/config_store.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/options.h"
#include "server/command/protected_action.h"
#include "server/command/server_api.h"

namespace synap {
namespace {

struct Match {
  std::string_view name;  // as asked for by exact name, else as the row or its alias spells it
  const Option* option;
};

bool is_pattern(std::string_view text) {
  return text.find_first_of("[*?") != std::string_view::npos;
}

void add_match(std::vector<Match>* matches, std::string_view name, const Option* option) {
  for (const Match& match : *matches) {
    if (equals_ignore_case(match.name, name)) return;
  }
  matches->push_back({name, option});
}

void match_pattern(std::string_view pattern, std::vector<Match>* matches) {
  for_each_option([&](const Option& option) {
    if (option.has(kHidden)) return;
    for (const std::string_view name : {option.name, option.alias}) {
      if (!name.empty() && glob_match(pattern, name, true)) add_match(matches, name, &option);
    }
  });
}

void cmd_config_get(Context& ctx) {
  std::vector<Match> matches;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    if (is_pattern(ctx.arg(i))) {
      match_pattern(ctx.arg(i), &matches);
    } else if (const Option* option = find_option(ctx.arg(i)); option != nullptr) {
      add_match(&matches, ctx.arg(i), option);
    }
  }
  // The store's, not the snapshot that was taken for this command: EXEC and scripts see their own CONFIG SET.
  const Config& config = ctx.server().config->current();
  ctx.reply().map(matches.size());
  for (const Match& match : matches) {
    ctx.reply().bulk(match.name);
    ctx.reply().bulk(format_option(*match.option, config));
  }
}

void cmd_config_set(Context& ctx) {
  if (ctx.argc() % 2 != 0) return ctx.syntax_error();
  std::vector<ConfigChange> changes;
  for (size_t i = 2; i < ctx.argc(); i += 2) changes.push_back({ctx.arg(i), ctx.arg(i + 1)});
  ConfigRights rights;
  rights.guarded_options = is_allowed(ctx.config().enable_protected_configs, ctx.session());
  rights.loading = ctx.server().state->has(kStateLoading);
  const Status status = ctx.server().config->set(changes, rights);
  if (!status.ok()) return ctx.error(status.detail());
  ctx.reply().ok();
}

void cmd_config_rewrite(Context& ctx) {
  const std::string& path = ctx.server().config_file;
  if (path.empty()) return ctx.error("ERR The server is running without a config file");
  const Status status = ctx.server().config->rewrite(path);
  if (!status.ok()) {
    log_warning("CONFIG REWRITE failed: %s", status.detail().c_str());
    return ctx.error("ERR Rewriting config file: " + status.detail());
  }
  log_notice("CONFIG REWRITE executed with success.");
  ctx.reply().ok();
}

void cmd_config_resetstat(Context& ctx) {
  ctx.server().reset_statistics();
  ctx.server().scripting->cache().reset_statistics();
  ctx.reply().ok();
}

void cmd_config_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "GET <pattern>",
      "    Return parameters matching the glob-like <pattern> and their values.",
      "SET <directive> <value>",
      "    Set the configuration <directive> to <value>.",
      "RESETSTAT",
      "    Reset statistics reported by the INFO command.",
      "REWRITE",
      "    Rewrite the configuration file.",
  };
  reply_help(ctx, kLines);
}

// The value after the name of a password.
bool is_secret_value(ArgViews args, size_t index) {
  if (index < 3 || index % 2 == 0) return false;
  const Option* option = find_option(args[index - 1]);
  return option != nullptr && option->has(kSensitive);
}

constexpr uint64_t kFlags = kAdmin | kNoScript | kLoading | kStale;
constexpr std::array<std::string_view, 3> kEveryNode = {"request_policy:all_nodes", "response_policy:all_succeeded"};

constexpr Command kSubcommands[] = {
    {"get", cmd_config_get, -3, kFlags, 0},
    {"help", cmd_config_help, 2, kLoading | kStale, 0},
    {"resetstat", cmd_config_resetstat, 2, kFlags, 0, {}, {}, nullptr, nullptr, kEveryNode},
    {"rewrite", cmd_config_rewrite, 2, kFlags, 0, {}, {}, nullptr, nullptr, kEveryNode},
    {"set", cmd_config_set, -4, kFlags, 0, {}, {}, nullptr, nullptr, kEveryNode, {}, 0, is_secret_value},
};

constexpr Command kRows[] = {
    {"config", nullptr, -2, 0, 0, {}, kSubcommands},
};

}  // namespace

const CommandFamily kConfigCommands = kRows;

}  // namespace synap
