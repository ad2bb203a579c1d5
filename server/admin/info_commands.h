// INFO: sections of "field:value" lines, each written by one function. The table of sections is in info_commands.cc.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "server/command/command.h"
#include "server/command/context.h"
#include "server/command/info_writer.h"
#include "server/command/server_api.h"

namespace synap {

extern const CommandFamily kInfoCommands;

// server/admin/info_server.cc
void info_server(Server& server, InfoWriter& info);
void info_clients(Server& server, InfoWriter& info);
void info_memory(Server& server, InfoWriter& info);
void info_compression(Server& server, InfoWriter& info);
void info_stats(Server& server, InfoWriter& info);
void info_debug(Server& server, InfoWriter& info);
void info_cpu(Server& server, InfoWriter& info);
void info_keyspace(Server& server, InfoWriter& info);
// server/admin/info_commandstats.cc
void info_commandstats(Server& server, InfoWriter& info);
void info_errorstats(Server& server, InfoWriter& info);
void info_latencystats(Server& server, InfoWriter& info);

// Sums of one command's statistics over all threads.
struct CommandTotals {
  uint64_t calls = 0, nanoseconds = 0, rejected = 0, failed = 0;
  std::array<uint64_t, LatencyHistogram::kBuckets> latency{};
};
std::vector<CommandTotals> command_totals(const Server& server);

}  // namespace synap
