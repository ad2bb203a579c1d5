// Options of the network, clients, access and TLS.
#include <climits>

#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/options_list.h"

namespace synap {
namespace {

constexpr OptionName kProtectedActions[] = {{"no", static_cast<int64_t>(ProtectedAction::kNo)},
                                            {"yes", static_cast<int64_t>(ProtectedAction::kYes)},
                                            {"local", static_cast<int64_t>(ProtectedAction::kLocal)}};
constexpr OptionName kTlsAuthNames[] = {{"no", static_cast<int64_t>(TlsAuthClients::kNo)},
                                        {"yes", static_cast<int64_t>(TlsAuthClients::kYes)},
                                        {"optional", static_cast<int64_t>(TlsAuthClients::kOptional)}};
constexpr OptionName kPubsubDefaults[] = {{"allchannels", static_cast<int64_t>(PubsubDefault::kAllChannels)},
                                          {"resetchannels", static_cast<int64_t>(PubsubDefault::kResetChannels)}};

Status refuse(const char* text) {
  return Status(StatusCode::kSyntax, text);
}

// --- bind

Status parse_bind(OptionWords words, bool /*append*/, Config* config) {
  constexpr size_t kAddressesMax = 16;
  if (words.size() > kAddressesMax) return refuse("Too many bind addresses specified.");
  const bool none = words.size() == 1 && words[0].empty();
  config->bind.clear();
  if (!none) config->bind.assign(words.begin(), words.end());
  return {};
}

std::string format_bind(const Config& config) {
  std::string text;
  for (const std::string& address : config.bind) {
    if (!text.empty()) text += ' ';
    text += address;
  }
  return text;
}

// --- client-output-buffer-limit

constexpr std::string_view kOutputClassNames[] = {"normal", "slave", "pubsub"};

bool parse_output_class(std::string_view word, size_t* index) {
  for (size_t i = 0; i < std::size(kOutputClassNames); ++i) {
    if (equals_ignore_case(word, kOutputClassNames[i])) return *index = i, true;
  }
  return equals_ignore_case(word, "replica") && (*index = static_cast<size_t>(OutputClass::kReplica), true);
}

bool parse_output_limit(OptionWords words, OutputLimit* limit) {
  uint64_t hard = 0;
  uint64_t soft = 0;
  int64_t seconds = 0;
  if (!parse_memory_size(words[0], &hard) || !parse_memory_size(words[1], &soft)) return false;
  if (!parse_int64(words[2], &seconds) || seconds < 0 || hard > LLONG_MAX || soft > LLONG_MAX) return false;
  *limit = {static_cast<int64_t>(hard), static_cast<int64_t>(soft), seconds};
  return true;
}

Status parse_output_limits(OptionWords words, bool /*append*/, Config* config) {
  if (words.size() % 4 != 0) return refuse("Wrong number of arguments in buffer limit configuration.");
  auto limits = config->client_output_buffer_limit;
  for (size_t i = 0; i < words.size(); i += 4) {
    size_t index = 0;
    if (!parse_output_class(words[i], &index)) {
      return refuse("Invalid client class specified in buffer limit configuration.");
    }
    if (!parse_output_limit(words.subspan(i + 1, 3), &limits[index])) {
      return refuse("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
  }
  config->client_output_buffer_limit = limits;
  return {};
}

std::string format_output_limit(size_t index, const Config& config) {
  const OutputLimit& limit = config.client_output_buffer_limit[index];
  return to_text(limit.hard_bytes) + ' ' + to_text(limit.soft_bytes) + ' ' + to_text(limit.soft_seconds);
}

std::string format_output_limits(const Config& config) {
  std::string text;
  for (size_t i = 0; i < std::size(kOutputClassNames); ++i) {
    if (i > 0) text += ' ';
    text += std::string(kOutputClassNames[i]) + ' ' + format_output_limit(i, config);
  }
  return text;
}

std::vector<std::string> rewrite_output_limits(const Config& config) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < std::size(kOutputClassNames); ++i) {
    const bool replica = i == static_cast<size_t>(OutputClass::kReplica);
    lines.push_back(std::string(replica ? "replica" : kOutputClassNames[i]) + ' ' + format_output_limit(i, config));
  }
  return lines;
}

// --- notify-keyspace-events

struct EventLetter {
  char letter;
  uint32_t bit;
};
// In the order in which Redis prints them.
constexpr EventLetter kEventLetters[] = {
    {'g', kEventGeneric}, {'$', kEventString},   {'l', kEventList},     {'s', kEventSet},    {'h', kEventHash},
    {'z', kEventZset},    {'x', kEventExpired},  {'e', kEventEvicted},  {'t', kEventStream}, {'d', kEventModule},
    {'n', kEventNew},     {'K', kEventKeyspace}, {'E', kEventKeyevent}, {'m', kEventKeyMiss}};

Status parse_events(OptionWords words, bool /*append*/, Config* config) {
  if (words.size() != 1) return refuse("wrong number of arguments");
  uint32_t events = 0;
  for (const char c : words[0]) {
    uint32_t bit = 0;
    if (c == 'A') bit = kEventAll;
    for (const EventLetter& event : kEventLetters) {
      if (event.letter == c) bit = event.bit;
    }
    if (bit == 0) return refuse("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    events |= bit;
  }
  config->notify_keyspace_events = events;
  return {};
}

std::string format_events(const Config& config) {
  const uint32_t events = config.notify_keyspace_events;
  const bool all = (events & kEventAll) == kEventAll;
  std::string text = all ? "A" : "";
  for (const EventLetter& event : kEventLetters) {
    const bool in_all = (event.bit & (kEventAll | kEventNew)) != 0;  // Redis leaves 'n' out beside 'A' too
    if ((events & event.bit) != 0 && !(all && in_all)) text += event.letter;
  }
  return text;
}

std::vector<std::string> rewrite_events(const Config& config) {
  return {'"' + format_events(config) + '"'};
}

constexpr uint32_t kTlsFile = kVolatile;

constexpr Option kRows[] = {
    special_option("bind", {parse_bind, format_bind}, kMultiArg),
    optional_text_option("bind-source-addr", &Config::bind_source_addr),
    boolean_option("protected-mode", &Config::protected_mode),
    number_option("port", &Config::port, 0, 65535),
    number_option("tcp-backlog", &Config::tcp_backlog, 0, kIntMax, kImmutable),
    number_option("tcp-keepalive", &Config::tcp_keepalive, 0, kIntMax),
    number_option("timeout", &Config::timeout, 0, kIntMax),
    optional_text_option("unixsocket", &Config::unixsocket, kImmutable),
    number_option("unixsocketperm", &Config::unixsocketperm, 0, 0777, kImmutable, OptionKind::kOctal),
    optional_text_option("unixsocketgroup", &Config::unixsocketgroup, kImmutable),
    number_option("socket-mark-id", &Config::socket_mark_id, 0, kUintMax, kImmutable | kRemembered),
    number_option("maxclients", &Config::maxclients, 1, kUintMax),
    number_option("max-new-connections-per-cycle", &Config::max_new_connections_per_cycle, 1, 1000, kRemembered),
    number_option("max-new-tls-connections-per-cycle", &Config::max_new_tls_connections_per_cycle, 1, 1000,
                  kRemembered),
    memory_option("proto-max-bulk-len", &Config::proto_max_bulk_len, 1024 * 1024, kLongMax),
    memory_option("client-query-buffer-limit", &Config::client_query_buffer_limit, 1024 * 1024, kLongMax),
    special_option("client-output-buffer-limit", {parse_output_limits, format_output_limits, rewrite_output_limits},
                   kMultiArg),
    number_option("maxmemory-clients", &Config::maxmemory_clients, -100, kLongMax, 0, OptionKind::kMemoryOrPercent),
    number_option("tracking-table-max-keys", &Config::tracking_table_max_keys, 0, kLongMax),

    optional_text_option("requirepass", &Config::requirepass, kSensitive),
    text_option("aclfile", &Config::aclfile, kImmutable),
    number_option("acllog-max-len", &Config::acllog_max_len, 0, kLongMax),
    choice_option("acl-pubsub-default", choice_member<&Config::acl_pubsub_default>(), kPubsubDefaults),
    choice_option("enable-protected-configs", choice_member<&Config::enable_protected_configs>(), kProtectedActions,
                  kImmutable),
    choice_option("enable-debug-command", choice_member<&Config::enable_debug_command>(), kProtectedActions,
                  kImmutable),
    choice_option("enable-module-command", choice_member<&Config::enable_module_command>(), kProtectedActions,
                  kImmutable | kRemembered),
    special_option("notify-keyspace-events", {parse_events, format_events, rewrite_events}),

    number_option("io-threads", &Config::io_threads, 1, 128, kImmutable),
    boolean_option("io-threads-always-active", &Config::io_threads_always_active),
    boolean_option("io-threads-do-reads", &Config::io_threads_do_reads, kImmutable | kRemembered),
    number_option("events-per-io-thread", &Config::events_per_io_thread, 0, kIntMax, kHidden | kRemembered),
    number_option("prefetch-batch-max-size", &Config::prefetch_batch_max_size, 0, 128, kRemembered),

    number_option("tls-port", &Config::tls_port, 0, 65535),
    boolean_option("tls-cluster", &Config::tls_cluster),
    boolean_option("tls-replication", &Config::tls_replication),
    choice_option("tls-auth-clients", choice_member<&Config::tls_auth_clients>(), kTlsAuthNames),
    boolean_option("tls-prefer-server-ciphers", &Config::tls_prefer_server_ciphers),
    boolean_option("tls-session-caching", &Config::tls_session_caching),
    number_option("tls-session-cache-size", &Config::tls_session_cache_size, 0, kIntMax),
    number_option("tls-session-cache-timeout", &Config::tls_session_cache_timeout, 0, kIntMax),
    optional_text_option("tls-cert-file", &Config::tls_cert_file, kTlsFile),
    optional_text_option("tls-key-file", &Config::tls_key_file, kTlsFile),
    optional_text_option("tls-key-file-pass", &Config::tls_key_file_pass, kSensitive),
    optional_text_option("tls-client-cert-file", &Config::tls_client_cert_file, kTlsFile),
    optional_text_option("tls-client-key-file", &Config::tls_client_key_file, kTlsFile),
    optional_text_option("tls-client-key-file-pass", &Config::tls_client_key_file_pass, kSensitive),
    optional_text_option("tls-dh-params-file", &Config::tls_dh_params_file, kTlsFile),
    optional_text_option("tls-ca-cert-file", &Config::tls_ca_cert_file, kTlsFile),
    optional_text_option("tls-ca-cert-dir", &Config::tls_ca_cert_dir, kTlsFile),
    optional_text_option("tls-protocols", &Config::tls_protocols),
    optional_text_option("tls-ciphers", &Config::tls_ciphers),
    optional_text_option("tls-ciphersuites", &Config::tls_ciphersuites),
};

}  // namespace

const std::span<const Option> kNetworkOptions = kRows;

}  // namespace synap
