// INFO's sections about the process: server, clients, memory, stats, cpu, keyspace.
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "scripting/scripting.h"
#include "datatypes/pubsub/pubsub.h"
#include "persistence/persistence.h"
#include "server/admin/info_commands.h"
#include "server/admin/memory_overhead.h"
#include "server/base/clock.h"
#include "server/command/acl_store.h"
#include "server/command/memory_usage.h"
#include "server/command/tracking.h"
#include "server/command/version.h"
#include "server/keyspace/background.h"
#include "server/net/reactor_threads.h"

namespace synap {

namespace {

std::string_view policy_name(MaxmemoryPolicy policy) {
  static constexpr std::string_view kNames[] = {"volatile-lru",    "volatile-lfu",   "volatile-random", "volatile-ttl",
                                                "allkeys-lru",     "allkeys-lfu",    "allkeys-random",  "noeviction"};
  return kNames[static_cast<size_t>(policy)];
}

std::string seconds(const timeval& time) {
  return format_text("%lld.%06lld", static_cast<long long>(time.tv_sec), static_cast<long long>(time.tv_usec));
}

double ratio(size_t a, size_t b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

// Each kind of socket has its number, whether it is in use or not.
void info_listeners(const Config& config, InfoWriter& info) {
  std::string addresses;
  for (const std::string& bind : config.bind) addresses += ",bind=" + bind;
  if (config.port != 0) info.text("listener0", "name=tcp" + addresses + ",port=" + std::to_string(config.port));
  if (!config.unixsocket.empty()) info.text("listener1", "name=unix,bind=" + config.unixsocket);
  if (config.tls_port != 0) info.text("listener2", "name=tls" + addresses + ",port=" + std::to_string(config.tls_port));
}

}  // namespace

void info_server(Server& server, InfoWriter& info) {
  const Config& config = server.config->current();
  utsname name{};
  uname(&name);
  const int64_t now_us = wall_clock_us();
  const int64_t uptime_s = (now_us / 1000 - server.start_ms) / 1000;
  info.text("redis_version", kRedisVersion);
  info.text("synap_version", kSynapVersion);
  info.text("redis_git_sha1", "00000000");
  info.text("redis_git_dirty", "0");
  info.text("redis_build_id", "0");
  info.text("redis_mode", "standalone");
  info.text("os", std::string(name.sysname) + " " + name.release + " " + name.machine);
  info.text("arch_bits", "64");
  info.text("monotonic_clock", "POSIX clock_gettime");
  info.text("multiplexing_api", "epoll");
  info.text("atomicvar_api", "c11-builtin");
  info.text("gcc_version", format_text("%d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__));
  info.number("process_id", static_cast<int64_t>(getpid()));
  info.text("process_supervised", "no");
  info.text("run_id", server.run_id);
  info.number("tcp_port", config.port != 0 ? config.port : config.tls_port);
  info.number("server_time_usec", now_us);
  info.number("uptime_in_seconds", uptime_s);
  info.number("uptime_in_days", uptime_s / 86400);
  info.number("hz", config.hz);
  info.number("configured_hz", config.hz);
  info.number("lru_clock", (now_us / 1000000) & static_cast<int64_t>(AccessClock::kLruMax));
  info.text("executable", server.executable);
  info.text("config_file", server.config_file);
  info.flag("io_threads_active", server.reactor_threads->apart());
  info.number("io_threads", config.io_threads);
  info_listeners(config, info);
}

void info_clients(Server& server, InfoWriter& info) {
  size_t pubsub = 0, watching = 0, tracking = 0, watched_keys = 0;
  uint64_t input_max = 0, output_max = 0;
  for (const std::shared_ptr<SharedSession>& session : server.clients->all()) {
    const uint64_t flags = session->flags.load(std::memory_order_relaxed);
    pubsub += (flags & kSessionPubsub) != 0 ? 1 : 0;
    tracking += (flags & kSessionTracking) != 0 ? 1 : 0;
    const uint32_t watched = session->watched_keys.load(std::memory_order_relaxed);
    watching += watched != 0 ? 1 : 0;
    watched_keys += watched;
    input_max = std::max(input_max, session->query_buffer_bytes.load(std::memory_order_relaxed));
    output_max = std::max(output_max, session->output_bytes.load(std::memory_order_relaxed));
  }
  info.number("connected_clients", server.clients->count());
  info.number("cluster_connections", 0);
  info.number("maxclients", server.config->current().maxclients);
  info.number("client_recent_max_input_buffer", input_max);
  info.number("client_recent_max_output_buffer", output_max);
  info.number("blocked_clients", server.blocked_clients.load(std::memory_order_relaxed));
  info.number("tracking_clients", tracking);
  info.number("pubsub_clients", pubsub);
  info.number("watching_clients", watching);
  info.number("clients_in_timeout_table", server.blocked_clients.load(std::memory_order_relaxed));
  info.number("total_watched_keys", watched_keys);
  size_t blocking = 0, blocking_on_nokey = 0;
  for (size_t i = 0; i < kShards; ++i) {
    blocking += server.keyspace->shard(i).waiters.key_count();
    blocking_on_nokey += server.keyspace->shard(i).waiters.nokey_count();
  }
  info.number("total_blocking_keys", blocking);
  info.number("total_blocking_keys_on_nokey", blocking_on_nokey);
}

// Scripts and functions share one Lua state per thread: its bytes stand under vm_eval.
void add_scripts(const Scripting& scripting, InfoWriter& info) {
  const size_t vm = scripting.lua_bytes();
  const auto functions = scripting.registry().current();
  const size_t function_bytes = functions->memory_bytes();
  const size_t script_bytes = scripting.cache().memory_bytes();
  info.number("used_memory_vm_eval", vm);
  info.bytes("used_memory_lua", vm);
  info.number("used_memory_scripts_eval", script_bytes);
  info.number("number_of_cached_scripts", scripting.cache().count());
  info.number("number_of_functions", functions->functions.size());
  info.number("number_of_libraries", functions->libraries.size());
  info.number("used_memory_vm_functions", 0);
  info.bytes("used_memory_vm_total", vm);
  info.number("used_memory_functions", function_bytes);
  info.bytes("used_memory_scripts", script_bytes + function_bytes);
}

void info_memory(Server& server, InfoWriter& info) {
  const Config& config = server.config->current();
  const AllocatorFigures figures = allocator_figures();
  const size_t resident = resident_memory_bytes();
  const size_t peak = std::max(server.peak_memory_bytes.load(std::memory_order_relaxed), figures.allocated);
  const MemoryOverhead overhead = memory_overhead(server);
  const size_t dataset = overhead.dataset(figures.allocated);
  info.bytes("used_memory", figures.allocated);
  info.bytes("used_memory_rss", resident);
  info.bytes("used_memory_peak", peak);
  info.text("used_memory_peak_perc", format_text("%.2f%%", 100 * ratio(figures.allocated, peak)));
  info.number("used_memory_overhead", overhead.total());
  info.number("used_memory_startup", server.startup_memory_bytes);
  info.number("used_memory_dataset", dataset);
  info.text("used_memory_dataset_perc", format_text("%.2f%%", 100 * ratio(dataset, figures.allocated - std::min(figures.allocated, overhead.startup))));
  info.number("allocator_allocated", figures.allocated);
  info.number("allocator_active", figures.active);
  info.number("allocator_resident", figures.resident);
  info.number("allocator_muzzy", 0);
  info.bytes("total_system_memory", total_system_memory_bytes());
  add_scripts(*server.scripting, info);
  info.bytes("maxmemory", static_cast<uint64_t>(config.maxmemory));
  info.text("maxmemory_policy", policy_name(config.maxmemory_policy));
  info.fixed("allocator_frag_ratio", figures.fragmentation());
  info.number("allocator_frag_bytes", figures.holes);
  info.fixed("allocator_rss_ratio", ratio(figures.resident, figures.active));
  info.number("allocator_rss_bytes", static_cast<int64_t>(figures.resident) - static_cast<int64_t>(figures.active));
  info.fixed("rss_overhead_ratio", ratio(resident, figures.resident));
  info.number("rss_overhead_bytes", static_cast<int64_t>(resident) - static_cast<int64_t>(figures.resident));
  info.fixed("mem_fragmentation_ratio", ratio(resident, figures.allocated));
  info.number("mem_fragmentation_bytes", static_cast<int64_t>(resident) - static_cast<int64_t>(figures.allocated));
  info.number("mem_not_counted_for_evict", memory_not_counted(server));
  info.number("mem_replication_backlog", 0);
  info.number("mem_total_replication_buffers", 0);
  info.number("mem_clients_slaves", overhead.clients_replicas);
  info.number("mem_clients_normal", overhead.clients_normal);
  info.number("mem_cluster_links", 0);
  info.number("mem_aof_buffer", overhead.aof_buffer);
  info.text("mem_allocator", allocator_name());
  info.number("mem_overhead_db_hashtable_rehashing", 0);
  info.number("active_defrag_running", server.defrag.running_percent.load(std::memory_order_relaxed));
  info.number("lazyfree_pending_objects", background_pending_objects());
  info.number("lazyfreed_objects", background_freed_objects());
}

uint64_t command_ns(const Statistics& statistics) {
  uint64_t sum = 0;
  statistics.for_each([&](const ThreadStatistics& thread) {
    for (const CommandStatistics& command : thread.per_command) sum += command.nanoseconds.get();
  });
  return sum;
}

void info_stats(Server& server, InfoWriter& info) {
  const Statistics& statistics = *server.statistics;
  info.number("total_connections_received", statistics.sum(&ThreadStatistics::connections));
  info.number("total_commands_processed", statistics.sum(&ThreadStatistics::commands));
  info.number("instantaneous_ops_per_sec", server.operations_per_second.load(std::memory_order_relaxed));
  info.number("total_net_input_bytes", statistics.sum(&ThreadStatistics::net_in_bytes));
  info.number("total_net_output_bytes", statistics.sum(&ThreadStatistics::net_out_bytes));
  info.number("total_net_repl_input_bytes", 0);
  info.number("total_net_repl_output_bytes", 0);
  const auto kilobytes = [](const std::atomic<int64_t>& bytes) {
    return static_cast<double>(bytes.load(std::memory_order_relaxed)) / 1024;
  };
  info.fixed("instantaneous_input_kbps", kilobytes(server.input_bytes_per_second));
  info.fixed("instantaneous_output_kbps", kilobytes(server.output_bytes_per_second));
  info.number("rejected_connections", statistics.sum(&ThreadStatistics::rejected_connections));
  info.number("sync_full", 0);
  info.number("sync_partial_ok", 0);
  info.number("sync_partial_err", 0);
  info.number("expired_keys", server.sum_keyspace(&KeyspaceStats::expired));
  info.number("expired_subkeys", server.sum_keyspace(&KeyspaceStats::expired_fields));
  info.fixed("expired_stale_perc", 0);
  info.number("expired_time_cap_reached_count", 0);
  info.number("expire_cycle_cpu_milliseconds", 0);
  info.number("evicted_keys", server.sum_keyspace(&KeyspaceStats::evicted));
  info.number("evicted_clients", statistics.sum(&ThreadStatistics::evicted_clients));
  info.number("evicted_scripts", server.scripting->cache().evicted());
  const int64_t over_since_us = server.over_limit_since_us.load(std::memory_order_relaxed);
  const int64_t over_now_us = over_since_us == 0 ? 0 : monotonic_us() - over_since_us;
  info.number("total_eviction_exceeded_time", (server.over_limit_us.load(std::memory_order_relaxed) + over_now_us) / 1000);
  info.number("current_eviction_exceeded_time", over_now_us / 1000);
  info.number("keyspace_hits", server.sum_keyspace(&KeyspaceStats::hits));
  info.number("keyspace_misses", server.sum_keyspace(&KeyspaceStats::misses));
  info.number("pubsub_channels", server.pubsub->count(PubSubKind::kChannel));
  info.number("pubsub_patterns", server.pubsub->count(PubSubKind::kPattern));
  info.number("pubsubshard_channels", server.pubsub->count(PubSubKind::kShardChannel));
  const Persistence::Figures persistence = server.persistence->figures(wall_clock_ms());
  info.number("latest_fork_usec", persistence.last_fork_us);
  info.number("total_forks", persistence.forks);
  info.number("migrate_cached_sockets", server.persistence->migrate_targets().count());
  info.number("slave_expires_tracked_keys", 0);
  const DefragFigures& defrag = server.defrag;
  info.number("active_defrag_hits", defrag.hits.load(std::memory_order_relaxed));
  info.number("active_defrag_misses", defrag.misses.load(std::memory_order_relaxed));
  info.number("active_defrag_key_hits", defrag.key_hits.load(std::memory_order_relaxed));
  info.number("active_defrag_key_misses", defrag.key_misses.load(std::memory_order_relaxed));
  const int64_t defrag_since_us = defrag.since_us.load(std::memory_order_relaxed);
  const int64_t defrag_now_us = defrag_since_us == 0 ? 0 : monotonic_us() - defrag_since_us;
  info.number("total_active_defrag_time", (defrag.total_us.load(std::memory_order_relaxed) + defrag_now_us) / 1000);
  info.number("current_active_defrag_time", defrag_now_us / 1000);
  const Tracking::Figures caches = server.tracking_table->figures();
  info.number("tracking_total_keys", caches.keys);
  info.number("tracking_total_items", caches.items);
  info.number("tracking_total_prefixes", caches.prefixes);
  info.number("unexpected_error_replies", 0);
  info.number("total_error_replies", statistics.sum(&ThreadStatistics::errors));
  info.number("dump_payload_sanitizations", 0);
  info.number("total_reads_processed", statistics.sum(&ThreadStatistics::reads));
  info.number("total_writes_processed", statistics.sum(&ThreadStatistics::writes));
  info.number("io_threaded_reads_processed", 0);
  info.number("io_threaded_writes_processed", 0);
  info.number("client_query_buffer_limit_disconnections", statistics.sum(&ThreadStatistics::query_limit_disconnections));
  info.number("client_output_buffer_limit_disconnections",
              statistics.sum(&ThreadStatistics::output_limit_disconnections));
  info.number("reply_buffer_shrinks", 0);
  info.number("reply_buffer_expands", 0);
  const auto turns_per_second = static_cast<uint64_t>(server.turns_per_second.load(std::memory_order_relaxed));
  const auto turn_ns_per_second = static_cast<uint64_t>(server.turn_ns_per_second.load(std::memory_order_relaxed));
  info.number("eventloop_cycles", statistics.sum(&ThreadStatistics::turns));
  info.number("eventloop_duration_sum", statistics.sum(&ThreadStatistics::turn_ns) / 1000);
  info.number("eventloop_duration_cmd_sum", command_ns(statistics) / 1000);
  info.number("instantaneous_eventloop_cycles_per_sec", turns_per_second);
  info.number("instantaneous_eventloop_duration_usec", turn_ns_per_second / std::max<uint64_t>(turns_per_second, 1) / 1000);
  info.number("slow_lane_commands", statistics.sum(&ThreadStatistics::slow_lane_commands));
  info.number("parked_commands", statistics.sum(&ThreadStatistics::parked_commands));
  info.number("acl_access_denied_auth", server.acl->log().denied(AclDenial::kAuth));
  info.number("acl_access_denied_cmd", server.acl->log().denied(AclDenial::kCommand));
  info.number("acl_access_denied_key", server.acl->log().denied(AclDenial::kKey));
  info.number("acl_access_denied_channel", server.acl->log().denied(AclDenial::kChannel));
}

// The append-only file has its own thread: no reactor spends time in it.
void info_debug(Server& server, InfoWriter& info) {
  const Statistics& statistics = *server.statistics;
  info.number("eventloop_duration_aof_sum", 0);
  info.number("eventloop_duration_cron_sum", statistics.sum(&ThreadStatistics::cron_us));
  info.number("eventloop_duration_max", statistics.max(&ThreadStatistics::turn_ns_max) / 1000);
  info.number("eventloop_cmd_per_cycle_max", statistics.max(&ThreadStatistics::turn_commands_max));
}

void info_cpu(Server&, InfoWriter& info) {
  rusage self{}, children{}, thread{};
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &children);
  getrusage(RUSAGE_THREAD, &thread);
  info.text("used_cpu_sys", seconds(self.ru_stime));
  info.text("used_cpu_user", seconds(self.ru_utime));
  info.text("used_cpu_sys_children", seconds(children.ru_stime));
  info.text("used_cpu_user_children", seconds(children.ru_utime));
  info.text("used_cpu_sys_main_thread", seconds(thread.ru_stime));
  info.text("used_cpu_user_main_thread", seconds(thread.ru_utime));
}

void info_keyspace(Server& server, InfoWriter& info) {
  for (int db = 0; db < server.keyspace->databases(); ++db) {
    const size_t keys = server.keyspace->key_count(db);
    if (keys == 0) continue;
    const size_t expiring = server.keyspace->expiring_count(db);
    info.text("db" + std::to_string(db),
              format_text("keys=%zu,expires=%zu,avg_ttl=%lld,subexpiry=%zu", keys, expiring,
                          static_cast<long long>(expiring == 0 ? 0 : server.mean_ttl_ms[static_cast<size_t>(db)].load()),
                          server.keyspace->field_expiring_count(db)));
  }
}

}  // namespace synap
