// Config: every directive's value, as one plain struct. The server reads it through ConfigStore's immutable snapshot;
// nobody changes a Config that others can see. A member's initialiser is its directive's default, its name the
// directive's name, its unit the directive's unit (bytes for sizes). What each row accepts is in server/options_*.cc,
// what it means in conf/synap.conf.
// Numbers are int64_t whatever Redis uses, so that one kind of option fits all.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace synap {

enum class MaxmemoryPolicy : uint8_t {
  kVolatileLru,
  kVolatileLfu,
  kVolatileRandom,
  kVolatileTtl,
  kAllkeysLru,
  kAllkeysLfu,
  kAllkeysRandom,
  kNoEviction,
};
enum class AppendFsync : uint8_t { kNo, kEverysec, kAlways };
enum class Supervised : uint8_t { kNo, kAuto, kSystemd, kUpstart };
enum class DisklessLoad : uint8_t { kDisabled, kOnEmptyDb, kSwapdb, kFlushBeforeLoad };
enum class OomScoreAdj : uint8_t { kNo, kRelative, kAbsolute };
enum class SanitizePayload : uint8_t { kNo, kYes, kClients };
enum class ProtectedAction : uint8_t { kNo, kYes, kLocal };
enum class PubsubDefault : uint8_t { kAllChannels, kResetChannels };
enum class EndpointType : uint8_t { kIp, kHostname, kUnknown };
enum class PropagationError : uint8_t { kIgnore, kPanic, kPanicOnReplicas };
enum class TlsAuthClients : uint8_t { kNo, kYes, kOptional };
enum class Verbosity : uint8_t { kDebug, kVerbose, kNotice, kWarning, kNothing };  // as LogLevel
enum class LogLines : uint8_t { kText, kJson };                                    // as LogFormat
enum class LogTimestamp : uint8_t { kLegacy, kIso8601, kMilliseconds };
enum class BusyScope : uint8_t { kServer, kKeys };
enum class Compression : uint8_t { kNo, kLzf, kLz4, kZstd };

// Bits of shutdown-on-sigint and shutdown-on-sigterm; 0 is "default".
enum ShutdownFlag : uint32_t {
  kShutdownSave = 1U << 0,
  kShutdownNosave = 1U << 1,
  kShutdownNow = 1U << 2,
  kShutdownForce = 1U << 3,
};

struct SavePoint {
  int64_t seconds;
  int64_t changes;
  bool operator==(const SavePoint&) const = default;
};

enum class OutputClass : uint8_t { kNormal, kReplica, kPubsub };
struct OutputLimit {
  int64_t hard_bytes;  // 0: none
  int64_t soft_bytes;
  int64_t soft_seconds;
  bool operator==(const OutputLimit&) const = default;
};

struct MasterAddress {
  std::string host;  // empty: this server is a master
  int64_t port = 0;
  bool operator==(const MasterAddress&) const = default;
};

// The cores this process may use, at most 16: the default of io-threads.
int64_t default_io_threads();

struct Config {
  // --- Network and clients (server/options_network.cc).
  std::vector<std::string> bind = {"*", "-::*"};
  std::string bind_source_addr;
  bool protected_mode = true;
  int64_t port = 6379;
  int64_t tcp_backlog = 511;
  int64_t tcp_keepalive = 300;  // seconds
  int64_t timeout = 0;          // seconds
  std::string unixsocket;
  int64_t unixsocketperm = 0;  // octal in the file; 0: as the umask says
  std::string unixsocketgroup;
  int64_t socket_mark_id = 0;
  int64_t maxclients = 10000;
  int64_t max_new_connections_per_cycle = 10;
  int64_t max_new_tls_connections_per_cycle = 1;
  int64_t proto_max_bulk_len = 512LL << 20;
  int64_t client_query_buffer_limit = 1LL << 30;
  std::array<OutputLimit, 3> client_output_buffer_limit = {
      {{0, 0, 0}, {256LL << 20, 64LL << 20, 60}, {32LL << 20, 8LL << 20, 60}}};
  int64_t maxmemory_clients = 0;  // bytes; negative: percent of maxmemory
  int64_t tracking_table_max_keys = 1000000;
  std::string requirepass;
  std::string aclfile;
  int64_t acllog_max_len = 128;
  PubsubDefault acl_pubsub_default = PubsubDefault::kResetChannels;
  ProtectedAction enable_protected_configs = ProtectedAction::kNo;
  ProtectedAction enable_debug_command = ProtectedAction::kNo;
  ProtectedAction enable_module_command = ProtectedAction::kNo;
  uint32_t notify_keyspace_events = 0;  // EventClass bits
  int64_t io_threads = default_io_threads();
  bool io_threads_do_reads = false;
  bool io_threads_always_active = false;
  int64_t events_per_io_thread = 2;
  int64_t prefetch_batch_max_size = 16;

  int64_t tls_port = 0;
  bool tls_cluster = false;
  bool tls_replication = false;
  TlsAuthClients tls_auth_clients = TlsAuthClients::kYes;
  bool tls_prefer_server_ciphers = false;
  bool tls_session_caching = true;
  int64_t tls_session_cache_size = 20480;
  int64_t tls_session_cache_timeout = 300;  // seconds
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string tls_key_file_pass;
  std::string tls_client_cert_file;
  std::string tls_client_key_file;
  std::string tls_client_key_file_pass;
  std::string tls_dh_params_file;
  std::string tls_ca_cert_file;
  std::string tls_ca_cert_dir;
  std::string tls_protocols;
  std::string tls_ciphers;
  std::string tls_ciphersuites;

  // --- Process, log and observation (server/options_process.cc).
  bool daemonize = false;
  Supervised supervised = Supervised::kNo;
  std::string pidfile;
  std::string dir;  // absolute; empty: where the server was started
  bool always_show_logo = false;
  bool set_proc_title = true;
  std::string proc_title_template = "{title} {listen-addr} {server-mode}";
  std::string locale_collate;
  int64_t databases = 16;
  int64_t hz = 10;
  bool dynamic_hz = true;
  Verbosity loglevel = Verbosity::kNotice;
  std::string logfile;
  LogLines log_format = LogLines::kText;
  LogTimestamp log_timestamp_format = LogTimestamp::kLegacy;
  bool syslog_enabled = false;
  std::string syslog_ident = "redis";
  int64_t syslog_facility = 16;  // local0; openlog takes it shifted by 3
  bool hide_user_data_from_log = false;
  bool crash_log_enabled = true;
  bool crash_memcheck_enabled = true;
  bool use_exit_on_panic = false;
  bool disable_thp = true;
  OomScoreAdj oom_score_adj = OomScoreAdj::kNo;
  std::array<int64_t, 3> oom_score_adj_values = {0, 200, 800};  // master, replica, child
  std::string server_cpulist;
  std::string bio_cpulist;
  std::string aof_rewrite_cpulist;
  std::string bgsave_cpulist;
  std::string ignore_warnings;
  int64_t shutdown_timeout = 10;  // seconds
  uint32_t shutdown_on_sigint = 0;
  uint32_t shutdown_on_sigterm = 0;
  int64_t slowlog_log_slower_than = 10000;  // microseconds; negative: off
  int64_t slowlog_max_len = 128;
  int64_t latency_monitor_threshold = 0;  // milliseconds; 0: off
  bool latency_tracking = true;
  std::vector<double> latency_tracking_info_percentiles = {50, 99, 99.9};
  int64_t watchdog_period = 0;  // milliseconds
  bool enable_debug_assert = false;
  std::string debug_context;
  std::string availability_zone;
  bool extended_redis_compatibility = false;

  // --- Memory, data types and scripts (server/options_data.cc).
  int64_t maxmemory = 0;
  MaxmemoryPolicy maxmemory_policy = MaxmemoryPolicy::kNoEviction;
  int64_t maxmemory_samples = 5;
  int64_t maxmemory_eviction_tenacity = 10;
  int64_t lfu_log_factor = 10;
  int64_t lfu_decay_time = 1;  // minutes
  int64_t active_expire_effort = 1;
  bool activerehashing = true;
  bool lazyfree_lazy_eviction = false;
  bool lazyfree_lazy_expire = false;
  bool lazyfree_lazy_server_del = false;
  bool lazyfree_lazy_user_del = false;
  bool lazyfree_lazy_user_flush = false;
  bool jemalloc_bg_thread = true;
  bool activedefrag = false;
  int64_t active_defrag_ignore_bytes = 100LL << 20;
  int64_t active_defrag_threshold_lower = 10;
  int64_t active_defrag_threshold_upper = 100;
  int64_t active_defrag_cycle_min = 1;
  int64_t active_defrag_cycle_max = 25;
  int64_t active_defrag_max_scan_fields = 1000;
  int64_t hash_max_listpack_entries = 512;
  int64_t hash_max_listpack_value = 64;
  int64_t list_max_listpack_size = -2;
  int64_t list_compress_depth = 0;
  int64_t list_packed_threshold = 0;  // no directive: DEBUG QUICKLIST-PACKED-THRESHOLD, bytes; 0: as the size limit
  int64_t set_max_intset_entries = 512;
  int64_t set_max_listpack_entries = 128;
  int64_t set_max_listpack_value = 64;
  int64_t zset_max_listpack_entries = 128;
  int64_t zset_max_listpack_value = 64;
  int64_t hll_sparse_max_bytes = 3000;
  int64_t stream_node_max_bytes = 4096;
  int64_t stream_node_max_entries = 100;
  Compression value_compression = Compression::kNo;
  int64_t value_compression_min_bytes = 1024;
  int64_t value_compression_level = 1;
  int64_t hot_cache_size = 0;           // bytes of decompressed values kept
  int64_t busy_reply_threshold = 5000;  // milliseconds
  BusyScope busy_scope = BusyScope::kServer;
  bool lua_jit = false;

  // --- Snapshots, append-only file, replication, cluster (server/options_durability.cc).
  std::vector<SavePoint> save = {{3600, 1}, {300, 100}, {60, 10000}};
  std::string dbfilename = "dump.rdb";
  Compression rdbcompression = Compression::kLzf;  // "yes"
  bool rdbchecksum = true;
  bool rdb_del_sync_files = false;
  bool rdb_save_incremental_fsync = true;
  int64_t rdb_key_save_delay = 0;  // microseconds, for tests; negative: keys between sleeps of one
  int64_t key_load_delay = 0;      // the same when loading
  int64_t loading_process_events_interval_bytes = 2LL << 20;
  bool stop_writes_on_bgsave_error = true;
  SanitizePayload sanitize_dump_payload = SanitizePayload::kNo;
  int64_t snapshot_keep = 0;  // older snapshots kept beside the newest
  bool appendonly = false;
  std::string appendfilename = "appendonly.aof";
  std::string appenddirname = "appendonlydir";
  AppendFsync appendfsync = AppendFsync::kEverysec;
  int64_t appendfsync_interval_ms = 1000;  // what "everysec" means
  bool no_appendfsync_on_rewrite = false;
  int64_t auto_aof_rewrite_percentage = 100;
  int64_t auto_aof_rewrite_min_size = 64LL << 20;
  bool aof_load_truncated = true;
  bool aof_use_rdb_preamble = true;
  bool aof_timestamp_enabled = false;
  bool aof_rewrite_incremental_fsync = true;
  int64_t journal_buffer_limit = 256LL << 20;  // bytes that wait for the disk before writers wait
  bool aof_disable_auto_gc = false;

  MasterAddress replicaof;
  std::string masteruser;
  std::string masterauth;
  bool replica_serve_stale_data = true;
  bool replica_read_only = true;
  bool replica_lazy_flush = false;
  bool replica_ignore_maxmemory = true;
  bool replica_ignore_disk_write_errors = false;
  bool replica_announced = true;
  std::string replica_announce_ip;
  int64_t replica_announce_port = 0;
  int64_t replica_priority = 100;
  bool repl_diskless_sync = true;
  int64_t repl_diskless_sync_delay = 5;  // seconds
  int64_t repl_diskless_sync_max_replicas = 0;
  DisklessLoad repl_diskless_load = DisklessLoad::kDisabled;
  int64_t repl_ping_replica_period = 10;  // seconds
  int64_t repl_timeout = 60;              // seconds
  bool repl_disable_tcp_nodelay = false;
  int64_t repl_backlog_size = 1LL << 20;
  int64_t repl_backlog_ttl = 3600;  // seconds
  int64_t min_replicas_to_write = 0;
  int64_t min_replicas_max_lag = 10;  // seconds
  bool dual_channel_replication_enabled = false;
  PropagationError propagation_error_behavior = PropagationError::kIgnore;

  bool cluster_enabled = false;
  std::string cluster_config_file = "nodes.conf";
  int64_t cluster_node_timeout = 15000;  // milliseconds
  int64_t cluster_ping_interval = 0;     // milliseconds; 0: from the timeout
  int64_t cluster_port = 0;
  int64_t cluster_replica_validity_factor = 10;
  int64_t cluster_migration_barrier = 1;
  bool cluster_allow_replica_migration = true;
  bool cluster_require_full_coverage = true;
  bool cluster_replica_no_failover = false;
  bool cluster_allow_reads_when_down = false;
  bool cluster_allow_pubsubshard_when_down = true;
  int64_t cluster_link_sendbuf_limit = 0;
  int64_t cluster_blacklist_ttl = 60;  // seconds
  bool cluster_slot_stats_enabled = false;
  std::string cluster_announce_ip;
  std::string cluster_announce_client_ipv4;
  std::string cluster_announce_client_ipv6;
  std::string cluster_announce_hostname;
  std::string cluster_announce_human_nodename;
  int64_t cluster_announce_port = 0;
  int64_t cluster_announce_tls_port = 0;
  int64_t cluster_announce_bus_port = 0;
  EndpointType cluster_preferred_endpoint_type = EndpointType::kIp;
};

// Pulls values that are only hints (hz, io-threads, databases in cluster mode) into what the server can do.
void settle_config(Config* config);

}  // namespace synap
