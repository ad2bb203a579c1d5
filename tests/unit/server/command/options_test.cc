// Options: the rows hold together, and every kind reads and prints as Redis does.
#include "server/command/options.h"

#include <doctest/doctest.h>

#include <set>

#include "server/base/number.h"
#include "server/base/quoted_args.h"

namespace synap {
namespace {

// "" when the value is taken, else the error's text. Whatever is refused must leave the configuration alone.
std::string try_set(std::string_view name, std::string_view value, Config* config) {
  const Option* option = find_option(name);
  REQUIRE(option != nullptr);
  const std::string before = format_option(*option, *config);
  const Status status = parse_option_text(*option, value, config);
  if (!status.ok()) CHECK(format_option(*option, *config) == before);
  return status.detail();
}

std::string get(std::string_view name, const Config& config) {
  return format_option(*find_option(name), config);
}

TEST_CASE("rows are sound") {
  std::set<std::string_view> names;
  for_each_option([&](const Option& option) {
    CAPTURE(option.name);
    CHECK(names.insert(option.name).second);
    if (!option.alias.empty()) CHECK(names.insert(option.alias).second);
    CHECK(find_option(option.name) == &option);
    const bool numeric = std::holds_alternative<int64_t Config::*>(option.member);
    if (numeric) {
      const int64_t value = default_config().*std::get<int64_t Config::*>(option.member);
      CHECK(option.min <= value);
      CHECK(value <= option.max);
    }
    CHECK((option.kind == OptionKind::kChoice || option.kind == OptionKind::kFlags) == !option.names.empty());
    CHECK(is_default(option, default_config()));
  });
  CHECK(names.size() > 200);
  CHECK(find_option("MaxMemory") == find_option("maxmemory"));
  CHECK(find_option("slave-read-only") == find_option("replica-read-only"));
  CHECK(find_option("nonsense") == nullptr);
}

TEST_CASE("every default can be set again and read from its own line") {
  for_each_option([&](const Option& option) {
    CAPTURE(option.name);
    Config config;
    const std::string value = format_option(option, config);
    CHECK(parse_option_text(option, value, &config).ok());
    CHECK(format_option(option, config) == value);
    for (const std::string& line : option_lines(option, config)) {
      const auto words = split_quoted_args(line);
      REQUIRE(words.has_value());
      REQUIRE(words->front() == option.name);
      const std::vector<std::string_view> values(words->begin() + 1, words->end());
      CHECK(parse_option(option, values, false, &config).ok());
    }
    CHECK(format_option(option, config) == value);
  });
}

TEST_CASE("booleans") {
  Config config;
  CHECK(try_set("rdb-save-incremental-fsync", "YES", &config).empty());
  CHECK(config.rdb_save_incremental_fsync);
  CHECK(try_set("rdb-save-incremental-fsync", "1", &config) == "argument must be 'yes' or 'no'");
  CHECK(try_set("rdb-save-incremental-fsync", "", &config) == "argument must be 'yes' or 'no'");
  CHECK(get("rdb-save-incremental-fsync", config) == "yes");
}

TEST_CASE("numbers") {
  Config config;
  CHECK(try_set("port", "0", &config).empty());
  CHECK(try_set("port", "65536", &config) == "argument must be between 0 and 65535 inclusive");
  CHECK(try_set("port", "-1", &config) == "argument must be between 0 and 65535 inclusive");
  CHECK(try_set("port", "abc", &config) == "argument couldn't be parsed into an integer");
  CHECK(try_set("port", "010", &config) == "argument couldn't be parsed into an integer");
  CHECK(try_set("maxclients", "-1", &config) == "argument must be between 1 and 4294967295 inclusive");
  CHECK(try_set("list-max-ziplist-size", "-5", &config).empty());
  CHECK(config.list_max_listpack_size == -5);
  CHECK(try_set("unixsocketperm", "770", &config).empty());
  CHECK(config.unixsocketperm == 0770);
  CHECK(get("unixsocketperm", config) == "770");
  CHECK(try_set("unixsocketperm", "999", &config) == "argument couldn't be parsed as an octal number");
  CHECK(try_set("unixsocketperm", "1000", &config) == "argument must be between 0 and 777 inclusive");
}

TEST_CASE("memory and percent") {
  Config config;
  CHECK(try_set("maxmemory", "1gb", &config).empty());
  CHECK(get("maxmemory", config) == "1073741824");
  CHECK(option_lines(*find_option("maxmemory"), config) == std::vector<std::string>{"maxmemory 1gb"});
  CHECK(try_set("maxmemory", "", &config).empty());
  CHECK(config.maxmemory == 0);
  CHECK(try_set("maxmemory", "-1", &config) == "argument must be a memory value");
  CHECK(try_set("maxmemory", "1x", &config) == "argument must be a memory value");
  for (const char* size : {"1", "18446744073709551615", "99999999999999999999"}) {
    CHECK(try_set("proto-max-bulk-len", size, &config) ==
          "argument must be between 1048576 and 9223372036854775807 inclusive");
  }
  CHECK(try_set("maxmemory-clients", "50%", &config).empty());
  CHECK(config.maxmemory_clients == -50);
  CHECK(get("maxmemory-clients", config) == "50%");
  CHECK(try_set("maxmemory-clients", "200%", &config) == "percentage argument must be less or equal to 100");
  CHECK(try_set("maxmemory-clients", "x", &config) == "argument must be a memory or percent value");
}

TEST_CASE("choices and flags") {
  Config config;
  CHECK(try_set("maxmemory-policy", "AllKeys-LRU", &config).empty());
  CHECK(config.maxmemory_policy == MaxmemoryPolicy::kAllkeysLru);
  CHECK(try_set("loglevel", "x", &config) ==
        "argument(s) must be one of the following: debug, verbose, notice, warning, nothing");
  CHECK(try_set("shutdown-on-sigterm", "nosave now", &config).empty());
  CHECK(get("shutdown-on-sigterm", config) == "nosave now");
  CHECK(try_set("shutdown-on-sigterm", "now force save", &config).empty());
  CHECK(get("shutdown-on-sigterm", config) == "save now force");
  CHECK(try_set("shutdown-on-sigterm", "save nosave", &config) ==
        "shutdown options SAVE and NOSAVE can't be used simultaneously");
  CHECK(try_set("shutdown-on-sigterm", "default", &config).empty());
  CHECK(config.shutdown_on_sigterm == 0);
  CHECK_FALSE(try_set("shutdown-on-sigterm", "", &config).empty());
  CHECK(get("rdbcompression", config) == "yes");
  CHECK(try_set("rdbcompression", "no", &config).empty());
  CHECK(get("oom-score-adj", config) == "no");
  CHECK(try_set("oom-score-adj", "relative", &config).empty());
  CHECK(get("oom-score-adj", config) == "yes");
  CHECK(choice_name("maxmemory-policy", config) == "allkeys-lru");
}

TEST_CASE("save") {
  Config config;
  CHECK(get("save", config) == "3600 1 300 100 60 10000");
  CHECK(try_set("save", "900 1 60 10", &config).empty());
  CHECK(config.save == std::vector<SavePoint>{{900, 1}, {60, 10}});
  for (const char* bad : {"900", "900  1", "a b", "0 1", "1 -1", "900 1 ", "900 1 5"}) {
    CAPTURE(bad);
    CHECK(try_set("save", bad, &config) == "Invalid save parameters");
  }
  CHECK(try_set("save", "", &config).empty());
  CHECK(config.save.empty());
  CHECK(option_lines(*find_option("save"), config) == std::vector<std::string>{"save \"\""});
}

TEST_CASE("output buffer limits") {
  Config config;
  CHECK(get("client-output-buffer-limit", config) ==
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
  CHECK(try_set("client-output-buffer-limit", "replica 1mb 5 6 normal 2kb 0 0", &config).empty());
  CHECK(get("client-output-buffer-limit", config) == "normal 2048 0 0 slave 1048576 5 6 pubsub 33554432 8388608 60");
  CHECK(try_set("client-output-buffer-limit", "normal 1 2", &config) ==
        "Wrong number of arguments in buffer limit configuration.");
  CHECK(try_set("client-output-buffer-limit", "master 1 2 3", &config) ==
        "Invalid client class specified in buffer limit configuration.");
  CHECK(try_set("client-output-buffer-limit", "normal 9 9 9 pubsub a 2 3", &config) ==
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
}

TEST_CASE("keyspace events") {
  Config config;
  CHECK(try_set("notify-keyspace-events", "KEA", &config).empty());
  CHECK(get("notify-keyspace-events", config) == "AKE");
  CHECK(try_set("notify-keyspace-events", "g$lshzxetdKm", &config).empty());
  CHECK(get("notify-keyspace-events", config) == "AKm");
  CHECK(try_set("notify-keyspace-events", "nEl", &config).empty());
  CHECK(get("notify-keyspace-events", config) == "lnE");
  CHECK(try_set("notify-keyspace-events", "Q", &config) == "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
  CHECK(try_set("notify-keyspace-events", "", &config).empty());
  CHECK(config.notify_keyspace_events == 0);
}

TEST_CASE("other formats of their own") {
  Config config;
  CHECK(get("bind", config) == "* -::*");
  CHECK(try_set("bind", "127.0.0.1 -::1", &config).empty());
  CHECK(config.bind == std::vector<std::string>{"127.0.0.1", "-::1"});
  CHECK(try_set("bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", &config) == "Too many bind addresses specified.");
  CHECK(try_set("bind", "", &config).empty());
  CHECK(config.bind.empty());

  CHECK(try_set("oom-score-adj-values", "1 2", &config) == "wrong number of arguments");
  CHECK(try_set("oom-score-adj-values", "1 2 3000", &config) ==
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
  CHECK(try_set("oom-score-adj-values", "-5 2 3", &config).empty());
  CHECK(get("oom-score-adj-values", config) == "-5 2 3");

  CHECK(get("latency-tracking-info-percentiles", config) == "50 99 99.9");
  CHECK(try_set("latency-tracking-info-percentiles", "101", &config) ==
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
  CHECK(try_set("latency-tracking-info-percentiles", "a", &config) ==
        "Invalid latency-tracking-info-percentiles parameters");
  CHECK(try_set("latency-tracking-info-percentiles", "", &config).empty());
  CHECK(config.latency_tracking_info_percentiles.empty());

  CHECK(try_set("replicaof", "localhost 6380", &config).empty());
  CHECK(config.replicaof == MasterAddress{"localhost", 6380});
  CHECK(try_set("slaveof", "localhost 70000", &config) == "Invalid master port");
  CHECK(try_set("replicaof", "no one", &config).empty());
  CHECK(get("replicaof", config).empty());

  CHECK(try_set("dir", "/nonexistent", &config) == "No such file or directory");
  CHECK(try_set("dir", "/etc/passwd", &config) == "Not a directory");
  CHECK(try_set("dir", "/usr/../usr/./lib", &config).empty());
  CHECK(config.dir == "/usr/lib");
  CHECK(try_set("dir", "..", &config).empty());
  CHECK(config.dir == "/usr");
}

TEST_CASE("checks beyond the kind") {
  Config config;
  CHECK(try_set("dbfilename", "a/b", &config) == "dbfilename can't be a path, just a filename");
  CHECK(try_set("appenddirname", "", &config) == "appenddirname can't be empty");
  CHECK(try_set("proc-title-template", "{foo}", &config) == "template format is invalid or contains unknown variables");
  CHECK(try_set("proc-title-template", "{title} {port}", &config).empty());
  CHECK(try_set("locale-collate", "xx_NOWHERE", &config) == "Invalid locale name");
  CHECK(try_set("cluster-announce-hostname", "a_b", &config) ==
        "Hostnames may only contain alphanumeric characters, hyphens or dots");
  CHECK(try_set("cluster-announce-client-ipv4", "1.2.3", &config) == "Invalid IPv4 address");
  CHECK(try_set("cluster-announce-client-ipv6", "::1", &config).empty());
}

TEST_CASE("titles are filled in") {
  const auto value_of = [](std::string_view name) -> std::optional<std::string> {
    if (name == "port") return "6379";
    if (name == "server-mode") return "";
    return std::nullopt;
  };
  CHECK(expand_title(" a {port} {server-mode} ", value_of) == "a 6379");
  CHECK(expand_title("{{port} {port}", value_of) == "{port} 6379");
  CHECK_FALSE(expand_title("{other}", value_of).has_value());
  CHECK_FALSE(expand_title("{port", value_of).has_value());
  CHECK(expand_title("--my--title", value_of) == "--my--title");
}

TEST_CASE("hints are settled") {
  Config config;
  config.hz = 10'000;
  config.io_threads = 128;
  config.cluster_enabled = true;
  settle_config(&config);
  CHECK(config.hz == 500);
  CHECK(config.io_threads == 16);
  CHECK(config.databases == 1);
  CHECK(default_io_threads() >= 1);
}

}  // namespace
}  // namespace synap
