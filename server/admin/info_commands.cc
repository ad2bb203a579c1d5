#include "server/admin/info_commands.h"

#include <array>
#include <set>

#include "persistence/persistence_info.h"
#include "replication/replication_info.h"

namespace synap {

namespace {

void info_modules(Server&, InfoWriter&) {}
void info_cluster(Server&, InfoWriter& info) { info.flag("cluster_enabled", false); }

struct InfoSection {
  std::string_view name;
  std::string_view title;
  InfoSectionWriter write;
  bool by_default;
  bool only_named = false;  // not even by "all"
};

constexpr InfoSection kSections[] = {
    {"server", "Server", info_server, true},
    {"clients", "Clients", info_clients, true},
    {"memory", "Memory", info_memory, true},
    {"compression", "Compression", info_compression, false},
    {"persistence", "Persistence", info_persistence, true},
    {"stats", "Stats", info_stats, true},
    {"replication", "Replication", info_replication, true},
    {"cpu", "CPU", info_cpu, true},
    {"modules", "Modules", info_modules, true},
    {"commandstats", "Commandstats", info_commandstats, false},
    {"errorstats", "Errorstats", info_errorstats, true},
    {"latencystats", "Latencystats", info_latencystats, false},
    {"cluster", "Cluster", info_cluster, true},
    {"keyspace", "Keyspace", info_keyspace, true},
    {"debug", "Debug", info_debug, false, true},
};

// INFO [section …]: "default", "all" and "everything" stand for groups; unknown names are ignored, as in Redis.
void cmd_info(Context& ctx) {
  bool defaults = ctx.argc() == 1;
  bool all = false;
  std::set<std::string> wanted;
  for (size_t i = 1; i < ctx.argc(); ++i) {
    const std::string name = to_lower(ctx.arg(i));
    defaults = defaults || name == "default";
    all = all || name == "all" || name == "everything";
    wanted.insert(name);
  }
  std::string text;
  InfoWriter info(&text);
  for (const InfoSection& section : kSections) {
    const bool named = wanted.count(std::string(section.name)) != 0;
    if (!named && !(all && !section.only_named) && !(defaults && section.by_default)) continue;
    if (!text.empty()) text += "\r\n";
    text.append("# ").append(section.title).append("\r\n");
    section.write(ctx.server(), info);
  }
  ctx.reply().verbatim("txt", text);
}

constexpr Command kRows[] = {
    {.name = "info", .handler = cmd_info, .arity = -1, .flags = kLoading | kStale, .categories = kCatDangerous,
     .tips = {"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}},
};

}  // namespace

const CommandFamily kInfoCommands = kRows;

}  // namespace synap
