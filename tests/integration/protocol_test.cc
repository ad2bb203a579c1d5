// The wire as real sockets deliver it: cut anywhere, broken, endless, in both protocol versions.
#include <doctest/doctest.h>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

std::string answer_to(int port, std::string_view request, size_t bytes_min = 1) {
  RawSocket socket(port);
  socket.send(request);
  return socket.receive(bytes_min, 2000);
}

}  // namespace

TEST_CASE("A pipeline cut at every byte is answered alike") {
  ServerProcess server;
  const std::string requests = encode({"SET", "k", std::string("a\r\nb\0c", 6)}) + "PING hi\r\n" + encode({"GET", "k"}) +
                               encode({"ECHO", ""}) + "*0\r\n" + encode({"MGET", "k", "none"}) + encode({"NOSUCH"});
  const std::string replies = std::string("+OK\r\n$2\r\nhi\r\n$6\r\na\r\nb\0c\r\n$0\r\n\r\n", 31) +
                              std::string("*2\r\n$6\r\na\r\nb\0c\r\n$-1\r\n", 21) +
                              "-ERR unknown command 'NOSUCH', with args beginning with: \r\n";
  for (size_t cut = 0; cut <= requests.size(); ++cut) {
    RawSocket socket(server.port());
    socket.send(std::string_view(requests).substr(0, cut));
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    socket.send(std::string_view(requests).substr(cut));
    CAPTURE(cut);
    REQUIRE(socket.receive(replies.size()) == replies);
  }
}

TEST_CASE("One byte at a time, and a big bulk in odd pieces") {
  ServerProcess server;
  RawSocket socket(server.port());
  const int one = 1;
  for (const char c : encode({"SET", "slow", "value"})) {
    socket.send(std::string_view(&c, 1));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  CHECK(socket.receive(5) == "+OK\r\n");
  (void)one;
  std::string big(3 * 1024 * 1024 + 17, 'b');
  for (size_t i = 0; i < big.size(); i += 1001) big[i] = static_cast<char>('a' + i % 26);
  const std::string request = encode({"SET", "big", big}) + encode({"GET", "big"});
  for (size_t at = 0; at < request.size();) {
    const size_t n = std::min<size_t>(request.size() - at, 1 + (at * 7919) % 100003);
    socket.send(std::string_view(request).substr(at, n));
    at += n;
  }
  const std::string reply = "+OK\r\n$" + std::to_string(big.size()) + "\r\n" + big + "\r\n";
  CHECK(socket.receive(reply.size()) == reply);
}

TEST_CASE("Inline commands and the newlines that tools add") {
  ServerProcess server;
  CHECK(answer_to(server.port(), "PING\r\n\n") == "+PONG\r\n");
  CHECK(answer_to(server.port(), "\r\n\r\nPING\n") == "+PONG\r\n");
  CHECK(answer_to(server.port(), "SET \"a b\" 'c d'\r\nGET \"a b\"\r\n", 14) == "+OK\r\n$3\r\nc d\r\n");
  CHECK(answer_to(server.port(), "ECHO \"\\x41\\n\"\r\n") == "$2\r\nA\n\r\n");
}

TEST_CASE("Protocol errors: Redis's text, then the connection closes, and nobody else notices") {
  ServerProcess server;
  Client witness(server.port());
  struct Case {
    std::string request;
    std::string reply;
  };
  for (const Case& row : {
           Case{"*abc\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
           Case{"*99999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
           Case{"*2\r\nfoo\r\n", "-ERR Protocol error: expected '$', got 'f'\r\n"},
           Case{"*1\r\n$abc\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
           Case{"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
           Case{"*2\r\n$3\r\nGET\r\n$629145600\r\n", "-ERR Protocol error: invalid bulk length\r\n"},  // 600 MB
           Case{"SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
           Case{std::string(70000, 'a'), "-ERR Protocol error: too big inline request\r\n"},
           Case{"*1\r\n$" + std::string(70000, '1'), "-ERR Protocol error: too big bulk count string\r\n"},
       }) {
    RawSocket socket(server.port());
    socket.send(row.request);
    CAPTURE(row.request.substr(0, 60));
    CHECK(socket.receive_all(2000) == row.reply);
    CHECK(socket.closed_by_peer());
    CHECK(witness.text({"PING"}) == "PONG");
  }
}

TEST_CASE("What comes before a protocol error is run and answered") {
  ServerProcess server;
  RawSocket socket(server.port());
  socket.send(encode({"SET", "k", "v"}) + encode({"GET", "k"}) + "*x\r\n" + encode({"SET", "k", "w"}));
  CHECK(socket.receive_all() == "+OK\r\n$1\r\nv\r\n-ERR Protocol error: invalid multibulk length\r\n");
  CHECK(Client(server.port()).text({"GET", "k"}) == "v");
}

TEST_CASE("Random bytes never harm the server") {
  ServerProcess server;
  Client witness(server.port());
  uint64_t random = 88172645463325252ULL;
  const auto next = [&random] {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
  };
  const std::string_view alphabet = "*$123\r\n \"'GETSPING\x00\xff:+-abc";
  for (int round = 0; round < 400; ++round) {
    RawSocket socket(server.port());
    std::string bytes;
    const size_t size = next() % 300;
    for (size_t i = 0; i < size; ++i) bytes += alphabet[next() % alphabet.size()];
    if (round % 3 == 0) bytes = encode({"SET", "g", "v"}).substr(0, next() % 30) + bytes;
    socket.send(bytes);
    if (round % 2 == 0) socket.receive(1, 1);
  }
  CHECK(witness.text({"PING"}) == "PONG");
  CHECK(eventually([&] { return witness.info("connected_clients") == "1"; }));
}

TEST_CASE("RESP3: types of replies, and back to RESP2") {
  ServerProcess server;
  RawSocket socket(server.port());
  socket.send(encode({"HELLO", "3"}));
  const std::string hello = socket.receive(20);
  CHECK(hello.substr(0, 2) == "%7");
  CHECK(hello.find("$7\r\nversion\r\n$5\r\n7.4.1") != std::string::npos);
  CHECK(hello.find("$5\r\nproto\r\n:3\r\n") != std::string::npos);
  const auto ask = [&socket](const std::vector<std::string>& args) {
    socket.send(encode(args));
    return socket.receive(1);
  };
  CHECK(ask({"GET", "none"}) == "_\r\n");
  CHECK(ask({"HSET", "h", "f", "v"}) == ":1\r\n");
  CHECK(ask({"HGETALL", "h"}) == "%1\r\n$1\r\nf\r\n$1\r\nv\r\n");
  CHECK(ask({"SADD", "s", "m"}) == ":1\r\n");
  CHECK(ask({"SMEMBERS", "s"}) == "~1\r\n$1\r\nm\r\n");
  CHECK(ask({"ZADD", "z", "1.5", "m"}) == ":1\r\n");
  CHECK(ask({"ZSCORE", "z", "m"}) == ",1.5\r\n");
  CHECK(ask({"ZRANGE", "z", "0", "-1", "WITHSCORES"}) == "*1\r\n*2\r\n$1\r\nm\r\n,1.5\r\n");
  CHECK(ask({"BLPOP", "nolist", "0.01"}) == "_\r\n");
  CHECK(ask({"CONFIG", "GET", "maxmemory"}).substr(0, 4) == "%1\r\n");
  const bool pubsub = Client(server.port()).has_command("subscribe");
  if (pubsub) {
    CHECK(ask({"SUBSCRIBE", "c"}) == ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    CHECK(Client(server.port()).integer({"PUBLISH", "c", "m"}) == 1);
    CHECK(socket.receive(1) == ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
  }
  CHECK(ask({"GET", "none"}) == "_\r\n");
  if (pubsub) CHECK(ask({"UNSUBSCRIBE"}) == ">3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n");
  CHECK(ask({"HELLO", "2"}).substr(0, 3) == "*14");
  CHECK(ask({"GET", "none"}) == "$-1\r\n");
  CHECK(ask({"HELLO", "9"}) == "-NOPROTO unsupported protocol version\r\n");
}

TEST_CASE("Closing in the middle of things harms nobody") {
  ServerProcess server;
  Client witness(server.port());
  CHECK(witness.call({"SETRANGE", "big", "50000000", "x"}).integer == 50000001);
  for (int i = 0; i < 20; ++i) {
    RawSocket reader(server.port());
    reader.send(encode({"GET", "big"}) + encode({"GET", "big"}));
    reader.receive(1000 * static_cast<size_t>(i + 1));
  }  // each closes mid-reply
  for (int i = 0; i < 20; ++i) {
    RawSocket writer(server.port());
    writer.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\n" + std::string(1000, 'x'));
  }  // each closes inside a bulk
  CHECK(witness.text({"PING"}) == "PONG");
  CHECK(witness.call({"GET", "k"}).nil());
  CHECK(eventually([&] { return witness.info("connected_clients") == "1"; }));
}

TEST_CASE("What many clients sent while the reactor was busy runs in order, and not for the closed") {
  ServerProcess server({"--io-threads", "1", "--save", ""});
  Client control(server.port());
  std::vector<RawSocket> clients;
  for (int i = 0; i < 40; ++i) clients.emplace_back(server.port());
  const std::string id = std::to_string(control.integer({"CLIENT", "ID"}) + 40);  // of the last
  for (RawSocket& client : clients) {
    client.send(encode({"PING"}));
    REQUIRE(client.receive(7) == "+PONG\r\n");
  }
  RawSocket sleeper(server.port());
  sleeper.send(encode({"DEBUG", "SLEEP", "0.3"}));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  clients[0].send(encode({"CLIENT", "KILL", "ID", id}) + encode({"INCR", "n"}));
  std::string part = encode({"GET", "n"});
  for (size_t i = 1; i < 39; ++i) {
    clients[i].send(encode({"INCR", "n"}) + part.substr(0, i % part.size()));  // the rest of the second comes later
  }
  clients[1].close();  // what it sent runs all the same
  clients[39].send(encode({"SET", "killed", "1"}));
  CHECK(sleeper.receive(5) == "+OK\r\n");
  CHECK(clients[0].receive(8) == ":1\r\n:1\r\n");
  CHECK(clients[39].receive(1).empty());
  for (size_t i = 2; i < 39; ++i) {
    CHECK(clients[i].receive(4).front() == ':');
    clients[i].send(part.substr(i % part.size()));
    CHECK(clients[i].receive(8) == "$2\r\n39\r\n");
  }
  CHECK(control.integer({"EXISTS", "killed"}) == 0);
}
