// DEBUG: what test suites and people in trouble need to look inside. Allowed as enable-debug-command says. Digests are
// ours; they agree with nobody else's, only with each other (equal data, equal digest).
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>

#include "datatypes/list/list.h"
#include "persistence/aof.h"
#include "persistence/persistence.h"
#include "scripting/load_libraries.h"
#include "scripting/script_arguments.h"
#include "scripting/scripting.h"
#include "server/admin/server_commands.h"
#include "server/base/crash_report.h"
#include "server/base/glob.h"
#include "server/base/log.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/data_digest.h"
#include "server/command/help_reply.h"
#include "server/command/memory_usage.h"
#include "server/command/protected_action.h"
#include "server/command/server_api.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

// As in Redis, what is no number is no time.
void debug_sleep(Context& ctx) {
  constexpr double kSecondsMax = 1e9;
  double seconds = 0;
  if (!parse_double(ctx.arg(2), &seconds)) seconds = 0;
  if (seconds > 0) {
    const double whole = std::floor(std::min(seconds, kSecondsMax));
    const timespec span{static_cast<time_t>(whole), static_cast<long>((std::min(seconds, kSecondsMax) - whole) * 1e9)};
    nanosleep(&span, nullptr);
  }
  ctx.reply().ok();
}

// What Redis adds for a list of nodes.
std::string quicklist_figures(const List& list) {
  size_t nodes = 0;
  uint64_t raw_bytes = 0;
  list.for_each_node([&](const List::NodeImage& node) {
    ++nodes;
    raw_bytes += node.raw_bytes;
  });
  return format_text(" ql_nodes:%zu ql_avg_node:%.2f ql_listpack_max:%lld ql_compressed:%d ql_uncompressed_size:%llu", nodes,
                     static_cast<double>(list.length()) / static_cast<double>(nodes),
                     static_cast<long long>(list.limits()->max_listpack_size), list.limits()->compress_depth != 0 ? 1 : 0,
                     static_cast<unsigned long long>(raw_bytes));
}

void debug_quicklist_packed_threshold(Context& ctx) {
  constexpr uint64_t kThresholdMax = uint64_t{4} << 30;
  uint64_t bytes;
  if (!parse_memory_size(ctx.arg(2), &bytes) || bytes > kThresholdMax) {
    return ctx.error("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
  }
  ctx.server().config->update([bytes](Config* config) { config->list_packed_threshold = static_cast<int64_t>(bytes); });
  ctx.reply().ok();
}

// Shows a key past its expiry as well, as long as it was not deleted.
void debug_object(Context& ctx) {
  const uint64_t hash = hash_bytes(ctx.arg(2));
  const Entry* entry = ctx.keyspace().slice(ctx.db(), hash).find(hash, ctx.arg(2));
  if (entry == nullptr) return ctx.error(kNoSuchKeyError);
  const size_t bytes = type_ops(entry).memory_bytes(entry, 0) + entry->bytes();
  const std::string text = format_text(
      "Value at:%p refcount:1 encoding:%.*s serializedlength:%zu lru:%u lru_seconds_idle:%lld", static_cast<const void*>(entry),
      static_cast<int>(type_ops(entry).encoding(entry).size()), type_ops(entry).encoding(entry).data(), bytes,
      entry->access_clock(), static_cast<long long>(ctx.environment().access_clock.idle_seconds(entry->access_clock())));
  const List* list = entry->type() == ValueType::kList ? entry->object<List>() : nullptr;
  ctx.reply().simple(list != nullptr && list->limits() != nullptr ? text + quicklist_figures(*list) : text);
}

bool parse_flag(Context& ctx, bool* flag) {
  int64_t value;
  if (!ctx.parse(ctx.arg(2), &value)) return false;
  *flag = value != 0;
  return true;
}

void debug_set_active_expire(Context& ctx) {
  bool on;
  if (!parse_flag(ctx, &on)) return;
  ctx.server().active_expire.store(on);
  ctx.reply().ok();
}

void debug_pause_cron(Context& ctx) {
  bool on;
  if (!parse_flag(ctx, &on)) return;
  ctx.server().cron_paused.store(on);
  ctx.reply().ok();
}

void debug_stringmatch_len(Context& ctx) {
  int64_t length;
  if (!ctx.parse_range(ctx.arg(2), 0, int64_t{1} << 30, &length)) return;
  // How matching behaves on a hostile pattern against a long text.
  const std::string text(static_cast<size_t>(length), 'a');
  ctx.reply().integer(glob_match("a*a*a*a*a*a*a*a*b", text) ? 1 : 0);
}

void debug_htstats(Context& ctx) {
  int64_t db;
  if (!ctx.parse(ctx.arg(2), &db)) return;
  if (db < 0 || db >= ctx.keyspace().databases()) return ctx.error("ERR Out of range database");
  size_t keys = 0, slots = 0, bytes = 0;
  ctx.for_each_shard([&](Shard& shard) {
    const EntryTable& table = shard.dbs[static_cast<size_t>(db)].table;
    keys += table.size();
    slots += table.slot_count();
    bytes += table.memory_bytes();
  });
  ctx.reply().verbatim("txt", format_text("[Dictionary HT]\nHash table 0 stats (main hash table):\n table size: %zu\n number of "
                                          "elements: %zu\n bytes: %zu\n[Expires HT]\nNo stats available for empty dictionaries\n",
                                          slots, keys, bytes));
}

void debug_htstats_key(Context& ctx) {
  const Entry* entry = ctx.peek(ctx.arg(2));
  if (entry == nullptr) return ctx.error(kNoSuchKeyError);
  const std::string_view encoding = type_ops(entry).encoding(entry);
  if (encoding != "hashtable" && encoding != "skiplist") {
    return ctx.error("ERR The value stored at the specified key is not represented using an hash table");
  }
  ctx.reply().verbatim("txt", format_text("Hash table 0 stats (main hash table):\n number of elements: %zu\n bytes: %zu\n",
                                          type_ops(entry).length(entry), type_ops(entry).memory_bytes(entry, 0)));
}

// One reply of every RESP type, for client authors.
void debug_protocol(Context& ctx) {
  Reply& reply = ctx.reply();
  const std::string kind = to_lower(ctx.arg(2));
  if (kind == "string") return reply.bulk("Hello World");
  if (kind == "integer") return reply.integer(12345);
  if (kind == "double") return reply.dbl(3.141);
  if (kind == "null") return reply.null();
  if (kind == "bignum") return reply.big_number("1234567999999999999999999999999999999");
  if (kind == "true") return reply.boolean(true);
  if (kind == "false") return reply.boolean(false);
  if (kind == "verbatim") return reply.verbatim("txt", "This is a verbatim\nstring");
  if (kind == "array") {
    reply.array(3);
    for (int i = 0; i < 3; ++i) reply.integer(i);
    return;
  }
  if (kind == "set") {
    reply.set(3);
    for (int i = 0; i < 3; ++i) reply.integer(i);
    return;
  }
  if (kind == "map") {
    reply.map(3);
    for (int i = 0; i < 3; ++i) {
      reply.integer(i);
      reply.boolean(i == 1);
    }
    return;
  }
  if (kind == "attrib") {
    if (reply.resp3()) {
      reply.attribute(1);
      reply.bulk("key-popularity");
      reply.array(2);
      reply.bulk("key:123");
      reply.integer(90);
    }
    return reply.bulk("Some real reply following the attribute");
  }
  if (kind == "push") {
    if (!reply.resp3()) return ctx.error("ERR RESP2 is not supported by this command");
    reply.push(2);
    reply.bulk("server-cpu-usage");
    reply.integer(42);
    return;
  }
  ctx.error("ERR Wrong protocol type name. Please use one of the following: "
            "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

void debug_error(Context& ctx) { ctx.error(ctx.arg(2)); }

void debug_log(Context& ctx) {
  log_warning("DEBUG LOG: %.*s", static_cast<int>(ctx.arg(2).size()), ctx.arg(2).data());
  ctx.reply().ok();
}

// DEBUG POPULATE count [prefix [size]]: existing keys stay as they are.
void populate(Context& ctx, const std::string& prefix, const std::vector<int64_t>& numbers, size_t size) {
  for (const int64_t i : numbers) {
    const std::string key = prefix + to_text(i);
    if (ctx.peek(key) != nullptr) continue;
    std::string value = "value:" + to_text(i);
    if (size != 0) value.resize(size, '\0');
    ctx.set_string(key, value);
  }
}

// Shard by shard in portions, so that nobody waits for long.
void debug_populate(Context& ctx) {
  constexpr int64_t kPortion = 16384;
  int64_t count;
  int64_t size = 0;
  if (!ctx.parse_range(ctx.arg(2), 0, INT64_MAX, &count)) return;
  if (ctx.argc() > 4 && !ctx.parse_range(ctx.arg(4), 0, INT64_MAX, &size)) return;
  const std::string prefix = (ctx.argc() > 3 ? std::string(ctx.arg(3)) : "key") + ":";
  std::array<std::vector<int64_t>, kShards> numbers;
  for (int64_t first = 0; first < count; first += kPortion) {
    const int64_t end = std::min(count, first + kPortion);
    for (int64_t i = first; i < end; ++i) numbers[shard_index(hash_bytes(prefix + to_text(i)))].push_back(i);
    for (size_t shard = 0; shard < kShards; ++shard) {
      ctx.with_shard(shard, [&] { populate(ctx, prefix, numbers[shard], static_cast<size_t>(size)); });
      numbers[shard].clear();
    }
  }
  ctx.changed({}, static_cast<uint64_t>(count), 0, {});
  ctx.no_effect();
  ctx.reply().ok();
}

uint64_t debug_cost(Context& ctx) {
  if (equals_ignore_case(ctx.arg(1), "loadaof") || equals_ignore_case(ctx.arg(1), "reload")) return UINT64_MAX;
  return equals_ignore_case(ctx.arg(1), "digest") ? ctx.keyspace().key_count(ctx.db()) : 0;
}

uint32_t debug_guard(Server&, ArgViews args) {
  return args.size() > 1 && equals_ignore_case(args[1], "populate") ? uint32_t{kGuardSelf} : 0;
}

void debug_digest(Context& ctx) { ctx.reply().simple(digest_hex(keyspace_digest(ctx))); }

void debug_digest_value(Context& ctx) {
  ctx.reply().array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const Entry* entry = ctx.peek(ctx.arg(i));
    ctx.reply().simple(digest_hex(entry == nullptr ? Digest{} : entry_digest(entry)));
  }
}

void debug_mallctl(Context& ctx) {
  int64_t value = 0;
  const bool set = ctx.argc() > 3;
  if (set && !ctx.parse(ctx.arg(3), &value)) return;
  int64_t old = 0;
  if (!allocator_control(std::string(ctx.arg(2)), set ? &value : nullptr, &old)) return ctx.error("ERR No such file or directory");
  ctx.reply().integer(old);
}

// VOID instead of a text does what the figure stands for, such as thread.tcache.flush.
void debug_mallctl_str(Context& ctx) {
  const std::string name(ctx.arg(2));
  std::string old;
  const bool known = allocator_control_text(name, &old);
  bool set = false;
  if (ctx.argc() > 3) {
    const std::string value(ctx.arg(3));
    set = allocator_control_set(name, value == "VOID" ? nullptr : &value);
  }
  if (known) return ctx.reply().bulk(old);
  set ? ctx.reply().ok() : ctx.error("ERR No such file or directory");
}

void debug_config_rewrite_force_all(Context& ctx) {
  const std::string& path = ctx.server().config_file;
  if (path.empty()) return ctx.error("ERR CONFIG-REWRITE-FORCE-ALL failed: the server is running without a config file");
  const Status status = ctx.server().config->rewrite(path, true);
  if (!status.ok()) return ctx.error("ERR CONFIG-REWRITE-FORCE-ALL failed: " + status.detail());
  ctx.reply().ok();
}

void debug_segfault(Context&) {
  log_warning("DEBUG SEGFAULT");
  volatile int* nowhere = nullptr;
  *nowhere = 1;  // NOLINT: that is what was asked for
}

void debug_assert(Context&) { SYNAP_ASSERT(1 == 2); }
void debug_panic(Context&) { panic("called by Unit Test", __FILE__, __LINE__); }

void debug_set_disable_deny_scripts(Context& ctx) {
  int64_t value = 0;
  if (!ctx.parse(ctx.arg(2), &value)) return;
  ctx.server().scripting->set_any_command_allowed(value != 0);
  ctx.reply().ok();
}

// The file as if the server had been restarted. MERGE: keys of the file replace, NOFLUSH: they must be new.
void debug_reload(Context& ctx) {
  bool save = true;
  bool flush = true;
  bool merge = false;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const std::string_view word = ctx.arg(i);
    if (equals_ignore_case(word, "merge")) {
      merge = true;
    } else if (equals_ignore_case(word, "noflush")) {
      flush = false;
    } else if (equals_ignore_case(word, "nosave")) {
      save = false;
    } else {
      return ctx.error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    }
  }
  Persistence& persistence = *ctx.server().persistence;
  if (save && !persistence.save(ctx.now_ms()).ok()) return ctx.error("ERR");
  const auto load_libraries = [&ctx, keep = !flush](const std::vector<std::string>& codes, bool replace) {
    return load_function_libraries(script_thread(ctx), ctx.server().scripting->registry(), codes, keep, replace);
  };
  const Status status = persistence.load_now(!flush, merge, load_libraries);
  if (!status.ok()) return ctx.error("ERR Error trying to load the RDB dump, check server logs.");
  log_warning("DB reloaded by DEBUG RELOAD");
  ctx.reply().ok();
}

// Everything journaled so far is written, then read back in place of all keys.
void debug_loadaof(Context& ctx) {
  Server& server = ctx.server();
  const Status status = server.persistence->load_aof_now(
      server.replayer, [&ctx](const std::vector<std::string>& codes, bool add) {
        return load_function_libraries(script_thread(ctx), ctx.server().scripting->registry(), codes, add, add);
      });
  if (!status.ok()) return ctx.error("ERR Error trying to load the AOF files, check server logs.");
  log_warning("Append Only File loaded by DEBUG LOADAOF");
  ctx.reply().ok();
}

void debug_aof_flush_sleep(Context& ctx) {
  int64_t sleep_us = 0;
  if (!ctx.parse_range(ctx.arg(2), 0, 60'000'000, &sleep_us)) return;
  ctx.server().aof->writer().flush_sleep_us.store(sleep_us);
  ctx.reply().ok();
}

void debug_set_skip_checksum_validation(Context& ctx) {
  bool on;
  if (!parse_flag(ctx, &on)) return;
  ctx.server().persistence->skip_checksum.store(on);
  ctx.reply().ok();
}

void debug_accept(Context& ctx) { ctx.reply().ok(); }

void debug_help(Context& ctx);

struct DebugCommand {
  std::string_view name;
  size_t args_min;
  size_t args_max;
  void (*run)(Context& ctx);
  std::string_view help;
};

constexpr DebugCommand kCommands[] = {
    {"sleep", 1, 1, debug_sleep, "SLEEP <seconds> - Stop the reactor for <seconds>. Decimals allowed."},
    {"object", 1, 2, debug_object, "OBJECT <key> - Show low level info about <key> and its value."},
    {"set-active-expire", 1, 1, debug_set_active_expire, "SET-ACTIVE-EXPIRE <0|1> - Switch active expiry."},
    {"pause-cron", 1, 1, debug_pause_cron, "PAUSE-CRON <0|1> - Stop periodic work."},
    {"stringmatch-len", 1, 2, debug_stringmatch_len, "STRINGMATCH-LEN <len> - Match a hostile pattern against <len> bytes."},
    {"htstats", 1, 2, debug_htstats, "HTSTATS <dbid> - Return figures of the tables of a database."},
    {"htstats-key", 1, 2, debug_htstats_key, "HTSTATS-KEY <key> - The same of a value that is a table."},
    {"protocol", 1, 1, debug_protocol, "PROTOCOL <type> - Reply with a test value of the type."},
    {"error", 1, 1, debug_error, "ERROR <string> - Reply with the error."},
    {"log", 1, 1, debug_log, "LOG <message> - Write <message> to the server log."},
    {"reload", 0, 3, debug_reload, "RELOAD [MERGE] [NOFLUSH] [NOSAVE] - Save the data set to its file and load it back."},
    {"loadaof", 0, 0, debug_loadaof, "LOADAOF - Flush the AOF and load it in place of the data set."},
    {"aof-flush-sleep", 1, 1, debug_aof_flush_sleep,
     "AOF-FLUSH-SLEEP <microseconds> - Let the AOF's writer sleep before each write."},
    {"set-skip-checksum-validation", 1, 1, debug_set_skip_checksum_validation,
     "SET-SKIP-CHECKSUM-VALIDATION <0|1> - Let RESTORE take payloads with a wrong checksum."},
    {"populate", 1, 3, debug_populate, "POPULATE <count> [<prefix>] [<size>] - Create <count> string keys."},
    {"quicklist-packed-threshold", 1, 1, debug_quicklist_packed_threshold,
     "QUICKLIST-PACKED-THRESHOLD <size> - Elements of lists above <size> get a node of their own; 0: as the limits say."},
    {"digest", 0, 0, debug_digest, "DIGEST - A digest of the whole data set."},
    {"digest-value", 1, 1000000, debug_digest_value, "DIGEST-VALUE <key> [<key> ...] - Digests of values."},
    {"mallctl", 1, 2, debug_mallctl, "MALLCTL <key> [<value>] - Get or set an allocator figure."},
    {"mallctl-str", 1, 2, debug_mallctl_str, "MALLCTL-STR <key> [<value>] - Get or set an allocator text."},
    {"config-rewrite-force-all", 0, 0, debug_config_rewrite_force_all,
     "CONFIG-REWRITE-FORCE-ALL - CONFIG REWRITE with every directive, also those that have their default."},
    {"set-disable-deny-scripts", 1, 1, debug_set_disable_deny_scripts,
     "SET-DISABLE-DENY-SCRIPTS <0|1> - Let scripts run commands that are not for scripts."},
    {"segfault", 0, 0, debug_segfault, "SEGFAULT - Crash the server by a bad access."},
    {"assert", 0, 0, debug_assert, "ASSERT - Crash the server by a failed assertion."},
    {"panic", 0, 0, debug_panic, "PANIC - Crash the server."},
    // Knobs of structures that Synap does not have: there is nothing to resize or to shrink by hand.
    {"dict-resizing", 1, 1, debug_accept, "DICT-RESIZING <0|1> - Accepted; tables here always resize in small steps."},
    {"replybuffer", 1, 2, debug_accept, "REPLYBUFFER <subcommand> - Accepted; reply buffers here have no idle size."},
    {"help", 0, 0, debug_help, ""},
};

void debug_help(Context& ctx) {
  std::vector<std::string_view> lines;
  for (const DebugCommand& command : kCommands) {
    if (!command.help.empty()) lines.push_back(command.help);
  }
  reply_help(ctx, lines);
}

void cmd_debug(Context& ctx) {
  if (!is_allowed(ctx.config().enable_debug_command, ctx.session())) {
    return ctx.error("ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from "
                     "a local connection, otherwise you need to set this option in the configuration file, and then restart "
                     "the server.");
  }
  for (const DebugCommand& command : kCommands) {
    const size_t args = ctx.argc() - 2;
    if (equals_ignore_case(command.name, ctx.arg(1)) && args >= command.args_min && args <= command.args_max) {
      return command.run(ctx);
    }
  }
  ctx.reply().error({"ERR unknown subcommand or wrong number of arguments for '", printed(ctx.arg(1), 128), "'. Try DEBUG HELP."});
}

constexpr Command kRows[] = {
    {.name = "debug", .handler = cmd_debug, .arity = -2, .flags = kAdmin | kNoScript | kLoading | kStale | kProtected | kAllShards,
     .cost = debug_cost, .guard = debug_guard},
};

}  // namespace

const CommandFamily kDebugCommands = kRows;

}  // namespace synap
