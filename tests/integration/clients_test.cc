// Clients that end, wake or kill each other, or are held back, in every state a client can be in: nobody's commands are
// lost, run twice or run inside another's, nothing is served to who is gone, and nothing of them stays.
#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/held_shard.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

constexpr const char* kThreads[] = {"1", "2"};

bool becomes_blocked(Client& control, int clients) {
  return eventually([&] { return control.info("blocked_clients") == std::to_string(clients); });
}

// The client's commands have reached the server.
void let_arrive() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

std::string id_of(Client& client) { return std::to_string(client.integer({"CLIENT", "ID"})); }

void check_quick_end(ServerProcess& server) {
  CHECK(server.stop() == 0);
  CHECK(server.log().find("did not end in time") == std::string::npos);
}

}  // namespace

TEST_CASE("Who unblocks a client goes on with its own commands, and the client with its, afterwards") {
  for (const char* threads : kThreads) {
    ServerProcess server({"--io-threads", threads, "--appendonly", "yes", "--appendfsync", "no"});
    Client control(server.port());
    for (int i = 0; i < 4; ++i) {
      Client blocked(server.port());
      Client watcher(server.port());
      const std::string id = id_of(blocked);
      const std::string watcher_id = id_of(watcher);
      watcher.call({"WATCH", "watched"});
      blocked.append({"BLPOP", "nothing", "0"});
      blocked.append({"SET", "x", "after"});
      RawSocket raw(server.port());
      std::thread reader([&] {
        CHECK(blocked.read().nil());
        CHECK(blocked.read().ok());
      });
      REQUIRE(becomes_blocked(control, 1));
      raw.send(encode({"MULTI"}) + encode({"SET", "x", "in"}) + encode({"CLIENT", "UNBLOCK", id}) + encode({"GET", "x"}) +
               encode({"CLIENT", "KILL", "ID", watcher_id}) + encode({"SET", "y", "in"}) + encode({"EXEC"}) +
               encode({"ECHO", "end"}));
      const std::string replies =
          "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*5\r\n+OK\r\n:1\r\n$2\r\nin\r\n:1\r\n+OK\r\n$3\r\nend\r\n";
      CHECK(raw.receive(replies.size()) == replies);
      reader.join();
      CHECK(control.text({"GET", "x"}) == "after");
      CHECK(watcher.call({"PING"}).broken());
    }
    CHECK(server.stop() == 0);
    // What they did to other clients has not torn the transactions in the journal.
    std::string journal;
    for (const auto& file : std::filesystem::directory_iterator(server.folder() + "/appendonlydir")) {
      std::ifstream in(file.path(), std::ios::binary);
      if (file.path().string().find(".incr.") != std::string::npos) journal.assign(std::istreambuf_iterator<char>(in), {});
    }
    const std::string block = encode({"MULTI"}) + encode({"SET", "x", "in"}) + encode({"SET", "y", "in"}) + encode({"EXEC"});
    size_t blocks = 0;
    for (size_t at = journal.find(block); at != std::string::npos; at = journal.find(block, at + 1)) ++blocks;
    CHECK(blocks == 4);
  }
}

TEST_CASE("A client that leaves while a pause holds its command back leaves nothing behind") {
  for (const char* threads : kThreads) {
    ServerProcess server({"--io-threads", threads});
    Client control(server.port());
    CHECK(control.call({"CLIENT", "PAUSE", "100000", "WRITE"}).ok());
    Client killed(server.port());
    const std::string id = id_of(killed);
    killed.append({"SET", "killed", "1"});
    std::thread reader([&] { CHECK(killed.read().broken()); });
    {
      RawSocket leaves(server.port());
      leaves.send(encode({"SET", "left", "1"}) + encode({"PING"}));
      let_arrive();
    }
    CHECK(control.integer({"CLIENT", "KILL", "ID", id}) == 1);
    reader.join();
    CHECK(eventually([&] { return control.info("connected_clients") == "1"; }));
    CHECK(control.call({"CLIENT", "UNPAUSE"}).ok());
    CHECK(control.integer({"EXISTS", "killed", "left"}) == 0);
    check_quick_end(server);
  }
}

TEST_CASE("What a client sent before it left is run, but nothing is kept waiting or watching for it") {
  for (const char* threads : kThreads) {
    ServerProcess server({"--io-threads", threads, "--busy-reply-threshold", "100000"});
    Client control(server.port());
    Client killed(server.port());
    const std::string id = id_of(killed);
    HeldShard held(server, "q");
    killed.append({"BLPOP", "q", "0"});
    std::thread reader([&] { CHECK(killed.read().broken()); });
    {
      RawSocket blocks(server.port());
      RawSocket watches(server.port());
      RawSocket writes(server.port());
      blocks.send(encode({"BLPOP", "q", "0"}));
      watches.send(encode({"WATCH", "q"}) + encode({"SET", "watched", "1"}));
      writes.send(encode({"STRLEN", "q"}) + encode({"SET", "after", "1"}) + encode({"BLPOP", "q", "0"}) + encode({"SET", "never", "1"}));
      let_arrive();
    }
    CHECK(control.integer({"CLIENT", "KILL", "ID", id}) == 1);
    reader.join();
    let_arrive();
    held.release();
    CHECK(eventually([&] { return control.integer({"EXISTS", "after", "watched"}) == 2; }));
    CHECK(eventually([&] { return control.info("connected_clients") == "3"; }));  // with those of HeldShard
    CHECK(control.info("blocked_clients") == "0");
    CHECK(control.integer({"RPUSH", "q", "v"}) == 1);
    CHECK(control.integer({"LLEN", "q"}) == 1);
    CHECK(control.integer({"EXISTS", "never"}) == 0);
    check_quick_end(server);
  }
}

TEST_CASE("A waiting client's end is seen, however much it had sent") {
  for (const char* threads : kThreads) {
    ServerProcess server({"--io-threads", threads});
    Client control(server.port());
    {
      RawSocket waits(server.port());
      RawSocket held_back(server.port());
      const std::string more = encode({"ECHO", std::string(10000, 'x')});
      CHECK(waits.send(encode({"BLPOP", "q", "0"})));
      REQUIRE(becomes_blocked(control, 1));
      CHECK(control.call({"CLIENT", "PAUSE", "100000", "WRITE"}).ok());
      CHECK(held_back.send(encode({"SET", "q", "v"})));
      for (int i = 0; i < 300; ++i) CHECK((waits.send(more) && held_back.send(more)));
      let_arrive();
    }
    CHECK(eventually([&] { return control.info("connected_clients") == "1"; }));
    CHECK(control.info("blocked_clients") == "0");
    CHECK(control.call({"CLIENT", "UNPAUSE"}).ok());
    check_quick_end(server);
  }
}

TEST_CASE("A wait ends in time while others try in vain to serve it") {
  ServerProcess server({"--io-threads", "2", "--busy-reply-threshold", "100000"});
  Client control(server.port());
  const std::string b = key_beside(server, "a");
  constexpr int kClients = 6;
  std::vector<Client> waiting;
  std::vector<RawSocket> leaving;
  for (int i = 0; i < kClients; ++i) {
    waiting.emplace_back(server.port());
    leaving.emplace_back(server.port());
    leaving.back().send(encode({"BLMOVE", "a", b, "LEFT", "RIGHT", "0"}));
  }
  std::vector<std::thread> readers;
  std::atomic<int> ended{0};
  for (Client& client : waiting) {
    readers.emplace_back([&] {
      CHECK(client.call({"BLMOVE", "a", b, "LEFT", "RIGHT", "2"}).nil());
      ++ended;
    });
  }
  REQUIRE(becomes_blocked(control, 2 * kClients));
  HeldShard held(server, b);
  std::atomic<bool> stop{false};
  std::atomic<int> pushed{0};
  std::vector<std::thread> pushers;
  for (int i = 0; i < 2; ++i) {
    pushers.emplace_back([&] {
      Client pusher(server.port());
      while (!stop) {
        for (int j = 0; j < 100; ++j) pusher.append({"RPUSH", "a", "x"});
        for (int j = 0; j < 100; ++j) pushed += pusher.read().integer > 0 ? 1 : 0;
      }
    });
  }
  let_arrive();
  for (RawSocket& socket : leaving) socket.close();
  CHECK(eventually([&] { return ended == kClients; }));
  stop = true;
  for (std::thread& pusher : pushers) pusher.join();
  held.release();
  for (std::thread& reader : readers) reader.join();
  CHECK(eventually([&] { return control.info("blocked_clients") == "0"; }));
  CHECK(control.integer({"LLEN", b}) == 0);
  CHECK(control.integer({"LLEN", "a"}) == pushed.load());
  check_quick_end(server);
}

TEST_CASE("Pauses that begin and end all the time hold nobody back for good") {
  ServerProcess server({"--io-threads", "2"});
  std::atomic<bool> stop{false};
  std::vector<std::thread> pausing;
  for (int i = 0; i < 2; ++i) {
    pausing.emplace_back([&] {
      Client client(server.port());
      while (!stop) {
        for (int j = 0; j < 50; ++j) {
          client.append({"CLIENT", "PAUSE", "100000", "WRITE"});
          client.append({"CLIENT", "UNPAUSE"});
        }
        for (int j = 0; j < 100; ++j) CHECK(client.read().ok());
      }
      CHECK(client.call({"CLIENT", "UNPAUSE"}).ok());
    });
  }
  std::atomic<int> written{0};
  std::atomic<int> writing{4};
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      Client client(server.port());
      while (!stop && client.call({"INCR", "n"}).integer > 0) ++written;
      --writing;
    });
  }
  std::this_thread::sleep_for(std::chrono::seconds(2));
  stop = true;
  for (std::thread& thread : pausing) thread.join();
  const bool all_end = eventually([&] { return writing == 0; });
  CHECK(all_end);
  if (!all_end) CHECK(server.stop(SIGKILL) != 0);  // ends the test all the same
  for (std::thread& thread : writers) thread.join();
  if (all_end) CHECK(Client(server.port()).text({"GET", "n"}) == std::to_string(written));
}

TEST_CASE("A command that a pause held back runs with the rights its user has then") {
  ServerProcess server;
  Client control(server.port());
  CHECK(control.call({"ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*"}).ok());
  Client client(server.port());
  CHECK(client.call({"AUTH", "u", "any"}).ok());
  CHECK(control.call({"CLIENT", "PAUSE", "100000", "WRITE"}).ok());
  std::thread writer([&] { CHECK(client.call({"SET", "k", "v"}).text.substr(0, 6) == "NOPERM"); });
  let_arrive();
  CHECK(control.call({"ACL", "SETUSER", "u", "-set"}).ok());
  CHECK(control.call({"CLIENT", "UNPAUSE"}).ok());
  writer.join();
  CHECK(control.integer({"EXISTS", "k"}) == 0);
  CHECK(client.call({"PING"}).text == "PONG");
}

TEST_CASE("A client that kills itself runs nothing more, however its transaction ran") {
  ServerProcess server;
  Client control(server.port());
  for (const char* rounds : {"1", "20000000"}) {
    Client client(server.port());
    const std::string id = id_of(client);
    client.append({"MULTI"});
    client.append({"CLIENT", "KILL", "ID", id, "SKIPME", "no"});
    client.append({"EVAL", std::string("for i = 1, ") + rounds + " do end return 7", "0"});
    client.append({"EXEC"});
    client.append({"SET", "after", "1"});
    for (int i = 0; i < 3; ++i) CHECK_FALSE(client.read().broken());
    const Reply done = client.read();
    REQUIRE(done.items.size() == 2);
    CHECK(done.items[1].integer == 7);
    CHECK(client.read().broken());
    CHECK(control.integer({"EXISTS", "after"}) == 0);
  }
}
