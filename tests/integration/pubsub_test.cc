// Pub/sub over real connections: messages, patterns, shard channels, both protocol versions, keyspace events.
#include <doctest/doctest.h>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

std::string join(const Reply& reply) {
  std::string text;
  for (const Reply& item : reply.items) text += (text.empty() ? "" : " ") + (item.text.empty() ? std::to_string(item.integer) : item.text);
  return text;
}

}  // namespace

TEST_CASE("Subscribers on every reactor get each message once, in order") {
  ServerProcess server({"--io-threads", "3"});
  std::vector<Client> listeners;
  for (int i = 0; i < 9; ++i) {
    listeners.emplace_back(server.port());
    CHECK(join(listeners.back().call({"SUBSCRIBE", "news"})) == "subscribe news 1");
  }
  Client publisher(server.port());
  for (int i = 0; i < 200; ++i) REQUIRE(publisher.integer({"PUBLISH", "news", std::to_string(i)}) == 9);
  for (Client& listener : listeners) {
    for (int i = 0; i < 200; ++i) REQUIRE(join(listener.read()) == "message news " + std::to_string(i));
  }
  CHECK(join(publisher.call({"PUBSUB", "NUMSUB", "news", "none"})) == "news 9 none 0");
  CHECK(publisher.integer({"PUBLISH", "none", "x"}) == 0);
}

TEST_CASE("Patterns, shard channels and leaving") {
  ServerProcess server;
  Client listener(server.port());
  Client publisher(server.port());
  CHECK(join(listener.call({"PSUBSCRIBE", "n?ws*"})) == "psubscribe n?ws* 1");
  CHECK(join(listener.call({"SUBSCRIBE", "news"})) == "subscribe news 2");
  CHECK(join(listener.call({"SSUBSCRIBE", "shard"})) == "ssubscribe shard 1");
  CHECK(publisher.integer({"PUBLISH", "news", "a"}) == 2);
  CHECK(join(listener.read()) == "message news a");
  CHECK(join(listener.read()) == "pmessage n?ws* news a");
  CHECK(publisher.integer({"SPUBLISH", "shard", "b"}) == 1);
  CHECK(join(listener.read()) == "smessage shard b");
  CHECK(publisher.integer({"PUBSUB", "NUMPAT"}) == 1);
  CHECK(listener.text({"GET", "x"}).starts_with("ERR Can't execute 'get'"));
  CHECK(join(listener.call({"UNSUBSCRIBE"})) == "unsubscribe news 1");
  CHECK(join(listener.call({"PUNSUBSCRIBE", "n?ws*"})) == "punsubscribe n?ws* 0");
  CHECK(publisher.integer({"PUBLISH", "news", "c"}) == 0);
  CHECK(listener.text({"RESET"}) == "RESET");
  CHECK(publisher.call({"PUBSUB", "SHARDCHANNELS"}).items.empty());
  CHECK(listener.call({"SET", "x", "y"}).ok());
}

TEST_CASE("A RESP3 connection gets pushes and keeps working; a reply comes before the message to oneself") {
  ServerProcess server;
  RawSocket socket(server.port());
  socket.send(encode({"HELLO", "3"}));
  socket.receive(100, 300);
  socket.send(encode({"SUBSCRIBE", "c"}));
  CHECK(socket.receive(10) == ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
  const std::string answer = ":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n";
  socket.send(encode({"PUBLISH", "c", "hi"}));
  CHECK(socket.receive(answer.size()) == answer);
  socket.send(encode({"GET", "none"}));
  CHECK(socket.receive(3) == "_\r\n");
}

TEST_CASE("Keyspace events name the event and the key, for the classes asked for") {
  ServerProcess server({"--notify-keyspace-events", "KEg$x"});
  Client listener(server.port());
  Client writer(server.port());
  listener.call({"PSUBSCRIBE", "__key*__:*"});
  writer.call({"SET", "k", "v", "PX", "30"});
  CHECK(join(listener.read()) == "pmessage __key*__:* __keyspace@0__:k set");
  CHECK(join(listener.read()) == "pmessage __key*__:* __keyevent@0__:set k");
  CHECK(join(listener.read()) == "pmessage __key*__:* __keyspace@0__:k expire");
  CHECK(join(listener.read()) == "pmessage __key*__:* __keyevent@0__:expire k");
  writer.call({"LPUSH", "list", "not asked for"});
  CHECK(join(listener.read()) == "pmessage __key*__:* __keyspace@0__:k expired");
  CHECK(join(listener.read()) == "pmessage __key*__:* __keyevent@0__:expired k");
  writer.call({"DEL", "list"});
  CHECK(join(listener.read()) == "pmessage __key*__:* __keyspace@0__:list del");
}
