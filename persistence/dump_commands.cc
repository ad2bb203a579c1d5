// DUMP and RESTORE: one value in RDB form, with version and checksum, so that it can travel.
#include "persistence/dump_payload.h"
#include "persistence/persistence.h"
#include "persistence/persistence_commands.h"
#include "persistence/rdb_format.h"
#include "persistence/rdb_values.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

constexpr std::string_view kBadFooter = "ERR DUMP payload version or checksum are wrong";
constexpr std::string_view kBadData = "ERR Bad data format";

void cmd_dump(Context& ctx) {
  const Entry* entry = ctx.lookup(ctx.arg(1));
  if (entry == nullptr) return ctx.reply().null();
  ctx.reply().bulk(dump_payload(*entry));
}

struct RestoreOptions {
  bool replace = false;
  bool absolute = false;
  int64_t idle_seconds = -1;
  int64_t frequency = -1;
};

// On failure the error was replied.
bool parse_restore(Context& ctx, RestoreOptions* options) {
  for (size_t i = 4; i < ctx.argc(); ++i) {
    const std::string_view word = ctx.arg(i);
    const bool has_value = i + 1 < ctx.argc();
    if (equals_ignore_case(word, "replace")) {
      options->replace = true;
    } else if (equals_ignore_case(word, "absttl")) {
      options->absolute = true;
    } else if (equals_ignore_case(word, "idletime") && has_value && options->frequency == -1) {
      if (!ctx.parse(ctx.arg(++i), &options->idle_seconds)) return false;
      if (options->idle_seconds < 0) {
        ctx.error("ERR Invalid IDLETIME value, must be >= 0");
        return false;
      }
    } else if (equals_ignore_case(word, "freq") && has_value && options->idle_seconds == -1) {
      if (!ctx.parse(ctx.arg(++i), &options->frequency)) return false;
      if (options->frequency < 0 || options->frequency > 255) {
        ctx.error("ERR Invalid FREQ value, must be >= 0 and <= 255");
        return false;
      }
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

uint32_t access_clock_of(const Context& ctx, const RestoreOptions& options) {
  const AccessClock& clock = ctx.environment().access_clock;
  if (clock.lfu && options.frequency >= 0) return clock.minutes_now << 8 | static_cast<uint32_t>(options.frequency);
  if (!clock.lfu && options.idle_seconds >= 0) {
    return (clock.lru_now - static_cast<uint32_t>(options.idle_seconds)) & AccessClock::kLruMax;
  }
  return clock.fresh();
}

// A time to live becomes the moment when it ends.
void journal_restore(Context& ctx, int64_t expiry_ms) {
  if (!ctx.journaling() || expiry_ms == kNoExpiry) return;
  const std::string expiry = std::to_string(expiry_ms);
  std::vector<std::string_view> effect(ctx.args().begin(), ctx.args().end());
  effect[2] = expiry;
  bool absolute = false;
  for (size_t i = 4; i < effect.size(); ++i) absolute = absolute || equals_ignore_case(effect[i], "absttl");
  if (!absolute) effect.push_back("ABSTTL");
  ctx.effect(effect);
}

void cmd_restore(Context& ctx) {
  RestoreOptions options;
  if (!parse_restore(ctx, &options)) return;
  const std::string_view key = ctx.arg(1);
  if (!options.replace && ctx.peek(key) != nullptr) return ctx.error(kBusyKeyError);
  int64_t ttl_ms = 0;
  if (!ctx.parse(ctx.arg(2), &ttl_ms)) return;
  if (ttl_ms < 0) return ctx.error("ERR Invalid TTL value, must be >= 0");
  const std::string_view payload = ctx.arg(3);
  if (!has_valid_dump_footer(payload, ctx.server().persistence->skip_checksum.load())) return ctx.error(kBadFooter);
  int64_t expiry_ms = kNoExpiry;
  if (ttl_ms != 0 && (options.absolute || __builtin_add_overflow(ttl_ms, ctx.now_ms(), &expiry_ms))) expiry_ms = ttl_ms;

  StringSource source(payload.substr(0, payload.size() - kRdbDumpFooterBytes));
  RdbReader reader(&source, false);
  const uint8_t type = reader.byte();
  const RdbEntryHead head{.key = key, .expiry_ms = expiry_ms, .access_clock = access_clock_of(ctx, options)};
  Entry* entry = load_rdb_value(&reader, type, head, RdbLimits(ctx.config()));
  if (entry == nullptr) {
    log_warning("RESTORE of a bad payload, offset %llu: %s", static_cast<unsigned long long>(reader.offset()),
                reader.failed() ? reader.error().c_str() : "an empty value");
    return ctx.error(kBadData);
  }

  const bool replaced = options.replace && ctx.remove(key);
  if (entry->expired(ctx.now_ms()) && !ctx.environment().replica) {
    free_entry(entry);
    if (replaced) {
      ctx.changed(key, 1, kEventGeneric, "del");
      ctx.effect({ctx.config().lazyfree_lazy_server_del ? "UNLINK" : "DEL", key});
    }
    return ctx.reply().ok();
  }
  ctx.put_entry(ctx.db(), entry);
  ctx.changed(key, 1, kEventGeneric, "restore");
  journal_restore(ctx, expiry_ms);
  ctx.reply().ok();
}

constexpr Command kRows[] = {
    {.name = "dump", .handler = cmd_dump, .arity = 2, .flags = kReadonly, .categories = kCatKeyspace,
     .key_specs = {one_key(kKeyRO | kKeyAccess)}, .tips = {"nondeterministic_output"}},
    {.name = "restore", .handler = cmd_restore, .arity = -4, .flags = kWrite | kDenyOom,
     .categories = kCatKeyspace | kCatDangerous, .key_specs = {one_key(kKeyOW | kKeyUpdate)}},
    {.name = "restore-asking", .handler = cmd_restore, .arity = -4, .flags = kWrite | kDenyOom | kAsking,
     .categories = kCatKeyspace | kCatDangerous, .key_specs = {one_key(kKeyOW | kKeyUpdate)}},
};

}  // namespace

const CommandFamily kDumpCommands = kRows;

}  // namespace synap
