// Commands on whole databases. Those that only read take all shards shared; KEYS of a big database runs on a worker and
// holds one shard at a time. A flush swaps the tables out and frees them in the background.
#include <algorithm>
#include <climits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datatypes/key/key_commands.h"
#include "server/base/glob.h"
#include "server/base/random.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/server_api.h"
#include "server/command/scan_arguments.h"
#include "server/keyspace/background.h"
#include "server/keyspace/memory_counter.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

constexpr int kTableCursorBits = EntryTable::kCursorBits;
constexpr int kRandomTriesMax = 100;  // RANDOMKEY among keys that are past their expiry

DbSlice& slice_of(Context& ctx, size_t shard) { return ctx.keyspace().shard(shard).dbs[static_cast<size_t>(ctx.db())]; }

void cmd_dbsize(Context& ctx) { ctx.reply().integer(static_cast<int64_t>(ctx.keyspace().key_count(ctx.db()))); }

// Shards weigh as much as they have keys.
const Entry* random_entry(Context& ctx, size_t total) {
  Random& random = thread_random();
  uint64_t index = random.below(total);
  size_t shard = 0;
  while (index >= slice_of(ctx, shard).table.size()) index -= slice_of(ctx, shard++).table.size();
  return slice_of(ctx, shard).table.random([&random] { return random.next(); });
}

// Any key that is not past its expiry, the first in the order of the tables.
const Entry* any_live_entry(Context& ctx) {
  const Entry* found = nullptr;
  for (size_t shard = 0; shard < kShards && found == nullptr; ++shard) {
    slice_of(ctx, shard).table.for_each([&](const Entry* entry, bool) {
      if (found == nullptr && !entry->expired(ctx.now_ms())) found = entry;
    });
  }
  return found;
}

// Keys past their expiry that come up are deleted afterwards; only where they are nearly all does chance give up.
void cmd_randomkey(Context& ctx) {
  const size_t total = ctx.keyspace().key_count(ctx.db());
  const Entry* entry = nullptr;
  for (int i = 0; total != 0 && entry == nullptr && i < kRandomTriesMax; ++i) {
    entry = ctx.peek(random_entry(ctx, total)->key());
  }
  if (entry == nullptr && total != 0) entry = any_live_entry(ctx);
  entry == nullptr ? ctx.reply().null() : ctx.reply().bulk(entry->key());
}

void cmd_keys(Context& ctx) {
  const std::string_view pattern = ctx.arg(1);
  const bool all = pattern == "*";
  Reply& reply = ctx.reply();
  const size_t mark = reply.deferred_begin();
  size_t found = 0;
  ctx.for_each_shard([&](Shard& shard) {
    shard.dbs[static_cast<size_t>(ctx.db())].table.for_each([&](const Entry* entry, bool) {
      if (!all && !glob_match(pattern, entry->key())) return;
      if (entry->expired(ctx.now_ms())) return;
      reply.bulk(entry->key());
      ++found;
    });
  });
  reply.deferred_end_array(mark, found);
}
uint64_t keys_cost(Context& ctx) { return ctx.keyspace().key_count(ctx.db()); }

// A cursor is the shard (6 bits) above the table's own cursor: below 2^53.
void cmd_scan(Context& ctx) {
  uint64_t cursor;
  ScanArguments scan;
  if (!parse_scan_cursor(ctx, ctx.arg(1), &cursor)) return;
  if (!parse_scan_options(ctx, 2, ScanTarget::kKeys, &scan)) return;
  size_t shard = static_cast<size_t>(cursor >> kTableCursorBits) % kShards;
  uint64_t place = cursor & ((uint64_t{1} << kTableCursorBits) - 1);
  std::vector<const Entry*> found, due;
  size_t seen = 0;
  size_t steps = 0;
  const auto visit = [&](const Entry* entry) {
    ++seen;
    if (!scan.matches(entry->key())) return;
    if (!scan.type_name.empty() && !equals_ignore_case(type_ops(entry).name, scan.type_name)) return;
    (entry->expired(ctx.now_ms()) ? due : found).push_back(entry);
  };
  const size_t steps_max = scan.count > SIZE_MAX / 10 ? SIZE_MAX : std::max<size_t>(scan.count * 10, kShards);
  while (shard < kShards && seen < scan.count && steps++ < steps_max) {
    place = slice_of(ctx, shard).table.scan(place, visit);
    if (place == 0) ++shard;
  }
  for (const Entry* entry : due) static_cast<void>(ctx.peek(entry->key()));  // a look at a key past its expiry ends it
  const uint64_t next = shard == kShards ? 0 : static_cast<uint64_t>(shard) << kTableCursorBits | place;
  ctx.reply().array(2);
  reply_scan_cursor(ctx, next);
  ctx.reply().array(found.size());
  for (const Entry* entry : found) ctx.reply().bulk(entry->key());
}

// --- Flushing.

// What a watched key goes through when all keys go away.
WatchTable::Fate fate_in_flush(const DbSlice& keys, std::string_view key, int64_t now_ms) {
  const Entry* entry = keys.find(hash_bytes(key), key);
  if (entry == nullptr) return WatchTable::Fate::kNone;
  return entry->expired(now_ms) ? WatchTable::Fate::kExpired : WatchTable::Fate::kChanged;
}

void wake_waiters(Shard& shard, int db, bool deleted) {
  std::vector<std::string> keys;
  shard.waiters.for_each_key(db, [&](std::string_view key) { keys.emplace_back(key); });
  for (const std::string& key : keys) shard.waiters.key_changed(db, key, deleted);
}

// About what a key takes. Until the background thread has freed what is flushed, it must count as freed: else the writes
// after a FLUSHALL would be refused, or evict, for memory that nobody uses.
size_t average_key_bytes(Context& ctx) {
  size_t keys = 0;
  for (int db = 0; db < ctx.keyspace().databases(); ++db) keys += ctx.keyspace().key_count(db);
  const size_t used = memory_counter_total();
  return (used - std::min(used, ctx.server().startup_memory_bytes + background_pending_bytes())) / std::max<size_t>(keys, 1);
}

size_t flush_slice(Shard& shard, int db, size_t key_bytes, int64_t now_ms) {
  DbSlice& slice = shard.dbs[static_cast<size_t>(db)];
  const size_t keys = slice.table.size();
  if (keys == 0) return 0;
  shard.watches.touch_each(db, [&](std::string_view key) { return fate_in_flush(slice, key, now_ms); });
  auto old = std::make_shared<DbSlice>(std::exchange(slice, DbSlice()));
  wake_waiters(shard, db, true);
  background_free([old] { old->table.for_each([](Entry* entry, bool) { free_entry(entry); }); }, keys, keys * key_bytes);
  return keys;
}

// SYNC or ASYNC makes no difference: what is flushed is freed in the background.
bool parse_flush(Context& ctx) {
  if (ctx.argc() == 1) return true;
  if (ctx.argc() == 2 && (equals_ignore_case(ctx.arg(1), "async") || equals_ignore_case(ctx.arg(1), "sync"))) return true;
  ctx.syntax_error();
  return false;
}

// Returns how many keys went; nothing if an error was replied.
std::optional<size_t> flush(Context& ctx, int first_db, int last_db) {
  if (!parse_flush(ctx)) return {};
  const size_t key_bytes = average_key_bytes(ctx);
  size_t removed = 0;
  for (size_t i = 0; i < kShards; ++i) {
    for (int db = first_db; db <= last_db; ++db) {
      removed += flush_slice(ctx.keyspace().shard(i), db, key_bytes, ctx.now_ms());
    }
  }
  if (ctx.server().caches_exist()) ctx.environment().observer->all_keys_changed();
  ctx.force_effect();
  ctx.reply().ok();
  return removed;
}
void cmd_flushdb(Context& ctx) {
  if (const auto removed = flush(ctx, ctx.db(), ctx.db())) ctx.changed({}, *removed, 0, {});
}
// The changes are counted at once: with save points the file is written now, and nothing is left to be saved.
void cmd_flushall(Context& ctx) {
  const auto removed = flush(ctx, 0, ctx.keyspace().databases() - 1);
  if (!removed) return;
  KeyspaceStats& stats = *ctx.environment().stats;
  stats.count(stats.changes, *removed);
  ctx.server().all_flushed();
}

void cmd_swapdb(Context& ctx) {
  int64_t first;
  int64_t second;
  if (!ctx.parse_range(ctx.arg(1), INT_MIN, INT_MAX, &first, "ERR invalid first DB index")) return;
  if (!ctx.parse_range(ctx.arg(2), INT_MIN, INT_MAX, &second, "ERR invalid second DB index")) return;
  const int databases = ctx.keyspace().databases();
  if (first < 0 || first >= databases || second < 0 || second >= databases) return ctx.error(kDbOutOfRangeError);
  if (first == second) return ctx.reply().ok();
  const auto a = static_cast<int>(first);
  const auto b = static_cast<int>(second);
  for (size_t i = 0; i < kShards; ++i) {
    Shard& shard = ctx.keyspace().shard(i);
    DbSlice& slice_a = shard.dbs[static_cast<size_t>(a)];
    DbSlice& slice_b = shard.dbs[static_cast<size_t>(b)];
    for (const int db : {a, b}) {
      shard.watches.touch_each(db, [&](std::string_view key) {
        return std::max(fate_in_flush(slice_a, key, ctx.now_ms()), fate_in_flush(slice_b, key, ctx.now_ms()));
      });
    }
    std::swap(slice_a, slice_b);
    wake_waiters(shard, a, false);
    wake_waiters(shard, b, false);
  }
  if (ctx.server().caches_exist()) ctx.environment().observer->all_keys_changed();
  ctx.changed({}, 1, 0, {});
  ctx.reply().ok();
}

constexpr Command kRows[] = {
    {.name = "dbsize", .handler = cmd_dbsize, .arity = 1, .flags = kReadonly | kFast | kAllShards,
     .categories = kCatKeyspace, .tips = {"request_policy:all_shards", "response_policy:agg_sum"}},
    {.name = "randomkey", .handler = cmd_randomkey, .arity = 1, .flags = kReadonly | kAllShards,
     .categories = kCatKeyspace,
     .tips = {"request_policy:all_shards", "response_policy:special", "nondeterministic_output"}},
    {.name = "keys", .handler = cmd_keys, .arity = 2, .flags = kReadonly | kSelfGuarded,
     .categories = kCatKeyspace | kCatDangerous, .cost = keys_cost,
     .tips = {"request_policy:all_shards", "nondeterministic_output_order"}},
    {.name = "scan", .handler = cmd_scan, .arity = -2, .flags = kReadonly | kAllShards, .categories = kCatKeyspace,
     .tips = {"nondeterministic_output", "request_policy:special", "response_policy:special"}},
    {.name = "flushdb", .handler = cmd_flushdb, .arity = -1, .flags = kWrite | kAllShards,
     .categories = kCatKeyspace | kCatDangerous,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "flushall", .handler = cmd_flushall, .arity = -1, .flags = kWrite | kAllShards,
     .categories = kCatKeyspace | kCatDangerous,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "swapdb", .handler = cmd_swapdb, .arity = 3, .flags = kWrite | kFast | kAllShards,
     .categories = kCatKeyspace | kCatDangerous},
};

}  // namespace

const CommandFamily kKeyspaceCommands = kRows;

}  // namespace synap
