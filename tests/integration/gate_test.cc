// appendfsync always, seen by other clients: no reply tells of a write that is not on disk, however it was written or is
// looked at. The server is killed as soon as it has told, and what it told of must be there afterwards.
#include <doctest/doctest.h>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

using Call = std::vector<std::string>;

const Call kLoadLibrary = {"FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 'made' end)"};

Call directives_with(const std::string& policy) {
  return {"--appendonly", "yes", "--appendfsync", policy, "--io-threads", "2", "--save", ""};
}

std::string shown(const Reply& reply) {
  std::string text = reply.type == REDIS_REPLY_INTEGER ? std::to_string(reply.integer) : reply.text;
  for (const Reply& item : reply.items) text += " " + shown(item);
  return text;
}

struct Way {
  const char* name;
  std::vector<Call> before, write, look;
  std::string told;  // by the last look, and after the restart
};

// One client writes, and before that is on disk another one looks; both are at the server at about the same time.
void check_kept(const Way& way) {
  CAPTURE(way.name);
  ServerProcess server(directives_with("always"));
  {
    RawSocket writer(server.port());
    Client reader(server.port());
    for (const Call& call : way.before) REQUIRE_FALSE(reader.call(call).error());
    REQUIRE(reader.call({"DEBUG", "AOF-FLUSH-SLEEP", "400000"}).ok());
    std::string bytes;
    for (const Call& call : way.write) bytes += encode(call);
    REQUIRE(writer.send(bytes));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    Reply reply;
    for (const Call& call : way.look) reply = reader.call(call);
    CHECK(shown(reply).find(way.told) != std::string::npos);
  }
  server.stop(SIGKILL);
  server.restart(directives_with("always"));
  Client client(server.port());
  Reply reply;
  for (const Call& call : way.look) reply = client.call(call);
  CHECK(shown(reply).find(way.told) != std::string::npos);
}

}  // namespace

TEST_CASE("Gate: keys that a command reads or writes without naming them") {
  const Call script = {"EVAL", "return redis.call('SET', 'w_1', 'made')", "1", "other"};
  const std::vector<Call> get = {{"GET", "w_1"}};
  const std::vector<Call> list = {{"RPUSH", "list", "1"}};
  for (const Way& way : std::vector<Way>{
           {"a script that writes what it did not declare", {}, {script}, get, "made"},
           {"one in a transaction", {}, {{"MULTI"}, script, {"EXEC"}}, get, "made"},
           {"SORT_RO GET", list, {{"SET", "w_1", "made"}}, {{"SORT_RO", "list", "BY", "nosort", "GET", "w_*"}}, "made"},
           {"SORT GET in a transaction", list, {{"SET", "w_1", "made"}},
            {{"MULTI"}, {"SORT", "list", "BY", "nosort", "GET", "w_*"}, {"EXEC"}}, "made"},
           {"SORT GET in a script", list, {{"SET", "w_1", "made"}},
            {{"EVAL", "return redis.call('SORT', KEYS[1], 'BY', 'nosort', 'GET', 'w_*')", "1", "list"}}, "made"},
       }) {
    check_kept(way);
  }
}

TEST_CASE("Gate: libraries are seen without keys") {
  for (const Way& way : std::vector<Way>{
           {"called", {}, {kLoadLibrary}, {{"FCALL", "f", "0"}}, "made"},
           {"listed", {}, {kLoadLibrary}, {{"FUNCTION", "LIST"}}, "lib"},
       }) {
    check_kept(way);
  }
}

TEST_CASE("Gate: keys of a script that was under way when appendfsync became always") {
  ServerProcess server(directives_with("no"));
  {
    RawSocket writer(server.port());
    Client reader(server.port());
    REQUIRE(reader.call({"DEBUG", "AOF-FLUSH-SLEEP", "700000"}).ok());
    REQUIRE(writer.send(encode({"EVAL", "redis.call('SET', 'early', 'made') local n = 0 for i = 1, 5e7 do n = n + 1 end", "0"})));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    REQUIRE(reader.call({"CONFIG", "SET", "appendfsync", "always"}).ok());
    CHECK(reader.text({"GET", "early"}) == "made");
  }
  server.stop(SIGKILL);
  server.restart(directives_with("always"));
  CHECK(Client(server.port()).text({"GET", "early"}) == "made");
}

TEST_CASE("Gate: a peer that sends no more gets the replies that wait for the disk") {
  ServerProcess server(directives_with("always"));
  REQUIRE(Client(server.port()).call({"DEBUG", "AOF-FLUSH-SLEEP", "300000"}).ok());
  const std::string value(20000, 'x');
  for (const std::string& bytes : {encode({"SET", "a", "1"}), encode({"SET", "a", value}) + encode({"STRLEN", "a"})}) {
    RawSocket socket(server.port());
    REQUIRE(socket.send(bytes));
    socket.end_sending();
    const std::string replies = socket.receive_all();
    CHECK(replies.starts_with("+OK\r\n"));
    CHECK((replies.size() == 5 || replies.ends_with(":20000\r\n")));
    CHECK(socket.closed_by_peer());
  }
}

TEST_CASE("Gate: a client is read no further while much output waits for the disk, whatever came back to it meanwhile") {
  ServerProcess server(directives_with("always"));
  Client control(server.port());
  REQUIRE(control.call({"SET", "big", std::string(100000, 'x')}).ok());
  Call members = {"SADD", "set"};
  for (int i = 0; i < 20000; ++i) members.push_back("member:" + std::to_string(i));
  REQUIRE(control.integer(members) == 20000);
  REQUIRE(control.call({"DEBUG", "AOF-FLUSH-SLEEP", "2000000"}).ok());

  std::string first = encode({"SET", "key", "value"});
  for (int i = 0; i < 30; ++i) first += encode({"GET", "big"});
  first += encode({"SINTERCARD", "2", "set", "set"});  // takes so long that it goes to a worker
  std::string second;
  for (int i = 0; i < 1000; ++i) second += encode({"PING"});
  RawSocket socket(server.port());
  const auto read_bytes = [&] {  // by the server, from the socket
    const std::string list = control.text({"CLIENT", "LIST"});
    const size_t at = list.find(" tot-net-in=", list.find(":" + std::to_string(socket.port()) + " "));
    return at == std::string::npos ? 0 : std::stoul(list.substr(at + 12));
  };
  REQUIRE(socket.send(first));
  REQUIRE(eventually([&] { return read_bytes() >= first.size(); }));
  REQUIRE(socket.send(second));
  size_t most = 0;
  std::string replies;
  while (replies.empty()) {
    const size_t bytes = read_bytes();
    replies = socket.receive(1, 10);  // none yet: what was read was read before the write was on disk
    if (replies.empty()) most = std::max(most, bytes);
  }
  CHECK(most <= first.size());
  const size_t expected = 5 + 30 * (9 + 100000 + 2) + 8 + 1000 * 7;
  replies += socket.receive(expected - replies.size());
  CHECK(replies.size() == expected);
  CHECK(replies.ends_with("+PONG\r\n"));
}
