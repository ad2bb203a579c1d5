// CLUSTER as Redis answers it outside of cluster mode: every call is refused by one text, so that clients
// that try it learn that this is a single server.
#include "server/admin/server_commands.h"
#include "server/command/context.h"

namespace synap {

namespace {

void cmd_refused(Context& ctx) {
  ctx.error("ERR This instance has cluster support disabled");
}

constexpr uint64_t kChanges = kAdmin | kStale | kNoAsyncLoading;
constexpr std::string_view kVaries = "nondeterministic_output";

constexpr Command row(std::string_view name, int arity, uint64_t flags, std::string_view tip = {}) {
  return {.name = name, .handler = cmd_refused, .arity = arity, .flags = flags, .tips = {tip}};
}

constexpr Command kSubcommands[] = {
    row("addslots", -3, kChanges),
    row("addslotsrange", -4, kChanges),
    row("bumpepoch", 2, kChanges, kVaries),
    row("count-failure-reports", 3, kAdmin | kStale, kVaries),
    row("countkeysinslot", 3, kStale),
    row("delslots", -3, kChanges),
    row("delslotsrange", -4, kChanges),
    row("failover", -2, kChanges),
    row("flushslots", 2, kChanges),
    row("forget", 3, kChanges),
    row("getkeysinslot", 4, kStale, kVaries),
    row("help", 2, kLoading | kStale),
    row("info", 2, kStale, kVaries),
    row("keyslot", 3, kStale),
    row("links", 2, kStale, kVaries),
    row("meet", -4, kChanges),
    row("myid", 2, kStale),
    row("myshardid", 2, kStale, kVaries),
    row("nodes", 2, kStale, kVaries),
    row("replicas", 3, kAdmin | kStale, kVaries),
    row("replicate", 3, kChanges),
    row("reset", -2, kAdmin | kNoScript | kStale),
    row("saveconfig", 2, kChanges),
    row("set-config-epoch", 3, kChanges),
    row("setslot", -4, kChanges),
    row("shards", 2, kLoading | kStale, kVaries),
    row("slaves", 3, kAdmin | kStale, kVaries),
    row("slots", 2, kLoading | kStale, kVaries),
};

constexpr Command kRows[] = {{.name = "cluster", .arity = -2, .subcommands = kSubcommands}};

}  // namespace

const CommandFamily kClusterCommands = kRows;

}  // namespace synap
