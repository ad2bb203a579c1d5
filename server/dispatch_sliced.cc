// Commands that run in slices: scripts, and transactions with scripts in them. Between two slices the reactor serves
// others while the call keeps its guard. Also the commands that run inside others.

#include "server/base/clock.h"
#include "server/dispatch.h"

namespace synap {

namespace {

bool has_sliced_call(const std::vector<QueuedCommand>& queued) {
  for (const QueuedCommand& command : queued) {
    if (command.command->has(kGrowingGuard)) return true;
  }
  return false;
}

}  // namespace

bool Dispatcher::may_run_in_slices(const Session& session, const Command* command) {
  return command->has(kGrowingGuard) || (command->has(kRunsQueue) && has_sliced_call(session.queued));
}

// Such a command lives on the heap from its start.
Outcome Dispatcher::run_sliced(Caller& caller, const Command* command, const Args& args, const KeyHashes& keys,
                               ShardGuard* guard, bool may_grow, bool resumed) {
  auto call = std::make_unique_for_overwrite<LongCall>();  // not filled with zeros first
  call->keys = keys;
  call->guard = std::move(*guard);
  call->may_grow = may_grow;
  Context& ctx = call->ctx;
  fill(&ctx, command, args, &caller.session(), &caller.reply());
  ctx.key_hashes_ = call->keys.span();
  ctx.guard_ = &call->guard;
  ctx.guard_is_fixed_ = !may_grow;
  if (ctx.effects_ != nullptr) ctx.effects_ = &call->effects;
  feed_monitor(&ctx, true);
  restart_call_clock();
  const uint64_t begin = cycles_now();
  SlicedCall::Step step = SlicedCall::Step::kDone;
  {
    const PubSub::Hold hold(held(&call->messages, true));
    command->handler(ctx);
    if (ctx.sliced_call_ != nullptr) step = ctx.sliced_call_->step(ctx);
  }
  call->busy_ns = clock_.nanoseconds(cycles_now() - begin);
  if (step == SlicedCall::Step::kDone) return finish_sliced(call.get());
  keep_over_slices(caller, std::move(call), resumed);
  if (step == SlicedCall::Step::kNeedShards) return continue_sliced(caller);
  step_next_turn(caller);
  return Outcome::kSuspended;
}

// Others get their turn now: the guard must be real, the arguments must last, the time stands still.
void Dispatcher::keep_over_slices(Caller& caller, std::unique_ptr<LongCall> call, bool resumed) {
  call->may_grow ? call->guard.promote_to_growing() : call->guard.make_physical();
  server_.guards->hand_over();
  Context& ctx = call->ctx;
  suspend(caller, ctx.command_, ctx.args_, resumed);
  ctx.args_ = caller.suspended.args.args();
  ctx.key_hashes_ = {};
  call->environment = *ctx.environment_;
  ctx.environment_ = &call->environment;
  caller.suspended.long_call = std::move(call);
}

// Takes the shards a sliced call waits for, then runs its next step.
Outcome Dispatcher::continue_sliced(Caller& caller) {
  LongCall& call = *caller.suspended.long_call;
  Context& ctx = call.ctx;
  while (call.may_grow) {
    const int missed = call.guard.try_grow(ctx.wanted_shards_);
    if (missed < 0) break;
    if (server_.keyspace->shard(static_cast<size_t>(missed)).lock.wait(&caller, call.guard.mode(), true)) {
      return Outcome::kSuspended;
    }
  }
  const int64_t now_us = call.environment.now_us;
  call.environment = environment_;
  call.environment.config = &server_.config->current();
  call.environment.now_us = now_us;
  call.environment.now_ms = now_us / 1000;
  const uint64_t begin = cycles_now();
  SlicedCall::Step step;
  {
    const PubSub::Hold hold(held(&call.messages, true));
    step = ctx.sliced_call_->step(ctx);
  }
  call.busy_ns += clock_.nanoseconds(cycles_now() - begin);
  if (step == SlicedCall::Step::kDone) {
    server_.guards->take_back();
    const std::unique_ptr<LongCall> ended = std::move(caller.suspended.long_call);
    return finish_sliced(ended.get());
  }
  step_next_turn(caller);
  return Outcome::kSuspended;
}

void Dispatcher::step_next_turn(Caller& caller) {
  caller.reactor().next_turn([this, &caller] {
    if (continue_sliced(caller) == Outcome::kDone) caller.resume();
  });
}

Outcome Dispatcher::finish_sliced(LongCall* call) {
  Context& ctx = call->ctx;
  count_call(&ctx, call->busy_ns);
  feed_monitor(&ctx, false);
  note_reads(&ctx);
  settle_effects(&ctx);
  std::swap(effects_, call->effects);
  std::swap(messages_, call->messages);
  finish(&ctx, &call->guard);
  return Outcome::kDone;
}

// On a worker, or inside a call that has no slices: the guard covers everything, all steps at once.
void Dispatcher::run_to_end(Context* ctx) {
  if (ctx->sliced_call_ == nullptr) return;
  while (ctx->sliced_call_->step(*ctx) != SlicedCall::Step::kDone) {
  }
}

// --- Inside others.

class DispatchedInnerCall final : public InnerCall {
 public:
  DispatchedInnerCall(Dispatcher* dispatcher, Context* outer, const Command* command, const Args& args)
      : dispatcher_(dispatcher), outer_(outer) {
    dispatcher->hash_keys(command, args, &keys_);
  }

  // To its keys' shards and `more`. False: one is busy.
  bool extend_guard(ShardMask more) { return outer_->extend_guard(keys_.mask() | more); }

  // The guard must cover the keys.
  void prepare(const Command* command, const Args& args, Reply* reply) {
    Context* outer = outer_;
    dispatcher_->fill(&ctx_, command, args, outer->session_, reply);
    ctx_.key_hashes_ = keys_.span();
    ctx_.guard_ = outer->guard_;
    ctx_.effects_ = outer->effects_muted_ ? nullptr : outer->effects_;
    ctx_.inner_ = true;
    ctx_.guard_is_fixed_ = outer->guard_is_fixed_;
    dispatcher_->note_inner_keys(outer, command, args, keys_);
  }

  // Runs the handler and all its slices.
  void run() {
    ctx_.environment_ = outer_->environment_;
    dispatcher_->call(&ctx_, cycles_now());
    hand_results();
  }

  SlicedCall::Step step() override {
    ctx_.environment_ = outer_->environment_;
    if (!ctx_.command_->has(kGrowingGuard)) {
      run();
      return SlicedCall::Step::kDone;
    }
    const uint64_t begin = cycles_now();
    if (!std::exchange(started_, true)) {
      dispatcher_->feed_monitor(&ctx_, true);
      ctx_.command_->handler(ctx_);
    }
    const SlicedCall::Step step = ctx_.sliced_call_ == nullptr ? SlicedCall::Step::kDone : ctx_.sliced_call_->step(ctx_);
    busy_ns_ += dispatcher_->clock_.nanoseconds(cycles_now() - begin);
    if (step != SlicedCall::Step::kDone) return step;
    dispatcher_->count_call(&ctx_, busy_ns_);
    dispatcher_->feed_monitor(&ctx_, false);
    dispatcher_->note_reads(&ctx_);
    dispatcher_->settle_effects(&ctx_);
    hand_results();
    return step;
  }

 private:
  void hand_results() {
    outer_->dirty_ += ctx_.dirty_;
    outer_->effect_replaced_ = true;
    outer_->inner_sees_all_ = outer_->inner_sees_all_ || ctx_.inner_sees_all_;
    if (ctx_.inner_hashes_.empty() && ctx_.expired_seen_.empty()) [[likely]] return;
    outer_->inner_hashes_.insert(outer_->inner_hashes_.end(), ctx_.inner_hashes_.begin(), ctx_.inner_hashes_.end());
    outer_->expired_seen_.insert(outer_->expired_seen_.end(), ctx_.expired_seen_.begin(), ctx_.expired_seen_.end());
  }

  Dispatcher* const dispatcher_;
  Context* const outer_;
  KeyHashes keys_;
  Context ctx_;
  uint64_t busy_ns_ = 0;
  bool started_ = false;
};

void Dispatcher::run_inner(Context& outer, const Command* command, const Args& args, Reply* reply) {
  DispatchedInnerCall inner(this, &outer, command, args);
  inner.prepare(command, args, reply);
  inner.run();
}

bool Dispatcher::try_run_inner(Context& outer, const Command* command, const Args& args, Reply* reply) {
  DispatchedInnerCall inner(this, &outer, command, args);
  if (!inner.extend_guard(needs_all_inside(command, args) ? kAllShardsMask : 0)) return false;
  inner.prepare(command, args, reply);
  inner.run();
  return true;
}

std::unique_ptr<InnerCall> Dispatcher::start_inner(Context& outer, const Command* command, const Args& args,
                                                   Reply* reply) {
  auto inner = std::make_unique<DispatchedInnerCall>(this, &outer, command, args);
  inner->prepare(command, args, reply);
  return inner;
}

}  // namespace synap
