// SLOWLOG: the rows and replies over server/command/slowlog.
#include "server/admin/server_commands.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/server_api.h"
#include "server/command/slowlog.h"

namespace synap {

namespace {

constexpr int64_t kDefaultCount = 10;

void cmd_slowlog_get(Context& ctx) {
  int64_t count = kDefaultCount;
  if (ctx.argc() > 3) {
    return ctx.reply().error({"ERR unknown subcommand or wrong number of arguments for '", ctx.arg(1), "'. Try SLOWLOG HELP."});
  }
  if (ctx.argc() == 3) {
    if (!ctx.parse_range(ctx.arg(2), -1, INT64_MAX, &count, "ERR count should be greater than or equal to -1")) return;
  }
  const std::vector<SlowlogEntry> entries = ctx.server().slowlog->newest(count);
  Reply& reply = ctx.reply();
  reply.array(entries.size());
  for (const SlowlogEntry& entry : entries) {
    reply.array(6);
    reply.integer(entry.id);
    reply.integer(entry.time_seconds);
    reply.integer(entry.duration_us);
    reply.array(entry.args.size());
    for (const std::string& arg : entry.args) reply.bulk(arg);
    reply.bulk(entry.peer);
    reply.bulk(entry.client_name);
  }
}

void cmd_slowlog_len(Context& ctx) { ctx.reply().integer(static_cast<int64_t>(ctx.server().slowlog->size())); }

void cmd_slowlog_reset(Context& ctx) {
  ctx.server().slowlog->reset();
  ctx.reply().ok();
}

void cmd_slowlog_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "GET [<count>]",
      "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
      "    Entries are made of:",
      "    id, timestamp, time in microseconds, arguments array, client IP and port,",
      "    client name",
      "LEN",
      "    Return the length of the slowlog.",
      "RESET",
      "    Reset the slowlog.",
  };
  reply_help(ctx, kLines);
}

constexpr uint64_t kFlags = kAdmin | kLoading | kStale;

constexpr Command kSubcommands[] = {
    {.name = "get", .handler = cmd_slowlog_get, .arity = -2, .flags = kFlags,
     .tips = {"request_policy:all_nodes", "nondeterministic_output"}},
    {.name = "len", .handler = cmd_slowlog_len, .arity = 2, .flags = kFlags,
     .tips = {"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"}},
    {.name = "reset", .handler = cmd_slowlog_reset, .arity = 2, .flags = kFlags,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
    {.name = "help", .handler = cmd_slowlog_help, .arity = 2, .flags = kLoading | kStale},
};

constexpr Command kRows[] = {{.name = "slowlog", .arity = -2, .subcommands = kSubcommands}};

}  // namespace

const CommandFamily kSlowlogCommands = kRows;

}  // namespace synap
