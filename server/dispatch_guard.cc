// How commands, and work without a client, get the shards that they need: by trying, by waiting in a lock's queue, and, for
// what starves, by the growing right. Never runs anything before it has all of them.

#include <bit>
#include <utility>

#include "scripting/scripting.h"
#include "server/dispatch.h"

namespace synap {

namespace {

// How often a command parks before it asks for the growing right.
constexpr int kAttemptsBeforeGrowing = 4;
// How often a growing guard gives back its shards instead of waiting with them.
constexpr int kRoundsLettingGo = 32;
// How often work without a client gives up its growing guard before it waits with it.
constexpr int kRoundsGivingUp = 16;
// How long waiters may go without a release that wakes them.
constexpr int64_t kLookAfterWaitersMs = 250;

}  // namespace

// Work that waits for shards without a client.
struct Dispatcher::ShardTask final : LockWaiter {
  ShardTask(Dispatcher* d, Reactor* r, ShardMask m, GuardedWork w)
      : dispatcher(d), reactor(r), mask(m), work(std::move(w)) {}
  void wake() override {
    reactor->post([this] {
      dispatcher->begin_turn();
      dispatcher->pursue(std::unique_ptr<ShardTask>(this));
    });
  }
  Dispatcher* dispatcher;
  Reactor* reactor;
  ShardMask mask;
  GuardedWork work;
  ShardGuard guard;
  int attempts = 0;
  int rounds = 0;
  bool handed_over = false;
  bool nothing_under_way = false;  // takes the growing right even if all shards are free
};

// Whether a command that finds these shards taken is told BUSY instead of waiting: a script beyond busy-reply-threshold
// holds them. 0 asks about the growing right.
bool Dispatcher::is_busy(const Session& session, const Command* command, ShardMask mask) const {
  if (!server_.scripting->is_busy(mask)) return false;
  return !command->has(kAllowBusy) && !session.has(kSessionMaster);
}

Outcome Dispatcher::refuse_as_busy(Caller& caller, const Command* command, ShardGuard* guard) {
  withdraw(caller, guard);
  reject(caller, command, server_.scripting->busy_error());
  return Outcome::kDone;
}

// For a guard under which nothing was done yet. Returns the shard that stays busy, claimed, or -1. The first times the guard
// gives the others back then: whoever holds that one may do so for a second, and nobody else should wait as long.
int Dispatcher::grow_patiently(ShardGuard* guard, ShardMask mask, int* rounds) {
  int missed = -1;
  for (int spin = 0; spin < kSpinsBeforeParking; ++spin) {
    missed = guard->try_grow(mask);
    if (missed < 0) return missed;
    __builtin_ia32_pause();
  }
  if ((*rounds)++ < kRoundsLettingGo) guard->let_go();
  return missed;
}

// kWaits: the caller waits in some lock's queue and will be woken; the guard keeps what a growing one has.
Dispatcher::Acquired Dispatcher::acquire(Caller& caller, const Command* command, ShardMask mask, LockMode mode,
                                         bool growing, ShardGuard* guard) {
  Keyspace* keyspace = server_.keyspace;
  GuardRegistry* registry = server_.guards;
  Caller::Suspended& suspended = caller.suspended;
  if (registry->alone() && !guard->held()) {
    guard->try_take(keyspace, registry, mask, mode);
    return Acquired::kYes;
  }
  bool fixed = !guard->growing() && !growing;
  if (fixed && suspended.attempts >= kAttemptsBeforeGrowing) {
    // What needs one shard does not wait for the right behind a long script that has others: it tries on.
    const bool one_shard = std::has_single_bit(mask);
    fixed = one_shard && !registry->try_take_growing(nullptr);
    if (one_shard && !fixed) guard->begin_growing(keyspace, registry, mode);
  }
  if (fixed) {
    int missed = -1;
    for (int spin = 0; spin < kSpinsBeforeParking; ++spin) {
      missed = guard->try_take(keyspace, registry, mask, mode);
      if (missed < 0) {
        suspended.attempts = 0;
        if (spin != 0) restart_call_clock();  // waiting is nobody's run time
        return Acquired::kYes;
      }
      __builtin_ia32_pause();
    }
    if (is_busy(caller.session(), command, ShardMask{1} << missed)) return Acquired::kRefused;
    ++suspended.attempts;
    statistics_->parked_commands.add();
    if (keyspace->shard(static_cast<size_t>(missed)).lock.wait(&caller, mode, false)) {
      look_after_waiters(caller.reactor());
      return Acquired::kWaits;
    }
    return acquire(caller, command, mask, mode, growing, guard);
  }
  if (!guard->growing()) {
    if (is_busy(caller.session(), command, 0)) return Acquired::kRefused;
    if (!registry->try_take_growing(&caller)) return Acquired::kWaits;
    guard->begin_growing(keyspace, registry, mode);
  }
  for (;;) {
    const int missed = grow_patiently(guard, mask, &suspended.rounds);
    if (missed < 0) break;
    ShardLock& lock = keyspace->shard(static_cast<size_t>(missed)).lock;
    if (is_busy(caller.session(), command, ShardMask{1} << missed)) return Acquired::kRefused;
    if (lock.wait(&caller, mode, true)) {
      if (!std::exchange(suspended.counted_hand_over, true)) registry->hand_over();
      return Acquired::kWaits;
    }
  }
  if (std::exchange(suspended.counted_hand_over, false)) registry->take_back();
  suspended.attempts = suspended.rounds = 0;
  restart_call_clock();
  return Acquired::kYes;
}

// Readers that take turns may keep a lock from ever being free. Woken now and then, who waits for one sees that it tried
// often enough, and claims it: after about a second, so that no shorter read holds up other readers, or scripts that want
// the growing right.
void Dispatcher::look_after_waiters(Reactor& reactor) {
  if (std::exchange(looks_after_waiters_, true)) return;
  reactor.after(kLookAfterWaitersMs, [this, &reactor] {
    looks_after_waiters_ = false;
    bool any = false;
    for (size_t i = 0; i < kShards; ++i) any = server_.keyspace->shard(i).lock.look_after_waiters() || any;
    if (any) look_after_waiters(reactor);
  });
}

// --- Work without a client.

void Dispatcher::with_shards(Reactor& reactor, ShardMask mask, GuardedWork work) {
  pursue(std::make_unique<ShardTask>(this, &reactor, mask, std::move(work)));
}

void Dispatcher::with_keyspace(Reactor& reactor, GuardedWork work) {
  auto task = std::make_unique<ShardTask>(this, &reactor, kAllShardsMask, std::move(work));
  task->nothing_under_way = true;
  pursue(std::move(task));
}

void Dispatcher::pursue(std::unique_ptr<ShardTask> task) {
  if (!take_shards(task.get())) {
    static_cast<void>(task.release());  // in a lock's queue until it is woken
    return;
  }
  // It may run inside a command's handler (CLIENT KILL), whose effects are its own.
  EffectBuffer outer;
  std::swap(outer, effects_);
  task->work(&task->guard);
  journal_effects();
  std::swap(outer, effects_);
  task->guard.release();
}

// As commands get theirs (acquire), but it is in no hurry: the first times it gives up even the growing right when a shard
// is held for long, so that a script with such a shard does not keep other scripts waiting. False: it waits.
bool Dispatcher::take_shards(ShardTask* task) {
  ShardGuard& guard = task->guard;
  for (;;) {
    if (!guard.growing() && task->nothing_under_way && !server_.guards->alone()) {
      if (!server_.guards->try_take_growing(task)) return false;
      guard.begin_growing(server_.keyspace, server_.guards, LockMode::kExclusive);
    }
    if (!guard.growing()) {
      const int missed = guard.try_take(server_.keyspace, server_.guards, task->mask, LockMode::kExclusive);
      if (missed < 0) {
        if (task->attempts > kAttemptsBeforeGrowing) server_.guards->pass_on_growing();
        return true;
      }
      if (++task->attempts <= kAttemptsBeforeGrowing) {
        ShardLock& lock = server_.keyspace->shard(static_cast<size_t>(missed)).lock;
        if (!lock.wait(task, LockMode::kExclusive, false)) continue;
        look_after_waiters(*task->reactor);
        return false;
      }
      if (!server_.guards->try_take_growing(task)) return false;
      guard.begin_growing(server_.keyspace, server_.guards, LockMode::kExclusive);
    }
    const int missed = grow_patiently(&guard, task->mask, &task->rounds);
    if (missed < 0) break;
    ShardLock& lock = server_.keyspace->shard(static_cast<size_t>(missed)).lock;
    const bool gives_up = task->rounds <= kRoundsGivingUp;
    if (gives_up) {
      guard.release();
      task->attempts = 0;
    }
    if (!lock.wait(task, LockMode::kExclusive, !gives_up)) continue;
    if (gives_up) {
      look_after_waiters(*task->reactor);
    } else if (!std::exchange(task->handed_over, true)) {
      server_.guards->hand_over();
    }
    return false;
  }
  if (std::exchange(task->handed_over, false)) server_.guards->take_back();
  return true;
}

}  // namespace synap
