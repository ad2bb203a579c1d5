// MIGRATE between two of our servers and between ours and Redis; targets that refuse, hang or close.
#include <doctest/doctest.h>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

const std::string kHost = "127.0.0.1";

std::vector<std::string> migrate(int port, const std::string& key, const std::vector<std::string>& more = {},
                                 const std::string& timeout_ms = "5000") {
  std::vector<std::string> args = {"MIGRATE", kHost, std::to_string(port), key, "0", timeout_ms};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

std::vector<std::string> fill(Client& client) {
  client.call({"SET", "text", std::string(200'000, 'x')});
  client.call({"SET", "number", "12345"});
  client.call({"SET", "", "the empty key"});
  client.call({"SET", "timed", "v", "PX", "600000"});
  client.call({"XADD", "stream", "1-1", "f", "v"});
  client.call({"XGROUP", "CREATE", "stream", "group", "0"});
  client.call({"XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">"});
  for (int i = 0; i < 500; ++i) {
    const std::string n = std::to_string(i);
    client.call({"RPUSH", "list", "element " + n});
    client.call({"SADD", "set", "member " + n});
    client.call({"HSET", "hash", "field " + n, n});
    client.call({"ZADD", "zset", n, "member " + n});
  }
  return {"text", "number", "", "timed", "stream", "list", "set", "hash", "zset"};
}

std::vector<std::string> digests(Client& client, const std::vector<std::string>& keys) {
  std::vector<std::string> args = {"DEBUG", "DIGEST-VALUE"};
  args.insert(args.end(), keys.begin(), keys.end());
  std::vector<std::string> all;
  for (const Reply& digest : client.call(args).items) all.push_back(digest.text);
  return all;
}

// A target that takes connections and never answers.
class SilentTarget {
 public:
  SilentTarget() : port_(free_port()), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(fd_, 10);
  }
  ~SilentTarget() { ::close(fd_); }
  SilentTarget(const SilentTarget&) = delete;
  SilentTarget& operator=(const SilentTarget&) = delete;
  int port() const { return port_; }
  int accept() { return ::accept(fd_, nullptr, nullptr); }

 private:
  const int port_;
  const int fd_;
};

void check_journey(Program from, Program to) {
  ServerProcess source(std::vector<std::string>{}, from);
  ServerProcess target(std::vector<std::string>{}, to);
  Client here(source.port());
  Client there(target.port());
  const std::vector<std::string> keys = fill(here);
  const std::vector<std::string> before = digests(here, keys);
  REQUIRE(here.call(migrate(target.port(), "", {"COPY"})).ok());
  REQUIRE(here.integer({"DBSIZE"}) == static_cast<long long>(keys.size()));
  std::vector<std::string> all = {"REPLACE", "KEYS", "nokey"};
  all.insert(all.end(), keys.begin(), keys.end());
  REQUIRE(here.call(migrate(target.port(), "", all)).ok());
  CHECK(here.integer({"DBSIZE"}) == 0);
  CHECK(digests(there, keys) == before);
  const long long ttl_ms = there.integer({"PTTL", "timed"});
  CHECK(ttl_ms > 500'000);
  CHECK(ttl_ms <= 600'000);
}

}  // namespace

TEST_CASE("Keys of every type travel between servers, ours and Redis") {
  SUBCASE("ours to ours") {
    check_journey(Program::kSynap, Program::kSynap);
  }
  SUBCASE("ours to Redis") {
    check_journey(Program::kSynap, Program::kRedis);
  }
  SUBCASE("Redis to ours") {
    check_journey(Program::kRedis, Program::kSynap);
  }
}

TEST_CASE("A refused key stays, the others leave, and the error is the target's") {
  ServerProcess source;
  ServerProcess target;
  Client here(source.port());
  Client there(target.port());
  for (const char* key : {"a", "b", "c"}) here.call({"SET", key, "1"});
  there.call({"SET", "b", "2"});
  CHECK(here.call(migrate(target.port(), "", {"KEYS", "a", "b", "c"})).text ==
        "ERR Target instance replied with error: BUSYKEY Target key name already exists.");
  CHECK(here.text({"GET", "b"}) == "1");
  CHECK(here.integer({"EXISTS", "a", "c"}) == 0);
  CHECK(there.text({"GET", "b"}) == "2");
  CHECK(there.integer({"EXISTS", "a", "c"}) == 2);
}

TEST_CASE("Without the right database or password no key is sent") {
  ServerProcess source;
  ServerProcess target({"--requirepass", "secret"});
  Client here(source.port());
  Client there(target.port());
  REQUIRE(there.call({"AUTH", "secret"}).ok());
  here.call({"SET", "a", "1"});
  CHECK(here.call(migrate(target.port(), "a")).text ==
        "ERR Target instance replied with error: NOAUTH Authentication required.");
  CHECK(here.call(migrate(target.port(), "a", {"AUTH", "wrong"})).text ==
        "ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.");
  CHECK(here.call({"MIGRATE", kHost, std::to_string(target.port()), "a", "99", "1000", "AUTH", "secret"}).text ==
        "ERR Target instance replied with error: ERR DB index is out of range");
  CHECK(there.integer({"DBSIZE"}) == 0);
  CHECK(here.text({"GET", "a"}) == "1");
  CHECK(here.call(migrate(target.port(), "a", {"AUTH2", "default", "secret"})).ok());
  CHECK(there.text({"GET", "a"}) == "1");
}

TEST_CASE("Connections are kept, replaced when the target closed them, and closed after ten seconds") {
  ServerProcess source;
  ServerProcess target;
  Client here(source.port());
  const auto kept = [&] { return here.info("migrate_cached_sockets"); };
  CHECK(kept() == "0");
  here.call({"SET", "a", "1"});
  REQUIRE(here.call(migrate(target.port(), "a")).ok());
  CHECK(kept() == "1");
  target.restart();
  here.call({"SET", "b", "1"});
  REQUIRE(here.call(migrate(target.port(), "b")).ok());
  CHECK(kept() == "1");
  CHECK(eventually([&] { return kept() == "0"; }, 15'000));
}

TEST_CASE("A target that does not answer costs only the caller its time") {
  ServerProcess source({"--io-threads", "1"});
  SilentTarget target;
  Client caller(source.port());
  Client other(source.port());
  caller.call({"SET", "a", "1"});
  caller.append(migrate(target.port(), "a", {}, "700"));
  caller.append({"GET", "a"});
  REQUIRE(other.connected());
  std::thread sender([&] { CHECK(caller.read().text == "IOERR error or timeout reading to target instance"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) CHECK(other.call({"PING"}).text == "PONG");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(300));
  sender.join();
  CHECK(caller.read().text == "1");
  CHECK(caller.info("migrate_cached_sockets") == "0");
}

TEST_CASE("Only +OK confirms a key: whatever else answers keeps it") {
  ServerProcess source;
  SilentTarget target;
  Client caller(source.port());
  caller.call({"SET", "a", "1"});
  std::thread web([&] {
    const int fd = target.accept();
    const std::string reply = "HTTP/1.1 400 Bad Request\r\nHTTP/1.1 400 Bad Request\r\n";
    CHECK(::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL) > 0);
    char bytes[1000];
    while (::recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
    ::close(fd);
  });
  CHECK(caller.call(migrate(target.port(), "a")).text ==
        "ERR Target instance replied with error: unexpected reply: HTTP/1.1 400 Bad Request");
  CHECK(caller.text({"GET", "a"}) == "1");
  source.stop();
  web.join();
}

TEST_CASE("MIGRATE in a transaction; refused inside a script") {
  ServerProcess source;
  ServerProcess target;
  Client here(source.port());
  Client there(target.port());
  here.call({"MULTI"});
  here.call({"SET", "a", "1"});
  here.call(migrate(target.port(), "a"));
  here.call({"GET", "a"});
  const Reply done = here.call({"EXEC"});
  REQUIRE(done.items.size() == 3);
  CHECK(done.items[1].ok());
  CHECK(done.items[2].nil());
  CHECK(there.text({"GET", "a"}) == "1");
  here.call({"SET", "b", "1"});
  const Reply refused = here.call({"EVAL", "return redis.call('MIGRATE', '127.0.0.1', ARGV[1], KEYS[1], 0, 1000)", "1",
                                   "b", std::to_string(target.port())});
  CHECK(refused.text.find("ERR MIGRATE cannot run inside a script") == 0);
  CHECK(here.text({"GET", "b"}) == "1");
}

TEST_CASE("The arguments of MIGRATE") {
  ServerProcess source;
  Client here(source.port());
  here.call({"SET", "a", "1"});
  CHECK(here.call(migrate(1, "nokey")).text == "NOKEY");
  CHECK(here.call(migrate(1, "", {"KEYS", "no", "key"})).text == "NOKEY");
  CHECK(here.call(migrate(1, "a")).text == "IOERR error or timeout connecting to the client");
  CHECK(here.call(migrate(1, "a", {"KEYS", "b"})).text ==
        "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
  CHECK(here.call(migrate(1, "a", {"AUTH"})).text == "ERR syntax error");
  CHECK(here.call(migrate(1, "a", {"AUTH2", "x"})).text == "ERR syntax error");
  CHECK(here.call(migrate(1, "a", {"MOVE"})).text == "ERR syntax error");
  CHECK(here.call(migrate(1, "a", {}, "x")).text == "ERR value is not an integer or out of range");
  here.call({"CONFIG", "SET", "slowlog-log-slower-than", "0"});
  here.call(migrate(1, "a", {"AUTH2", "user", "secret"}));
  const Reply log = here.call({"SLOWLOG", "GET", "1"});
  REQUIRE(log.items.size() == 1);
  const std::vector<Reply>& shown = log.items[0].items[3].items;
  REQUIRE(shown.size() == 9);
  CHECK(shown[7].text == "(redacted)");
  CHECK(shown[8].text == "(redacted)");
}
