// What Synap consists of: its parts in the order in which they are made, and the reactors. Seen by server.cc, which starts,
// connects and ends them, and by server_cron.cc, which does what comes with time; by nobody else.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "datatypes/pubsub/pubsub.h"
#include "persistence/aof.h"
#include "persistence/journal.h"
#include "persistence/journal_gate.h"
#include "persistence/persistence.h"
#include "scripting/scripting.h"
#include "server/base/rate_meter.h"
#include "server/client.h"
#include "server/client_eviction.h"
#include "server/command/acl_store.h"
#include "server/command/latency_monitor.h"
#include "server/command/monitor.h"
#include "server/command/oom_score.h"
#include "server/command/server_api.h"
#include "server/command/slowlog.h"
#include "server/command/tracking.h"
#include "server/dispatch.h"
#include "server/keyspace/hot_values.h"
#include "server/listening.h"
#include "server/net/reactor_threads.h"
#include "server/server.h"
#include "server/worker_pool.h"

namespace synap {

struct Synap::Impl final : KeyspaceObserver {
  static constexpr int64_t kCronMs = 100;

  // A reactor with all that belongs to it.
  struct Lane {
    std::unique_ptr<Reactor> reactor;
    std::unique_ptr<Dispatcher> dispatcher;
    std::unique_ptr<ClientHost> host;
    std::unique_ptr<TlsHandshakes> handshakes;
    std::unordered_map<uint64_t, std::unique_ptr<Client>> clients;
    std::vector<uint64_t> released;
    uint64_t cron_ns = 0;        // not counted yet
    uint64_t cron_commands = 0;  // as of the last cron
  };

  Impl(LoadedConfig loaded, ProcessTitle* title, FileSystem* file_system);

  int run();
  void connect_parts();
  void watch_options();
  void describe_process(const ProcessTitle& title);
  void set_up_threads();
  void set_up_process();
  void obey_signals();
  void deal(int fd, SocketKind kind);
  std::string_view refuse(int fd, SocketKind kind) const;
  bool is_protected_from(int fd) const;
  void adopt(Lane& lane, int fd, SocketKind kind);
  void set_up_lane(Lane& lane);
  void before_poll(Lane& lane);
  void maxmemory_changed(const Config& after);
  void print_banner() const;
  bool shutdown_saves(uint32_t flags) const;
  std::string begin_shutdown(uint32_t flags);
  void set_up_title(ProcessTitle* title);
  void set_up_persistence();
  void begin_loading();
  void finish_loading(const Status& status);
  void release_gated(Lane& lane);
  void stop();
  void end_lane(Lane& lane, int64_t deadline_us);
  void raise_descriptor_limit(int64_t maxclients) const;

  // server_cron.cc
  void cron(Lane& lane);
  void lane_cron(Lane& lane, int64_t now_ms);
  int64_t expiry_budget_us() const;
  void flush_if_quiet(Lane& lane);
  void server_cron(Lane& lane, int64_t now_ms);
  void sample_rates();
  void save_if_due(Lane& lane, int64_t now_ms);
  void rewrite_if_due(Lane& lane, int64_t now_ms);
  void rewrite_soon();
  void retire_configs();

  void keyspace_event(int db, uint32_t event_class, std::string_view event, std::string_view key) override;
  void key_changed(std::string_view key, const Session* by) override;
  void all_keys_changed() override;

  void set_up_acl();
  Status load_users();
  void init_session(Session& session);
  void end_session(Session& session, Dispatcher& dispatcher, Reactor& reactor);

  ConfigStore config;
  std::string config_file;
  CommandTable commands;
  Keyspace keyspace;
  GuardRegistry guards;
  Statistics statistics;
  AclStore acl;
  std::vector<UserLine> configured_users;
  StateBits state;
  Journal journal;
  JournalGate gate;
  Slowlog slowlog;
  Scripting scripting;
  HotValues hot_values;
  OomScore oom_score;
  ClientEviction client_eviction{&server};
  FileSystem* const files;
  std::unique_ptr<Persistence> persistence;
  std::unique_ptr<Aof> aof;
  std::unique_ptr<Dispatcher> replayer;  // of the AOF's commands while it is loaded
  bool background_save_waits = false;  // for all shards; of reactor 0
  bool rewrite_waits = false;          // the same
  bool save_at_end = false;            // SHUTDOWN saved, and what was written meanwhile must be saved too
  LatencyMonitor latency;
  std::deque<Lane> lanes;
  std::unique_ptr<ReactorThreads> reactor_threads;
  std::unique_ptr<ClientDirectory> clients;
  std::unique_ptr<MonitorFeed> monitor;
  std::unique_ptr<PubSub> pubsub;
  std::unique_ptr<Tracking> tracking;
  std::unique_ptr<WorkerPool> workers;
  WorkerPool* workers_pointer = nullptr;
  RateMeter commands_rate, input_rate, output_rate, turn_rate, turn_ns_rate;  // reactor 0
  WorkerPool* const no_workers = nullptr;
  TlsLoad tls_load;
  std::unique_ptr<Listening> listening;
  Server server;
};

}  // namespace synap
