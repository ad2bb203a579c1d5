#include "server/server.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "datatypes/pubsub/pubsub.h"
#include "persistence/aof.h"
#include "persistence/journal.h"
#include "persistence/journal_gate.h"
#include "persistence/persistence.h"
#include "scripting/load_libraries.h"
#include "server/base/clock.h"
#include "server/base/cycle_clock.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/base/rate_meter.h"
#include "server/client.h"
#include "server/client_eviction.h"
#include "server/admin/authentication.h"
#include "server/admin/client_info.h"
#include "server/command/acl_store.h"
#include "server/command/latency_monitor.h"
#include "server/command/memory_usage.h"
#include "server/command/monitor.h"
#include "server/command/oom_score.h"
#include "server/command/server_api.h"
#include "scripting/scripting.h"
#include "server/command/slowlog.h"
#include "server/command/tracking.h"
#include "server/command/version.h"
#include "server/command_list.h"
#include "server/dispatch.h"
#include "server/keyspace/background.h"
#include "server/keyspace/hot_values.h"
#include "server/keyspace/memory_counter.h"
#include "server/insistent_exit.h"
#include "server/listening.h"
#include "server/worker_pool.h"

namespace synap {

namespace {

constexpr int64_t kCronMs = 100;
constexpr size_t kWorkers = 3;
// At the end: how long commands under way may take, and how often they are looked after.
constexpr int64_t kShutdownWaitUs = 10'000'000;
constexpr int64_t kShutdownPollMs = 2;
// Active expiry: its share of a cron interval at most, as Redis's 25 %.
constexpr int64_t kExpireBudgetUs = kCronMs * 1000 / 4;
constexpr int64_t kConfigGraceUs = 10'000'000;

OomClass oom_class_of(const Config& config) {
  return config.replicaof.host.empty() ? OomClass::kMaster : OomClass::kReplica;
}

std::string random_hex(size_t digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < digits; ++i) text += kDigits[thread_random().below(16)];
  return text;
}

}  // namespace

struct Synap::Impl final : KeyspaceObserver {
  // A reactor with all that belongs to it.
  struct Lane {
    std::unique_ptr<Reactor> reactor;
    std::unique_ptr<Dispatcher> dispatcher;
    std::unique_ptr<ClientHost> host;
    std::unique_ptr<TlsHandshakes> handshakes;
    std::unordered_map<uint64_t, std::unique_ptr<Client>> clients;
    std::vector<uint64_t> released;
    uint64_t cron_ns = 0;  // not counted yet
    std::thread thread;
  };

  Impl(LoadedConfig loaded, ProcessTitle* title, FileSystem* file_system);

  int run();
  void sample_rates();
  void retire_configs();
  void deal(int fd, SocketKind kind);
  std::string_view refuse(int fd, SocketKind kind) const;
  bool is_protected_from(int fd) const;
  void adopt(Lane& lane, int fd, SocketKind kind);
  void set_up_lane(Lane& lane);
  void after_poll(Lane& lane);
  void cron(Lane& lane);
  void lane_cron(Lane& lane, int64_t now_ms);
  void server_cron(Lane& lane, int64_t now_ms);
  void maxmemory_changed(const Config& after);
  void print_banner() const;
  bool shutdown_saves(uint32_t flags) const;
  std::string begin_shutdown(uint32_t flags);
  void set_up_title(ProcessTitle* title);
  void set_up_persistence();
  void begin_loading();
  void finish_loading(const Status& status);
  void save_if_due(Lane& lane, int64_t now_ms);
  void rewrite_if_due(Lane& lane, int64_t now_ms);
  void rewrite_soon();
  void release_gated(Lane& lane);
  void stop();
  void end_lane(Lane& lane, int64_t deadline_us);
  void raise_descriptor_limit(int64_t maxclients) const;

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

namespace {

std::vector<std::pair<std::string, std::string>> renames_of(const LoadedConfig& loaded) {
  std::vector<std::pair<std::string, std::string>> renames;
  for (const RenamedCommand& renamed : loaded.renamed_commands) renames.emplace_back(renamed.from, renamed.to);
  return renames;
}

}  // namespace

Synap::Impl::Impl(LoadedConfig loaded, ProcessTitle* title, FileSystem* file_system)
    : config(loaded.config),
      config_file(loaded.file),
      commands(command_families(), renames_of(loaded)),
      keyspace(static_cast<int>(loaded.config.databases)),
      guards(loaded.config.io_threads == 1),
      statistics(commands.size()),
      acl(&commands, &config),
      configured_users(loaded.users),
      files(file_system) {
  const auto reactor_count = static_cast<size_t>(loaded.config.io_threads);
  reclamation_start(reactor_count, kWorkers);
  retire_configs();
  std::vector<Reactor*> reactors;
  for (size_t i = 0; i < reactor_count; ++i) {
    lanes.emplace_back().reactor = std::make_unique<Reactor>(i);
    reactors.push_back(lanes.back().reactor.get());
  }
  clients = std::make_unique<ClientDirectory>(std::move(reactors));
  monitor = std::make_unique<MonitorFeed>(clients.get());
  pubsub = std::make_unique<PubSub>(clients.get());
  tracking = std::make_unique<Tracking>(clients.get(), &server.tracking, &server.message_bytes);
  server.config = &config;
  server.commands = &commands;
  server.keyspace = &keyspace;
  server.guards = &guards;
  server.clients = clients.get();
  server.statistics = &statistics;
  server.state = &state;
  server.slowlog = &slowlog;
  server.scripting = &scripting;
  server.hot_values = &hot_values;
  server.oom_score = &oom_score;
  server.client_eviction = &client_eviction;
  config.on_change({"maxmemory-clients", "maxmemory"}, [this](const Config&, const Config&) {
    client_eviction.check();
    return Status();
  });
  config.on_change({"tracking-table-max-keys"}, [this](const Config&, const Config& after) {
    tracking->keep_limit(static_cast<size_t>(after.tracking_table_max_keys));
    return Status();
  });
  config.on_change({"oom-score-adj", "oom-score-adj-values"}, [this](const Config&, const Config& after) {
    return oom_score.apply(after, oom_class_of(after));
  });
  hot_values.set_capacity(static_cast<size_t>(loaded.config.hot_cache_size));
  config.on_change({"hot-cache-size"}, [this](const Config&, const Config& after) {
    hot_values.set_capacity(static_cast<size_t>(after.hot_cache_size));
    return Status();
  });
  server.latency = &latency;
  server.monitor = monitor.get();
  server.pubsub = pubsub.get();
  server.tracking_table = tracking.get();
  server.acl = &acl;
  server.journal = &journal;
  set_up_persistence();
  server.mean_ttl_ms = std::vector<std::atomic<int64_t>>(static_cast<size_t>(loaded.config.databases));
  server.startup_memory_bytes = used_memory_bytes();
  server.run_id = random_hex(40);
  server.executable = title->program();
  server.config_file = config_file;
  server.start_ms = wall_clock_ms();
  server.port = static_cast<int>(loaded.config.port);
  server.begin_shutdown = [this](uint32_t flags) { return begin_shutdown(flags); };
  server.abort_shutdown = [] { return false; };  // a shutdown waits for nothing, so it cannot be stopped
  server.init_session = [this](Session& session) { init_session(session); };
  server.end_session = [this](Session& session, Dispatcher& dispatcher, Reactor& reactor) {
    end_session(session, dispatcher, reactor);
  };
  set_up_title(title);
  set_up_acl();
  listening = std::make_unique<Listening>(lanes.front().reactor.get(), &config,
                                          [this](int fd, SocketKind kind) { deal(fd, kind); });
  config.on_change({"maxmemory", "maxmemory-policy"}, [this](const Config&, const Config& after) {
    maxmemory_changed(after);
    return Status();
  });
  std::vector<std::unique_ptr<Dispatcher>> worker_dispatchers;
  for (size_t i = 0; i < kWorkers; ++i) {
    worker_dispatchers.push_back(std::make_unique<Dispatcher>(Dispatcher::Parts{&server, this, &no_workers},
                                                              statistics.add_thread()));
  }
  for (Lane& lane : lanes) set_up_lane(lane);
  workers = std::make_unique<WorkerPool>(std::move(worker_dispatchers), lanes.size());
  workers_pointer = workers.get();
  replayer = std::make_unique<Dispatcher>(Dispatcher::Parts{&server, this, &no_workers}, statistics.add_thread());
  server.replayer = replayer.get();
}

void Synap::Impl::set_up_title(ProcessTitle* title) {
  server.show_title = [this, title](std::string_view name) {
    const Config& current = config.current();
    if (!current.set_proc_title) return;
    const std::string_view subject = name.empty() ? std::string_view(title->program()) : name;
    title->show(process_title(current, {.name = subject, .config_file = config_file}).value_or(std::string(subject)));
  };
  config.on_change({"proc-title-template", "port", "tls-port", "bind"}, [this](const Config&, const Config&) {
    server.show_title({});
    return Status();
  });
}

void Synap::Impl::set_up_persistence() {
  server.gate = &gate;
  gate.set_wake(lanes.size(), [this](size_t reactor) {
    Lane& lane = lanes[reactor];
    lane.reactor->post([this, &lane] { release_gated(lane); });
  });
  persistence = std::make_unique<Persistence>(&server, files, &oom_score);
  aof = std::make_unique<Aof>(&server, files, &journal, &gate, &persistence->child());
  server.persistence = persistence.get();
  server.aof = aof.get();
  server.disk_error = [this] { return persistence->disk_error(); };
  server.all_flushed = [this] { persistence->all_flushed(wall_clock_ms()); };
  config.on_change({"appendonly"}, [this](const Config&, const Config& after) {
    if (!after.appendonly) {
      aof->switch_off();
    } else if (!aof->is_on()) {
      aof->switch_on();
      rewrite_soon();
    }
    return Status();
  });
  config.on_change({"aof-disable-auto-gc"}, [this](const Config&, const Config& after) {
    if (!after.aof_disable_auto_gc) aof->collect_history();
    return Status();
  });
  config.on_change({"appendfsync"}, [this](const Config&, const Config&) {
    aof->policy_changed();
    return Status();
  });
}

void Synap::Impl::set_up_lane(Lane& lane) {
  ThreadStatistics* counters = statistics.add_thread();
  lane.dispatcher = std::make_unique<Dispatcher>(Dispatcher::Parts{&server, this, &workers_pointer}, counters);
  lane.host = std::make_unique<ClientHost>();
  lane.handshakes = std::make_unique<TlsHandshakes>(lane.reactor.get(), &tls_load);
  lane.host->server = &server;
  lane.host->reactor = lane.reactor.get();
  lane.host->dispatcher = lane.dispatcher.get();
  lane.host->statistics = counters;
  lane.host->released = [&lane](uint64_t id) { lane.released.push_back(id); };
  lane.reactor->on_turn([this, &lane] { after_poll(lane); },
                        [&lane] {
                          reclamation_quiescent(lane.reactor->index());
                          lane.dispatcher->begin_turn();
                          lane.host->run_gathered();
                        });
  lane.reactor->every(kCronMs, [this, &lane] { cron(lane); });
}

// Before the loop polls again: what other clients' commands queued for ours leaves, closed clients are freed.
void Synap::Impl::after_poll(Lane& lane) {
  tracking->broadcast();
  lane.host->flush_queued();
  for (const uint64_t id : std::exchange(lane.released, {})) lane.clients.erase(id);
  aof->writer().kick();
  lane.dispatcher->end_turn();
}

// The journal is durable further than it was: the replies that waited for that leave.
void Synap::Impl::release_gated(Lane& lane) {
  auto& gated = lane.host->gated;
  std::vector<uint64_t> ids;
  while (!gated.empty()) {
    const auto end = gated.upper_bound(gate.released());
    for (auto it = gated.begin(); it != end; ++it) ids.push_back(it->second);
    gated.erase(gated.begin(), end);
    gate.wait(lane.reactor->index());
    // More may have been released before the gate knew that somebody waits.
    if (gated.empty() || gated.begin()->first > gate.released()) break;
  }
  for (const uint64_t id : ids) {
    const auto it = lane.clients.find(id);
    if (it != lane.clients.end()) it->second->journal_released();
  }
}

void Synap::Impl::cron(Lane& lane) {
  lane.dispatcher->begin_turn();  // timers run before the poll's check phase
  const uint64_t began = cycles_now();
  lane_cron(lane, lane.dispatcher->environment().now_ms);
  if (lane.reactor->index() == 0) server_cron(lane, lane.dispatcher->environment().now_ms);
  lane.cron_ns += CycleClock().nanoseconds(cycles_now() - began);
  lane.dispatcher->statistics().cron_us.add(lane.cron_ns / 1000);
  lane.cron_ns %= 1000;
}

// What each reactor does for its share.
void Synap::Impl::lane_cron(Lane& lane, int64_t now_ms) {
  if (!server.cron_paused.load(std::memory_order_relaxed) && !state.has(kStateLoading)) {
    const int64_t began_us = monotonic_us();
    lane.dispatcher->expire_cycle(lane.reactor->index(), lanes.size(), kExpireBudgetUs);
    const int64_t took_ms = (monotonic_us() - began_us) / 1000;
    const int64_t threshold_ms = config.current().latency_monitor_threshold;
    if (threshold_ms > 0 && took_ms >= threshold_ms) latency.add("expire-cycle", took_ms);
  }
  std::vector<Client*> all;  // cron may close some
  for (const auto& [id, client] : lane.clients) all.push_back(client.get());
  for (Client* client : all) client->cron(now_ms);
  lane.dispatcher->schedule_defrag(*lane.reactor);
}

// What is done once for all, on reactor 0.
void Synap::Impl::server_cron(Lane& lane, int64_t now_ms) {
  sample_rates();
  server.pause.check(&state, clients.get(), now_ms);
  if (server.caches_exist()) tracking->keep_limit(static_cast<size_t>(config.current().tracking_table_max_keys));
  save_if_due(lane, now_ms);
  rewrite_if_due(lane, now_ms);
  persistence->migrate_targets().close_idle(now_ms);
  memory_counter_settle();
  decide_defrag(server);
  lane.dispatcher->keep_memory_limit(*lane.reactor);
  const size_t used = used_memory_bytes();
  if (used > server.peak_memory_bytes.load(std::memory_order_relaxed)) {
    server.peak_memory_bytes.store(used, std::memory_order_relaxed);
  }
}

void Synap::Impl::sample_rates() {
  const int64_t now_us = monotonic_us();
  const auto sample = [&](RateMeter* meter, Counter ThreadStatistics::*counter, std::atomic<int64_t>* rate) {
    rate->store(meter->sample(now_us, statistics.sum(counter)), std::memory_order_relaxed);
  };
  sample(&commands_rate, &ThreadStatistics::commands, &server.operations_per_second);
  sample(&input_rate, &ThreadStatistics::net_in_bytes, &server.input_bytes_per_second);
  sample(&output_rate, &ThreadStatistics::net_out_bytes, &server.output_bytes_per_second);
  sample(&turn_rate, &ThreadStatistics::turns, &server.turns_per_second);
  sample(&turn_ns_rate, &ThreadStatistics::turn_ns, &server.turn_ns_per_second);
}

// Old configurations are freed once no thread can hold one: reactors have passed a turn and workers a job; threads that
// only look one up for a moment (AOF, log) have had a while.
void Synap::Impl::retire_configs() {
  struct Old {
    int64_t since_us;
    std::unique_ptr<const Config> config;
  };
  config.set_retire([old = std::make_shared<std::deque<Old>>()](std::unique_ptr<const Config> retired) {
    const int64_t now_us = monotonic_us();
    old->push_back({now_us, std::move(retired)});
    while (old->front().since_us + kConfigGraceUs < now_us) {
      auto* memory = const_cast<Config*>(old->front().config.release());
      reclamation_retire(memory, [](void* snapshot) { delete static_cast<Config*>(snapshot); });
      old->pop_front();
    }
  });
}

void Synap::Impl::maxmemory_changed(const Config& after) {
  const size_t used = counted_memory_bytes(server);
  if (after.maxmemory == 0) return state.clear(kStateOutOfMemory);
  if (static_cast<size_t>(after.maxmemory) >= used) return;
  log_warning("WARNING: the new maxmemory value set via CONFIG SET (%lld) is smaller than the current memory usage (%zu). This "
              "will result in key eviction and/or the inability to accept new write commands depending on the "
              "maxmemory-policy.",
              static_cast<long long>(after.maxmemory), used);
  Lane& lane = lanes.front();
  lane.reactor->post([&lane] {
    lane.dispatcher->begin_turn();
    lane.dispatcher->keep_memory_limit(*lane.reactor);
  });
}

// --- Connections.

// A new connection goes to the reactor with the fewest, if it may stay.
void Synap::Impl::deal(int fd, SocketKind kind) {
  ThreadStatistics& counters = lanes.front().dispatcher->statistics();
  const std::string_view refusal = refuse(fd, kind);
  if (!refusal.empty()) {
    // Before its handshake a TLS client could not read it.
    const std::string line = "-" + std::string(refusal) + "\r\n";
    if (kind != SocketKind::kTls) static_cast<void>(!::write(fd, line.data(), line.size()));
    ::close(fd);
    counters.rejected_connections.add();
    return;
  }
  counters.connections.add();
  size_t fewest = 0;
  for (size_t i = 1; i < lanes.size(); ++i) {
    if (clients->count_on(i) < clients->count_on(fewest)) fewest = i;
  }
  clients->expect(fewest);
  Lane& lane = lanes[fewest];
  if (fewest == 0) return adopt(lane, fd, kind);
  lane.reactor->post([this, &lane, fd, kind] { adopt(lane, fd, kind); });
}

// The error to refuse a new connection with; empty: it is welcome.
std::string_view Synap::Impl::refuse(int fd, SocketKind kind) const {
  const Config& current = config.current();
  if (clients->count() >= static_cast<size_t>(current.maxclients)) return kMaxClientsError;
  if (kind == SocketKind::kTls && tls_load.full()) return "ERR too many TLS handshakes under way";
  // A TLS client can be told only after its handshake.
  return kind == SocketKind::kTcp && is_protected_from(fd) ? kProtectedModeError : std::string_view();
}

// Whether protected mode keeps out who is at the other end.
bool Synap::Impl::is_protected_from(int fd) const {
  return config.current().protected_mode && !is_loopback_peer(fd) && acl.default_user()->rules.no_password;
}

void Synap::Impl::adopt(Lane& lane, int fd, SocketKind kind) {
  TlsStart tls;
  if (kind == SocketKind::kTls) tls = {listening->new_tls_session(), lane.handshakes.get()};
  const uint64_t id = clients->next_id();
  auto client = std::make_unique<Client>(lane.host.get(), id);
  Client& opened = *client;
  lane.clients.emplace(id, std::move(client));
  const bool unwelcome = kind == SocketKind::kTls && is_protected_from(fd);
  if (opened.open(fd, kind == SocketKind::kUnix, std::move(tls)) && unwelcome) opened.turn_away(kProtectedModeError);
}

// --- Users.

void Synap::Impl::set_up_acl() {
  acl.log().set_describe([](const SharedSession& client, const Command* running) {
    std::string line;
    append_client_line(client, wall_clock_ms(), running, &line);
    line.pop_back();
    return line;
  });
  acl.set_default_password(config.current().requirepass);
  config.on_change({"requirepass"}, [this](const Config&, const Config& after) {
    acl.set_default_password(after.requirepass);
    return Status();
  });
  config.set_users([this] {
    return config.current().aclfile.empty() ? acl.describe_all() : std::vector<std::string>();
  });
}

// From the configuration file or the ACL file; not from both, or one would silently hide the other.
Status Synap::Impl::load_users() {
  const std::string& file = config.current().aclfile;
  if (!file.empty() && !configured_users.empty()) {
    return Status(StatusCode::kUnsupported,
                  "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is "
                  "invalid. This setup is very likely to lead to configuration errors and security holes, please "
                  "define either an ACL file or declare users directly in your redis.conf, but not both.");
  }
  if (const Status status = acl.load_configured(configured_users); !status.ok()) {
    if (status.code() == StatusCode::kSyntax) return status;
    log_warning("%s", status.detail().c_str());
    return Status(status.code(), "Critical error while loading ACLs. Exiting.");
  }
  if (file.empty()) return {};
  std::vector<AclStore::Change> changes;
  const Status status = acl.load_file(file, &changes);
  if (status.ok()) return status;
  return Status(StatusCode::kIoError, "Aborting Redis startup because of ACL errors: " + status.detail());
}

void Synap::Impl::init_session(Session& session) {
  authenticate_by_default(server, session);
}

void Synap::Impl::end_session(Session& session, Dispatcher& dispatcher, Reactor& reactor) {
  if (session.has(kSessionMonitor)) monitor->remove(session.id());
  pubsub->forget(session);
  tracking->disable(session);
  dispatcher.forget_watched(session, reactor);
}

// --- What happens to keys.

// The caller has seen that notify-keyspace-events wants this class of events.
void Synap::Impl::keyspace_event(int db, uint32_t, std::string_view event, std::string_view key) {
  const uint32_t wanted = config.current().notify_keyspace_events;
  const std::string db_text = std::to_string(db);
  if ((wanted & kEventKeyspace) != 0) pubsub->publish("__keyspace@" + db_text + "__:" + std::string(key), event);
  if ((wanted & kEventKeyevent) != 0) pubsub->publish("__keyevent@" + db_text + "__:" + std::string(event), key);
}

void Synap::Impl::key_changed(std::string_view key, const Session* by) { tracking->key_changed(key, by); }

void Synap::Impl::all_keys_changed() { tracking->all_keys_changed(); }

// --- Start and stop.

void Synap::Impl::print_banner() const {
  const Config& current = config.current();
  log_notice("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
  log_notice("Synap version=%s, Redis version=%s, bits=64, pid=%d, just started", kSynapVersion, kRedisVersion, getpid());
  if (config_file.empty()) {
    log_warning("Warning: no config file specified, using the default config. In order to specify a config file use "
                "synap-server /path/to/synap.conf");
  } else {
    log_notice("Configuration loaded");
  }
  for (const std::string_view name : remembered_options_in_use(current)) {
    log_warning("Directive '%.*s' is known and remembered, but has no effect in Synap.", static_cast<int>(name.size()),
                name.data());
  }
  char banner[512];
  std::snprintf(banner, sizeof banner,
                "\n   Synap %s (speaks Redis %s)\n   Running in standalone mode, %lld reactors\n   Port: %lld\n   PID: %d\n\n",
                kSynapVersion, kRedisVersion, static_cast<long long>(current.io_threads),
                static_cast<long long>(current.port != 0 ? current.port : current.tls_port), getpid());
  log().write_raw(banner);
}

void Synap::Impl::raise_descriptor_limit(int64_t maxclients) const {
  const auto wanted = static_cast<rlim_t>(maxclients) + 128;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (limit.rlim_max < wanted) limit.rlim_max = wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  log_warning("You requested maxclients of %lld requiring at least %llu max file descriptors, but only %llu are allowed.",
              static_cast<long long>(maxclients), static_cast<unsigned long long>(wanted),
              static_cast<unsigned long long>(limit.rlim_cur));
}

int Synap::Impl::run() {
  print_banner();
  raise_descriptor_limit(config.current().maxclients);
  if (config.current().disable_thp && huge_pages_always() && !refuse_huge_pages()) {
    log_warning("WARNING You have Transparent Huge Pages (THP) support enabled in your kernel. This will create latency and "
                "memory usage issues with Redis. To fix this issue run the command 'echo madvise > "
                "/sys/kernel/mm/transparent_hugepage/enabled' as root, and add it to your /etc/rc.local in order to retain "
                "the setting after a reboot. Redis must be restarted after THP is disabled (set to 'madvise' or 'never').");
  }
  // A score that cannot be set is no reason not to start: the log says so.
  static_cast<void>(oom_score.apply(config.current(), oom_class_of(config.current())));
  const Status entered = config.enter();
  if (!entered.ok()) {
    log_warning("%s", entered.detail().c_str());
    return 1;
  }
  server.show_title({});
  if (const Status users = load_users(); !users.ok()) {
    if (users.code() == StatusCode::kSyntax) {
      std::fprintf(stderr, "%s", users.detail().c_str());
    } else {
      log_warning("%s", users.detail().c_str());
    }
    return 1;
  }
  if (!listening->start()) return 1;
  log_notice("Server initialized");
  for (size_t i = 1; i < lanes.size(); ++i) {
    lanes[i].thread = std::thread([this, i] {
      memory_counter_join();
      lanes[i].reactor->run();
    });
  }
  Reactor& first = *lanes.front().reactor;
  for (const int signal_number : {SIGTERM, SIGINT}) {
    first.on_signal(signal_number, [this, signal_number] {
      log_warning("Received %s scheduling shutdown...", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
      const Config& current = config.current();
      const uint32_t flags = signal_number == SIGINT ? current.shutdown_on_sigint : current.shutdown_on_sigterm;
      Lane& lane = lanes.front();
      if (!shutdown_saves(flags)) {
        begin_shutdown(flags);
        return;
      }
      lane.dispatcher->with_shards(*lane.reactor, kAllShardsMask, [this, flags](ShardGuard*) { begin_shutdown(flags); });
    });
  }
  memory_counter_join();
  background_free(memory_counter_join, 0);
  begin_loading();
  first.run();
  for (size_t i = 1; i < lanes.size(); ++i) lanes[i].thread.join();
  workers->stop();
  persistence->end();
  aof->close();
  if (save_at_end && server.dirty.load(std::memory_order_relaxed) != 0 && !persistence->save(wall_clock_ms()).ok()) {
    log_warning("What was written while the server shut down could not be saved.");
  }
  background_stop();
  log_warning("Redis is now ready to exit, bye bye...");
  return 0;
}

// Commands on keys wait while the file is read, everybody else is served.
void Synap::Impl::begin_loading() {
  if (!aof->load_manifest().ok()) _exit(1);
  const auto load_libraries = [this](const std::vector<std::string>& codes, bool replace) {
    LuaEngineOptions options;
    options.jit = config.current().lua_jit;
    ScriptThread& thread = scripting.thread(replayer.get(), options);
    return load_function_libraries(thread, scripting.registry(), codes, replace, replace);
  };
  const bool loading = persistence->begin_loading(replayer.get(), load_libraries, [this](const Status& status) {
    lanes.front().reactor->post([this, status] { finish_loading(status); });
  });
  if (!loading) finish_loading(Status());
}

void Synap::Impl::finish_loading(const Status& status) {
  if (state.has(kStateShuttingDown)) return;
  persistence->end_loading(false);
  const bool opened = status.ok() && (!config.current().appendonly || aof->open(wall_clock_ms()).ok());
  if (!opened) {
    log_warning("Fatal error loading the DB, check server logs. Exiting.");
    _exit(1);
  }
  state.clear(kStateLoading);
  listening->announce();
}

void Synap::Impl::save_if_due(Lane& lane, int64_t now_ms) {
  if (background_save_waits || !persistence->wants_background(now_ms)) return;
  background_save_waits = true;
  lane.dispatcher->with_shards(*lane.reactor, kAllShardsMask, [this](ShardGuard*) {
    background_save_waits = false;
    static_cast<void>(persistence->start_background(wall_clock_ms(), false));  // a failure is logged and tried again
  });
}

void Synap::Impl::rewrite_if_due(Lane& lane, int64_t now_ms) {
  if (rewrite_waits || !aof->wants_rewrite(now_ms)) return;
  rewrite_waits = true;
  lane.dispatcher->with_keyspace(*lane.reactor, [this](ShardGuard*) {
    rewrite_waits = false;
    static_cast<void>(aof->start_rewrite(wall_clock_ms()));  // a failure is logged and tried again
  });
}

// Any thread. The AOF was switched on and wants its base.
void Synap::Impl::rewrite_soon() {
  Lane& lane = lanes.front();
  lane.reactor->post([this, &lane] { rewrite_if_due(lane, wall_clock_ms()); });
}

bool Synap::Impl::shutdown_saves(uint32_t flags) const {
  if (state.has(kStateLoading)) return false;
  if ((flags & (kShutdownSave | kShutdownNosave)) != 0) return (flags & kShutdownSave) != 0;
  return !config.current().save.empty();
}

// Under all shards if it saves.
std::string Synap::Impl::begin_shutdown(uint32_t flags) {
  if (state.has(kStateShuttingDown)) return {};
  log_warning("User requested shutdown...");
  if (aof->waits_for_base() && (flags & kShutdownForce) == 0 && !shutdown_saves(flags)) {
    log_warning("Writing initial AOF, can't exit.");
    return "ERR Errors trying to SHUTDOWN. Check logs.";
  }
  if (shutdown_saves(flags)) {
    log_notice("Saving the final RDB snapshot before exiting.");
    const InsistentExit insistent_exit(Persistence::save_path());
    if (!persistence->save(wall_clock_ms()).ok() && (flags & kShutdownForce) == 0) {
      log_warning("Error trying to save the DB, can't exit.");
      return "ERR Errors trying to SHUTDOWN. Check logs.";
    }
    save_at_end = true;
  }
  listening->refuse();
  persistence->end_child();
  state.set(kStateShuttingDown);
  lanes.front().reactor->post([this] { stop(); });
  return {};
}

void Synap::Impl::stop() {
  listening->stop();
  for (Lane& lane : lanes) {
    lane.reactor->post([this, &lane] {
      std::vector<Client*> all;
      for (const auto& [id, client] : lane.clients) all.push_back(client.get());
      for (Client* client : all) client->close(false);
      end_lane(lane, monotonic_us() + kShutdownWaitUs);
    });
  }
}

// A client whose command is still under way (on a worker, waiting for a shard) is released when that is done.
void Synap::Impl::end_lane(Lane& lane, int64_t deadline_us) {
  if (lane.clients.empty()) return lane.reactor->stop();
  if (monotonic_us() > deadline_us) {
    log_warning("A command did not end in time, exiting without waiting for it.");
    _exit(0);
  }
  lane.reactor->after(kShutdownPollMs, [this, &lane, deadline_us] { end_lane(lane, deadline_us); });
}

Synap::Synap(LoadedConfig loaded, ProcessTitle* title, FileSystem* files)
    : impl_(std::make_unique<Impl>(std::move(loaded), title, files)) {}
Synap::~Synap() = default;

int Synap::run() { return impl_->run(); }

}  // namespace synap
