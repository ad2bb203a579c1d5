// Client-side caching over real connections: who is told of which keys, when among its replies, and by which way.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/integration/client.h"
#include "tests/integration/resp3_client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

const std::vector<std::string> kReactors = {"--io-threads", "3"};

std::string joined(const Reply& reply) {
  std::string text = reply.text;
  for (const Reply& item : reply.items) text += (text.empty() ? "" : " ") + joined(item);
  return text;
}

}  // namespace

TEST_CASE("A key that was read is told once when it changes, before any later reply") {
  ServerProcess server(kReactors);
  Client writer(server.port());
  for (int i = 0; i < 6; ++i) {  // on every reactor
    Resp3Client reader(server.port());
    CHECK(reader.call({"CLIENT", "TRACKING", "on"}) == "OK");
    for (int round = 0; round < 100; ++round) {
      REQUIRE(writer.call({"SET", "k", std::to_string(round)}).ok());
      REQUIRE(reader.call({"GET", "k"}) == std::to_string(round));
      REQUIRE(writer.call({"APPEND", "k", "x"}).integer > 0);
      reader.send({"PING"});
      REQUIRE(reader.next() == ">invalidate k");
      REQUIRE(reader.next() == "PONG");
      writer.call({"SET", "k", "not read since"});
      REQUIRE(reader.call({"PING"}) == "PONG");
      REQUIRE(!reader.has_push());
    }
  }
  CHECK(eventually([&] { return writer.info("tracking_clients") == "0"; }));
  CHECK(writer.info("tracking_total_keys") == "0");
}

TEST_CASE("All ways in which a key changes are told") {
  ServerProcess server(kReactors);
  Client writer(server.port());
  Resp3Client reader(server.port());
  reader.call({"CLIENT", "TRACKING", "on"});
  const auto expect = [&](const std::vector<std::string>& change, const std::string& told) {
    writer.call({"DEL", "list", "hash", "other"});
    writer.call({"SET", "k", "1"});
    writer.call({"HSET", "hash", "f", "1"});
    reader.call({"MGET", "k", "none"});
    reader.call({"HGETALL", "hash"});
    CAPTURE(change[0]);
    CHECK(!writer.call(change).error());
    CHECK(reader.push() == "invalidate " + told);
    reader.call({"CLIENT", "TRACKING", "off"});
    reader.call({"CLIENT", "TRACKING", "on"});
  };
  expect({"INCR", "k"}, "k");
  expect({"DEL", "k"}, "k");
  expect({"EXPIRE", "k", "100"}, "k");
  expect({"HDEL", "hash", "f"}, "hash");
  expect({"RENAME", "k", "other"}, "k");
  expect({"RPUSH", "none", "created"}, "none");
  writer.call({"DEL", "none"});
  expect({"PEXPIRE", "k", "20"}, "k");
  expect({"FLUSHALL"}, "(nil)");
  expect({"FLUSHDB", "ASYNC"}, "(nil)");
  expect({"SWAPDB", "0", "1"}, "(nil)");
  expect({"EVAL", "redis.call('SET', KEYS[1], 'x')", "1", "k"}, "k");
}

TEST_CASE("Expired and evicted keys are told") {
  ServerProcess server(kReactors);
  Client writer(server.port());
  Resp3Client reader(server.port());
  reader.call({"CLIENT", "TRACKING", "on"});
  writer.call({"SET", "soon", "gone", "PX", "50"});
  reader.call({"GET", "soon"});
  CHECK(reader.push() == "invalidate soon");
  writer.call({"SET", "evicted", std::string(1000, 'x'), "EX", "1000"});
  reader.call({"GET", "evicted"});
  writer.call({"CONFIG", "SET", "maxmemory-policy", "volatile-lru"});
  writer.call({"CONFIG", "SET", "maxmemory", "1kb"});
  CHECK(reader.push() == "invalidate evicted");
}

TEST_CASE("One's own changes follow the reply; NOLOOP hides them") {
  ServerProcess server;
  Resp3Client client(server.port());
  client.call({"CLIENT", "TRACKING", "on"});
  client.call({"SET", "a", "1"});
  client.call({"GET", "a"});
  client.send({"MULTI"});
  client.send({"INCR", "a"});
  client.send({"GET", "b"});
  client.send({"EXEC"});
  client.send({"PING"});
  CHECK(client.next() == "OK");
  CHECK(client.next() == "QUEUED");
  CHECK(client.next() == "QUEUED");
  CHECK(client.next() == "2 (nil)");
  CHECK(client.next() == ">invalidate a");
  CHECK(client.next() == "PONG");
  client.call({"CLIENT", "TRACKING", "on", "NOLOOP"});
  client.call({"GET", "a"});
  client.call({"SET", "a", "2"});
  CHECK(client.call({"PING"}) == "PONG");
  CHECK(!client.has_push());
}

TEST_CASE("What a slow command read is told after its reply, although it ran on another thread") {
  ServerProcess server(kReactors);
  Client writer(server.port());
  std::vector<std::string> fill = {"RPUSH", "long"};
  for (int i = 0; i < 20000; ++i) fill.push_back("x");
  writer.call(fill);
  Resp3Client reader(server.port());
  reader.call({"CLIENT", "TRACKING", "on"});
  for (int round = 0; round < 30; ++round) {
    reader.send({"LRANGE", "long", "0", "-1"});
    writer.call({"LSET", "long", "0", std::to_string(round)});
    REQUIRE(reader.reply().size() > 20000);
    REQUIRE(!reader.has_push());  // the first change came before the reading or is told behind its reply
    writer.call({"LSET", "long", "0", "last"});
    REQUIRE(reader.push() == "invalidate long");
    reader.call({"CLIENT", "TRACKING", "off"});
    reader.call({"CLIENT", "TRACKING", "on"});
  }
}

TEST_CASE("A blocked command's own change follows its reply") {
  ServerProcess server(kReactors);
  Client writer(server.port());
  for (int i = 0; i < 3; ++i) {
    Resp3Client mover(server.port());
    mover.call({"CLIENT", "TRACKING", "on"});
    writer.call({"DEL", "to"});
    writer.call({"RPUSH", "to", "x"});
    mover.call({"LRANGE", "to", "0", "-1"});
    mover.send({"BLMOVE", "from", "to", "LEFT", "LEFT", "0"});
    REQUIRE(eventually([&] { return writer.info("blocked_clients") == "1"; }));
    writer.call({"RPUSH", "from", "moved"});
    CHECK(mover.next() == "moved");
    CHECK(mover.next() == ">invalidate to");
  }
}

TEST_CASE("OPTIN and OPTOUT go by CLIENT CACHING, for one command") {
  ServerProcess server;
  Client writer(server.port());
  Resp3Client reader(server.port());
  const auto told = [&](const std::vector<std::vector<std::string>>& commands) {
    for (const auto& command : commands) reader.call(command);
    writer.call({"SET", "a", "x"});
    writer.call({"SET", "b", "x"});
    reader.call({"PING"});
    std::string all;
    while (reader.has_push()) all += reader.push() + ";";
    return all;
  };
  reader.call({"CLIENT", "TRACKING", "on", "OPTIN"});
  CHECK(told({{"GET", "a"}}) == "");
  CHECK(told({{"CLIENT", "CACHING", "yes"}, {"CLIENT", "GETNAME"}, {"GET", "a"}, {"GET", "b"}}) == "invalidate a;");
  CHECK(told({{"CLIENT", "CACHING", "yes"}, {"NOSUCH"}, {"GET", "a"}}) == "");
  CHECK(told({{"CLIENT", "CACHING", "yes"}, {"GET"}, {"GET", "a"}}) == "");
  CHECK(told({{"CLIENT", "CACHING", "yes"}, {"MULTI"}, {"GET", "a"}, {"GET", "b"}, {"EXEC"}}) == "invalidate a;invalidate b;");
  CHECK(reader.call({"CLIENT", "CACHING", "no"}) == "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  CHECK(reader.call({"CLIENT", "TRACKING", "on", "OPTOUT"}).starts_with("ERR You can't switch OPTIN/OPTOUT"));
  reader.call({"CLIENT", "TRACKING", "off"});
  reader.call({"CLIENT", "TRACKING", "on", "OPTOUT"});
  CHECK(told({{"GET", "a"}}) == "invalidate a;");
  CHECK(told({{"CLIENT", "CACHING", "no"}, {"GET", "a"}, {"GET", "b"}}) == "invalidate b;");
  CHECK(reader.call({"CLIENT", "TRACKINGINFO"}) == "flags on optout redirect 0 prefixes ");
}

TEST_CASE("Broadcasts: one message a prefix and batch, in order of the keys, none of one's own with NOLOOP") {
  ServerProcess server(kReactors);
  Client writer(server.port());
  Resp3Client all(server.port());
  Resp3Client some(server.port());
  all.call({"CLIENT", "TRACKING", "on", "BCAST"});
  CHECK(some.call({"CLIENT", "TRACKING", "on", "BCAST", "NOLOOP", "PREFIX", "user:", "PREFIX", "item:"}) == "OK");
  CHECK(some.call({"CLIENT", "TRACKING", "on", "BCAST", "PREFIX", "user:1"}) ==
        "ERR Prefix 'user:1' overlaps with an existing prefix 'user:'. Prefixes for a single client must not overlap.");
  writer.call({"MSET", "user:2", "x", "item:1", "x", "other", "x", "user:1", "x", "use", "x"});
  CHECK(all.push() == "invalidate item:1 other use user:1 user:2");
  CHECK(some.push() == "invalidate item:1");
  CHECK(some.push() == "invalidate user:1 user:2");
  some.call({"SET", "user:3", "own"});
  CHECK(all.push() == "invalidate user:3");
  CHECK(some.call({"PING"}) == "PONG");
  CHECK(!some.has_push());
  CHECK(writer.info("tracking_total_prefixes") == "3");
  writer.call({"FLUSHALL"});
  CHECK(all.push() == "invalidate (nil)");
  CHECK(some.push() == "invalidate (nil)");
}

TEST_CASE("RESP2: another connection is told by a message, and its end is told to the first") {
  ServerProcess server(kReactors);
  Client writer(server.port());
  Client reader(server.port());
  CHECK(reader.call({"CLIENT", "TRACKING", "on", "REDIRECT", "12345"}).text == "ERR The client ID you want redirect to does not exist");
  auto listener = std::make_unique<Client>(server.port());
  const std::string id = std::to_string(listener->integer({"CLIENT", "ID"}));
  listener->call({"SUBSCRIBE", "__redis__:invalidate"});
  CHECK(reader.call({"CLIENT", "TRACKING", "on", "REDIRECT", id}).ok());
  CHECK(reader.integer({"CLIENT", "GETREDIR"}) == std::stoll(id));
  reader.call({"GET", "k"});
  writer.call({"SET", "k", "1"});
  CHECK(joined(listener->read()) == "message __redis__:invalidate k");
  writer.call({"FLUSHALL"});
  const Reply flushed = listener->read();
  REQUIRE(flushed.items.size() == 3);
  CHECK(flushed.items[2].nil());

  Resp3Client modern(server.port());
  modern.call({"CLIENT", "TRACKING", "on", "REDIRECT", id});
  modern.call({"GET", "k"});
  listener = nullptr;
  REQUIRE(eventually([&] { return writer.call({"CLIENT", "LIST", "ID", id}).text.empty(); }));
  writer.call({"SET", "k", "2"});
  CHECK(modern.push() == "tracking-redir-broken " + id);
  CHECK(modern.call({"CLIENT", "TRACKINGINFO"}) == "flags on broken_redirect redirect " + id + " prefixes ");
  CHECK(modern.call({"CLIENT", "INFO"}).find(" flags=tR ") != std::string::npos);
}

TEST_CASE("tracking-table-max-keys: what is forgotten is told") {
  ServerProcess server({"--tracking-table-max-keys", "100"});
  Client writer(server.port());
  Resp3Client reader(server.port());
  reader.call({"CLIENT", "TRACKING", "on"});
  for (int i = 0; i < 150; ++i) reader.call({"GET", "k" + std::to_string(i)});
  CHECK(writer.info("tracking_total_keys") == "100");
  CHECK(writer.info("tracking_total_items") == "100");
  std::set<std::string> told;
  for (int i = 0; i < 50; ++i) told.insert(reader.push());
  CHECK(told.size() == 50);
  writer.call({"CONFIG", "SET", "tracking-table-max-keys", "10"});
  for (int i = 0; i < 90; ++i) told.insert(reader.push());
  CHECK(told.size() == 140);
  CHECK(reader.call({"RESET"}) == "RESET");
  CHECK(writer.info("tracking_clients") == "0");
}

TEST_CASE("Pushes pass CLIENT REPLY OFF") {
  ServerProcess server(kReactors);
  Client writer(server.port());
  Resp3Client reader(server.port());
  reader.call({"CLIENT", "TRACKING", "on"});
  reader.call({"GET", "k"});
  reader.send({"CLIENT", "REPLY", "OFF"});
  reader.send({"SET", "k", "own"});
  CHECK(reader.push() == "invalidate k");
  CHECK(reader.call({"CLIENT", "REPLY", "ON"}) == "OK");
}
