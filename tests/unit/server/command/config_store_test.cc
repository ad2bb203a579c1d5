// ConfigStore: changes are whole or not at all, callbacks run once, in order, and back.
#include "server/command/config_store.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "server/base/log.h"

namespace synap {
namespace {

std::string set(ConfigStore& store, std::vector<ConfigChange> changes, ConfigRights rights = {}) {
  return store.set(changes, rights).detail();
}

TEST_CASE("a change is seen whole") {
  ConfigStore store{Config{}};
  const Config& before = store.current();
  CHECK(set(store, {{"maxmemory", "1mb"}, {"HZ", "50"}}).empty());
  CHECK(store.current().maxmemory == 1 << 20);
  CHECK(store.current().hz == 50);
  CHECK(before.maxmemory == 0);  // a snapshot never changes
}

TEST_CASE("one bad value refuses all") {
  ConfigStore store{Config{}};
  CHECK(set(store, {{"maxmemory", "1mb"}, {"slave-priority", "x"}}) ==
        "ERR CONFIG SET failed (possibly related to argument 'slave-priority') - argument couldn't be parsed into an "
        "integer");
  CHECK(store.current().maxmemory == 0);
}

TEST_CASE("what may not be set") {
  ConfigStore store{Config{}};
  CHECK(set(store, {{"maxmemory", "1"}, {"nope", "1"}}) ==
        "ERR Unknown option or number of arguments for CONFIG SET - 'nope'");
  CHECK(set(store, {{"Daemonize", "yes"}}) ==
        "ERR CONFIG SET failed (possibly related to argument 'Daemonize') - can't set immutable config");
  CHECK(set(store, {{"dbfilename", "x"}}) ==
        "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config");
  CHECK(set(store, {{"maxmemory", "1"}, {"MAXMEMORY", "2"}}) ==
        "ERR CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter");
  CHECK(set(store, {{"replica-priority", "1"}, {"slave-priority", "x"}}) ==
        "ERR CONFIG SET failed (possibly related to argument 'slave-priority') - argument couldn't be parsed into an "
        "integer");
  CHECK(set(store, {{"appendonly", "yes"}}, {.loading = true}) == "LOADING Redis is loading the dataset in memory");
  CHECK(set(store, {{"dbfilename", "x"}}, {.guarded_options = true}).empty());
  CHECK(store.current().dbfilename == "x");
  CHECK(store.current().maxmemory == 0);
}

TEST_CASE("an option and its alias may be set at once, and the later one counts") {
  ConfigStore store{Config{}};
  CHECK(set(store, {{"replica-priority", "1"}, {"slave-priority", "2"}}).empty());
  CHECK(store.current().replica_priority == 2);
}

TEST_CASE("sizes out of range") {
  ConfigStore store{Config{}};
  for (const char* size : {"99999999999999999999", "9223372036854775808", "9999999999gb", "0"}) {
    CAPTURE(size);
    CHECK(set(store, {{"repl-backlog-size", size}}) ==
          "ERR CONFIG SET failed (possibly related to argument 'repl-backlog-size') - argument must be between 1 and "
          "9223372036854775807 inclusive");
  }
  CHECK(set(store, {{"repl-backlog-size", "100"}}).empty());
  CHECK(store.current().repl_backlog_size == 16384);
}

TEST_CASE("callbacks run once, in the order of the arguments, only for changes") {
  ConfigStore store{Config{}};
  std::string calls;
  store.on_change({"bind", "port"}, [&](const Config&, const Config& after) {
    calls += "listen:" + std::to_string(after.port) + " ";
    CHECK(&after != nullptr);
    return Status();
  });
  store.on_change({"maxclients"}, [&](const Config& before, const Config& after) {
    calls += "clients:" + std::to_string(before.maxclients) + ">" + std::to_string(after.maxclients) + " ";
    return Status();
  });
  CHECK(set(store, {{"maxclients", "5"}, {"port", "1"}, {"hz", "20"}, {"bind", "127.0.0.1"}}).empty());
  CHECK(calls == "clients:10000>5 listen:1 ");
  calls.clear();
  CHECK(set(store, {{"maxclients", "5"}}).empty());
  CHECK(calls.empty());
}

TEST_CASE("volatile options are applied even when unchanged") {
  ConfigStore store{Config{}};
  int calls = 0;
  store.on_change({"tls-cert-file"}, [&](const Config&, const Config&) { return ++calls, Status(); });
  CHECK(set(store, {{"tls-cert-file", ""}}).empty());
  CHECK(calls == 1);
}

TEST_CASE("a failing callback takes everything back") {
  log().set_level(LogLevel::kNothing);
  ConfigStore store{Config{}};
  std::string calls;
  store.on_change({"maxclients"}, [&](const Config&, const Config& after) {
    calls += "clients:" + std::to_string(after.maxclients) + " ";
    return Status();
  });
  store.on_change({"port"}, [&](const Config&, const Config& after) {
    calls += "port:" + std::to_string(after.port) + " ";
    if (after.port == 1) return Status(StatusCode::kIoError, "Unable to listen on this port. Check server logs.");
    return Status();
  });
  CHECK(set(store, {{"maxclients", "5"}, {"port", "1"}}) ==
        "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server "
        "logs.");
  CHECK(calls == "clients:5 port:1 clients:10000 port:6379 ");
  CHECK(store.current().maxclients == 10000);
  CHECK(store.current().port == 6379);
  log().set_level(LogLevel::kNotice);
}

TEST_CASE("the process follows its settings") {
  Config config;
  config.loglevel = Verbosity::kWarning;
  ConfigStore store{config};
  CHECK(store.enter().ok());
  CHECK(log().level() == LogLevel::kWarning);
  CHECK(set(store, {{"loglevel", "notice"}}).empty());
  CHECK(log().level() == LogLevel::kNotice);
}

TEST_CASE("the server's own updates, and retired snapshots") {
  ConfigStore store{Config{}};
  size_t retired = 0;
  store.set_retire([&](std::unique_ptr<const Config> old) { retired += old != nullptr ? 1 : 0; });
  store.update([](Config* config) { config->replicaof = {"host", 1}; });
  CHECK(store.current().replicaof.host == "host");
  CHECK(retired == 1);
}

TEST_CASE("a rewrite takes the users from memory once it can") {
  char path[] = "/tmp/synap-store-test-XXXXXX";
  const int fd = mkstemp(path);
  REQUIRE(fd >= 0);
  REQUIRE(write(fd, "user old on\nport 1\n", 19) == 19);
  close(fd);
  const auto text = [&path] {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  ConfigStore store{Config{}};
  REQUIRE(store.rewrite(path).ok());
  CHECK(text().starts_with("user old on\nport 6379\n"));
  store.set_users([] { return std::vector<std::string>{"new off"}; });
  REQUIRE(store.rewrite(path, true).ok());
  CHECK(text().starts_with("user new off\n"));
  CHECK(text().find("\nhz 10\n") != std::string::npos);
  unlink(path);
}

TEST_CASE("readers see one of the states, never a mixture") {
  ConfigStore store{Config{}};
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      const Config& config = store.current();
      REQUIRE(config.maxmemory * 10 == config.repl_backlog_size - (1 << 20));
    }
  });
  for (int i = 1; i <= 200; ++i) {
    const std::string small = std::to_string(i);
    const std::string big = std::to_string((1 << 20) + i * 10);
    REQUIRE(set(store, {{"maxmemory", small}, {"repl-backlog-size", big}}).empty());
  }
  stop = true;
  reader.join();
}

TEST_CASE("options without effect are named") {
  Config config;
  CHECK(remembered_options_in_use(config).empty());
  config.activerehashing = false;
  CHECK(remembered_options_in_use(config) == std::vector<std::string_view>{"activerehashing"});
}

}  // namespace
}  // namespace synap
