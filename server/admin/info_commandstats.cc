// INFO's sections that are made from the threads' statistics: commandstats, errorstats, latencystats.
#include <map>

#include "server/admin/info_commands.h"

namespace synap {

namespace {

// The smallest duration that `share` of the calls did not exceed, in microseconds.
double percentile_us(const CommandTotals& totals, double percent) {
  uint64_t all = 0;
  for (const uint64_t count : totals.latency) all += count;
  const double wanted = static_cast<double>(all) * percent / 100;
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < totals.latency.size(); ++bucket) {
    seen += totals.latency[bucket];
    if (seen > 0 && static_cast<double>(seen) >= wanted) {
      return static_cast<double>(LatencyHistogram::upper_bound(bucket)) / 1000;
    }
  }
  return 0;
}

// "99.9" for 99.9, "50" for 50.
std::string percent_text(double percent) {
  std::string text = format_text("%.5f", percent);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

std::vector<CommandTotals> command_totals(const Server& server) {
  std::vector<CommandTotals> totals(server.commands->size());
  server.statistics->for_each([&](const ThreadStatistics& thread) {
    for (size_t i = 0; i < totals.size(); ++i) {
      const CommandStatistics& command = thread.per_command[i];
      totals[i].calls += command.calls.get();
      totals[i].nanoseconds += command.nanoseconds.get();
      totals[i].rejected += command.rejected.get();
      totals[i].failed += command.failed.get();
      for (size_t bucket = 0; bucket < totals[i].latency.size(); ++bucket) {
        totals[i].latency[bucket] += command.latency.count(bucket);
      }
    }
  });
  return totals;
}

void info_commandstats(Server& server, InfoWriter& info) {
  const std::vector<CommandTotals> totals = command_totals(server);
  for (size_t i = 0; i < totals.size(); ++i) {
    const CommandTotals& command = totals[i];
    if (command.calls == 0 && command.rejected == 0 && command.failed == 0) continue;
    const uint64_t us = command.nanoseconds / 1000;
    const double per_call =
        command.calls == 0 ? 0 : static_cast<double>(command.nanoseconds) / 1000 / static_cast<double>(command.calls);
    info.text("cmdstat_" + std::string(server.commands->at(i).display_name()),
              format_text("calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu",
                          static_cast<unsigned long long>(command.calls), static_cast<unsigned long long>(us), per_call,
                          static_cast<unsigned long long>(command.rejected),
                          static_cast<unsigned long long>(command.failed)));
  }
}

void info_errorstats(Server& server, InfoWriter& info) {
  std::map<std::string, uint64_t> sums;
  server.statistics->for_each([&](const ThreadStatistics& thread) {
    for (const auto& [code, count] : thread.errors_by_code()) sums[code] += count;
  });
  for (const auto& [code, count] : sums) info.text("errorstat_" + code, "count=" + std::to_string(count));
}

void info_latencystats(Server& server, InfoWriter& info) {
  const Config& config = server.config->current();
  if (!config.latency_tracking) return;
  const std::vector<CommandTotals> totals = command_totals(server);
  for (size_t i = 0; i < totals.size(); ++i) {
    if (totals[i].calls == 0) continue;
    std::string text;
    for (const double percent : config.latency_tracking_info_percentiles) {
      if (!text.empty()) text += ",";
      text += "p" + percent_text(percent) + "=" + format_text("%.3f", percentile_us(totals[i], percent));
    }
    info.text("latency_percentiles_usec_" + std::string(server.commands->at(i).display_name()), text);
  }
}

}  // namespace synap
