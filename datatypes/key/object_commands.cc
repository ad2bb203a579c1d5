// OBJECT: how a value is stored and when it was used.
#include "datatypes/key/key_commands.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

void cmd_object_encoding(Context& ctx) {
  const Entry* entry = ctx.peek(ctx.arg(2));
  if (entry == nullptr) return ctx.reply().null();
  ctx.reply().bulk(type_ops(entry).encoding(entry));
}

void cmd_object_refcount(Context& ctx) {
  const Entry* entry = ctx.peek(ctx.arg(2));
  if (entry == nullptr) return ctx.reply().null();
  // No value is shared between keys, but clients are told what Redis says of the small integers that it shares unless
  // each needs its own access clock.
  constexpr int64_t kSharedIntegers = 10000;
  const MaxmemoryPolicy policy = ctx.config().maxmemory_policy;
  const bool own_clocks = policy == MaxmemoryPolicy::kAllkeysLru || policy == MaxmemoryPolicy::kAllkeysLfu ||
                          policy == MaxmemoryPolicy::kVolatileLru || policy == MaxmemoryPolicy::kVolatileLfu;
  const bool shared = entry->storage() == Storage::kInt && entry->integer() >= 0 && entry->integer() < kSharedIntegers &&
                      (ctx.config().maxmemory == 0 || !own_clocks);
  ctx.reply().integer(shared ? INT32_MAX : 1);
}

void cmd_object_idletime(Context& ctx) {
  const Entry* entry = ctx.peek(ctx.arg(2));
  if (entry == nullptr) return ctx.reply().null();
  const AccessClock& clock = ctx.environment().access_clock;
  if (clock.lfu) {
    return ctx.error("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
                     "policies at runtime LRU and LFU data will take some time to adjust.");
  }
  ctx.reply().integer(clock.idle_seconds(entry->access_clock()));
}

void cmd_object_freq(Context& ctx) {
  const Entry* entry = ctx.peek(ctx.arg(2));
  if (entry == nullptr) return ctx.reply().null();
  const AccessClock& clock = ctx.environment().access_clock;
  if (!clock.lfu) {
    return ctx.error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
                     "between policies at runtime LRU and LFU data will take some time to adjust.");
  }
  ctx.reply().integer(clock.frequency(entry->access_clock()));
}

void cmd_object_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
  };
  reply_help(ctx, kLines);
}

constexpr Command object_row(std::string_view name, Handler handler) {
  return {.name = name, .handler = handler, .arity = 3, .flags = kReadonly, .categories = kCatKeyspace,
          .key_specs = {key_range(2, 2, 1, kKeyRO)}, .tips = {"nondeterministic_output"}};
}

constexpr Command kSubcommands[] = {
    object_row("encoding", cmd_object_encoding),
    object_row("freq", cmd_object_freq),
    object_row("idletime", cmd_object_idletime),
    object_row("refcount", cmd_object_refcount),
    {.name = "help", .handler = cmd_object_help, .arity = 2, .flags = kLoading | kStale, .categories = kCatKeyspace},
};

constexpr Command kRows[] = {{.name = "object", .arity = -2, .subcommands = kSubcommands}};

}  // namespace

const CommandFamily kObjectCommands = kRows;

}  // namespace synap
