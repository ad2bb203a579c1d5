// Server: the parts that server/admin's commands and dispatch work on, passed by reference. Owned by server/server.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "server/command/client_directory.h"
#include "server/command/command_table.h"
#include "server/command/config_store.h"
#include "server/command/context.h"
#include "server/command/state_bits.h"
#include "server/command/statistics.h"
#include "server/keyspace/keyspace.h"
#include "server/keyspace/shard_guard.h"

namespace synap {

class ReactorThreads;  // server/net/reactor_threads.h
class Slowlog;
class LatencyMonitor;
class MonitorFeed;
class CommandRunner;
class Journal;
class Dispatcher;
class Scripting;
class HotValues;
class OomScore;
class ClientEviction;  // server/client_eviction.h
class PubSub;       // datatypes/pubsub/pubsub.h
class Tracking;     // server/command/tracking.h
class AclStore;     // server/command/acl.h
class Persistence;  // persistence/persistence.h
class Aof;          // persistence/aof.h
class JournalGate;  // persistence/journal_gate.h

// Clients whose commands are held back for a while; they try again when it is over.
class PostponedClients {
 public:
  // The client's command is kept (Outcome::kSuspended).
  void add(uint64_t client_id);
  void retry_all(ClientDirectory* clients);

 private:
  Mutex mutex_{LockRank::kLeaf};
  std::vector<uint64_t> ids_ GUARDED_BY(mutex_);
};

// CLIENT PAUSE. Commands that it holds back wait; their clients try again when it ends.
class PauseState {
 public:
  // Extends what is in force, never shortens it, as Redis. Times are unix ms.
  void pause(StateBits* state, int64_t until_ms, bool writes_only);
  void unpause(StateBits* state, ClientDirectory* clients);
  // Called by the timer: ends a pause whose time is over.
  void check(StateBits* state, ClientDirectory* clients, int64_t now_ms);
  void postpone(uint64_t client_id) { postponed_.add(client_id); }
  void retry_all(ClientDirectory* clients) { postponed_.retry_all(clients); }
  int64_t until_ms() const { return until_ms_.load(std::memory_order_relaxed); }

 private:
  void end(StateBits* state, ClientDirectory* clients) REQUIRES(mutex_);

  Mutex mutex_{LockRank::kServer};  // whoever pauses and whoever ends a pause meet here
  std::atomic<int64_t> until_ms_{0};
  PostponedClients postponed_;
};

// Active defragmentation (server/dispatch_defrag.cc).
struct DefragProgress {
  // Of this round over the whole keyspace: what had been moved and looked at when it began, and whether it goes through
  // without a break.
  uint64_t moved = 0;
  uint64_t asked = 0;
  bool whole = true;
  int64_t rest_until_us = 0;  // monotonic; 0: not resting
  size_t rest_holes = 0;      // the fewest bytes since the rest began
};

struct DefragFigures {
  std::atomic<int> running_percent{0};  // of a reactor's time; 0: not running
  std::atomic<int64_t> since_us{0};     // monotonic; 0: not running
  std::atomic<int64_t> total_us{0};
  std::atomic<uint64_t> hits{0}, misses{0}, key_hits{0}, key_misses{0};
  // The same blocks moved and looked at: not reset by CONFIG RESETSTAT.
  std::atomic<uint64_t> moved{0}, asked{0};
  std::atomic<uint64_t> shares_done{0};  // of this round, a bit for each reactor
  std::atomic<uint64_t> shares_done_at{0};  // the last of them, in terms of reclamation_now()
  std::atomic<bool> left_out{false};     // a shard of this round was in use all the time
  DefragProgress progress;               // what decide_defrag() saw last, on its reactor
};

struct Server {
  ConfigStore* config = nullptr;
  const CommandTable* commands = nullptr;
  Keyspace* keyspace = nullptr;
  GuardRegistry* guards = nullptr;
  ReactorThreads* reactor_threads = nullptr;
  ClientDirectory* clients = nullptr;
  Statistics* statistics = nullptr;
  StateBits* state = nullptr;
  Slowlog* slowlog = nullptr;
  LatencyMonitor* latency = nullptr;
  MonitorFeed* monitor = nullptr;
  Journal* journal = nullptr;
  JournalGate* gate = nullptr;
  Scripting* scripting = nullptr;
  HotValues* hot_values = nullptr;
  OomScore* oom_score = nullptr;
  ClientEviction* client_eviction = nullptr;
  PubSub* pubsub = nullptr;
  Tracking* tracking_table = nullptr;
  AclStore* acl = nullptr;
  Persistence* persistence = nullptr;
  Aof* aof = nullptr;
  CommandRunner* replayer = nullptr;  // runs the commands of an AOF that is being loaded
  PauseState pause;
  PostponedClients journal_full;  // writers, while kStateJournalFull is set
  DefragFigures defrag;

  std::string run_id;            // 40 hex digits, new at every start
  std::string executable;
  std::string config_file;       // absolute path or empty
  int64_t start_ms = 0;
  int port = 0;
  std::atomic<bool> active_expire{true};    // DEBUG SET-ACTIVE-EXPIRE
  std::atomic<bool> cron_paused{false};     // DEBUG PAUSE-CRON
  std::atomic<size_t> peak_memory_bytes{0};
  std::atomic<bool> tracking{false};        // some client caches keys
  std::atomic<uint64_t> changes_saved{0};   // of all changes, those that a snapshot has

  // Written with the traffic, so not in a line with what every command reads.
  alignas(64) std::atomic<size_t> blocked_clients{0};
  std::atomic<size_t> aof_buffer_bytes{0};      // journal bytes that wait to be written: not counted for maxmemory
  std::atomic<size_t> replica_buffer_bytes{0};  // output for replicas beyond the backlog: not counted for maxmemory
  // What messages to clients (changed keys, events, …) take until their sockets are asked to take them: evicting a key
  // tells its caches, so for a while they are not counted for maxmemory.
  std::atomic<size_t> message_bytes{0};
  std::atomic<int64_t> over_limit_since_us{0};  // monotonic, since when used memory is above maxmemory; 0: it is not
  std::atomic<int64_t> over_limit_us{0};        // how long it was, in the past
  size_t startup_memory_bytes = 0;
  std::vector<std::atomic<int64_t>> mean_ttl_ms;  // per database, of the keys that active expiry saw lately
  std::atomic<int64_t> operations_per_second{0}, input_bytes_per_second{0}, output_bytes_per_second{0};
  std::atomic<int64_t> turns_per_second{0}, turn_ns_per_second{0};  // of all reactors' loops

  // Shows the process in ps as `name`, or as the program when it is empty; see set-proc-title.
  std::function<void(std::string_view name)> show_title = [](std::string_view) {};
  std::function<void()> all_flushed;  // FLUSHALL was done, under its guard
  // What a write gets while kStateDiskError is set. Set by persistence.
  std::function<std::string()> disk_error;
  // SHUTDOWN: begins an orderly end (any thread). Flags are ShutdownFlag bits. Returns an error text, or empty.
  std::function<std::string(uint32_t flags)> begin_shutdown;
  std::function<bool()> abort_shutdown;  // false: none was under way

  // A new client's user, and the protected-mode and ACL defaults.
  std::function<void(Session&)> init_session;
  // A client left: watches, subscriptions, monitor, client-side caching.
  std::function<void(Session&, Dispatcher&, Reactor&)> end_session;

  // Whether changes of keys must be told to `tracking_table`.
  bool caches_exist() const { return tracking.load(std::memory_order_relaxed); }

  // Keyspace counters of all threads.
  void add_keyspace_stats(KeyspaceStats* stats);
  uint64_t sum_keyspace(std::atomic<uint64_t> KeyspaceStats::*member) const;
  uint64_t changes_since_snapshot() const {
    return sum_keyspace(&KeyspaceStats::changes) - changes_saved.load(std::memory_order_relaxed);
  }
  // CONFIG RESETSTAT: commands, traffic, errors and keyspace counters of all threads.
  void reset_statistics();

 private:
  mutable Mutex mutex_{LockRank::kServer};
  std::vector<KeyspaceStats*> keyspace_stats_ GUARDED_BY(mutex_);
};

}  // namespace synap
