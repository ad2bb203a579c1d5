// Dispatcher: the one pipeline every command takes: look up → arity → admission → queue if MULTI → guard → handler →
// effects → waiters → release → statistics. One object per thread that runs commands (reactors and slow-lane workers);
// it owns no data, only scratch space. A command that must wait (for a shard, a worker, a key) suspends its Caller, which
// is resumed on its reactor.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "datatypes/pubsub/pubsub.h"
#include "protocol/args.h"
#include "protocol/reply.h"
#include "server/base/cycle_clock.h"
#include "server/base/equal_bytes.h"
#include "server/command/context.h"
#include "server/command/runner.h"
#include "server/command/server_api.h"
#include "server/keyspace/defragmenter.h"
#include "server/keyspace/eviction.h"
#include "server/keyspace/shard_guard.h"
#include "server/keyspace/waiters.h"

namespace synap {

class WorkerPool;
class Dispatcher;

// Hashes of a call's declared keys; most calls have few.
class KeyHashes {
 public:
  void add(std::string_view key, uint64_t hash) {
    const KeyHash entry{key.empty() ? nullptr : key.data(), hash};  // an empty one may begin where the next does
    if (count_ < kInline) {
      inline_[count_] = entry;
    } else {
      if (count_ == kInline) more_.assign(inline_.begin(), inline_.end());
      more_.push_back(entry);
    }
    ++count_;
    mask_ |= shard_bit(hash);
  }
  std::span<const KeyHash> span() const { return {count_ <= kInline ? inline_.data() : more_.data(), count_}; }
  ShardMask mask() const { return mask_; }
  void add_mask(ShardMask mask) { mask_ |= mask; }

 private:
  static constexpr size_t kInline = 6;
  std::array<KeyHash, kInline> inline_;
  std::vector<KeyHash> more_;
  size_t count_ = 0;
  ShardMask mask_ = 0;
};

// A command between its slices: everything its context refers to.
struct LongCall {
  Context ctx;
  KeyHashes keys;
  ShardGuard guard;
  EffectBuffer effects;
  PubSub::Held messages;
  uint64_t busy_ns = 0;
  int64_t started_us = 0;
  Environment environment;  // from its second slice on: the time stands still in it
  bool may_grow = false;
};

// Where a command comes from: a client's connection, with its session and what its replies are written to. All calls on
// its reactor's thread.
class Caller : public LockWaiter {
 public:
  Caller(Session* session, Reply* reply) : session_(session), reply_(reply) {}
  Session& session() { return *session_; }
  Reply& reply() { return *reply_; }
  virtual Dispatcher& dispatcher() = 0;
  virtual Reactor& reactor() = 0;
  // The suspended command is done, its reply is in reply()'s buffer: go on with the next.
  virtual void resume() = 0;
  // The connection was closed meanwhile: a command that has begun runs to its end, its reply goes nowhere.
  virtual bool gone() const = 0;
  // The suspended command speaks with the client on its socket itself: nobody else reads there until resume().
  virtual void lend_socket() = 0;
  // The command waits for keys; the client must arrange the time-out and its reply.
  virtual void wait_blocked(std::shared_ptr<Waiter> waiter, const BlockRequest& request) = 0;

  // The command that is suspended.
  struct Suspended {
    const Command* command = nullptr;
    StoredArgs args;
    std::unique_ptr<KeyHashes> keys;  // of the stored arguments, when a worker has hashed them
    ShardGuard guard;
    OutputBuffer output;  // what a worker writes
    int attempts = 0;  // to get its shards: parked that often
    int rounds = 0;    // of its growing guard: gave back what it had that often
    bool wants_growing = false;
    bool counted_hand_over = false;
    bool writes_alone = false;  // of kWritesLast: on a worker it keeps its keys for itself from the start
    std::unique_ptr<LongCall> long_call;
  };
  Suspended suspended;
  // A command's handler has begun: what others send the client must wait until its reply is complete. Set by dispatch,
  // cleared by the caller.
  bool executing = false;

 protected:
  ~Caller() = default;

 private:
  Session* const session_;
  Reply* const reply_;
};

enum class Outcome { kDone, kSuspended };

// A command with more arguments has its keys hashed by a worker: about a tenth of a millisecond.
inline constexpr size_t kHashedAtOnceMax = 8192;

// How often a command tries for its shards before it parks.
inline constexpr int kSpinsBeforeParking = 200;

class Dispatcher final : public CommandRunner {
 public:
  struct Parts {
    Server* server;
    KeyspaceObserver* observer;
    WorkerPool* const* workers;  // set after the dispatchers exist; null in workers
  };
  Dispatcher(const Parts& parts, ThreadStatistics* statistics);

  // At the top of every loop turn and before each piece of work in it: time, configuration.
  void begin_turn();
  // A reactor's turn is over, it polls again.
  void end_turn();
  const Environment& environment() const { return environment_; }
  KeyspaceStats& keyspace_stats() { return keyspace_stats_; }
  ThreadStatistics& statistics() { return *statistics_; }

  // Fetches the table lines of some batches' keys, so that the commands find them in cache.
  struct PrefetchBatch {
    CommandBatch* commands;
    int db;
  };
  void prefetch(std::span<const PrefetchBatch> batches);
  // In a batch a command's time begins where that of the one before ended, so the clock is read once for each. Called where
  // something else came between: the next one's begins with it.
  void restart_call_clock() { previous_ended_ = 0; }

  // Runs one command of a client.
  Outcome dispatch(Caller& caller, const Args& args);
  // Goes on with a suspended one (it was woken, or a pause ended). If its client is gone it never begins.
  Outcome retry(Caller& caller);
  // Whether the session's command waited for the end of a pause, which it does no more.
  bool forget_postponed(Session& session);

  void replay(Session* session, const Command* command, const Args& args, Reply* reply) override;
  void run_inner(Context& outer, const Command* command, const Args& args, Reply* reply) override;
  std::unique_ptr<InnerCall> start_inner(Context& outer, const Command* command, const Args& args,
                                         Reply* reply) override;
  bool try_run_inner(Context& outer, const Command* command, const Args& args, Reply* reply) override;
  void count_rejected(const Command* command, std::string_view error_code) override;
  uint64_t inner_cost(Context& outer, const Command* command, const Args& args) override;

  // Runs `work` on this reactor's thread under exclusive locks of the mask, as soon as they can be had: mostly at once.
  using GuardedWork = std::function<void(ShardGuard* guard)>;
  void with_shards(Reactor& reactor, ShardMask mask, GuardedWork work);
  // The same under all shards while no script is under way, not even one that has none of them yet: what a command finds
  // at its start (whether effects are journaled) may change.
  void with_keyspace(Reactor& reactor, GuardedWork work);

  // Takes the session's watches off their keys, as soon as their shards can be had.
  void forget_watched(Session& session, Reactor& reactor);
  // A blocked client's time is up, or it was unblocked or left: takes it off its keys.
  void forget_waiter(Reactor& reactor, const std::shared_ptr<Waiter>& waiter);
  // A blocked command ended without being served: INFO counts it as a call.
  void count_unblocked(const Waiter& waiter, bool failed);
  // A key of a blocked client became ready, but not all its shards were at hand.
  void retry_waiter(Reactor& reactor, const std::shared_ptr<Waiter>& waiter);
  // One slice of active expiry on this reactor's share of the shards; `budget_us` bounds it.
  void expire_cycle(size_t reactor, size_t reactors, int64_t budget_us);
  // Evicts while the server is over maxmemory, on this reactor's thread; what is left to do goes on by its timer.
  void keep_memory_limit(Reactor& reactor);
  // Active defragmentation: goes on in slices for as long as decide_defrag() says so.
  void schedule_defrag(Reactor& reactor);

 private:
  friend class DispatchedInnerCall;
  struct ShardTask;

  struct Memo {
    ShortText name;  // as it was called; an empty one is nobody's
    const Command* command = nullptr;
  };

  const Command* look_up(const Args& args);
  void abort_transaction(Caller& caller);
  bool check_call(Caller& caller, const Command* command, const Args& args);
  bool check_user(Caller& caller, const Command* command, const Args& args);
  void reject(Caller& caller, const Command* command, std::string_view error);
  bool queue_in_multi(Caller& caller, const Command* command, const Args& args);
  void hash_keys(const Command* command, const Args& args, KeyHashes* keys);
  // Beyond the shards of its keys, what one command inside another needs.
  bool needs_all_inside(const Command* command, const Args& args) const;
  ShardMask session_mask(const Session& session, const Command* command) const;

  Outcome start(Caller& caller, const Command* command, const Args& args, bool resumed);
  enum class Acquired : uint8_t { kYes, kWaits, kRefused };
  Acquired acquire(Caller& caller, const Command* command, ShardMask mask, LockMode mode, bool growing,
                   ShardGuard* guard);
  static int grow_patiently(ShardGuard* guard, ShardMask mask, int* rounds);
  void look_after_waiters(Reactor& reactor);
  void pursue(std::unique_ptr<ShardTask> task);
  bool take_shards(ShardTask* task);
  bool is_busy(const Session& session, const Command* command, ShardMask mask) const;
  Outcome refuse_as_busy(Caller& caller, const Command* command, ShardGuard* guard);
  Outcome run_guarded(Caller& caller, const Command* command, const Args& args, const KeyHashes& keys, ShardGuard* guard,
                      bool resumed);
  static bool may_run_in_slices(const Session& session, const Command* command);
  Outcome run_sliced(Caller& caller, const Command* command, const Args& args, const KeyHashes& keys, ShardGuard* guard,
                     bool may_grow, bool resumed);
  Outcome continue_sliced(Caller& caller);
  void step_next_turn(Caller& caller);
  Outcome finish_sliced(LongCall* call);
  void keep_over_slices(Caller& caller, std::unique_ptr<LongCall> call, bool resumed);
  void run_to_end(Context* ctx);
  void hash_on_worker(Caller& caller, const Command* command, const Args& args, bool resumed);
  void move_to_slow_lane(Caller& caller, const Command* command, const Args& args, ShardGuard* guard, bool resumed);
  void run_on_worker(Caller& caller);
  static void restart(Caller& caller);
  uint32_t states_against(const Session& session, const Command* command, const Args& args);
  void postpone(Caller& caller, uint32_t states);
  void withdraw(Caller& caller, ShardGuard* guard);
  void suspend(Caller& caller, const Command* command, const Args& args, bool resumed);

  void fill(Context* ctx, const Command* command, const Args& args, Session* session, Reply* reply);
  // Returns when it ended. `begin`: in cycles. `again`: it had begun on a worker already.
  uint64_t call(Context* ctx, uint64_t begin, bool again = false);
  static void note_call(const Session& session, const Command* command);
  bool is_monitored(const Context& ctx) const;
  void feed_monitor(Context* ctx, bool before);
  void count_call(Context* ctx, uint64_t ns);
  void settle_effects(Context* ctx);
  void note_reads(Context* ctx);
  void finish(Context* ctx, ShardGuard* guard);
  void block(Caller& caller, Context* ctx);
  void serve_ready(ShardGuard* guard);
  void serve_key(ShardGuard* guard, const WaiterTable::ReadyKey& ready, Shard& shard);
  bool may_still_run(Context* ctx);
  void serve_waiter(ShardGuard* guard, const std::shared_ptr<Waiter>& waiter);
  void give_back(const std::shared_ptr<Waiter>& waiter, bool retry);
  void delete_seen_expired(int db, std::span<const ExpiredSeen> seen);
  void expire_database(Shard& shard, size_t index, int db, int64_t deadline_us);
  void expire_key(DbSlice& slice, int db, Entry* entry);
  void expire_fields(DbSlice& slice, int db, int64_t deadline_us);
  void expire_hash(DbSlice& slice, int db, Entry* entry, size_t fields_max);
  void fields_expired(DbSlice& slice, int db, Entry* entry, std::span<const std::string> fields);
  // The journal's end after them; 0: there were none.
  uint64_t journal_effects();
  PubSub::Held* held(PubSub::Held* messages, bool sliced) const;
  void send_held();
  void note_for_gate(Context* ctx, uint64_t end_offset);
  bool sees_other_keys(const Command* command, const Args& args) const;
  void note_inner_keys(Context* outer, const Command* command, const Args& args, const KeyHashes& keys) const;
  struct FirstKey {
    size_t position = 0;
    uint64_t hash = 0;
    bool has_element = false;
  };
  FirstKey first_key(const Args& args);
  void prefetch_elements(const CommandBatch& batch, int db);
  bool over_memory_limit();
  void set_out_of_memory(bool refused);
  void continue_eviction(Reactor& reactor);
  bool evict_one(const EvictionRules& rules);
  bool evict_best(const EvictionRules& rules);
  void evict_entry(ShardGuard* guard, int db, Entry* entry);
  void continue_defrag(Reactor& reactor);
  // The loader's part, while it replays an AOF.
  void defrag_beside_replay();
  // Its share is every shard, with `owns_all`, or one of `reactors`.
  void defrag_slice(size_t reactor, size_t reactors, bool owns_all, int64_t deadline_us);
  void count_defrag();
  void end_defrag_share(uint64_t shares);
  bool defrag_shard(Shard& shard, int64_t deadline_us);
  void defrag_entry(DbSlice& slice, Entry* entry);
  bool defrag_big_values(DbSlice& slice, int64_t deadline_us);
  bool defrag_shardless(size_t part, int64_t deadline_us);
  size_t defrag_step() const;

  // Where defragmentation goes on: a shard of this reactor's, a place in one of its tables, places in big values.
  struct DefragPlace {
    struct BigValue {
      std::string key;
      uint64_t cursor;
    };

    Defragmenter mover;
    uint64_t counted_hits = 0, counted_misses = 0;  // of the mover's
    bool scheduled = false;
    int64_t ended_us = 0;       // monotonic, of the last slice
    int64_t pause_owed_us = 0;  // until the next one
    size_t parts = 0;       // of a round: a loader owns more of them
    size_t shard = 0;       // past the last one: scripts
    size_t refusals = 0;    // of that shard, in a row
    int db = 0;
    uint64_t cursor = 0;
    bool last_bucket_done = false;     // of that table
    std::vector<BigValue> big_values;  // of the last bucket, not finished

    bool at_begin() const { return shard == 0 && db == 0 && cursor == 0 && !last_bucket_done; }
    void go_to(size_t part) {
      shard = part;
      refusals = 0;
      db = 0;
      cursor = 0;
      last_bucket_done = false;
      big_values.clear();
    }
  };

  // When the memory limit was last looked at: how much this thread may allocate before it looks again.
  struct MemoryCheck {
    int64_t limit = 0;
    int64_t own = 0;
    int64_t headroom = 0;
  };

  Server& server_;
  WorkerPool* const* const workers_;
  ThreadStatistics* const statistics_;
  const CycleClock clock_;
  uint64_t turn_began_ = 0;  // cycles; 0: nothing to do since the last turn
  uint64_t previous_ended_ = 0;  // cycles: the command before this one; 0: something else came between
  uint64_t turn_commands_begin_ = 0;
  KeyspaceStats keyspace_stats_;
  Environment environment_;
  EffectBuffer effects_;
  PubSub::Held messages_;  // of the command under way, while replies are gated
  std::array<Memo, 4> memo_;
  size_t next_memo_ = 0;
  std::vector<KeyRef> key_refs_;
  bool serving_ = false;
  bool looks_after_waiters_ = false;  // a timer runs
  size_t next_expiry_shard_ = 0;
  MemoryCheck memory_check_;
  EvictionRules pool_rules_;
  EvictionPool eviction_pool_;
  bool eviction_scheduled_ = false;
  DefragPlace defrag_;
  uint64_t replayed_ = 0;  // commands
  int64_t decided_us_ = 0;  // monotonic, while replaying
};

// What counts for maxmemory (server/dispatch_eviction.cc).
size_t counted_memory_bytes(const Server& server);
// Whether the allocator wastes enough to defragment, and how hard (server/dispatch_defrag.cc). On the first reactor.
void decide_defrag(Server& server);

}  // namespace synap
