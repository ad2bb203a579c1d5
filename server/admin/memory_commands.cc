// MEMORY: what values, the data set and the allocator take.
#include <algorithm>

#include "server/admin/memory_overhead.h"
#include "server/admin/server_commands.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/memory_usage.h"
#include "server/command/server_api.h"
#include "server/keyspace/background.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

constexpr int64_t kDefaultSamples = 5;

void cmd_memory_usage(Context& ctx) {
  int64_t samples = kDefaultSamples;
  for (size_t i = 3; i < ctx.argc(); ++i) {
    if (!equals_ignore_case(ctx.arg(i), "samples") || i + 1 >= ctx.argc()) return ctx.syntax_error();
    if (!ctx.parse(ctx.arg(++i), &samples)) return;
    if (samples < 0) return ctx.syntax_error();
  }
  const Entry* entry = ctx.peek(ctx.arg(2));
  if (entry == nullptr) return ctx.reply().null();
  constexpr size_t kSlotBytes = 11;  // the table's share, on average
  ctx.reply().integer(static_cast<int64_t>(entry_memory_bytes(entry, static_cast<size_t>(samples)) + kSlotBytes));
}

void cmd_memory_stats(Context& ctx) {
  Server& server = ctx.server();
  Reply& reply = ctx.reply();
  const AllocatorFigures figures = allocator_figures();
  const size_t peak = std::max(server.peak_memory_bytes.load(std::memory_order_relaxed), figures.allocated);
  const MemoryOverhead overhead = memory_overhead(server);
  const size_t dataset = overhead.dataset(figures.allocated);
  const size_t net = figures.allocated - std::min(figures.allocated, overhead.startup);
  const auto ratio = [](size_t a, size_t b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); };
  const size_t mark = reply.deferred_begin();
  size_t fields = 0;
  const auto number = [&](std::string_view name, size_t value) {
    reply.bulk(name);
    reply.integer(static_cast<int64_t>(value));
    ++fields;
  };
  const auto real = [&](std::string_view name, double value) {
    reply.bulk(name);
    reply.dbl(value);
    ++fields;
  };
  number("peak.allocated", peak);
  number("total.allocated", figures.allocated);
  number("startup.allocated", overhead.startup);
  number("replication.backlog", 0);
  number("clients.slaves", overhead.clients_replicas);
  number("clients.normal", overhead.clients_normal);
  number("cluster.links", 0);
  number("aof.buffer", overhead.aof_buffer);
  number("lua.caches", 0);
  number("functions.caches", 0);
  size_t all_tables = 0;
  for (const auto& [db, table_bytes] : overhead.tables) {
    all_tables += table_bytes;
    reply.bulk("db." + std::to_string(db));
    reply.map(2);
    reply.bulk("overhead.hashtable.main");
    reply.integer(static_cast<int64_t>(table_bytes));
    reply.bulk("overhead.hashtable.expires");
    reply.integer(0);
    ++fields;
  }
  number("overhead.db.hashtable.lut", all_tables);
  number("overhead.db.hashtable.rehashing", 0);  // tables grow in place, a segment at a time
  number("db.dict.rehashing.count", 0);
  number("overhead.total", overhead.total());
  number("keys.count", overhead.keys);
  number("keys.bytes-per-key", overhead.keys == 0 ? 0 : net / overhead.keys);
  number("dataset.bytes", dataset);
  real("dataset.percentage", 100 * ratio(dataset, net));
  real("peak.percentage", 100 * ratio(figures.allocated, peak));
  number("allocator.allocated", figures.allocated);
  number("allocator.active", figures.active);
  number("allocator.resident", figures.resident);
  number("allocator.muzzy", 0);
  real("allocator-fragmentation.ratio", figures.fragmentation());
  number("allocator-fragmentation.bytes", figures.holes);
  real("allocator-rss.ratio", ratio(figures.resident, figures.active));
  number("allocator-rss.bytes", figures.resident - std::min(figures.resident, figures.active));
  const size_t resident = resident_memory_bytes();
  real("rss-overhead.ratio", ratio(resident, figures.resident));
  number("rss-overhead.bytes", resident - std::min(resident, figures.resident));
  real("fragmentation", ratio(resident, figures.allocated));
  number("fragmentation.bytes", resident - std::min(resident, figures.allocated));
  reply.deferred_end_map(mark, fields);
}

void cmd_memory_doctor(Context& ctx) {
  constexpr size_t kSmall = 5 << 20;
  const AllocatorFigures figures = allocator_figures();
  if (figures.allocated < kSmall) {
    return ctx.reply().verbatim(
        "txt", "Hi Sam, this instance is empty or is using very little memory, my issue detector can't be used in these "
               "conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be "
               "back to our programming as soon as I finished rebooting.\n");
  }
  std::string findings;
  const size_t peak = ctx.server().peak_memory_bytes.load(std::memory_order_relaxed);
  if (peak * 2 > figures.allocated * 3) {
    findings += " * Peak memory: In the past this instance used more than 150% the memory that is currently using. The "
                "allocator may hold on to it; MEMORY PURGE gives it back.\n\n";
  }
  if (resident_memory_bytes() * 10 > figures.allocated * 14) {
    findings += " * High total RSS: This instance has a memory fragmentation and RSS overhead greater than 1.4. MEMORY "
                "PURGE may help.\n\n";
  }
  ctx.reply().verbatim("txt", findings.empty()
                                  ? "Hi Sam, I can't find any memory issue in your instance. I can only account for what "
                                    "occurs on this base.\n"
                                  : "Sam, I detected a few issues in this Redis instance memory implants:\n\n" + findings);
}

void cmd_memory_purge(Context& ctx) {
  background_drain();
  purge_allocator();
  ctx.reply().ok();
}

void cmd_memory_malloc_stats(Context& ctx) { ctx.reply().verbatim("txt", allocator_report()); }

void cmd_memory_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return memory problems reports.",
      "MALLOC-STATS",
      "    Return internal statistics report from the memory allocator.",
      "PURGE",
      "    Attempt to purge dirty pages for reclamation by the allocator.",
      "STATS",
      "    Return information about the memory usage of the server.",
      "USAGE <key> [SAMPLES <count>]",
      "    Return memory in bytes used by <key> and its value. Nested values are",
      "    sampled up to <count> times (default: 5, 0 means sample all).",
  };
  reply_help(ctx, kLines);
}

constexpr std::array<std::string_view, 3> kTips = {"nondeterministic_output", "request_policy:all_shards",
                                                   "response_policy:special"};

constexpr Command kSubcommands[] = {
    {.name = "doctor", .handler = cmd_memory_doctor, .arity = 2, .tips = kTips},
    {.name = "help", .handler = cmd_memory_help, .arity = 2, .flags = kLoading | kStale},
    {.name = "malloc-stats", .handler = cmd_memory_malloc_stats, .arity = 2, .tips = kTips},
    {.name = "purge", .handler = cmd_memory_purge, .arity = 2,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "stats", .handler = cmd_memory_stats, .arity = 2, .flags = kReadonly | kAllShards, .tips = kTips},
    {.name = "usage", .handler = cmd_memory_usage, .arity = -3, .flags = kReadonly, .categories = kCatRead,
     .key_specs = {key_range(2, 2, 1, kKeyRO)}},
};

constexpr Command kRows[] = {{.name = "memory", .arity = -2, .subcommands = kSubcommands}};

}  // namespace

const CommandFamily kMemoryCommands = kRows;

}  // namespace synap
