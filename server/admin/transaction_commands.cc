// Transactions. Queueing is dispatch's; EXEC runs under one guard over the shards of all queued and watched keys, so it
// is atomic and isolated on any keys. WATCH compares versions that every change of a watched key raises.
#include "server/admin/transaction_commands.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "server/command/acl.h"
#include "server/command/context.h"
#include "server/command/runner.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

enum class KeyState : uint8_t { kAbsent, kExpired, kAlive };

KeyState state_now(Context& ctx, int db, std::string_view key) {
  const uint64_t hash = hash_bytes(key);
  const Entry* entry = ctx.keyspace().slice(db, hash).find(hash, key);
  if (entry == nullptr) return KeyState::kAbsent;
  return entry->expired(ctx.now_ms()) ? KeyState::kExpired : KeyState::kAlive;
}

bool watched_key_changed(Context& ctx, const WatchedKey& watched) {
  const WatchTable& watches = ctx.keyspace().shard_of(hash_bytes(watched.key)).watches;
  const uint64_t version = watches.version(watched.db, watched.key);
  if (watched.gone) return WatchTable::changes(version) != WatchTable::changes(watched.version);
  // A key that was alive when it was watched and is past its expiry now has changed, deleted or not.
  return version != watched.version || state_now(ctx, watched.db, watched.key) == KeyState::kExpired;
}

// A client that nests transactions does not know what it runs: the one under way is aborted, too.
void refuse_in_multi(Context& ctx, std::string_view error) {
  ctx.session().set(kSessionDirtyExec);
  ctx.error(error);
}

void cmd_multi(Context& ctx) {
  Session& session = ctx.session();
  if (session.has(kSessionMulti)) return refuse_in_multi(ctx, "ERR MULTI calls can not be nested");
  session.set(kSessionMulti);
  session.shared->multi_commands.store(0, std::memory_order_relaxed);
  ctx.reply().ok();
}

void cmd_discard(Context& ctx) {
  if (!ctx.session().has(kSessionMulti)) return ctx.error("ERR DISCARD without MULTI");
  discard_transaction(ctx);
  ctx.reply().ok();
}

// False, with the error replied, when the client may no longer run it.
bool is_allowed(Context& ctx, const QueuedCommand& queued, const Args& args) {
  const std::string denied = acl_check_queued(ctx.server(), ctx.session(), *queued.command, args.span());
  if (!denied.empty()) ctx.error(denied);
  return denied.empty();
}

void follow_protocol(Context& ctx) {
  if (ctx.reply().resp() != ctx.session().resp) ctx.reply().set_resp(ctx.session().resp);
}

void run_queued(Context& ctx, std::vector<QueuedCommand> queued) {
  ctx.session().set(kSessionDenyBlocking);
  ctx.reply().array(queued.size());
  for (QueuedCommand& command : queued) {
    const Args args = command.args.args();
    if (!is_allowed(ctx, command, args)) continue;
    ctx.runner().run_inner(ctx, command.command, args, &ctx.reply());
    follow_protocol(ctx);
  }
  ctx.session().clear(kSessionDenyBlocking);
}

// A transaction with scripts in it: the scripts take turns with other clients, so that a long one can be killed.
class ExecCall final : public SlicedCall {
 public:
  explicit ExecCall(std::vector<QueuedCommand> queued) : queued_(std::move(queued)) {}

  Step step(Context& ctx) override {
    if (!std::exchange(started_, true)) {
      ctx.session().set(kSessionDenyBlocking);
      ctx.reply().array(queued_.size());
    }
    for (; next_ < queued_.size(); ++next_) {
      const Args args = queued_[next_].args.args();
      if (inner_ == nullptr) {
        if (!is_allowed(ctx, queued_[next_], args)) continue;
        inner_ = ctx.runner().start_inner(ctx, queued_[next_].command, args, &ctx.reply());
      }
      const Step step = inner_->step();
      if (step != Step::kDone) return step;
      inner_ = nullptr;
      follow_protocol(ctx);
    }
    ctx.session().clear(kSessionDenyBlocking);
    return Step::kDone;
  }

 private:
  std::vector<QueuedCommand> queued_;
  size_t next_ = 0;
  bool started_ = false;
  std::unique_ptr<InnerCall> inner_;
};

bool has_scripts(const std::vector<QueuedCommand>& queued) {
  return std::any_of(queued.begin(), queued.end(),
                     [](const QueuedCommand& command) { return command.command->has(kGrowingGuard); });
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
  if (has_scripts(queued)) return ctx.continue_with(std::make_unique<ExecCall>(std::move(queued)));
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
  if (session.has(kSessionMulti)) return refuse_in_multi(ctx, "ERR WATCH inside MULTI is not allowed");
  for (size_t i = 1; i < ctx.argc(); ++i) {
    const std::string_view key = ctx.arg(i);
    bool known = false;
    for (const WatchedKey& watched : session.watched) known = known || (watched.db == ctx.db() && watched.key == key);
    if (known) continue;
    WatchTable& watches = ctx.keyspace().shard_of(ctx.hash_of(key)).watches;
    session.watched.push_back(WatchedKey{ctx.db(), std::string(key), watches.watch(ctx.db(), key),
                                         state_now(ctx, ctx.db(), key) != KeyState::kAlive});
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

void end_transaction(Session& session) {
  session.queued.clear();
  session.queued_bytes = 0;
  session.clear(kSessionMulti | kSessionDirtyExec | kSessionDirtyCas);
  session.shared->multi_commands.store(-1, std::memory_order_relaxed);
  session.shared->multi_bytes.store(0, std::memory_order_relaxed);
}

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
