// SAVE, BGSAVE, LASTSAVE.
#include "persistence/persistence.h"
#include "persistence/persistence_commands.h"
#include "server/base/text.h"
#include "server/command/context.h"

namespace synap {

namespace {

constexpr std::string_view kSaveInProgress = "ERR Background save already in progress";

void cmd_save(Context& ctx) {
  Persistence& persistence = *ctx.server().persistence;
  if (persistence.child_running()) return ctx.error(kSaveInProgress);
  if (!persistence.save(ctx.now_ms()).ok()) return ctx.error("ERR");
  ctx.reply().ok();
}

void cmd_bgsave(Context& ctx) {
  Persistence& persistence = *ctx.server().persistence;
  bool schedule = false;
  if (ctx.argc() == 2 && equals_ignore_case(ctx.arg(1), "cancel")) {
    if (!persistence.cancel_background()) {
      return ctx.error("ERR Background saving is currently not in progress or scheduled");
    }
    return ctx.reply().simple("Background saving cancelled");
  }
  if (ctx.argc() > 1) {
    if (ctx.argc() != 2 || !equals_ignore_case(ctx.arg(1), "schedule")) return ctx.syntax_error();
    schedule = true;
  }
  switch (persistence.start_background(ctx.now_ms(), schedule)) {
    case Persistence::Started::kStarted:
      return ctx.reply().simple("Background saving started");
    case Persistence::Started::kScheduled:
      return ctx.reply().simple("Background saving scheduled");
    case Persistence::Started::kBusy:
      return ctx.error(kSaveInProgress);
    case Persistence::Started::kForkFailed:
      return ctx.error("ERR");
  }
}

void cmd_lastsave(Context& ctx) { ctx.reply().integer(ctx.server().persistence->last_save_s()); }

constexpr Command kRows[] = {
    {.name = "save", .handler = cmd_save, .arity = 1, .flags = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti | kAllShards},
    {.name = "bgsave", .handler = cmd_bgsave, .arity = -1, .flags = kAdmin | kNoScript | kNoAsyncLoading | kAllShards},
    {.name = "lastsave", .handler = cmd_lastsave, .arity = 1, .flags = kFast | kLoading | kStale,
     .categories = kCatAdmin | kCatDangerous, .tips = {"nondeterministic_output"}},
};

}  // namespace

const CommandFamily kSnapshotCommands = kRows;

}  // namespace synap
