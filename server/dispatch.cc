#include "server/dispatch.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "persistence/journal.h"
#include "persistence/journal_gate.h"
#include "protocol/errors.h"
#include "scripting/scripting.h"
#include "server/admin/transaction_commands.h"
#include "server/admission.h"
#include "server/base/clock.h"
#include "server/base/equal_bytes.h"
#include "server/base/log.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/acl.h"
#include "server/command/latency_monitor.h"
#include "server/command/monitor.h"
#include "server/command/slowlog.h"
#include "server/command/tracking.h"
#include "server/keyspace/type_ops.h"
#include "server/worker_pool.h"

namespace synap {

namespace {

// How much of an unknown command's arguments its error quotes.
constexpr size_t kQuotedBytesMax = 128;

// Reads share their shards, but for those that join a key's waiters (XREAD) or keep a result in the value (PFCOUNT).
LockMode mode_of(const Command* command, uint32_t call_guard) {
  if ((call_guard & kGuardShared) != 0) return LockMode::kShared;
  const bool only_reads = command->has(kReadonly) && !command->has(kBlocking | kMayReplicate);
  return only_reads ? LockMode::kShared : LockMode::kExclusive;
}

// A set of CallGuard bits.
uint32_t call_guard_of(Server& server, const Command* command, ArgViews args) {
  return command->guard == nullptr ? 0 : command->guard(server, args);
}

bool needs_all_shards(const Command* command, uint32_t call_guard) {
  return command->has(kAllShards | kSelfGuarded) || (call_guard & kGuardAllShards) != 0;
}

bool may_name_many_keys(const Command& command) { return !command.keys_in_first_spec || command.key_specs[0].last < 0; }

std::string unknown_command_error(const Args& args) {
  std::string error = "ERR unknown command '" + std::string(printed(args[0], kQuotedBytesMax)) + "', with args beginning with: ";
  std::string quoted;
  for (size_t i = 1; i < args.size() && quoted.size() < kQuotedBytesMax; ++i) {
    quoted += "'" + std::string(printed(args[i], kQuotedBytesMax - quoted.size())) + "' ";
  }
  return error + quoted;
}

std::string unknown_subcommand_error(const Args& args) {
  return "ERR unknown subcommand '" + std::string(printed(args[1], kQuotedBytesMax)) + "'. Try " +
         to_upper(args[0]) + " HELP.";
}

}  // namespace

Dispatcher::Dispatcher(const Parts& parts, ThreadStatistics* statistics)
    : server_(*parts.server), workers_(parts.workers), statistics_(statistics) {
  environment_.server = parts.server;
  environment_.keyspace = parts.server->keyspace;
  environment_.observer = parts.observer;
  environment_.stats = &keyspace_stats_;
  environment_.runner = this;
  environment_.hot_values = parts.server->hot_values;
  server_.add_keyspace_stats(&keyspace_stats_);
  begin_turn();
  turn_began_ = 0;
}

void Dispatcher::begin_turn() {
  if (turn_began_ == 0) turn_began_ = cycles_now();
  restart_call_clock();
  const Config& config = server_.config->current();
  environment_.config = &config;
  environment_.now_us = wall_clock_us();
  environment_.now_ms = environment_.now_us / 1000;
  environment_.replica = server_.state->has(kStateReplica);
  memory_check_ = {};
  AccessClock& clock = environment_.access_clock;
  clock.set_time(environment_.now_ms);
  clock.lfu = config.maxmemory_policy == MaxmemoryPolicy::kAllkeysLfu ||
              config.maxmemory_policy == MaxmemoryPolicy::kVolatileLfu;
  clock.lfu_log_factor = static_cast<int>(config.lfu_log_factor);
  clock.lfu_decay_minutes = static_cast<int>(config.lfu_decay_time);
}

void Dispatcher::end_turn() {
  statistics_->turns.add();
  if (turn_began_ == 0) return;
  const uint64_t ns = clock_.nanoseconds(cycles_now() - std::exchange(turn_began_, 0));
  statistics_->turn_ns.add(ns);
  statistics_->turn_ns_max.raise_to(ns);
  const uint64_t commands = statistics_->commands.get();
  statistics_->turn_commands_max.raise_to(commands - std::min(commands, turn_commands_begin_));  // CONFIG RESETSTAT
  turn_commands_begin_ = commands;
}

// --- Finding the command and its keys.

const Command* Dispatcher::look_up(const Args& args) {
  const ShortText name(args[0]);
  for (const Memo& memo : memo_) {
    if (memo.name == name) return memo.command;
  }
  const Command* command = server_.commands->find_call(args.span());
  if (command != nullptr && command->subcommands.empty() && command->full_name.empty() && name.size <= ShortText::kMax) {
    memo_[next_memo_++ % memo_.size()] = {name, command};
  }
  return command;
}

void Dispatcher::hash_keys(const Command* command, const Args& args, KeyHashes* keys) {
  const KeySpec& first = command->key_specs[0];
  if (command->keys_in_first_spec) [[likely]] {
    const auto begin = static_cast<size_t>(first.index);
    const size_t end = first.last >= 0 ? std::min(begin + static_cast<size_t>(first.last) + 1, args.size())
                                       : args.size() - static_cast<size_t>(-first.last) + 1;
    for (size_t i = begin; i < end; i += static_cast<size_t>(first.step)) {
      const bool known = i == 1 && args.known_hash() != 0;
      keys->add(args[i], known ? args.known_hash() : hash_bytes(args[i]));
    }
    return;
  }
  if (command->keys == nullptr && first.begin == KeySpec::Begin::kNone) return;
  key_refs_.clear();
  find_keys(*command, args.span(), &key_refs_);
  for (const KeyRef& key : key_refs_) keys->add(args[key.position], hash_bytes(args[key.position]));
}

bool Dispatcher::needs_all_inside(const Command* command, const Args& args) const {
  const uint32_t call_guard = call_guard_of(server_, command, args.span());
  return needs_all_shards(command, call_guard) || (call_guard & kGuardSelf) != 0 || (command->has(kGrowingGuard) && (call_guard & kGuardDeclared) == 0);
}

ShardMask Dispatcher::session_mask(const Session& session, const Command* command) const {
  ShardMask mask = 0;
  if (command->has(kUsesWatched | kRunsQueue)) {
    for (const WatchedKey& watched : session.watched) mask |= shard_bit(hash_bytes(watched.key));
  }
  if (!command->has(kRunsQueue)) return mask;
  std::vector<KeyRef> refs;
  for (const QueuedCommand& queued : session.queued) {
    const Args args = const_cast<QueuedCommand&>(queued).args.args();
    if (needs_all_inside(queued.command, args)) return kAllShardsMask;
    refs.clear();
    find_keys(*queued.command, args.span(), &refs);
    for (const KeyRef& key : refs) mask |= shard_bit(hash_bytes(args[key.position]));
  }
  return mask;
}

// --- Admission.

void Dispatcher::reject(Caller& caller, const Command* command, std::string_view error) {
  Session& session = caller.session();
  note_call(session, command);
  if (command != nullptr && command->has(kRunsQueue)) {
    abort_transaction(caller);
    if (error.starts_with("ERR ")) error.remove_prefix(4);
    caller.reply().error(std::string(kExecAbortBegin) + std::string(error));
  } else {
    if (session.has(kSessionMulti)) session.set(kSessionDirtyExec);
    caller.reply().error(error);
  }
  statistics_->count_error(caller.reply().last_error_code());
  caller.reply().clear_error();
  if (command != nullptr) statistics_->per_command[server_.commands->index_of(command)].rejected.add();
}

// EXEC itself was refused: the client is out of its transaction.
void Dispatcher::abort_transaction(Caller& caller) {
  end_transaction(caller.session());
  forget_watched(caller.session(), caller.reactor());
}

void Dispatcher::forget_watched(Session& session, Reactor& reactor) {
  if (session.watched.empty()) return;
  ShardMask mask = 0;
  for (const WatchedKey& watched : session.watched) mask |= shard_bit(hash_bytes(watched.key));
  auto keys = std::make_shared<std::vector<WatchedKey>>(std::exchange(session.watched, {}));
  session.shared->watched_keys.store(0, std::memory_order_relaxed);
  with_shards(reactor, mask, [this, keys](ShardGuard*) {
    for (const WatchedKey& watched : *keys) {
      server_.keyspace->shard_of(hash_bytes(watched.key)).watches.unwatch(watched.db, watched.key);
    }
  });
}

bool Dispatcher::check_call(Caller& caller, const Command* command, const Args& args) {
  Session& session = caller.session();
  if (command == nullptr) {
    if (equals_ignore_case(args[0], "post") || equals_ignore_case(args[0], "host:")) {
      log_warning("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This "
                  "is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis "
                  "instance. Connection aborted.");
      session.set(kSessionCloseAfterReply);
      return false;
    }
    reject(caller, nullptr, unknown_command_error(args));
    return false;
  }
  if (!command->subcommands.empty() && args.size() >= 2) {
    reject(caller, nullptr, unknown_subcommand_error(args));
    return false;
  }
  const auto argc = static_cast<int>(args.size());
  if (command->handler == nullptr || (command->arity > 0 ? argc != command->arity : argc < -command->arity)) {
    reject(caller, command,
           std::string(kArityErrorBegin) + std::string(command->display_name()) + std::string(kArityErrorEnd));
    return false;
  }
  if ((session.user == nullptr || !session.user->unrestricted()) && !check_user(caller, command, args)) return false;
  if (session.resp == 2 && session.has(kSessionPubsub) && !command->has(kPubsubInResp2)) {
    reject(caller, command,
           "ERR Can't execute '" + std::string(command->display_name()) +
               "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
    return false;
  }
  return true;
}

bool Dispatcher::queue_in_multi(Caller& caller, const Command* command, const Args& args) {
  Session& session = caller.session();
  if (!session.has(kSessionMulti) || command->has(kRunsInMulti)) return false;
  if (command->has(kNoMulti)) {
    reject(caller, command, kNotInTransactionError);
    return true;
  }
  session.queued.push_back(QueuedCommand{command, StoredArgs(args)});
  session.queued_bytes += session.queued.back().args.memory_bytes();
  session.shared->multi_commands.store(static_cast<int32_t>(session.queued.size()), std::memory_order_relaxed);
  session.shared->multi_bytes.store(session.queued_bytes, std::memory_order_relaxed);
  caller.reply().queued();
  return true;
}

// For all but the unrestricted user.
bool Dispatcher::check_user(Caller& caller, const Command* command, const Args& args) {
  Session& session = caller.session();
  acl_refresh(server_, session);
  std::string denied;
  if (session.user != nullptr) {
    denied = acl_check(server_, session, *command, args.span());
  } else if (!command->has(kNoAuth)) {
    denied = kNoAuthError;
  }
  if (denied.empty()) return true;
  reject(caller, command, denied);
  return false;
}

// What of the server's state stands against the call. A pause of writes lets scripts that promise not to write pass, and
// EXEC when nothing in its queue writes.
uint32_t Dispatcher::states_against(const Session& session, const Command* command, const Args& args) {
  const uint32_t states = server_.state->get();
  if (states == 0) [[likely]] return 0;
  const uint32_t hit = states & forbidding_states(command->flags);
  if ((hit & kStatePausedWrites) == 0) return hit;
  const auto may_write = [this](const Command* called, const Args& with) {
    if (!called->has(kWrite) && !called->has(kMayReplicate)) return false;
    return (call_guard_of(server_, called, with.span()) & kGuardNoWrites) == 0;
  };
  bool writes = may_write(command, args);
  if (command->has(kRunsQueue)) {
    for (const QueuedCommand& queued : session.queued) {
      writes = writes || may_write(queued.command, const_cast<QueuedCommand&>(queued).args.args());
    }
  }
  return writes ? hit : hit & ~static_cast<uint32_t>(kStatePausedWrites);
}

Outcome Dispatcher::dispatch(Caller& caller, const Args& args) {
  const Command* command = look_up(args);
  if (!check_call(caller, command, args)) return Outcome::kDone;
  if (server_.config->current().maxmemory != 0) [[unlikely]] {
    keep_memory_limit(caller.reactor());
    restart_call_clock();
  }
  const uint32_t hit = states_against(caller.session(), command, args);
  if (hit != 0) [[unlikely]] {
    std::string error;
    switch (examine(server_, caller.session(), *command, hit, &error)) {
      case Admission::kReject:
        reject(caller, command, error);
        return Outcome::kDone;
      case Admission::kPostpone:
        if (caller.session().has(kSessionMulti) && !command->has(kRunsInMulti)) break;
        suspend(caller, command, args, false);
        postpone(caller, hit);
        return Outcome::kSuspended;
      case Admission::kRun:
        break;
    }
  }
  if (caller.session().has(kSessionMulti) && queue_in_multi(caller, command, args)) return Outcome::kDone;
  return start(caller, command, args, false);
}

Outcome Dispatcher::retry(Caller& caller) {
  const bool postponed = forget_postponed(caller.session());
  Caller::Suspended& suspended = caller.suspended;
  if (suspended.long_call != nullptr) return continue_sliced(caller);
  if (caller.gone()) {
    withdraw(caller, &suspended.guard);
    return Outcome::kDone;
  }
  const Args args = suspended.args.args();
  // Its user's rights and the server's memory may have changed meanwhile.
  if (postponed && !check_call(caller, suspended.command, args)) return Outcome::kDone;
  if (postponed && server_.config->current().maxmemory != 0) keep_memory_limit(caller.reactor());
  const uint32_t hit = states_against(caller.session(), suspended.command, args);
  if ((hit & kStateBusyScript) != 0 && !suspended.guard.held()) {
    return refuse_as_busy(caller, suspended.command, &suspended.guard);
  }
  if (hit != 0 && !suspended.guard.held()) {
    std::string error;
    const Admission admission = examine(server_, caller.session(), *suspended.command, hit, &error);
    if (admission == Admission::kPostpone) {
      server_.guards->pass_on_growing();
      postpone(caller, hit);
      return Outcome::kSuspended;
    }
    if (admission == Admission::kReject && postponed) {  // what only waited for shards was admitted
      withdraw(caller, &suspended.guard);
      reject(caller, suspended.command, error);
      return Outcome::kDone;
    }
  }
  return start(caller, suspended.command, args, true);
}

// The caller's client tries again when what holds its command back is over.
void Dispatcher::postpone(Caller& caller, uint32_t states) {
  const uint64_t id = caller.session().id();
  caller.session().set(kSessionPostponed);
  note_call(caller.session(), caller.suspended.command);
  server_.blocked_clients.fetch_add(1, std::memory_order_relaxed);
  constexpr uint32_t kPaused = kStatePausedAll | kStatePausedWrites;
  // It may have been over before the client was on the list.
  if ((states & kPaused) != 0) {
    server_.pause.postpone(id);
    if ((server_.state->get() & kPaused & states) == 0) server_.pause.retry_all(server_.clients);
    return;
  }
  server_.journal_full.add(id);
  if (!server_.state->has(kStateJournalFull)) server_.journal_full.retry_all(server_.clients);
}

bool Dispatcher::forget_postponed(Session& session) {
  if (!session.has(kSessionPostponed)) return false;
  session.clear(kSessionPostponed);
  server_.blocked_clients.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

// What waited for shards has not begun, and will not.
void Dispatcher::withdraw(Caller& caller, ShardGuard* guard) {
  if (std::exchange(caller.suspended.counted_hand_over, false)) server_.guards->take_back();
  guard->held() ? guard->release() : server_.guards->pass_on_growing();
}

void Dispatcher::suspend(Caller& caller, const Command* command, const Args& args, bool resumed) {
  if (resumed) return;  // its arguments are stored already
  caller.suspended.command = command;
  caller.suspended.args = StoredArgs(args);
  caller.suspended.keys = nullptr;
  caller.suspended.attempts = caller.suspended.rounds = 0;
  caller.suspended.writes_alone = false;
}

// --- The guard.

Outcome Dispatcher::start(Caller& caller, const Command* command, const Args& args, bool resumed) {
  ShardGuard guard;
  if (command->has(kSelfGuarded) && *workers_ != nullptr && command->cost != nullptr &&
      server_.keyspace->key_count(caller.session().db) > kSlowLaneCost) {
    move_to_slow_lane(caller, command, args, &guard, resumed);
    return Outcome::kSuspended;
  }
  KeyHashes hashed_here;
  const bool hashed = resumed && caller.suspended.keys != nullptr;
  KeyHashes& keys = hashed ? *caller.suspended.keys : hashed_here;
  if (!hashed) {
    if (args.size() > kHashedAtOnceMax && *workers_ != nullptr && may_name_many_keys(*command)) [[unlikely]] {
      hash_on_worker(caller, command, args, resumed);
      return Outcome::kSuspended;
    }
    hash_keys(command, args, &keys);
  }
  const uint32_t call_guard = call_guard_of(server_, command, args.span());
  if ((call_guard & kGuardSelf) != 0 && *workers_ != nullptr) {
    move_to_slow_lane(caller, command, args, &guard, resumed);
    return Outcome::kSuspended;
  }
  const LockMode mode = mode_of(command, call_guard);
  const bool all = needs_all_shards(command, call_guard);
  const bool debugged = command->has(kGrowingGuard) && caller.session().has(kSessionDebugScript);
  if (all || debugged) keys.add_mask(kAllShardsMask);
  if (command->has(kUsesWatched | kRunsQueue)) keys.add_mask(session_mask(caller.session(), command));
  const bool may_grow = command->has(kGrowingGuard) && (call_guard & kGuardDeclared) == 0;
  const bool growing = may_grow || (all && mode == LockMode::kExclusive);
  if (keys.mask() != 0 || growing) {
    if (resumed) guard = std::move(caller.suspended.guard);
    switch (acquire(caller, command, keys.mask(), mode, growing, &guard)) {
      case Acquired::kYes:
        break;
      case Acquired::kWaits:
        suspend(caller, command, args, resumed);
        caller.suspended.guard = std::move(guard);
        return Outcome::kSuspended;
      case Acquired::kRefused:
        return refuse_as_busy(caller, command, &guard);
    }
  }
  note_call(caller.session(), command);
  caller.executing = true;
  if (debugged && caller.session().has(kSessionDebugSync) && *workers_ != nullptr) {
    caller.lend_socket();
    move_to_slow_lane(caller, command, args, &guard, resumed);
    return Outcome::kSuspended;
  }
  if (may_run_in_slices(caller.session(), command)) {
    return run_sliced(caller, command, args, keys, &guard, may_grow, resumed);
  }
  return run_guarded(caller, command, args, keys, &guard, resumed);
}

Outcome Dispatcher::run_guarded(Caller& caller, const Command* command, const Args& args, const KeyHashes& keys,
                                ShardGuard* guard, bool resumed) {
  Context ctx;
  fill(&ctx, command, args, &caller.session(), &caller.reply());
  ctx.key_hashes_ = keys.span();
  ctx.guard_ = guard;
  ctx.may_block_ = !caller.session().has(kSessionDenyBlocking);
  if (command->cost != nullptr && *workers_ != nullptr && command->cost(ctx) > kSlowLaneCost) {
    move_to_slow_lane(caller, command, args, guard, resumed);
    return Outcome::kSuspended;
  }
  previous_ended_ = call(&ctx, previous_ended_ != 0 ? previous_ended_ : cycles_now());
  const bool blocked = ctx.block_request_.has_value();
  if (blocked) block(caller, &ctx);
  finish(&ctx, guard);
  return blocked ? Outcome::kSuspended : Outcome::kDone;
}

// --- Running.

void Dispatcher::fill(Context* ctx, const Command* command, const Args& args, Session* session, Reply* reply) {
  environment_.config = &server_.config->current();  // a CONFIG SET earlier in this turn counts
  environment_.journaling = server_.journal->active();  // whoever switches it on holds all shards
  ctx->environment_ = &environment_;
  ctx->command_ = command;
  ctx->args_ = args;
  ctx->session_ = session;
  ctx->reply_ = reply;
  ctx->effects_ = environment_.journaling ? &effects_ : nullptr;
}

// What CLIENT LIST shows of the client.
void Dispatcher::note_call(const Session& session, const Command* command) {
  SharedSession& shared = *session.shared;
  shared.last_command.store(command, std::memory_order_relaxed);
}

// Whether MONITOR shows the call. Not what is too dangerous to show, nor a blocked command a second time.
bool Dispatcher::is_monitored(const Context& ctx) const {
  return server_.monitor->active() && !ctx.command_->has(kAdmin) && !ctx.serving_;
}

// Scripts are shown before the commands that they run.
void Dispatcher::feed_monitor(Context* ctx, bool before) {
  if (is_monitored(*ctx) && ctx->command_->has(kSkipMonitor) == before) server_.monitor->feed(MonitorFeed::line_of(*ctx));
}

// Runs the handler, counts, and gathers its effects.
uint64_t Dispatcher::call(Context* ctx, uint64_t begin, bool again) {
  std::string line;
  if (!again && is_monitored(*ctx)) [[unlikely]] line = MonitorFeed::line_of(*ctx);
  if (!line.empty() && ctx->command_->has(kSkipMonitor)) server_.monitor->feed(std::exchange(line, {}));
  {
    const PubSub::Hold hold(held(&messages_, false));
    ctx->command_->handler(*ctx);
    if (ctx->sliced_call_ != nullptr) run_to_end(ctx);
  }
  if (!line.empty()) server_.monitor->feed(std::move(line));
  const uint64_t end = cycles_now();
  if (ctx->must_restart_) [[unlikely]] return end;
  count_call(ctx, clock_.nanoseconds(end - begin));
  note_reads(ctx);
  settle_effects(ctx);
  return end;
}

void Dispatcher::count_call(Context* ctx, uint64_t ns) {
  CommandStatistics& counters = statistics_->per_command[server_.commands->index_of(ctx->command_)];
  statistics_->commands.add();
  if (ctx->block_request_.has_value()) return;  // it counts, and is slow if at all, when it is served
  std::atomic<uint64_t>& of_client = ctx->session_->shared->commands;
  of_client.store(of_client.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  counters.calls.add();
  counters.nanoseconds.add(ns);
  if (environment_.config->latency_tracking) counters.latency.record(ns);
  if (ctx->reply_->error_replied()) [[unlikely]] {
    counters.failed.add();
    if (!ctx->reply_->error_counted()) statistics_->count_error(ctx->reply_->last_error_code());
    ctx->reply_->clear_error();
  }
  const int64_t slow_us = server_.config->current().slowlog_log_slower_than;  // the command may just have set it
  if (slow_us >= 0 && ns / 1000 >= static_cast<uint64_t>(slow_us) && !ctx->command_->has(kSkipSlowlog)) [[unlikely]] {
    server_.slowlog->add(*ctx, static_cast<int64_t>(ns / 1000));
  }
  const int64_t latency_ms = environment_.config->latency_monitor_threshold;
  if (latency_ms > 0 && ns / 1000000 >= static_cast<uint64_t>(latency_ms)) [[unlikely]] {
    server_.latency->add(ctx->command_->has(kFast) ? "fast-command" : "command", static_cast<int64_t>(ns / 1000000));
  }
}

// Under the command's guard: its client may cache the keys that it has read. Of a script, those its commands read.
void Dispatcher::note_reads(Context* ctx) {
  if (!server_.caches_exist()) [[likely]] return;
  if (!ctx->command_->has(kReadonly) || ctx->command_->has(kPubsub) || ctx->sliced_call_ != nullptr) return;
  if (ctx->block_request_.has_value() || !Tracking::remembers_reads_of(*ctx->session_)) return;
  key_refs_.clear();
  find_keys(*ctx->command_, ctx->args_.span(), &key_refs_);
  const auto keys_max = static_cast<size_t>(server_.config->current().tracking_table_max_keys);
  for (const KeyRef& key : key_refs_) {
    server_.tracking_table->remember(*ctx->session_, ctx->args_[key.position], keys_max);
  }
}

void Dispatcher::settle_effects(Context* ctx) {
  if (ctx->effects_ == nullptr || ctx->effect_replaced_) return;
  if (ctx->dirty_ > 0 || ctx->effect_forced_) ctx->effects_->append(ctx->session_->db, ctx->args_.span());
}

// After the handler, still on the same thread: journal, waiters, release, keys that reads found expired.
void Dispatcher::finish(Context* ctx, ShardGuard* guard) {
  if (ctx->dirty_ > 0) keyspace_stats_.count(keyspace_stats_.changes, ctx->dirty_);
  note_for_gate(ctx, journal_effects());
  send_held();
  if (guard->held()) {
    if (guard->mode() == LockMode::kExclusive) serve_ready(guard);
    guard->release();
  }
  if (!ctx->expired_seen_.empty()) [[unlikely]] {
    delete_seen_expired(ctx->session_->db, ctx->expired_seen_);
    restart_call_clock();
  }
}

void Dispatcher::count_rejected(const Command* command, std::string_view error_code) {
  statistics_->count_error(error_code);
  if (command != nullptr) statistics_->per_command[server_.commands->index_of(command)].rejected.add();
}

uint64_t Dispatcher::inner_cost(Context& outer, const Command* command, const Args& args) {
  if (command->cost == nullptr) return 0;
  Context ctx;
  fill(&ctx, command, args, outer.session_, outer.reply_);
  ctx.guard_ = outer.guard_;
  return command->cost(ctx);
}

uint64_t Dispatcher::journal_effects() {
  if (effects_.count == 0) return 0;
  const uint64_t end = server_.journal->append(effects_.resp, effects_.count, effects_.first_db, effects_.db);
  effects_.clear();
  return end;
}

// A sliced call may go on for long after it: as in Redis nobody hears of it before its end is in the file.
PubSub::Held* Dispatcher::held(PubSub::Held* messages, bool sliced) const {
  return server_.gate->active() || (sliced && server_.journal->active()) ? messages : nullptr;
}

// Their effects are in the journal.
void Dispatcher::send_held() {
  if (messages_.empty()) [[likely]] return;
  restart_call_clock();
  for (const auto& send : std::exchange(messages_, {})) send();
}

// Whether the call looks at keys that it does not name, as SORT BY does.
bool Dispatcher::sees_other_keys(const Command* command, const Args& args) const {
  return needs_all_shards(command, call_guard_of(server_, command, args.span()));
}

// Under the command's guard: up to where the journal must be durable before its reply may leave.
void Dispatcher::note_for_gate(Context* ctx, uint64_t end_offset) {
  if (end_offset != 0) ctx->session_->written_offset = end_offset;
  if (!server_.gate->active()) [[likely]] return;
  JournalGate& gate = *server_.gate;
  const Command* command = ctx->command_;
  const bool named = !ctx->key_hashes_.empty() || !ctx->inner_hashes_.empty();
  const bool sees_all = ctx->inner_sees_all_ || sees_other_keys(command, ctx->args_) ||
                        (!named && command->has(kReadonly | kWrite | kRunsQueue));  // EXEC that ran nothing: a watched key changed
  uint64_t needed = end_offset;
  // Libraries are no keys: whoever loads one has written for all.
  if ((command->categories & kCatScripting) != 0) needed = std::max(needed, gate.needed_by_all());
  const auto touch = [&](uint64_t hash) {
    if (end_offset != 0) {
      gate.wrote(hash, end_offset);
    } else {
      needed = std::max(needed, gate.needed(hash));
    }
  };
  for (const KeyHash& key : ctx->key_hashes_) touch(key.hash);
  for (const uint64_t hash : ctx->inner_hashes_) touch(hash);
  if (sees_all) {
    if (end_offset != 0) gate.wrote_all(end_offset);
    needed = server_.journal->end_offset();
  }
  ctx->session_->raise_gate(needed);
}

void Dispatcher::note_inner_keys(Context* outer, const Command* command, const Args& args, const KeyHashes& keys) const {
  if (!server_.gate->active()) [[likely]] {
    outer->inner_sees_all_ = true;  // should replies be gated before its end, nobody knows its keys
    return;
  }
  for (const KeyHash& key : keys.span()) outer->inner_hashes_.push_back(key.hash);
  const bool names_none = keys.span().empty() && command->has(kReadonly | kWrite);
  if (names_none || sees_other_keys(command, args)) outer->inner_sees_all_ = true;
}

void Dispatcher::replay(Session* session, const Command* command, const Args& args, Reply* reply) {
  KeyHashes keys;
  hash_keys(command, args, &keys);
  ShardGuard owner = ShardGuard::of_owner();
  Context ctx;
  fill(&ctx, command, args, session, reply);
  environment_.journaling = false;
  environment_.replica = environment_.replaying = true;
  ctx.effects_ = nullptr;
  ctx.key_hashes_ = keys.span();
  ctx.guard_ = &owner;
  command->handler(ctx);
  run_to_end(&ctx);
  owner.release();
  defrag_beside_replay();
}

}  // namespace synap
