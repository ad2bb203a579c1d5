// SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE.
#include "persistence/aof.h"
#include "persistence/persistence.h"
#include "persistence/persistence_commands.h"
#include "server/base/text.h"
#include "server/command/context.h"

namespace synap {

namespace {

constexpr std::string_view kSaveInProgress = "ERR Background save already in progress";

void cmd_save(Context& ctx) {
  Persistence& persistence = *ctx.server().persistence;
  if (persistence.child().running_for(ForkedChild::Purpose::kSnapshot)) return ctx.error(kSaveInProgress);
  if (!persistence.save(ctx.now_ms()).ok()) return ctx.error("ERR");
  ctx.reply().ok();
}

void cmd_bgsave(Context& ctx) {
  Persistence& persistence = *ctx.server().persistence;
  bool schedule = false;
  if (ctx.argc() == 2 && equals_ignore_case(ctx.arg(1), "cancel")) {
    switch (persistence.cancel_background()) {
      case Persistence::Cancelled::kRunning:
        return ctx.reply().simple("Background saving cancelled");
      case Persistence::Cancelled::kScheduled:
        return ctx.reply().simple("Scheduled background saving cancelled");
      case Persistence::Cancelled::kNothing:
        return ctx.error("ERR Background saving is currently not in progress or scheduled");
    }
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
      if (persistence.child().running_for(ForkedChild::Purpose::kSnapshot)) return ctx.error(kSaveInProgress);
      return ctx.error("ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to "
                       "schedule a BGSAVE whenever possible.");
    case Persistence::Started::kForkFailed:
      return ctx.error("ERR");
  }
}

void cmd_bgrewriteaof(Context& ctx) {
  constexpr std::string_view kScheduled = "Background append only file rewriting scheduled";
  Aof& aof = *ctx.server().aof;
  if (ctx.is_inner()) {
    aof.schedule_rewrite();
    return ctx.reply().simple(kScheduled);
  }
  switch (aof.start_rewrite(ctx.now_ms())) {
    case Aof::Started::kStarted:
      return ctx.reply().simple("Background append only file rewriting started");
    case Aof::Started::kScheduled:
      return ctx.reply().simple(kScheduled);
    case Aof::Started::kBusy:
      return ctx.error("ERR Background append only file rewriting already in progress");
    case Aof::Started::kFailed:
      return ctx.error("ERR Can't execute an AOF background rewriting. Please check the server logs for more information.");
  }
}

void cmd_lastsave(Context& ctx) { ctx.reply().integer(ctx.server().persistence->last_save_s()); }

constexpr Command kRows[] = {
    {.name = "save", .handler = cmd_save, .arity = 1, .flags = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti | kAllShards},
    {.name = "bgsave", .handler = cmd_bgsave, .arity = -1, .flags = kAdmin | kNoScript | kNoAsyncLoading | kAllShards},
    {.name = "bgrewriteaof", .handler = cmd_bgrewriteaof, .arity = 1,
     .flags = kAdmin | kNoScript | kNoAsyncLoading | kAllShards},
    {.name = "lastsave", .handler = cmd_lastsave, .arity = 1, .flags = kFast | kLoading | kStale,
     .categories = kCatAdmin | kCatDangerous, .tips = {"nondeterministic_output"}},
};

}  // namespace

const CommandFamily kSnapshotCommands = kRows;

}  // namespace synap
