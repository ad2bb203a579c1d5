// Who waits for whom: commands that take long beside others on the same keys and on all keys, and the end of the server.
#include <doctest/doctest.h>
#include <poll.h>

#include <atomic>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/held_shard.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

void fill_set(Client& client, const std::string& key, const std::string& prefix, int members) {
  constexpr int kPortion = 1000;
  for (int i = 0; i < members; i += kPortion) {
    std::vector<std::string> command = {"SADD", key};
    for (int j = i; j < i + kPortion; ++j) command.push_back(prefix + std::to_string(j));
    REQUIRE(client.call(command).integer == kPortion);
  }
}

bool has_answer(const RawSocket& socket) {
  pollfd waiting = {socket.fd(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) > 0;
}

// How many calls another client gets answered before the command is done.
int answered_meanwhile(const ServerProcess& server, const std::vector<std::string>& command,
                       const std::vector<std::string>& other) {
  RawSocket runner(server.port());
  Client beside(server.port());
  beside.call({"PING"});
  runner.send(encode(command));
  int answered = 0;
  while (!has_answer(runner)) {
    beside.call(other);
    ++answered;
  }
  CHECK(runner.receive(1).substr(0, 1) != "-");
  return answered;
}

}  // namespace

TEST_CASE("What stores a result computes it while others read its keys") {
  for (const std::string threads : {"1", "2"}) {
    ServerProcess server({"--io-threads", threads, "--save", ""});
    Client client(server.port());
    const int members = slow_build() ? 30000 : 200000;
    fill_set(client, "a", "a:", members);
    fill_set(client, "b", "b:", members);
    client.call({"SADD", "out", "old"});
    CHECK(answered_meanwhile(server, {"SUNIONSTORE", "out", "a", "b"}, {"SCARD", "a"}) > 3);
    CHECK(client.integer({"SCARD", "out"}) == 2 * members);
    CHECK(answered_meanwhile(server, {"ZUNIONSTORE", "z", "2", "a", "b"}, {"EXISTS", "z"}) > 3);
    CHECK(client.integer({"ZCARD", "z"}) == 2 * members);
    CHECK(answered_meanwhile(server, {"SORT", "a", "ALPHA", "STORE", "list"}, {"SCARD", "a"}) > 3);
    CHECK(client.integer({"LLEN", "list"}) == members);
    CHECK(answered_meanwhile(server, {"COPY", "out", "copy"}, {"SCARD", "out"}) > 3);
    CHECK(client.integer({"SCARD", "copy"}) == 2 * members);
    CHECK(client.text({"OBJECT", "ENCODING", "copy"}) == "hashtable");
  }
}

TEST_CASE("A store that meets a longer reader of its keys runs again, alone") {
  ServerProcess server({"--io-threads", "2", "--save", ""});
  Client client(server.port());
  const int members = slow_build() ? 30000 : 200000;
  fill_set(client, "a", "a:", members);
  Client watcher(server.port());
  watcher.append({"MONITOR"});
  REQUIRE(watcher.read().ok());
  for (int i = 0; i < 5; ++i) {
    RawSocket reader(server.port());
    RawSocket storer(server.port());
    reader.send(encode({"SORT", "a", "ALPHA", "LIMIT", "0", "1"}));
    storer.send(encode({"SDIFFSTORE", "out", "a"}));
    CHECK(storer.receive(1) == ":" + std::to_string(members) + "\r\n");
    CHECK(reader.receive(1).substr(0, 2) == "*1");
    CHECK(client.integer({"SCARD", "out"}) == members);
    CHECK(client.call({"DEL", "out"}).integer == 1);
  }
  // However often it ran, it was called once.
  CHECK(client.info("cmdstat_sdiffstore").starts_with("calls=5,"));
  int shown = 0;
  for (int i = 0; i < 20; ++i) shown += watcher.read().text.find("\"SDIFFSTORE\"") != std::string::npos ? 1 : 0;
  CHECK(shown == 5);
}

TEST_CASE("DEBUG POPULATE leaves others their turn") {
  for (const std::string threads : {"1", "2"}) {
    ServerProcess server({"--io-threads", threads, "--save", ""});
    Client client(server.port());
    const std::string count = slow_build() ? "50000" : "500000";
    CHECK(answered_meanwhile(server, {"DEBUG", "POPULATE", count, "p", "10"}, {"GET", "p:1"}) > 20);
    CHECK(client.call({"DBSIZE"}).integer == std::stoi(count));
    CHECK(client.text({"GET", "p:7"}).substr(0, 7) == "value:7");
    CHECK(client.call({"DEBUG", "POPULATE", "3", "p"}).ok());
    CHECK(client.call({"DBSIZE"}).integer == std::stoi(count));
  }
}

TEST_CASE("A snapshot is taken beside writers that never stop") {
  ServerProcess server({"--io-threads", "2", "--save", "1 1"});
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      Client client(server.port());
      for (int i = 0; !stop; ++i) {
        for (int j = 0; j < 50; ++j) client.append({"MSET", "k" + std::to_string(i % 97 * 50 + j), "v", "l" + std::to_string(t * 1000 + j), "v"});
        for (int j = 0; j < 50; ++j) client.read();
      }
    });
  }
  Client control(server.port());
  const std::string before = control.info("rdb_saves");
  CHECK(eventually([&] { return control.info("rdb_saves") != before; }, 20000));
  stop = true;
  for (std::thread& writer : writers) writer.join();
}

TEST_CASE("FLUSHALL beside a long reader holds up only the reader's shard") {
  ServerProcess server({"--io-threads", "2", "--save", "", "--busy-reply-threshold", "0"});
  const std::string held = key_beside(server, "free");
  Client client(server.port());
  client.call({"SET", held, "1"});
  client.call({"SET", "free", "1"});
  RawSocket reader(server.port());
  RawSocket flusher(server.port());
  const std::string endless = "#!lua flags=declared-keys-only,no-writes\nredis.call('GET', KEYS[1]) while true do end";
  reader.send(encode({"EVAL", endless, "1", held}));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  flusher.send(encode({"FLUSHALL"}));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  for (int i = 0; i < 100; ++i) CHECK(client.text({"GET", "free"}) == "1");
  CHECK_FALSE(has_answer(flusher));
  CHECK(eventually([&] { return client.call({"SCRIPT", "KILL"}).ok(); }));
  CHECK(reader.receive(1).find("Script killed by user") != std::string::npos);
  CHECK(flusher.receive(1) == "+OK\r\n");
  CHECK(client.integer({"DBSIZE"}) == 0);
}

TEST_CASE("A script killed while it waits for a shard leaves nothing behind") {
  for (const std::string threads : {"1", "2"}) {
    ServerProcess server({"--io-threads", threads, "--save", "", "--busy-reply-threshold", "0"});
    Client control(server.port());
    RawSocket holder(server.port());
    RawSocket waiter(server.port());
    holder.send(encode({"EVAL", "#!lua flags=declared-keys-only\nredis.call('GET', KEYS[1]) while true do end", "1", "held"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    waiter.send(encode({"EVAL", "return redis.call('GET', ARGV[1])", "1", "free", "held"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK(eventually([&] { return control.call({"SCRIPT", "KILL"}).ok(); }));
    CHECK(holder.receive(1).find("Script killed by user") != std::string::npos);
    CHECK_FALSE(waiter.receive(1).empty());
    for (const std::string key : {"held", "free"}) {
      CHECK(control.call({"SET", key, "1"}).ok());
      CHECK(control.text({"EVAL", "return redis.call('GET', KEYS[1])", "1", key}) == "1");
    }
    CHECK(control.call({"FLUSHALL"}).ok());
  }
}

TEST_CASE("A blocked command is in the slow log when it was served") {
  ServerProcess server({"--slowlog-log-slower-than", "0"});
  Client client(server.port());
  RawSocket blocked(server.port());
  blocked.send(encode({"BLPOP", "l", "0"}));
  REQUIRE(eventually([&] { return client.info("blocked_clients") == "1"; }));
  const auto logged = [&] {
    int found = 0;
    for (const Reply& row : client.call({"SLOWLOG", "GET", "-1"}).items) found += row.items[3].items[0].text == "BLPOP" ? 1 : 0;
    return found;
  };
  CHECK(logged() == 0);
  client.call({"RPUSH", "l", "1"});
  CHECK_FALSE(blocked.receive(1).empty());
  CHECK(logged() == 1);
  CHECK(client.info("cmdstat_blpop").starts_with("calls=1,"));
}

TEST_CASE("A blocked command waits for keys whose names are long") {
  ServerProcess server({"--save", ""});
  Client client(server.port());
  const std::string first(300000, 'a');
  const std::string second(300000, 'b');
  for (const std::string& key : {first, second}) {
    RawSocket blocked(server.port());
    blocked.send(encode({"XREAD", "BLOCK", "0", "STREAMS", first, second, "$", "$"}));
    REQUIRE(eventually([&] { return client.info("blocked_clients") == "1"; }));
    client.call({"XADD", key, "*", "field", "value"});
    CHECK(blocked.receive(key.size()).find(key.substr(0, 1000)) != std::string::npos);
    REQUIRE(eventually([&] { return client.info("blocked_clients") == "0"; }));
  }
}

TEST_CASE("Whoever asked for the shutdown sees the end only when nobody can connect any more") {
  for (const std::string threads : {"1", "2"}) {
    for (int i = 0; i < 4; ++i) {
      ServerProcess server({"--io-threads", threads, "--save", ""});
      std::vector<RawSocket> others;  // so that the caller is on any reactor
      for (int j = 0; j < i; ++j) others.emplace_back(server.port());
      RawSocket caller(server.port());
      caller.send("SHUTDOWN NOSAVE\r\n");
      CHECK(caller.receive_all().empty());
      CHECK_FALSE(RawSocket(server.port()).connected());
    }
  }
}

TEST_CASE("SIGALRM logs where the server is and harms nothing") {
  ServerProcess server;
  kill(server.pid(), SIGALRM);
  CHECK(eventually([&] { return server.log().find("Received SIGALRM") != std::string::npos; }));
  CHECK(Client(server.port()).text({"PING"}) == "PONG");
}

TEST_CASE("A client that promises a big argument and falls silent gives its memory back") {
  ServerProcess server;
  Client control(server.port());
  RawSocket promising(server.port());
  promising.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$50000000\r\nbegin");
  const auto used = [&] { return std::stoll(control.info("used_memory")); };
  CHECK(eventually([&] { return used() > 50000000; }));
  CHECK(eventually([&] { return used() < 40000000; }, 15000));
  promising.send(std::string(50000000 - 5, 'x') + "\r\n");
  CHECK(promising.receive(5) == "+OK\r\n");
  CHECK(control.call({"GETRANGE", "k", "0", "7"}).text == "beginxxx");
  CHECK(control.integer({"STRLEN", "k"}) == 50000000);
}
