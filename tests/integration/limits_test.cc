// What a server bounds: clients, idle time, buffers; and that a client at its bound is nobody else's trouble.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

TEST_CASE("maxclients refuses one more with Redis's error") {
  ServerProcess server({"--maxclients", "10"});
  std::vector<Client> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().text({"PING"}) == "PONG");
  }
  RawSocket refused(server.port());
  CHECK(refused.receive_all() == "-ERR max number of clients reached\r\n");
  CHECK(clients[0].info("rejected_connections") == "1");
  clients.pop_back();
  CHECK(eventually([&] { return Client(server.port()).text({"PING"}) == "PONG"; }));
}

TEST_CASE("maxclients holds for connections that come all at once") {
  ServerProcess server({"--maxclients", "20", "--io-threads", "4"});
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 300; ++i) sockets.emplace_back(server.port());
  int welcome = 0;
  for (RawSocket& socket : sockets) {
    socket.send(encode({"PING"}));
    welcome += socket.receive(7).substr(0, 7) == "+PONG\r\n" ? 1 : 0;
  }
  CHECK(welcome == 20);
}

TEST_CASE("10,000 connections, all answered") {
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const size_t count = std::min<size_t>(10000, files.rlim_cur - 100);
  ServerProcess server({"--maxclients", "11000"});
  std::vector<RawSocket> sockets;
  sockets.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    sockets.emplace_back(server.port());
    REQUIRE(sockets.back().connected());
  }
  Client control(server.port());
  CHECK(eventually([&] { return control.info("connected_clients") == std::to_string(count + 1); }, 30000));
  for (RawSocket& socket : sockets) socket.send(encode({"INCR", "n"}));
  size_t answered = 0;
  for (RawSocket& socket : sockets) answered += socket.receive(4).substr(0, 1) == ":";
  CHECK(answered == count);
  CHECK(control.text({"GET", "n"}) == std::to_string(count));
  sockets.clear();
  CHECK(eventually([&] { return control.info("connected_clients") == "1"; }, 30000));
}

TEST_CASE("An idle client is closed after timeout, a subscriber is not") {
  ServerProcess server({"--timeout", "1"});
  RawSocket idle(server.port());
  RawSocket subscriber(server.port());
  const bool pubsub = Client(server.port()).has_command("subscribe");
  if (pubsub) {
    subscriber.send(encode({"SUBSCRIBE", "c"}));
    CHECK_FALSE(subscriber.receive(1).empty());
  }
  CHECK(idle.closed_by_peer(5000));
  if (pubsub) CHECK(Client(server.port()).integer({"PUBLISH", "c", "m"}) == 1);
}

TEST_CASE("A slow reader fills its own buffer and is cut off at its limit") {
  ServerProcess server({"--client-output-buffer-limit", "normal 20mb 0 0"});
  Client witness(server.port());
  witness.call({"SETRANGE", "value", "1000000", "x"});
  RawSocket slow(server.port());
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += encode({"GET", "value"});
  slow.send(requests);
  CHECK(eventually([&] { return witness.info("connected_clients") == "1"; }));
  CHECK(witness.text({"PING"}) == "PONG");
  CHECK(server.alive());
}

TEST_CASE("A slow reader without a limit does not hold others up") {
  ServerProcess server;
  Client witness(server.port());
  witness.call({"SETRANGE", "value", "5000000", "x"});
  std::vector<RawSocket> slow;
  for (int i = 0; i < 10; ++i) {
    slow.emplace_back(server.port());
    slow.back().send(encode({"GET", "value"}) + encode({"GET", "value"}));
  }
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) REQUIRE(witness.text({"PING"}) == "PONG");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(slow_build() ? 20 : 5));
  const size_t reply_bytes = 2 * (5000001 + 12);
  for (RawSocket& socket : slow) CHECK(socket.receive(reply_bytes).size() == reply_bytes);
}

TEST_CASE("Commands of very many keys run whole, beside others of their kind") {
  constexpr int kKeys = 20000;
  for (const char* threads : {"1", "2"}) {
    CAPTURE(threads);
    ServerProcess server({"--io-threads", threads});
    const auto with_keys = [](std::vector<std::string> words, const char* value) {
      for (int i = 0; i < kKeys; ++i) {
        words.push_back("key:" + std::to_string(i));
        if (value != nullptr) words.emplace_back(value);
      }
      return words;
    };
    RawSocket hangs_up(server.port());
    hangs_up.send(encode(with_keys({"MSET"}, "z")));
    hangs_up.close();
    std::vector<std::thread> writers;
    for (const char* value : {"a", "b"}) {
      writers.emplace_back([&, value] {
        Client client(server.port());
        for (int i = 0; i < 10; ++i) CHECK(client.call(with_keys({"MSET"}, value)).ok());
      });
    }
    Client client(server.port());
    for (int i = 0; i < 10; ++i) {
      const Reply reply = client.call(with_keys({"MGET"}, nullptr));
      REQUIRE(reply.items.size() == kKeys);
      const bool untorn = std::all_of(reply.items.begin(), reply.items.end(), [&](const Reply& element) {
        return element.nil() == reply.items[0].nil() && element.text == reply.items[0].text;
      });
      CHECK(untorn);
    }
    for (std::thread& writer : writers) writer.join();
    CHECK(eventually([&] { return client.info("connected_clients") == "1"; }));
    REQUIRE(client.call({"MULTI"}).ok());
    CHECK(client.text(with_keys({"EXISTS"}, nullptr)) == "QUEUED");
    CHECK(client.text(with_keys({"UNLINK"}, nullptr)) == "QUEUED");
    const Reply done = client.call({"EXEC"});
    REQUIRE(done.items.size() == 2);
    CHECK(done.items[0].integer == kKeys);
    CHECK(done.items[1].integer == kKeys);
    CHECK(client.integer({"DBSIZE"}) == 0);
  }
}

TEST_CASE("The query buffer is bounded") {
  ServerProcess server({"--client-query-buffer-limit", "1mb"});
  Client witness(server.port());
  RawSocket socket(server.port());
  socket.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000000\r\n");
  const std::string piece(100000, 'x');
  bool taken = true;
  for (int i = 0; i < 200 && taken; ++i) taken = socket.send(piece);
  CHECK(socket.closed_by_peer());
  CHECK(witness.call({"GET", "k"}).nil());
}

TEST_CASE("Strangers get small buffers and few arguments") {
  ServerProcess server({"--requirepass", "secret"});
  RawSocket many(server.port());
  many.send("*11\r\n");
  CHECK(many.receive_all() == "-ERR Protocol error: unauthenticated multibulk length\r\n");
  RawSocket long_bulk(server.port());
  long_bulk.send("*2\r\n$4\r\nAUTH\r\n$16385\r\n");
  CHECK(long_bulk.receive_all() == "-ERR Protocol error: unauthenticated bulk length\r\n");
  Client client(server.port());
  CHECK(client.call({"GET", "a"}).text == "NOAUTH Authentication required.");
  CHECK(client.call({"AUTH", "secret"}).ok());
  CHECK(client.call({"SET", "a", std::string(100000, 'x')}).ok());
}

TEST_CASE("Half a command for ever holds nothing up") {
  ServerProcess server;
  std::vector<RawSocket> halves;
  for (int i = 0; i < 100; ++i) {
    halves.emplace_back(server.port());
    halves.back().send(encode({"SET", "key", "value"}).substr(0, static_cast<size_t>(i % 30)));
  }
  Client client(server.port());
  CHECK(client.call({"SET", "key", "mine"}).ok());
  CHECK(client.text({"GET", "key"}) == "mine");
}

TEST_CASE("CLIENT LIST, KILL and PAUSE reach every reactor") {
  ServerProcess server({"--io-threads", "4"});
  std::vector<Client> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back(server.port());
    CHECK(clients.back().call({"CLIENT", "SETNAME", "n" + std::to_string(i)}).ok());
  }
  const std::string list = clients[0].text({"CLIENT", "LIST"});
  for (int i = 0; i < 12; ++i) CHECK(list.find(" name=n" + std::to_string(i) + " ") != std::string::npos);
  const long long id = clients[7].integer({"CLIENT", "ID"});
  CHECK(clients[0].integer({"CLIENT", "KILL", "ID", std::to_string(id)}) == 1);
  CHECK(clients[7].call({"PING"}).broken());
  CHECK(clients[0].call({"CLIENT", "PAUSE", "300", "WRITE"}).ok());
  const auto began = std::chrono::steady_clock::now();
  CHECK(clients[3].call({"GET", "a"}).nil());
  CHECK(clients[4].call({"SET", "a", "1"}).ok());
  CHECK(std::chrono::steady_clock::now() - began > std::chrono::milliseconds(200));
}

TEST_CASE("Who waits for the end of a pause is seen, and may leave") {
  ServerProcess server;
  Client control(server.port());
  CHECK(control.call({"CLIENT", "PAUSE", "100000", "WRITE"}).ok());
  RawSocket stays(server.port());
  REQUIRE(stays.send(encode({"SET", "stays", "1"})));
  {
    RawSocket leaves(server.port());
    REQUIRE(leaves.send(encode({"SET", "leaves", "1"})));
    CHECK(eventually([&] { return control.info("blocked_clients") == "2"; }));
    CHECK(control.text({"CLIENT", "LIST"}).find(" flags=b ") != std::string::npos);
    CHECK(control.text({"CLIENT", "LIST"}).find(" cmd=set ") != std::string::npos);
  }
  CHECK(eventually([&] { return control.info("blocked_clients") == "1"; }));
  CHECK(control.info("connected_clients") == "2");
  CHECK(control.call({"CLIENT", "UNPAUSE"}).ok());
  CHECK(stays.receive(5) == "+OK\r\n");
  CHECK(control.info("blocked_clients") == "0");
  CHECK(control.integer({"EXISTS", "stays", "leaves"}) == 1);
  CHECK(server.stop() == 0);
}

TEST_CASE("A pause of writes lets pass what cannot write, and nothing expires in it") {
  ServerProcess server;
  Client client(server.port());
  Client other(server.port());
  client.call({"SET", "soon", "x", "PX", "20"});
  client.call({"MULTI"});
  client.call({"GET", "soon"});
  client.call({"EVAL", "#!lua flags=no-writes\nreturn 7", "0"});
  other.call({"MULTI"});
  other.call({"SET", "later", "1"});
  CHECK(Client(server.port()).call({"CLIENT", "PAUSE", "100000", "WRITE"}).ok());
  CHECK(client.call({"EXEC"}).items.size() == 2);
  Client reader(server.port());
  const std::string hash = reader.text({"SCRIPT", "LOAD", "#!lua flags=no-writes\nreturn 9"});
  CHECK(reader.integer({"EVAL", "#!lua flags=no-writes\nreturn 7", "0"}) == 7);
  CHECK(reader.integer({"EVALSHA", hash, "0"}) == 9);
  CHECK(eventually([&] { return reader.call({"GET", "soon"}).nil(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(reader.info("expired_keys") == "0");
  other.append({"EXEC"});
  std::thread exec([&] { CHECK(other.read().items.size() == 1); });
  CHECK(eventually([&] { return reader.info("blocked_clients") == "1"; }));
  CHECK(reader.call({"CLIENT", "UNPAUSE"}).ok());
  exec.join();
  CHECK(eventually([&] { return reader.info("expired_keys") == "1"; }));
}

TEST_CASE("maxmemory refuses writes and leaves reads alone") {
  ServerProcess server({"--maxmemory", "20mb", "--maxmemory-policy", "noeviction"});
  Client client(server.port());
  bool refused = false;
  for (int i = 0; i < 400 && !refused; ++i) {
    const Reply reply = client.call({"SET", "k" + std::to_string(i), std::string(100000, 'x')});
    refused = reply.text == "OOM command not allowed when used memory > 'maxmemory'.";
  }
  CHECK(refused);
  CHECK(client.text({"GET", "k0"}).size() == 100000);
  CHECK(client.integer({"DEL", "k0", "k1", "k2", "k3", "k4", "k5"}) == 6);
  CHECK(eventually([&] { return client.call({"SET", "again", "1"}).ok(); }));
}

TEST_CASE("What FLUSHALL is still freeing counts as freed: the writes after it are not refused") {
  ServerProcess server({"--maxmemory-policy", "noeviction", "--enable-debug-command", "yes"});
  Client client(server.port());
  REQUIRE(client.call({"DEBUG", "POPULATE", "1000000", "key", "64"}).ok());
  REQUIRE(client.call({"CONFIG", "SET", "maxmemory", std::to_string(std::stoll(client.info("used_memory")) / 2)}).ok());
  REQUIRE(client.text({"SET", "a", "1"}).starts_with("OOM"));
  client.append({"FLUSHALL"});
  for (int i = 0; i < 100; ++i) client.append({"SET", "k" + std::to_string(i), "1"});
  for (int i = 0; i <= 100; ++i) CHECK(client.read().ok());
}

TEST_CASE("A write that a pause held back is refused if memory has run out meanwhile") {
  ServerProcess server;
  Client control(server.port());
  RawSocket writer(server.port());
  REQUIRE(control.call({"CLIENT", "PAUSE", "100000", "WRITE"}).ok());
  REQUIRE(writer.send(encode({"SET", "key", "value"})));
  REQUIRE(eventually([&] { return control.info("blocked_clients") == "1"; }));
  REQUIRE(control.call({"CONFIG", "SET", "maxmemory", "1"}).ok());
  REQUIRE(control.call({"CLIENT", "UNPAUSE"}).ok());
  CHECK(writer.receive(1) == "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  CHECK(control.call({"GET", "key"}).nil());
  CHECK(control.info("blocked_clients") == "0");
}

TEST_CASE("The mean time to live of keys that end as late as can be is not lost to an overflow") {
  ServerProcess server;
  Client client(server.port());
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(client.call({"SET", "key:" + std::to_string(i), "value", "PXAT", "9223372036854775807"}).ok());
  }
  const auto mean_ms = [&] {
    const std::string db = client.info("db0");
    return std::stoll(db.substr(db.find("avg_ttl=") + 8));
  };
  REQUIRE(eventually([&] { return mean_ms() != 0; }));
  CHECK(mean_ms() > int64_t{9'000'000'000'000'000'000});
}

// Messages of evicted keys are bigger here than the keys' values, and each goes to ten clients.
static void check_that_messages_do_not_evict(const std::string& reactors, bool broadcasting) {
  ServerProcess server({"--io-threads", reactors, "--maxmemory-policy", "allkeys-lru", "--maxmemory-eviction-tenacity",
                        "100"});
  Client control(server.port());
  const auto key = [](int i) { return std::to_string(i) + std::string(1000, 'x'); };
  for (int i = 0; i < 300; ++i) REQUIRE(control.call({"SET", key(i), "x"}).ok());
  std::vector<RawSocket> caches;
  for (int i = 0; i < 10; ++i) {
    caches.emplace_back(server.port());
    std::string input = encode({"HELLO", "3"});
    input += broadcasting ? encode({"CLIENT", "TRACKING", "ON", "BCAST"}) : encode({"CLIENT", "TRACKING", "ON"});
    for (int j = 0; j < 300; ++j) input += encode({"GET", key(j)});
    REQUIRE(caches.back().send(input + encode({"ECHO", "done"})));
    std::string output;
    while (!output.ends_with("$4\r\ndone\r\n")) {
      const std::string more = caches.back().receive(1);
      REQUIRE_FALSE(more.empty());
      output += more;
    }
  }
  const long long used = std::stoll(control.info("used_memory"));
  REQUIRE(control.call({"CONFIG", "SET", "maxmemory", std::to_string(used - 40000)}).ok());
  CHECK(eventually([&] { return control.info("evicted_keys") != "0"; }));
  for (int i = 0; i < 20; ++i) control.call({"GET", "nothing"});
  const long long left = control.integer({"DBSIZE"});
  CHECK(left >= 150);  // a key takes 1.1 kB, and as much in the table of cached keys
  CHECK(left < 300);
  for (RawSocket& cache : caches) CHECK(cache.receive(1).find("invalidate") != std::string::npos);
}

TEST_CASE("Telling caches of evicted keys does not evict the rest") {
  for (const char* reactors : {"1", "2"}) {
    for (const bool broadcasting : {false, true}) {
      CAPTURE(std::string(reactors));
      CAPTURE(broadcasting);
      check_that_messages_do_not_evict(reactors, broadcasting);
    }
  }
}

TEST_CASE("jemalloc gives memory back from a thread of its own, unless that is switched off") {
  ServerProcess server({"--enable-debug-command", "yes"});
  Client client(server.port());
  if (!client.info("mem_allocator").starts_with("jemalloc")) return;  // a sanitizer's
  CHECK(client.integer({"DEBUG", "MALLCTL", "background_thread"}) == 1);
  CHECK(client.call({"CONFIG", "SET", "jemalloc-bg-thread", "no"}).ok());
  CHECK(client.integer({"DEBUG", "MALLCTL", "background_thread"}) == 0);
  CHECK(client.call({"CONFIG", "SET", "jemalloc-bg-thread", "yes"}).ok());
  CHECK(client.integer({"DEBUG", "MALLCTL", "background_thread"}) == 1);
}
