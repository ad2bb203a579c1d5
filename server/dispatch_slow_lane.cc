// The slow lane: commands that would hold up their reactor for long run on a worker, guard and all. The caller's reactor does
// not touch it until the completion is posted.

#include <utility>

#include "server/command/tracking.h"
#include "server/dispatch.h"
#include "server/worker_pool.h"

namespace synap {

namespace {

WorkerPool::Kind job_kind(const Session& session, const Command* command, const ShardGuard& guard) {
  bool talks = command->has(kTalksToOthers);
  if (command->has(kRunsQueue)) {
    for (const QueuedCommand& queued : session.queued) talks = talks || queued.command->has(kTalksToOthers);
  }
  if (talks) return WorkerPool::Kind::kTalks;
  return guard.held() ? WorkerPool::Kind::kComputes : WorkerPool::Kind::kTakesShards;
}

}  // namespace

void Dispatcher::move_to_slow_lane(Caller& caller, const Command* command, const Args& args, ShardGuard* guard,
                                   bool resumed) {
  suspend(caller, command, args, resumed);
  caller.executing = true;
  server_.guards->hand_over();
  const bool others_may_read = command->has(kWritesLast) && !guard->growing() && !caller.suspended.writes_alone;
  if (others_may_read && guard->mode() == LockMode::kExclusive) guard->downgrade();
  if (guard->held()) guard->make_physical();
  const WorkerPool::Kind kind = job_kind(caller.session(), command, *guard);
  caller.suspended.guard = std::move(*guard);
  statistics_->slow_lane_commands.add();
  (*workers_)->submit([&caller](Dispatcher& worker) { worker.run_on_worker(caller); }, kind);
}

// The keys of a very long command are hashed by a worker before it takes its shards.
void Dispatcher::hash_on_worker(Caller& caller, const Command* command, const Args& args, bool resumed) {
  suspend(caller, command, args, resumed);
  const auto hash = [&caller](Dispatcher& worker) {
    auto keys = std::make_unique<KeyHashes>();
    worker.hash_keys(caller.suspended.command, caller.suspended.args.args(), keys.get());
    caller.suspended.keys = std::move(keys);
    caller.wake();
  };
  (*workers_)->submit(hash, WorkerPool::Kind::kComputes);
}

// On a worker: the caller's reactor does not touch it until the completion is posted.
void Dispatcher::run_on_worker(Caller& caller) {
  begin_turn();
  Caller::Suspended& suspended = caller.suspended;
  ShardGuard guard = std::move(suspended.guard);
  const Args args = suspended.args.args();
  KeyHashes hashed_here;
  if (suspended.keys == nullptr) hash_keys(suspended.command, args, &hashed_here);
  const KeyHashes& keys = suspended.keys == nullptr ? hashed_here : *suspended.keys;
  Reply reply(&suspended.output, caller.session().resp);
  Context ctx;
  fill(&ctx, suspended.command, args, &caller.session(), &reply);
  ctx.key_hashes_ = keys.span();
  ctx.guard_ = guard.held() ? &guard : nullptr;
  call(&ctx, cycles_now(), suspended.writes_alone);
  if (ctx.must_restart_) {
    guard.release();
    return restart(caller);
  }
  finish(&ctx, &guard);
  server_.tracking_table->broadcast();
  caller.reactor().post([&caller] {
    caller.dispatcher().server_.guards->take_back();
    caller.reply().buffer().append_all(std::move(caller.suspended.output));
    caller.resume();
  });
}

// On a worker: somebody read the command's keys for too long when it wanted to write them. Nothing has happened yet.
void Dispatcher::restart(Caller& caller) {
  caller.reactor().post([&caller] {
    caller.dispatcher().server_.guards->take_back();
    caller.suspended.output = OutputBuffer();
    caller.suspended.writes_alone = true;
    caller.wake();
  });
}

}  // namespace synap
