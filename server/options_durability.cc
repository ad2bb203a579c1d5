// Options of snapshots, the append-only file, replication and the cluster.
#include <arpa/inet.h>

#include <cctype>

#include "server/base/number.h"
#include "server/base/text.h"
#include "server/options_list.h"

namespace synap {
namespace {

// "yes" is Redis's own compression, and what CONFIG GET shows for it.
constexpr OptionName kSnapshotCompressions[] = {{"yes", static_cast<int64_t>(Compression::kLzf)},
                                                {"no", static_cast<int64_t>(Compression::kNo)},
                                                {"lz4", static_cast<int64_t>(Compression::kLz4)},
                                                {"zstd", static_cast<int64_t>(Compression::kZstd)}};
constexpr OptionName kFsyncNames[] = {{"everysec", static_cast<int64_t>(AppendFsync::kEverysec)},
                                      {"always", static_cast<int64_t>(AppendFsync::kAlways)},
                                      {"no", static_cast<int64_t>(AppendFsync::kNo)}};
constexpr OptionName kSanitizeNames[] = {{"no", static_cast<int64_t>(SanitizePayload::kNo)},
                                         {"yes", static_cast<int64_t>(SanitizePayload::kYes)},
                                         {"clients", static_cast<int64_t>(SanitizePayload::kClients)}};
constexpr OptionName kDisklessLoads[] = {{"disabled", static_cast<int64_t>(DisklessLoad::kDisabled)},
                                         {"on-empty-db", static_cast<int64_t>(DisklessLoad::kOnEmptyDb)},
                                         {"swapdb", static_cast<int64_t>(DisklessLoad::kSwapdb)},
                                         {"flush-before-load", static_cast<int64_t>(DisklessLoad::kFlushBeforeLoad)}};
constexpr OptionName kPropagationNames[] = {
    {"ignore", static_cast<int64_t>(PropagationError::kIgnore)},
    {"panic", static_cast<int64_t>(PropagationError::kPanic)},
    {"panic-on-replicas", static_cast<int64_t>(PropagationError::kPanicOnReplicas)}};
constexpr OptionName kEndpointTypes[] = {{"ip", static_cast<int64_t>(EndpointType::kIp)},
                                         {"hostname", static_cast<int64_t>(EndpointType::kHostname)},
                                         {"unknown-endpoint", static_cast<int64_t>(EndpointType::kUnknown)}};

Status refuse(const char* text) {
  return Status(StatusCode::kSyntax, text);
}

// --- save: several lines of a file add up; CONFIG SET replaces.

Status parse_save(OptionWords words, bool append, Config* config) {
  const bool none = words.size() == 1 && words[0].empty();
  if (none) words = {};
  if (words.size() % 2 != 0) return refuse("Invalid save parameters");
  std::vector<SavePoint> points;
  if (append && !none) points = config->save;
  for (size_t i = 0; i < words.size(); i += 2) {
    SavePoint point{};
    if (!parse_int64(words[i], &point.seconds) || !parse_int64(words[i + 1], &point.changes) || point.seconds < 1 ||
        point.changes < 0) {
      return refuse("Invalid save parameters");
    }
    points.push_back(point);
  }
  config->save = std::move(points);
  return {};
}

std::string format_save(const Config& config) {
  std::string text;
  for (const SavePoint& point : config.save) {
    if (!text.empty()) text += ' ';
    text += to_text(point.seconds) + ' ' + to_text(point.changes);
  }
  return text;
}

// --- replicaof

Status parse_replicaof(OptionWords words, bool /*append*/, Config* config) {
  if (words.size() == 1 && words[0].empty()) words = {};  // as CONFIG GET prints a master's
  if (words.empty()) return config->replicaof = {}, Status();
  if (words.size() != 2) return refuse("wrong number of arguments");
  if (equals_ignore_case(words[0], "no") && equals_ignore_case(words[1], "one")) {
    return config->replicaof = {}, Status();
  }
  int64_t port = 0;
  if (!parse_int64(words[1], &port) || port < 0 || port > 65535) return refuse("Invalid master port");
  config->replicaof = {std::string(words[0]), port};
  return {};
}

std::string format_replicaof(const Config& config) {
  if (config.replicaof.host.empty()) return "";
  return config.replicaof.host + ' ' + to_text(config.replicaof.port);
}

std::vector<std::string> rewrite_replicaof(const Config& config) {
  if (config.replicaof.host.empty() || config.cluster_enabled) return {};
  return {format_replicaof(config)};
}

// --- checks

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos;
}

const char* check_dbfilename(const Config& config) {
  if (config.dbfilename.empty()) return "dbfilename can't be empty";
  return is_path(config.dbfilename) ? "dbfilename can't be a path, just a filename" : nullptr;
}

const char* check_appendfilename(const Config& config) {
  if (config.appendfilename.empty()) return "appendfilename can't be empty";
  return is_path(config.appendfilename) ? "appendfilename can't be a path, just a filename" : nullptr;
}

const char* check_appenddirname(const Config& config) {
  if (config.appenddirname.empty()) return "appenddirname can't be empty";
  return is_path(config.appenddirname) ? "appenddirname can't be a path, just a dirname" : nullptr;
}

const char* check_cluster_file(const Config& config) {
  return config.cluster_config_file.empty() ? "cluster-config-file can't be empty" : nullptr;
}

const char* check_hostname(const Config& config) {
  const std::string& name = config.cluster_announce_hostname;
  if (name.size() >= 256) return "Hostnames must be less than 256 characters";
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.') {
      return "Hostnames may only contain alphanumeric characters, hyphens or dots";
    }
  }
  return nullptr;
}

const char* check_nodename(const Config& config) {
  for (const char c : config.cluster_announce_human_nodename) {
    // Neither blanks nor what separates fields in nodes.conf.
    if (c < '!' || c > '~' || std::string_view("!#$%&()*+:;<>?@[]^{|}~").find(c) != std::string_view::npos) {
      return "Announced human node name contained invalid character";
    }
  }
  return nullptr;
}

const char* check_ipv4(const Config& config) {
  in_addr address{};
  const std::string& text = config.cluster_announce_client_ipv4;
  return text.empty() || inet_pton(AF_INET, text.c_str(), &address) == 1 ? nullptr : "Invalid IPv4 address";
}

const char* check_ipv6(const Config& config) {
  in6_addr address{};
  const std::string& text = config.cluster_announce_client_ipv6;
  return text.empty() || inet_pton(AF_INET6, text.c_str(), &address) == 1 ? nullptr : "Invalid IPv6 address";
}

constexpr Option kRows[] = {
    special_option("save", {parse_save, format_save, nullptr, true}, kMultiArg),
    text_option("dbfilename", &Config::dbfilename, kGuarded).checked(check_dbfilename),
    choice_option("rdbcompression", choice_member<&Config::rdbcompression>(), kSnapshotCompressions),
    boolean_option("rdbchecksum", &Config::rdbchecksum, kImmutable),
    boolean_option("rdb-del-sync-files", &Config::rdb_del_sync_files),
    boolean_option("rdb-save-incremental-fsync", &Config::rdb_save_incremental_fsync),
    number_option("rdb-key-save-delay", &Config::rdb_key_save_delay, kIntMin, kIntMax, kHidden),
    number_option("key-load-delay", &Config::key_load_delay, kIntMin, kIntMax, kHidden),
    number_option("loading-process-events-interval-bytes", &Config::loading_process_events_interval_bytes, 1024,
                  kIntMax, kHidden),
    boolean_option("stop-writes-on-bgsave-error", &Config::stop_writes_on_bgsave_error),
    choice_option("sanitize-dump-payload", choice_member<&Config::sanitize_dump_payload>(), kSanitizeNames),
    number_option("snapshot-keep", &Config::snapshot_keep, 0, 10000),

    boolean_option("appendonly", &Config::appendonly, kDenyLoading),
    text_option("appendfilename", &Config::appendfilename, kImmutable).checked(check_appendfilename),
    text_option("appenddirname", &Config::appenddirname, kImmutable).checked(check_appenddirname),
    choice_option("appendfsync", choice_member<&Config::appendfsync>(), kFsyncNames),
    memory_option("journal-buffer-limit", &Config::journal_buffer_limit, 1024 * 1024, kLongMax),
    number_option("appendfsync-interval-ms", &Config::appendfsync_interval_ms, 1, 60'000),
    boolean_option("no-appendfsync-on-rewrite", &Config::no_appendfsync_on_rewrite),
    number_option("auto-aof-rewrite-percentage", &Config::auto_aof_rewrite_percentage, 0, kIntMax),
    memory_option("auto-aof-rewrite-min-size", &Config::auto_aof_rewrite_min_size, 0, kLongMax),
    boolean_option("aof-load-truncated", &Config::aof_load_truncated),
    boolean_option("aof-use-rdb-preamble", &Config::aof_use_rdb_preamble),
    boolean_option("aof-timestamp-enabled", &Config::aof_timestamp_enabled),
    boolean_option("aof-rewrite-incremental-fsync", &Config::aof_rewrite_incremental_fsync),
    boolean_option("aof-disable-auto-gc", &Config::aof_disable_auto_gc, kHidden),

    special_option("replicaof", {parse_replicaof, format_replicaof, rewrite_replicaof}, kImmutable | kMultiArg)
        .aka("slaveof"),
    optional_text_option("masteruser", &Config::masteruser, kSensitive).aka("primaryuser"),
    optional_text_option("masterauth", &Config::masterauth, kSensitive).aka("primaryauth"),
    boolean_option("replica-serve-stale-data", &Config::replica_serve_stale_data).aka("slave-serve-stale-data"),
    boolean_option("replica-read-only", &Config::replica_read_only).aka("slave-read-only"),
    boolean_option("replica-lazy-flush", &Config::replica_lazy_flush).aka("slave-lazy-flush"),
    boolean_option("replica-ignore-maxmemory", &Config::replica_ignore_maxmemory).aka("slave-ignore-maxmemory"),
    boolean_option("replica-ignore-disk-write-errors", &Config::replica_ignore_disk_write_errors),
    boolean_option("replica-announced", &Config::replica_announced),
    optional_text_option("replica-announce-ip", &Config::replica_announce_ip).aka("slave-announce-ip"),
    number_option("replica-announce-port", &Config::replica_announce_port, 0, 65535).aka("slave-announce-port"),
    number_option("replica-priority", &Config::replica_priority, 0, kIntMax).aka("slave-priority"),
    boolean_option("repl-diskless-sync", &Config::repl_diskless_sync),
    number_option("repl-diskless-sync-delay", &Config::repl_diskless_sync_delay, 0, kIntMax),
    number_option("repl-diskless-sync-max-replicas", &Config::repl_diskless_sync_max_replicas, 0, kIntMax),
    choice_option("repl-diskless-load", choice_member<&Config::repl_diskless_load>(), kDisklessLoads, kDenyLoading),
    number_option("repl-ping-replica-period", &Config::repl_ping_replica_period, 1, kIntMax)
        .aka("repl-ping-slave-period"),
    number_option("repl-timeout", &Config::repl_timeout, 1, kIntMax),
    boolean_option("repl-disable-tcp-nodelay", &Config::repl_disable_tcp_nodelay),
    memory_option("repl-backlog-size", &Config::repl_backlog_size, 1, kLongMax),
    number_option("repl-backlog-ttl", &Config::repl_backlog_ttl, 0, kLongMax),
    number_option("min-replicas-to-write", &Config::min_replicas_to_write, 0, kIntMax).aka("min-slaves-to-write"),
    number_option("min-replicas-max-lag", &Config::min_replicas_max_lag, 0, kIntMax).aka("min-slaves-max-lag"),
    boolean_option("dual-channel-replication-enabled", &Config::dual_channel_replication_enabled, kRemembered),
    choice_option("propagation-error-behavior", choice_member<&Config::propagation_error_behavior>(), kPropagationNames,
                  kRemembered),

    boolean_option("cluster-enabled", &Config::cluster_enabled, kImmutable),
    text_option("cluster-config-file", &Config::cluster_config_file, kImmutable).checked(check_cluster_file),
    number_option("cluster-node-timeout", &Config::cluster_node_timeout, 0, kLongMax),
    number_option("cluster-ping-interval", &Config::cluster_ping_interval, 0, kLongMax, kHidden | kRemembered),
    number_option("cluster-port", &Config::cluster_port, 0, 65535, kImmutable),
    number_option("cluster-replica-validity-factor", &Config::cluster_replica_validity_factor, 0, kIntMax)
        .aka("cluster-slave-validity-factor"),
    number_option("cluster-migration-barrier", &Config::cluster_migration_barrier, 0, kIntMax),
    boolean_option("cluster-allow-replica-migration", &Config::cluster_allow_replica_migration),
    boolean_option("cluster-require-full-coverage", &Config::cluster_require_full_coverage),
    boolean_option("cluster-replica-no-failover", &Config::cluster_replica_no_failover)
        .aka("cluster-slave-no-failover"),
    boolean_option("cluster-allow-reads-when-down", &Config::cluster_allow_reads_when_down),
    boolean_option("cluster-allow-pubsubshard-when-down", &Config::cluster_allow_pubsubshard_when_down),
    memory_option("cluster-link-sendbuf-limit", &Config::cluster_link_sendbuf_limit, 0, kLongMax),
    number_option("cluster-blacklist-ttl", &Config::cluster_blacklist_ttl, 0, kLongMax, kRemembered),
    boolean_option("cluster-slot-stats-enabled", &Config::cluster_slot_stats_enabled, kRemembered),
    optional_text_option("cluster-announce-ip", &Config::cluster_announce_ip),
    optional_text_option("cluster-announce-client-ipv4", &Config::cluster_announce_client_ipv4).checked(check_ipv4),
    optional_text_option("cluster-announce-client-ipv6", &Config::cluster_announce_client_ipv6).checked(check_ipv6),
    optional_text_option("cluster-announce-hostname", &Config::cluster_announce_hostname).checked(check_hostname),
    optional_text_option("cluster-announce-human-nodename", &Config::cluster_announce_human_nodename)
        .checked(check_nodename),
    number_option("cluster-announce-port", &Config::cluster_announce_port, 0, 65535),
    number_option("cluster-announce-tls-port", &Config::cluster_announce_tls_port, 0, 65535),
    number_option("cluster-announce-bus-port", &Config::cluster_announce_bus_port, 0, 65535),
    choice_option("cluster-preferred-endpoint-type", choice_member<&Config::cluster_preferred_endpoint_type>(),
                  kEndpointTypes),
};

}  // namespace

const std::span<const Option> kDurabilityOptions = kRows;

}  // namespace synap
