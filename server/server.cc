#include "server/server.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "scripting/load_libraries.h"
#include "server/admin/authentication.h"
#include "server/admin/client_info.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/command/memory_usage.h"
#include "server/command/version.h"
#include "server/command_list.h"
#include "server/insistent_exit.h"
#include "server/keyspace/background.h"
#include "server/keyspace/defragmenter.h"
#include "server/keyspace/memory_counter.h"
#include "server/server_impl.h"

namespace synap {

namespace {

constexpr size_t kWorkers = 3;
// At the end: how long commands under way may take, and how often they are looked after.
constexpr int64_t kShutdownWaitUs = 10'000'000;
constexpr int64_t kShutdownPollMs = 2;

OomClass oom_class_of(const Config& config) {
  return config.replicaof.host.empty() ? OomClass::kMaster : OomClass::kReplica;
}

std::string random_hex(size_t digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < digits; ++i) text += kDigits[thread_random().below(16)];
  return text;
}

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
  reactor_threads = std::make_unique<ReactorThreads>(reactors);
  clients = std::make_unique<ClientDirectory>(std::move(reactors));
  monitor = std::make_unique<MonitorFeed>(clients.get());
  pubsub = std::make_unique<PubSub>(clients.get());
  tracking = std::make_unique<Tracking>(clients.get(), &server.tracking, &server.message_bytes);
  connect_parts();
  watch_options();
  set_up_persistence();
  describe_process(*title);
  set_up_title(title);
  set_up_acl();
  listening = std::make_unique<Listening>(lanes.front().reactor.get(), &config,
                                          [this](int fd, SocketKind kind) { deal(fd, kind); });
  config.on_change({"maxmemory", "maxmemory-policy"}, [this](const Config&, const Config& after) {
    maxmemory_changed(after);
    return Status();
  });
  set_up_threads();
}

// What handlers see of the server.
void Synap::Impl::connect_parts() {
  server.config = &config;
  server.commands = &commands;
  server.keyspace = &keyspace;
  server.guards = &guards;
  server.reactor_threads = reactor_threads.get();
  server.clients = clients.get();
  server.statistics = &statistics;
  server.state = &state;
  server.slowlog = &slowlog;
  server.scripting = &scripting;
  server.hot_values = &hot_values;
  server.oom_score = &oom_score;
  server.client_eviction = &client_eviction;
  server.latency = &latency;
  server.monitor = monitor.get();
  server.pubsub = pubsub.get();
  server.tracking_table = tracking.get();
  server.acl = &acl;
  server.journal = &journal;
  server.begin_shutdown = [this](uint32_t flags) { return begin_shutdown(flags); };
  server.abort_shutdown = [] { return false; };  // a shutdown waits for nothing, so it cannot be stopped
  server.init_session = [this](Session& session) { init_session(session); };
  server.end_session = [this](Session& session, Dispatcher& dispatcher, Reactor& reactor) {
    end_session(session, dispatcher, reactor);
  };
}

void Synap::Impl::watch_options() {
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
  reactor_threads->keep_apart(config.current().io_threads_always_active);
  config.on_change({"io-threads-always-active"}, [this](const Config&, const Config& after) {
    reactor_threads->keep_apart(after.io_threads_always_active);
    return Status();
  });
  hot_values.set_capacity(static_cast<size_t>(config.current().hot_cache_size));
  config.on_change({"jemalloc-bg-thread"}, [](const Config&, const Config& after) {
    set_allocator_thread(after.jemalloc_bg_thread);
    return Status();
  });
  config.on_change({"hot-cache-size"}, [this](const Config&, const Config& after) {
    hot_values.set_capacity(static_cast<size_t>(after.hot_cache_size));
    return Status();
  });
}

// What INFO tells of this process and its start.
void Synap::Impl::describe_process(const ProcessTitle& title) {
  const Config& current = config.current();
  server.mean_ttl_ms = std::vector<std::atomic<int64_t>>(static_cast<size_t>(current.databases));
  server.startup_memory_bytes = used_memory_bytes();
  server.run_id = random_hex(40);
  server.executable = title.program();
  server.config_file = config_file;
  server.start_ms = wall_clock_ms();
  server.port = static_cast<int>(current.port);
}

// Reactors, workers and the loader of the AOF, each with a dispatcher of its own.
void Synap::Impl::set_up_threads() {
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
  lane.reactor->on_turn([this, &lane] { before_poll(lane); },
                        [&lane] {
                          reclamation_quiescent(lane.reactor->index());
                          lane.dispatcher->begin_turn();
                          lane.host->run_gathered();
                        });
  lane.reactor->every(kCronMs, [this, &lane] { cron(lane); });
}

// Before the loop polls again: what other clients' commands queued for ours leaves, closed clients are freed.
void Synap::Impl::before_poll(Lane& lane) {
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

// Asks the kernel for what the configuration wants. What it refuses is no reason not to start: the log says so.
void Synap::Impl::set_up_process() {
  raise_descriptor_limit(config.current().maxclients);
  if (config.current().disable_thp && huge_pages_always() && !refuse_huge_pages()) {
    log_warning("WARNING You have Transparent Huge Pages (THP) support enabled in your kernel. This will create latency and "
                "memory usage issues with Redis. To fix this issue run the command 'echo madvise > "
                "/sys/kernel/mm/transparent_hugepage/enabled' as root, and add it to your /etc/rc.local in order to retain "
                "the setting after a reboot. Redis must be restarted after THP is disabled (set to 'madvise' or 'never').");
  }
  static_cast<void>(oom_score.apply(config.current(), oom_class_of(config.current())));
  set_allocator_thread(config.current().jemalloc_bg_thread);
}

int Synap::Impl::run() {
  print_banner();
  set_up_process();
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
  obey_signals();
  background_free(memory_counter_join, 0);
  begin_loading();
  reactor_threads->run(memory_counter_join, Defragmenter::flush_thread_cache);
  workers->stop();
  persistence->end();
  aof->close();
  if (save_at_end && server.changes_since_snapshot() != 0 && !persistence->save(wall_clock_ms()).ok()) {
    log_warning("What was written while the server shut down could not be saved.");
  }
  background_stop();
  log_warning("Redis is now ready to exit, bye bye...");
  return 0;
}

void Synap::Impl::obey_signals() {
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
