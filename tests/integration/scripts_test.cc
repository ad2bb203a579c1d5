// Scripts beside other clients: long ones, killed ones, those in transactions, those that promise their keys; and the
// debugger's conversation on the client's own connection.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/held_shard.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

const char* const kLoop = "redis.call('GET', KEYS[1] or 'nothing') while true do end";

std::string lines_of(const Reply& reply) {
  std::string text;
  for (const Reply& item : reply.items) text += item.text + "\n";
  return text;
}

bool kill_script(Client& client, const std::string& command) {
  return eventually([&] { return client.call({command, "KILL"}).ok(); });
}

}  // namespace

TEST_CASE("A long script lets others work until the threshold, then they are told BUSY") {
  ServerProcess server({"--io-threads", "1"});
  const std::string held = key_beside(server, "free");
  Client runner(server.port());
  Client other(server.port());
  CHECK(other.call({"CONFIG", "SET", "busy-reply-threshold", "300"}).ok());
  runner.append({"EVAL", kLoop, "1", held});
  std::thread run([&] { runner.read(); });
  CHECK(other.text({"PING"}) == "PONG");
  CHECK(other.call({"SET", "free", "1"}).ok());
  CHECK(eventually([&] { return other.text({"PING"}).starts_with("BUSY"); }));
  CHECK(other.text({"EVAL", "return 1", "0"}).starts_with("BUSY Redis is busy running a script. You can only call SCRIPT KILL"));
  CHECK(kill_script(other, "SCRIPT"));
  run.join();
}

TEST_CASE("Who waits for a script's key when it becomes busy is told, too") {
  ServerProcess server({"--busy-reply-threshold", "300", "--busy-scope", "keys"});
  Client runner(server.port());
  Client waiter(server.port());
  Client other(server.port());
  other.call({"SET", "held", "1"});
  REQUIRE(other.call({"FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function(keys) redis.call('GET', keys[1]) while true do end end)"}).text == "l");
  runner.append({"FCALL", "f", "1", "held"});
  std::thread run([&] { runner.read(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(waiter.text({"SET", "held", "2"}).starts_with("BUSY Redis is busy running a script. You can only call FUNCTION KILL"));
  CHECK(waiter.text({"EVAL", "return 1", "0"}).starts_with("BUSY"));
  CHECK(other.text({"PING"}) == "PONG");
  CHECK(kill_script(other, "FUNCTION"));
  run.join();
  CHECK(other.call({"SET", "held", "3"}).ok());
}

TEST_CASE("A script inside EXEC is killed with one reactor") {
  ServerProcess server({"--io-threads", "1"});
  Client runner(server.port());
  Client other(server.port());
  runner.append({"MULTI"});
  runner.append({"SET", "a", "1"});
  runner.append({"EVAL", "while true do end", "0"});
  runner.append({"GET", "a"});
  runner.append({"EXEC"});
  std::vector<Reply> replies;
  std::thread run([&] {
    for (int i = 0; i < 5; ++i) replies.push_back(runner.read());
  });
  CHECK(kill_script(other, "SCRIPT"));
  run.join();
  REQUIRE(replies.size() == 5);
  REQUIRE(replies[4].items.size() == 3);
  CHECK(replies[4].items[0].ok());
  CHECK(replies[4].items[1].text.starts_with("ERR Script killed by user with SCRIPT KILL"));
  CHECK(replies[4].items[2].text == "1");
}

TEST_CASE("Loops are killed wherever they are") {
  ServerProcess server({"--io-threads", "1"});
  Client runner(server.port());
  Client other(server.port());
  for (const char* body : {
           "while true do end",
           "while true do pcall(function() while true do end end) end",
           "table.sort({3,1,2,5,4}, function(a, b) while true do end end)",
           "string.gsub('aaaa', 'a', function() while true do end end)",
           "local c = coroutine.wrap(function() while true do end end) c()",
           "local function f() return f() end f()",
           "while true do redis.pcall('PING') end",
           "while true do local s = string.rep('x', 1000) end",
           "xpcall(function() while true do end end, function() while true do end end)",
       }) {
    CAPTURE(body);
    runner.append({"EVAL", body, "0"});
    Reply reply;
    std::thread run([&] { reply = runner.read(); });
    CHECK(kill_script(other, "SCRIPT"));
    run.join();
    CHECK(reply.text.starts_with("ERR Script killed by user with SCRIPT KILL"));
  }
}

TEST_CASE("A script that allocates without bound ends in an error") {
  ServerProcess server;
  Client client(server.port());
  const Reply reply = client.call({"EVAL", "local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 1000) .. i end", "0"});
  CHECK(reply.error());
  CHECK(reply.text.find("not enough memory") != std::string::npos);
  CHECK(client.text({"PING"}) == "PONG");
}

TEST_CASE("A script that promises its keys is held to them, and others run beside it") {
  ServerProcess server({"--io-threads", "1"});
  const std::string held = key_beside(server, "elsewhere");
  Client client(server.port());
  const std::string promise = "#!lua flags=declared-keys-only\n";
  CHECK(client.text({"EVAL", promise + "redis.call('SET', KEYS[1], 'v') return redis.call('GET', KEYS[1])", "1", "k"}) == "v");
  CHECK(client.text({"EVAL", promise + "return redis.call('GET', 'other')", "1", "k"}).find("did not declare") != std::string::npos);
  CHECK(client.text({"EVAL", promise + "return redis.call('DBSIZE')", "1", "k"}).find("sees all keys") != std::string::npos);
  Client runner(server.port());
  runner.append({"EVAL", promise + kLoop, "1", held});
  Reply reply;
  std::thread run([&] { reply = runner.read(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  // Another script gets its turn while that one runs.
  CHECK(client.integer({"EVAL", "return redis.call('INCR', KEYS[1])", "1", "elsewhere"}) == 1);
  CHECK(kill_script(client, "SCRIPT"));
  run.join();
}

TEST_CASE("Errors of inner commands are counted once") {
  ServerProcess server;
  Client client(server.port());
  client.call({"SET", "k", "text"});
  client.call({"EVAL", "return redis.call('INCR', KEYS[1])", "1", "k"});
  client.call({"EVAL", "return redis.pcall('INCR', KEYS[1])", "1", "k"});
  client.call({"EVAL", "redis.pcall('nosuch') return 1", "0"});
  CHECK(client.info("errorstat_ERR") == "count=3");
  CHECK(client.info("cmdstat_incr").find("failed_calls=2") != std::string::npos);
  CHECK(client.info("cmdstat_eval").find("calls=3,") == 0);
  CHECK(client.info("cmdstat_eval").find("failed_calls=2") != std::string::npos);
}

TEST_CASE("The debugger stops, shows, runs commands and ends") {
  ServerProcess server;
  const std::string script =
      "local a = {1, 'two', {x = true}}\n"
      "redis.call('SET', KEYS[1], ARGV[1])\n"
      "redis.debug('here', 7)\n"
      "local b = redis.call('GET', KEYS[1])\n"
      "return b\n";
  for (const std::string mode : {"YES", "SYNC"}) {
    CAPTURE(mode);
    Client other(server.port());
    other.call({"SET", "key", "before"});
    Client client(server.port());
    CHECK(client.call({"SCRIPT", "DEBUG", mode}).ok());
    CHECK(lines_of(client.call({"EVAL", script, "1", "key", "after"})) ==
          "* Stopped at 1, stop reason = step over\n-> 1   local a = {1, 'two', {x = true}}\n");
    if (mode == "YES") CHECK(other.text({"GET", "key"}) == "before");
    CHECK(lines_of(client.call({"step"})).find("Stopped at 2") != std::string::npos);
    CHECK(lines_of(client.call({"print", "a"})) == "<value> {1; \"two\"; {[\"x\"]=true}}\n");
    CHECK(lines_of(client.call({"print", "KEYS"})) == "<value> {\"key\"}\n");
    CHECK(lines_of(client.call({"n"})).starts_with("<redis> SET key after\n<reply> \"+OK\"\n* Stopped at 3"));
    CHECK(lines_of(client.call({"b", "5"})) == "   4   local b = redis.call('GET', KEYS[1])\n  #5   return b\n");
    CHECK(lines_of(client.call({"eval", "#KEYS", "+", "1"})) == "<retval> 2\n");
    CHECK(lines_of(client.call({"redis", "GET", "key"})) == "<redis> GET key\n<reply> \"after\"\n");
    CHECK(lines_of(client.call({"trace"})).starts_with("In top level:\n->"));
    CHECK(lines_of(client.call({"nonsense"})).starts_with("<error> Unknown Redis Lua debugger command"));
    CHECK(lines_of(client.call({"c"})) == "<debug> line 3: \"here\", 7\n* Stopped at 5, stop reason = break point\n->#5   return b\n");
    CHECK(lines_of(client.call({"c"})) == "<endsession>\n");
    CHECK(client.read().text == "after");
    CHECK(client.read().broken());
    // What a forked session changed was its own.
    CHECK(other.text({"GET", "key"}) == (mode == "YES" ? "before" : "after"));
  }
}

TEST_CASE("A debugging session is aborted, or loses its client, and the server goes on") {
  ServerProcess server;
  Client other(server.port());
  for (const std::string mode : {"YES", "SYNC"}) {
    Client client(server.port());
    client.call({"SCRIPT", "DEBUG", mode});
    client.call({"EVAL", "for i = 1, 10 do\n redis.call('INCR', 'n')\nend", "0"});
    CHECK(lines_of(client.call({"abort"})).find("<endsession>") != std::string::npos);
    CHECK(client.read().text.starts_with("ERR script aborted for user request"));
  }
  other.call({"DEL", "n"});
  {
    Client client(server.port());
    client.call({"SCRIPT", "DEBUG", "SYNC"});
    client.call({"EVAL", "for i = 1, 10 do\n redis.call('INCR', 'n')\nend", "0"});
  }
  // Without anybody to look, the script runs to its end.
  CHECK(eventually([&] { return other.text({"GET", "n"}) == "10"; }));
  Client client(server.port());
  client.call({"SCRIPT", "DEBUG", "YES"});
  CHECK(client.text({"EVALSHA", std::string(40, 'a'), "0"}) == "ERR Please use EVAL instead of EVALSHA for debugging");
  CHECK(client.call({"SCRIPT", "DEBUG", "NO"}).ok());
  CHECK(client.integer({"EVAL", "return 1", "0"}) == 1);
}

TEST_CASE("Scripts that take turns all get their answer") {
  ServerProcess server({"--io-threads", "1"});
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(server.port());
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (Client& client : clients) {
    threads.emplace_back([&client, &answered] {
      for (int i = 0; i < 5; ++i) {
        client.append({"EVAL", "for i = 1, 200000 do end return redis.call('INCR', KEYS[1])", "1", "n"});
        client.append({"EVAL", "return redis.call('INCR', KEYS[1])", "1", "m"});
      }
      for (int i = 0; i < 10; ++i) answered += client.read().type == REDIS_REPLY_INTEGER;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(answered == 200);
  CHECK(clients[0].text({"GET", "n"}) == "100");
}
