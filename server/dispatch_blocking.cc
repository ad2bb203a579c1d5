// Commands blocked on keys: whoever makes a key ready runs them under its own guard. Never decides what a command does: a
// blocked one is run again from its start.

#include <algorithm>
#include <utility>

#include "protocol/errors.h"
#include "server/base/clock.h"
#include "server/command/acl.h"
#include "server/command/tracking.h"
#include "server/dispatch.h"

namespace synap {

namespace {

// A command blocked on keys. Whoever makes a key ready runs it, with a session of its own; the client is only told.
struct BlockedCommand final : Waiter {
  BlockedCommand(const Session& of, const Command* blocked_command, StoredArgs blocked_args)
      : session(of.id()), command(blocked_command), args(std::move(blocked_args)) {
    session.db = of.db;
    session.resp = of.resp;
    session.user = of.user;
    session.shared = of.shared;
    session.written_offset = of.written_offset;
  }
  Session session;
  const Command* command;
  StoredArgs args;
};

}  // namespace

void Dispatcher::block(Caller& caller, Context* ctx) {
  BlockRequest& request = *ctx->block_request_;
  std::vector<std::string_view> views(ctx->args_.begin(), ctx->args_.end());
  for (const auto& [index, value] : ctx->pinned_arguments_) views[index] = value;
  // With pinned ones all are copied: request.keys and the context view the blocks of the others.
  StoredArgs args(ctx->pinned_arguments_.empty() ? ctx->args_ : Args(views));
  auto waiter = std::make_shared<BlockedCommand>(caller.session(), ctx->command_, std::move(args));
  waiter->db = caller.session().db;
  waiter->type = request.type;
  waiter->wake_on_delete = request.wake_on_delete;
  for (const std::string_view key : request.keys) {
    const std::string name(key);
    if (std::find(waiter->keys.begin(), waiter->keys.end(), name) != waiter->keys.end()) continue;
    server_.keyspace->shard_of(hash_bytes(key)).waiters.add(waiter->db, key, waiter);
    waiter->keys.push_back(name);
  }
  caller.wait_blocked(waiter, request);
}

void Dispatcher::serve_ready(ShardGuard* guard) {
  if (serving_) return;
  serving_ = true;
  for (bool again = true; again;) {
    again = false;
    for (ShardMask rest = guard->mask(); rest != 0; rest &= rest - 1) {
      Shard& shard = server_.keyspace->shard(static_cast<size_t>(std::countr_zero(rest)));
      if (!shard.waiters.has_ready()) continue;
      environment_.now_ms = wall_clock_ms();  // the command that made the key ready may have taken long
      restart_call_clock();                   // and what is served is not the next one's time
      for (const WaiterTable::ReadyKey& ready : shard.waiters.take_ready()) {
        serve_key(guard, ready, shard);
        again = true;
      }
    }
  }
  serving_ = false;
}

void Dispatcher::serve_key(ShardGuard* guard, const WaiterTable::ReadyKey& ready, Shard& shard) {
  const uint64_t hash = hash_bytes(ready.key);
  for (const std::shared_ptr<Waiter>& waiter : shard.waiters.waiting(ready.db, ready.key)) {
    const Entry* entry = shard.dbs[static_cast<size_t>(ready.db)].find(hash, ready.key);
    const bool right_type = entry != nullptr && entry->type() == waiter->type;
    if (!right_type && !waiter->wake_on_delete) continue;
    if (!waiter->claim()) continue;
    serve_waiter(guard, waiter);
  }
}

// The user's rights may have changed while its command waited.
bool Dispatcher::may_still_run(Context* ctx) {
  const Session& session = *ctx->session_;
  if (session.user == nullptr || session.user->unrestricted()) return true;
  const std::string denied = acl_check(server_, session, *ctx->command_, ctx->args_.span());
  if (denied.empty()) return true;
  ctx->error(denied);
  statistics_->count_error(ctx->reply_->last_error_code());
  ctx->reply_->clear_error();
  statistics_->per_command[server_.commands->index_of(ctx->command_)].rejected.add();
  return false;
}

void Dispatcher::serve_waiter(ShardGuard* guard, const std::shared_ptr<Waiter>& waiter) {
  auto& blocked = static_cast<BlockedCommand&>(*waiter);
  const Args args = blocked.args.args();
  KeyHashes keys;
  hash_keys(blocked.command, args, &keys);
  // Held already by this guard, or free for the moment it takes: so waiters are served in their order.
  bool covered = guard->try_add(keys.mask());
  for (int spin = 0; !covered && spin < kSpinsBeforeParking; ++spin) {
    __builtin_ia32_pause();
    covered = guard->try_add(keys.mask());
  }
  if (!covered) {
    // Its other keys lie in shards that stay held: it is run again under its own guard, by its own reactor.
    return give_back(waiter, true);
  }
  OutputBuffer output;
  Reply reply(&output, blocked.session.resp);
  Context ctx;
  fill(&ctx, blocked.command, args, &blocked.session, &reply);
  ctx.key_hashes_ = keys.span();
  ctx.guard_ = guard;
  ctx.serving_ = true;
  ctx.may_block_ = true;
  if (may_still_run(&ctx)) call(&ctx, cycles_now());
  if (ctx.block_request_.has_value()) return give_back(waiter, false);
  if (ctx.dirty_ > 0) keyspace_stats_.count(keyspace_stats_.changes, ctx.dirty_);
  note_for_gate(&ctx, journal_effects());
  send_held();
  for (const std::string& key : waiter->keys) {
    const uint64_t hash = hash_bytes(key);
    if (guard->covers(shard_bit(hash), true)) {
      server_.keyspace->shard_of(hash).waiters.remove(waiter->db, key, waiter.get());
    }
  }
  auto shared_output = std::make_shared<OutputBuffer>(std::move(output));
  const Session& served = blocked.session;
  server_.clients->post(served.id(), [shared_output, gate = served.gate_offset.load(), written = served.written_offset](ClientPort& port) {
    Session& session = port.session();
    session.raise_gate(gate);
    session.written_offset = std::max(session.written_offset, written);
    port.complete_blocked(std::move(*shared_output));
  });
  if (server_.caches_exist()) server_.tracking_table->command_served(served.id());
}

// Serving found nothing, or not all shards: the waiter waits on, unless its client wanted to end that meanwhile.
void Dispatcher::give_back(const std::shared_ptr<Waiter>& waiter, bool retry) {
  const uint64_t id = static_cast<const BlockedCommand&>(*waiter).session.id();
  if (!waiter->unclaim()) {
    server_.clients->post(id, [waiter](ClientPort& port) { port.end_wait(waiter); });
  } else if (retry && waiter->begin_retry()) {
    server_.clients->post(id, [waiter](ClientPort& port) { port.retry_blocked(waiter); });
  }
}

void Dispatcher::retry_waiter(Reactor& reactor, const std::shared_ptr<Waiter>& waiter) {
  auto& blocked = static_cast<BlockedCommand&>(*waiter);
  KeyHashes keys;
  hash_keys(blocked.command, blocked.args.args(), &keys);
  with_shards(reactor, keys.mask(), [this, waiter](ShardGuard* guard) {
    waiter->end_retry();
    if (!waiter->claim()) return;
    serve_waiter(guard, waiter);
    serve_ready(guard);
  });
}

void Dispatcher::forget_waiter(Reactor& reactor, const std::shared_ptr<Waiter>& waiter) {
  ShardMask mask = 0;
  for (const std::string& key : waiter->keys) mask |= shard_bit(hash_bytes(key));
  with_shards(reactor, mask, [this, waiter](ShardGuard*) {
    for (const std::string& key : waiter->keys) {
      server_.keyspace->shard_of(hash_bytes(key)).waiters.remove(waiter->db, key, waiter.get());
    }
  });
}

void Dispatcher::count_unblocked(const Waiter& waiter, bool failed) {
  const Command* command = static_cast<const BlockedCommand&>(waiter).command;
  CommandStatistics& counters = statistics_->per_command[server_.commands->index_of(command)];
  counters.calls.add();
  if (failed) counters.failed.add();
}

}  // namespace synap
