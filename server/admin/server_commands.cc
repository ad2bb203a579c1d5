#include "server/admin/server_commands.h"

#include <cstdio>
#include <string>

#include "persistence/journal.h"
#include "server/base/clock.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/config.h"
#include "server/command/context.h"
#include "server/command/monitor.h"
#include "server/command/server_api.h"
#include "server/command/version.h"

namespace synap {

namespace {

void cmd_time(Context& ctx) {
  // Inside a script or a transaction the time stands still.
  const int64_t now_us = ctx.is_inner() ? ctx.environment().now_us : wall_clock_us();
  ctx.reply().array(2);
  ctx.reply().bulk(to_text(now_us / 1000000));
  ctx.reply().bulk(to_text(now_us % 1000000));
}

void cmd_role(Context& ctx) {
  ctx.reply().array(3);
  ctx.reply().bulk("master");
  ctx.reply().integer(static_cast<int64_t>(ctx.server().journal->end_offset()));
  ctx.reply().empty_array();
}

void cmd_monitor(Context& ctx) {
  if (ctx.session().has(kSessionDenyBlocking)) return ctx.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  if (!ctx.session().has(kSessionMonitor)) {
    ctx.session().set(kSessionMonitor);
    ctx.server().monitor->add(ctx.session().id());
  }
  ctx.reply().ok();
}

// A snapshot at the end needs all shards.
uint32_t shutdown_guard(Server& server, ArgViews args) {
  bool saves = !server.config->current().save.empty();
  for (const std::string_view word : args.subspan(1)) {
    if (equals_ignore_case(word, "save")) saves = true;
    if (equals_ignore_case(word, "nosave") || equals_ignore_case(word, "abort")) return 0;
  }
  if (!saves) return 0;
  return kGuardAllShards;
}

// The reply comes only when the shutdown could not be begun: else the connection ends.
void cmd_shutdown(Context& ctx) {
  uint32_t flags = 0;
  bool abort = false;
  for (size_t i = 1; i < ctx.argc(); ++i) {
    const std::string_view word = ctx.arg(i);
    if (equals_ignore_case(word, "nosave")) {
      flags |= kShutdownNosave;
    } else if (equals_ignore_case(word, "save")) {
      flags |= kShutdownSave;
    } else if (equals_ignore_case(word, "now")) {
      flags |= kShutdownNow;
    } else if (equals_ignore_case(word, "force")) {
      flags |= kShutdownForce;
    } else if (equals_ignore_case(word, "abort")) {
      abort = true;
    } else {
      return ctx.syntax_error();
    }
  }
  if ((abort && flags != 0) || ((flags & kShutdownNosave) != 0 && (flags & kShutdownSave) != 0)) return ctx.syntax_error();
  if (abort) {
    return ctx.server().abort_shutdown() ? ctx.reply().ok() : ctx.error("ERR No shutdown in progress.");
  }
  if (ctx.session().has(kSessionDenyBlocking)) return ctx.error("ERR SHUTDOWN is not allowed for DENY BLOCKING clients");
  const std::string error = ctx.server().begin_shutdown(flags);
  if (!error.empty()) return ctx.error(error);
  ctx.session().set(kSessionCloseAfterReply);
}

// A little landscape of dots, and the version: what LOLWUT is for.
void cmd_lolwut(Context& ctx) {
  int64_t columns = 60;
  size_t first = 1;
  if (ctx.argc() >= 3 && equals_ignore_case(ctx.arg(1), "version")) {
    int64_t version;
    if (!ctx.parse(ctx.arg(2), &version)) return;
    first = 3;
  }
  // As in Redis, other arguments are the picture's own matter: what makes no sense to it is passed over.
  int64_t wanted;
  if (ctx.argc() > first && parse_int64(ctx.arg(first), &wanted) && wanted >= 1 && wanted <= 160) columns = wanted;
  std::string art;
  for (int row = 0; row < 8; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      art += (column * 7 + row * row * 3) % 11 < row ? '*' : '.';
    }
    art += '\n';
  }
  art += "\nA field of keys, denser towards the ground.\n";
  ctx.reply().verbatim("txt", art + "Redis ver. " + kRedisVersion + " (Synap " + kSynapVersion + ")\n");
}

constexpr Command kRows[] = {
    {.name = "time", .handler = cmd_time, .arity = 1, .flags = kLoading | kStale | kFast,
     .tips = {"nondeterministic_output"}},
    {.name = "role", .handler = cmd_role, .arity = 1, .flags = kNoScript | kLoading | kStale | kFast,
     .categories = kCatAdmin | kCatDangerous},
    {.name = "monitor", .handler = cmd_monitor, .arity = 1, .flags = kAdmin | kNoScript | kLoading | kStale},
    {.name = "shutdown", .handler = cmd_shutdown, .arity = -1,
     .flags = kAdmin | kNoScript | kLoading | kStale | kNoMulti | kAllowBusy | kAllowPaused, .guard = shutdown_guard},
    {.name = "lolwut", .handler = cmd_lolwut, .arity = -1, .flags = kReadonly | kFast},
};

}  // namespace

const CommandFamily kServerCommands = kRows;

}  // namespace synap
