// LATENCY: spikes over server/command/latency_monitor, histograms over the threads' statistics.
#include <algorithm>
#include <cmath>

#include "server/admin/info_commands.h"
#include "server/admin/server_commands.h"
#include "server/base/clock.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/latency_monitor.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

constexpr size_t kGraphRows = 4;

std::string ago(int64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

void cmd_latency_history(Context& ctx) {
  const auto events = ctx.server().latency->events();
  const auto it = events.find(ctx.arg(2));
  if (it == events.end()) return ctx.reply().empty_array();
  const std::vector<LatencySample> history = it->second.history();
  ctx.reply().array(history.size());
  for (const LatencySample& sample : history) {
    ctx.reply().array(2);
    ctx.reply().integer(sample.time_seconds);
    ctx.reply().integer(sample.latency_ms);
  }
}

void cmd_latency_latest(Context& ctx) {
  const auto events = ctx.server().latency->events();
  ctx.reply().array(events.size());
  for (const auto& [name, event] : events) {
    const LatencySample last = event.history().back();
    ctx.reply().array(4);
    ctx.reply().bulk(name);
    ctx.reply().integer(last.time_seconds);
    ctx.reply().integer(last.latency_ms);
    ctx.reply().integer(event.worst_ms);
  }
}

// One column a sample: how long ago it was below, a bar of its size above.
void cmd_latency_graph(Context& ctx) {
  const auto events = ctx.server().latency->events();
  const auto it = events.find(ctx.arg(2));
  if (it == events.end()) return ctx.reply().error({"ERR No samples available for event '", ctx.arg(2), "'"});
  const std::vector<LatencySample> history = it->second.history();
  int64_t low = INT64_MAX;
  int64_t high = 0;
  for (const LatencySample& sample : history) {
    low = std::min(low, sample.latency_ms);
    high = std::max(high, sample.latency_ms);
  }
  std::string text = it->first + " - high " + std::to_string(high) + " ms, low " + std::to_string(low) +
                     " ms (all time high " + std::to_string(it->second.worst_ms) + " ms)\n" + std::string(80, '-') + "\n";
  const double span = static_cast<double>(std::max<int64_t>(high - low, 1));
  for (size_t row = kGraphRows; row-- > 0;) {
    for (const LatencySample& sample : history) {
      const double level = static_cast<double>(sample.latency_ms - low) / span * kGraphRows;
      text += level >= static_cast<double>(row) + 0.75 ? '#' : level >= static_cast<double>(row) ? '_' : ' ';
    }
    text += "\n";
  }
  std::vector<std::string> labels;
  size_t longest = 0;
  for (const LatencySample& sample : history) {
    labels.push_back(ago(wall_clock_ms() / 1000 - sample.time_seconds));
    longest = std::max(longest, labels.back().size());
  }
  for (size_t row = 0; row < longest; ++row) {
    text += "\n";
    for (const std::string& label : labels) text += row < label.size() ? label[row] : ' ';
  }
  ctx.reply().verbatim("txt", text + "\n");
}

void cmd_latency_doctor(Context& ctx) {
  const auto events = ctx.server().latency->events();
  std::string text;
  if (ctx.config().latency_monitor_threshold == 0 && events.empty()) {
    text = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use "
           "\"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it.\n";
  } else if (events.empty()) {
    text = "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I "
           "honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";
  } else {
    text = "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n";
    size_t number = 0;
    for (const auto& [name, event] : events) {
      const std::vector<LatencySample> history = event.history();
      int64_t sum = 0;
      for (const LatencySample& sample : history) sum += sample.latency_ms;
      text += std::to_string(++number) + ". " + name + ": " + std::to_string(history.size()) +
              " latency spikes (average " + std::to_string(sum / static_cast<int64_t>(history.size())) +
              "ms). Worst all time event " + std::to_string(event.worst_ms) + "ms.\n";
    }
    text += "\nI have a few advices for you:\n\n- Check your Slow Log to understand what are the commands you are running "
            "which are too slow to execute. Please check https://redis.io/commands/slowlog for more information.\n";
  }
  ctx.reply().verbatim("txt", text);
}

void cmd_latency_reset(Context& ctx) {
  std::vector<std::string_view> names;
  for (size_t i = 2; i < ctx.argc(); ++i) names.push_back(ctx.arg(i));
  ctx.reply().integer(static_cast<int64_t>(ctx.server().latency->reset(names)));
}

// Calls within each power of two of microseconds, cumulative, as Redis shows its histograms.
void reply_histogram(Reply& reply, const CommandTotals& totals) {
  reply.map(2);
  reply.bulk("calls");
  reply.integer(static_cast<int64_t>(totals.calls));
  reply.bulk("histogram_usec");
  std::vector<std::pair<uint64_t, uint64_t>> steps;
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < totals.latency.size(); ++bucket) {
    if (totals.latency[bucket] == 0) continue;
    seen += totals.latency[bucket];
    const uint64_t us = (LatencyHistogram::upper_bound(bucket) + 999) / 1000;
    const uint64_t step = std::bit_ceil(std::max<uint64_t>(us, 1));
    if (!steps.empty() && steps.back().first == step) {
      steps.back().second = seen;
    } else {
      steps.emplace_back(step, seen);
    }
  }
  reply.map(steps.size());
  for (const auto& [us, count] : steps) {
    reply.integer(static_cast<int64_t>(us));
    reply.integer(static_cast<int64_t>(count));
  }
}

void cmd_latency_histogram(Context& ctx) {
  const CommandTable& table = *ctx.server().commands;
  const std::vector<CommandTotals> totals = command_totals(ctx.server());
  std::vector<const Command*> wanted;
  const auto add = [&](const Command& command) {
    if (totals[table.index_of(&command)].calls > 0) wanted.push_back(&command);
  };
  if (ctx.argc() == 2) {
    for (size_t i = 0; i < table.size(); ++i) add(table.at(i));
  }
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const Command* command = table.find_full(ctx.arg(i));
    if (command == nullptr) continue;
    add(*command);
    for (const Command& sub : command->subcommands) add(sub);
  }
  ctx.reply().map(wanted.size());
  for (const Command* command : wanted) {
    ctx.reply().bulk(command->display_name());
    reply_histogram(ctx.reply(), totals[table.index_of(command)]);
  }
}

void cmd_latency_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return a human readable latency analysis report.",
      "GRAPH <event>",
      "    Return an ASCII latency graph for the <event> class.",
      "HISTORY <event>",
      "    Return time-latency samples for the <event> class.",
      "LATEST",
      "    Return the latest latency samples for all events.",
      "RESET [<event> ...]",
      "    Reset latency data of one or more <event> classes.",
      "    (default: reset all data for all event classes)",
      "HISTOGRAM [COMMAND ...]",
      "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
      "    If no commands are specified then all histograms are replied",
  };
  reply_help(ctx, kLines);
}

constexpr uint64_t kFlags = kAdmin | kNoScript | kLoading | kStale;
constexpr std::array<std::string_view, 3> kTips = {"nondeterministic_output", "request_policy:all_nodes",
                                                   "response_policy:special"};

constexpr Command kSubcommands[] = {
    {.name = "doctor", .handler = cmd_latency_doctor, .arity = 2, .flags = kFlags, .tips = kTips},
    {.name = "graph", .handler = cmd_latency_graph, .arity = 3, .flags = kFlags, .tips = kTips},
    {.name = "help", .handler = cmd_latency_help, .arity = 2, .flags = kLoading | kStale},
    {.name = "histogram", .handler = cmd_latency_histogram, .arity = -2, .flags = kFlags, .tips = kTips},
    {.name = "history", .handler = cmd_latency_history, .arity = 3, .flags = kFlags, .tips = kTips},
    {.name = "latest", .handler = cmd_latency_latest, .arity = 2, .flags = kFlags, .tips = kTips},
    {.name = "reset", .handler = cmd_latency_reset, .arity = -2, .flags = kFlags,
     .tips = {"request_policy:all_nodes", "response_policy:agg_sum"}},
};

constexpr Command kRows[] = {{.name = "latency", .arity = -2, .subcommands = kSubcommands}};

}  // namespace

const CommandFamily kLatencyCommands = kRows;

}  // namespace synap
