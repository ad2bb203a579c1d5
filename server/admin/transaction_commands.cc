// Transactions. Queueing is dispatch's; EXEC runs under one guard over the shards of all queued and watched keys, so it
// is atomic and isolated on any keys. WATCH compares versions that every change of a watched key raises.
#include "server/admin/transaction_commands.h"

#include <utility>
#include <vector>

#include "server/command/acl.h"
#include "server/command/context.h"
#include "server/command/runner.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

bool is_expired_now(Context& ctx, int db, std::string_view key) {
  const uint64_t hash = hash_bytes(key);
  const Entry* entry = ctx.keyspace().slice(db, hash).find(hash, key);
  return entry != nullptr && entry->expired(ctx.now_ms());
}

bool watched_key_changed(Context& ctx, const WatchedKey& watched) {
  const WatchTable& watches = ctx.keyspace().shard_of(hash_bytes(watched.key)).watches;
  if (watches.version(watched.db, watched.key) != watched.version) return true;
  // A key that was alive when it was watched and is past its expiry now has changed, deleted or not.
  return !watched.expired && is_expired_now(ctx, watched.db, watched.key);
}

void end_transaction(Session& session) {
  session.queued.clear();
  session.queued_bytes = 0;
  session.clear(kSessionMulti | kSessionDirtyExec | kSessionDirtyCas);
  session.shared->multi_commands.store(-1, std::memory_order_relaxed);
  session.shared->multi_bytes.store(0, std::memory_order_relaxed);
}

void cmd_multi(Context& ctx) {
  Session& session = ctx.session();
  if (session.has(kSessionMulti)) return ctx.error("ERR MULTI calls can not be nested");
  session.set(kSessionMulti);
  session.shared->multi_commands.store(0, std::memory_order_relaxed);
  ctx.reply().ok();
}

void cmd_discard(Context& ctx) {
  if (!ctx.session().has(kSessionMulti)) return ctx.error("ERR DISCARD without MULTI");
  discard_transaction(ctx);
  ctx.reply().ok();
}

void run_queued(Context& ctx, std::vector<QueuedCommand> queued) {
  Session& session = ctx.session();
  session.set(kSessionDenyBlocking);
  ctx.reply().array(queued.size());
  for (QueuedCommand& command : queued) {
    const Args args = command.args.args();
    const std::string denied = acl_check_queued(ctx.server(), session, *command.command, args.span());
    if (!denied.empty()) {
      ctx.error(denied);
      continue;
    }
    ctx.runner().run_inner(ctx, command.command, args, &ctx.reply());
    if (ctx.reply().resp() != session.resp) ctx.reply().set_resp(session.resp);
  }
  session.clear(kSessionDenyBlocking);
}

// Why the queued commands may not run in the state the server is in now (EXEC itself may); empty if they may. Asked at the
// start: what happens inside the transaction no longer matters.
std::string refusal(Context& ctx, const std::vector<QueuedCommand>& queued) {
  const uint32_t state = ctx.server().state->get();
  if (state == 0 || ctx.session().has(kSessionMaster)) return {};
  uint64_t flags = 0;
  for (const QueuedCommand& command : queued) flags |= command.command->flags;
  if ((state & kStateOutOfMemory) != 0 && (flags & kDenyOom) != 0) return std::string(kOutOfMemoryError);
  if ((flags & (kWrite | kMayReplicate)) == 0) return {};
  if ((state & kStateDiskError) != 0) return ctx.server().disk_error();
  if ((state & kStateReplica) != 0 && (flags & kWrite) != 0) return std::string(kReadOnlyError);
  return {};
}

void cmd_exec(Context& ctx) {
  Session& session = ctx.session();
  if (!session.has(kSessionMulti)) return ctx.error("ERR EXEC without MULTI");
  bool changed = false;
  for (const WatchedKey& watched : session.watched) changed = changed || watched_key_changed(ctx, watched);
  const bool aborted = session.has(kSessionDirtyExec);
  std::vector<QueuedCommand> queued = std::move(session.queued);
  discard_transaction(ctx);
  if (aborted) return ctx.error(kExecAbortError);
  const std::string refused = refusal(ctx, queued);
  if (!refused.empty()) return ctx.error(std::string(kExecAbortBegin) + refused);
  if (changed) return ctx.reply().null_array();
  run_queued(ctx, std::move(queued));
}

// What the queued commands will visit, all together.
uint64_t exec_cost(Context& ctx) {
  uint64_t cost = 0;
  for (QueuedCommand& queued : ctx.session().queued) {
    cost += 1 + ctx.runner().inner_cost(ctx, queued.command, queued.args.args());
  }
  return cost;
}

void cmd_watch(Context& ctx) {
  Session& session = ctx.session();
  if (session.has(kSessionMulti)) return ctx.error("ERR WATCH inside MULTI is not allowed");
  for (size_t i = 1; i < ctx.argc(); ++i) {
    const std::string_view key = ctx.arg(i);
    bool known = false;
    for (const WatchedKey& watched : session.watched) known = known || (watched.db == ctx.db() && watched.key == key);
    if (known) continue;
    WatchTable& watches = ctx.keyspace().shard_of(ctx.hash_of(key)).watches;
    session.watched.push_back(WatchedKey{ctx.db(), std::string(key), watches.watch(ctx.db(), key),
                                         is_expired_now(ctx, ctx.db(), key)});
  }
  session.shared->watched_keys.store(static_cast<uint32_t>(session.watched.size()), std::memory_order_relaxed);
  ctx.reply().ok();
}

void cmd_unwatch(Context& ctx) {
  unwatch_all(ctx);
  ctx.reply().ok();
}

constexpr uint64_t kTransactionFlags = kNoScript | kLoading | kStale | kFast | kAllowBusy;

constexpr Command kRows[] = {
    {.name = "multi", .handler = cmd_multi, .arity = 1, .flags = kTransactionFlags | kRunsInMulti,
     .categories = kCatTransaction},
    {.name = "exec", .handler = cmd_exec, .arity = 1,
     .flags = kNoScript | kLoading | kStale | kSkipSlowlog | kRunsInMulti | kRunsQueue, .categories = kCatTransaction,
     .cost = exec_cost},
    {.name = "discard", .handler = cmd_discard, .arity = 1, .flags = kTransactionFlags | kRunsInMulti | kUsesWatched,
     .categories = kCatTransaction},
    {.name = "watch", .handler = cmd_watch, .arity = -2, .flags = kTransactionFlags | kRunsInMulti,
     .categories = kCatTransaction, .key_specs = {key_range(1, -1, 1, kKeyRO)}},
    {.name = "unwatch", .handler = cmd_unwatch, .arity = 1, .flags = kTransactionFlags | kUsesWatched,
     .categories = kCatTransaction},
};

}  // namespace

void unwatch_all(Context& ctx) {
  Session& session = ctx.session();
  for (const WatchedKey& watched : session.watched) {
    ctx.keyspace().shard_of(hash_bytes(watched.key)).watches.unwatch(watched.db, watched.key);
  }
  session.watched.clear();
  session.shared->watched_keys.store(0, std::memory_order_relaxed);
}

void discard_transaction(Context& ctx) {
  end_transaction(ctx.session());
  unwatch_all(ctx);
}

const CommandFamily kTransactionCommands = kRows;

}  // namespace synap
