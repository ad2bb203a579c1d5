// The append-only file as users meet it: kept through stops and kills, rewritten under load, switched off and on, while the
// disk is full or slow, damaged and mended, and exchanged with Redis.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;
namespace fs = std::filesystem;

namespace {

using Directives = std::vector<std::string>;

Directives with_aof(const std::string& policy, Directives more = {}) {
  Directives all = {"--appendonly", "yes", "--appendfsync", policy};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void write_some(Client& client) {
  client.call({"SET", "text", std::string(3000, 'x')});
  client.call({"SET", "timed", "v", "EX", "1000"});
  client.call({"EVAL", "for i = 1, 50 do redis.call('RPUSH', 'list', i) redis.call('SADD', 'set', i * i) end", "0"});
  client.call({"SELECT", "5"});
  client.call({"MULTI"});
  client.call({"HSET", "hash", "a", "1", "b", "2"});
  client.call({"ZADD", "zset", "1.5", "m", "2", "n"});
  client.call({"SPOP", "none"});
  client.call({"EXEC"});
  client.call({"XADD", "stream", "*", "f", "v"});
  client.call({"XGROUP", "CREATE", "stream", "group", "0"});
  client.call({"XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">"});
  client.call({"FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 7 end)"});
  client.call({"SELECT", "0"});
  client.call({"SPOP", "set", "10"});
  client.call({"GETEX", "text", "PX", "500000"});
}

std::string digest(Client& client) { return client.text({"DEBUG", "DIGEST"}); }

bool rewritten(Client& client) {
  return eventually([&] {
    // In this order: what is no longer scheduled has begun.
    return client.info("aof_rewrite_scheduled") == "0" && client.info("aof_rewrite_in_progress") == "0";
  });
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put_bytes(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string aof_folder(const ServerProcess& server) { return server.folder() + "/appendonlydir"; }

std::string manifest_of(const ServerProcess& server) { return bytes_of(aof_folder(server) + "/appendonly.aof.manifest"); }

std::string last_increment(const ServerProcess& server) {
  const std::string manifest = manifest_of(server);
  const size_t at = manifest.rfind("file ") + 5;
  return aof_folder(server) + "/" + manifest.substr(at, manifest.find(' ', at) - at);
}

int64_t milliseconds_of(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count();
}

// Files of the server may not grow beyond this: what a full disk is like.
void limit_files(const ServerProcess& server, rlim_t bytes) {
  const rlimit limit = {bytes, RLIM_INFINITY};
  REQUIRE(prlimit(server.pid(), RLIMIT_FSIZE, &limit, nullptr) == 0);
}

}  // namespace

TEST_CASE("AOF: what was written is there after a stop, under always after a kill, too") {
  for (const char* policy : {"always", "everysec", "no"}) {
    for (const char* preamble : {"yes", "no"}) {
      CAPTURE(policy);
      const Directives directives = with_aof(policy, {"--aof-use-rdb-preamble", preamble, "--aof-timestamp-enabled", preamble});
      ServerProcess server(directives);
      for (const int signal_number : {SIGTERM, std::string(policy) == "always" ? SIGKILL : SIGINT}) {
        std::string before;
        {
          Client client(server.port());
          write_some(client);
          before = digest(client);
          client.call({"INCR", "round"});
          before = digest(client);
        }
        server.stop(signal_number);
        server.restart(directives);
        Client client(server.port());
        CHECK(digest(client) == before);
        CHECK(client.integer({"FCALL", "f", "0"}) == 7);
        CHECK(client.integer({"TTL", "timed"}) > 900);
        CHECK(client.call({"BGREWRITEAOF"}).type == REDIS_REPLY_STATUS);
        REQUIRE(rewritten(client));
        CHECK(client.info("aof_last_bgrewrite_status") == "ok");
      }
    }
  }
}

TEST_CASE("AOF: a big value that the same command replaces is written as it came") {
  ServerProcess server(with_aof("always"));
  Client client(server.port());
  const std::string first(300000, 'a');
  const std::string second(300000, 'b');
  for (const char* command : {"MSET", "MSETNX"}) {
    client.call({command, command, first, command, second});
    CHECK(client.text({"GET", command}) == second);
    const std::string written = bytes_of(aof_folder(server) + "/appendonly.aof.1.incr.aof");
    CHECK(written.find(std::string(command) + "\r\n$300000\r\n" + first + "\r\n") != std::string::npos);
    CHECK(written.find(std::string(command) + "\r\n$300000\r\n" + second + "\r\n") != std::string::npos);
  }
}

TEST_CASE("AOF: rewrites beside writers lose and repeat nothing") {
  const Directives directives = with_aof("everysec", {"--io-threads", "2"});
  ServerProcess server(directives);
  std::string before;
  {
    Client client(server.port());
    client.call({"DEBUG", "POPULATE", "5000", "key", "50"});
    std::atomic<bool> done{false};
    std::vector<std::thread> writers;
    for (int w = 0; w < 3; ++w) {
      writers.emplace_back([&, w] {
        Client writer(server.port());
        writer.call({"SELECT", std::to_string(w)});
        while (!done) {
          writer.call({"INCR", "n"});
          writer.call({"RPUSH", "list", "x"});
        }
      });
    }
    for (int i = 0; i < 5; ++i) {
      CHECK(client.call({"BGREWRITEAOF"}).type == REDIS_REPLY_STATUS);
      REQUIRE(rewritten(client));
      CHECK(client.info("aof_last_bgrewrite_status") == "ok");
    }
    done = true;
    for (std::thread& writer : writers) writer.join();
    before = digest(client);
    CHECK(client.info("aof_rewrites") == "5");
  }
  server.stop(SIGTERM);
  server.restart(directives);
  Client client(server.port());
  CHECK(digest(client) == before);
  // One base, one increment, nothing else.
  const auto files = std::distance(fs::directory_iterator(aof_folder(server)), fs::directory_iterator());
  CHECK(files == 3);
}

TEST_CASE("AOF: switched off and on while the server runs") {
  ServerProcess server;
  Client client(server.port());
  write_some(client);
  REQUIRE(client.call({"CONFIG", "SET", "appendfsync", "always"}).ok());
  REQUIRE(client.call({"CONFIG", "SET", "appendonly", "yes"}).ok());
  client.call({"SET", "early", "1"});
  REQUIRE(rewritten(client));
  client.call({"SET", "late", "1"});
  const std::string kept = digest(client);
  server.stop(SIGKILL);
  server.restart(with_aof("always"));
  Client again(server.port());
  CHECK(digest(again) == kept);
  // Off: the files stay as they are. At once on and off: whatever comes first, the last counts.
  REQUIRE(again.call({"CONFIG", "SET", "appendonly", "no"}).ok());
  again.call({"SET", "lost", "1"});
  server.stop(SIGKILL);
  server.restart(with_aof("always"));
  Client third(server.port());
  CHECK(digest(third) == kept);
  for (int i = 0; i < 30; ++i) {
    REQUIRE(third.call({"CONFIG", "SET", "appendonly", i % 2 == 0 ? "no" : "yes"}).ok());
    third.call({"INCR", "turns"});
    if (i % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(i));
  }
  REQUIRE(rewritten(third));
  CHECK(third.info("aof_enabled") == "1");
  third.call({"SET", "end", "1"});
  const std::string last = digest(third);
  server.stop(SIGKILL);
  server.restart(with_aof("always"));
  Client fourth(server.port());
  CHECK(digest(fourth) == last);
}

TEST_CASE("AOF: a full disk refuses writes until there is room, and keeps everything") {
  const Directives directives = with_aof("everysec");
  ServerProcess server(directives);
  std::string before;
  {
    Client client(server.port());
    write_some(client);
    REQUIRE(client.call({"WAITAOF", "1", "0", "0"}).items.size() == 2);
    limit_files(server, fs::file_size(last_increment(server)) + 500);
    for (int i = 0; i < 100; ++i) client.call({"RPUSH", "filler", std::string(100, 'y')});
    REQUIRE(eventually([&] { return client.call({"SET", "refused", "1"}).error(); }));
    CHECK(client.call({"SET", "refused", "1"}).text.starts_with("MISCONF Errors writing to the AOF file"));
    CHECK(client.text({"GET", "timed"}) == "v");
    CHECK(client.info("aof_last_write_status") == "err");
    limit_files(server, RLIM_INFINITY);
    REQUIRE(eventually([&] { return client.call({"SET", "accepted", "1"}).ok(); }));
    CHECK(eventually([&] { return client.info("aof_last_write_status") == "ok"; }));
    before = digest(client);
  }
  server.stop(SIGTERM);
  server.restart(directives);
  Client client(server.port());
  CHECK(digest(client) == before);
}

TEST_CASE("AOF: under always a full disk ends the server, and nothing that it said is lost") {
  const Directives directives = with_aof("always");
  ServerProcess server(directives);
  int acknowledged = 0;
  {
    Client client(server.port());
    client.call({"SET", "a", "1"});
    limit_files(server, fs::file_size(last_increment(server)) + 2000);
    while (client.call({"RPUSH", "list", "element"}).type == REDIS_REPLY_INTEGER) ++acknowledged;
  }
  CHECK(eventually([&] { return !server.alive(); }));
  CHECK(server.log().find("Can't recover from AOF write error when the AOF fsync policy is 'always'") != std::string::npos);
  server.restart(directives);
  Client client(server.port());
  CHECK(acknowledged > 0);
  CHECK(client.integer({"LLEN", "list"}) >= acknowledged);
  CHECK(client.integer({"LLEN", "list"}) <= acknowledged + 1);
}

TEST_CASE("AOF: replies wait for a slow disk only if they tell of what is not on it") {
  ServerProcess server(with_aof("always", {"--io-threads", "2"}));
  Client writer(server.port());
  Client reader(server.port());
  writer.call({"SET", "old", "1"});
  REQUIRE(writer.call({"DEBUG", "AOF-FLUSH-SLEEP", "1000000"}).ok());
  writer.append({"SET", "new", "1"});
  std::thread waits([&] { CHECK(milliseconds_of([&] { CHECK(writer.read().ok()); }) >= 700); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(milliseconds_of([&] { CHECK(reader.text({"GET", "old"}) == "1"); }) < 500);
  CHECK(milliseconds_of([&] { CHECK(reader.text({"GET", "new"}) == "1"); }) >= 500);
  waits.join();
  reader.call({"DEBUG", "AOF-FLUSH-SLEEP", "0"});
}

TEST_CASE("AOF: a message that tells of a write waits for the disk, too, and EXEC that was refused by one") {
  ServerProcess server(with_aof("always", {"--io-threads", "2", "--notify-keyspace-events", "KEA"}));
  Client publisher(server.port());
  Client subscriber(server.port());
  Client watcher(server.port());
  subscriber.call({"SUBSCRIBE", "news"});
  subscriber.call({"SUBSCRIBE", "__keyevent@0__:incrby"});
  watcher.call({"WATCH", "n"});
  publisher.call({"DEBUG", "AOF-FLUSH-SLEEP", "1500000"});
  // The script goes on for a while after its message: nothing of it is in the journal until its end.
  publisher.append({"EVAL", "local n = redis.call('INCR', 'n') redis.call('PUBLISH', 'news', n) for i = 1, 3e7 do n = n + 0 end", "0"});
  std::thread waits([&] { CHECK_FALSE(publisher.read().error()); });
  CHECK(milliseconds_of([&] { CHECK(subscriber.read().items.size() == 3); }) >= 1000);
  CHECK(subscriber.read().items.size() == 3);
  waits.join();
  CHECK(publisher.call({"SET", "n", "5"}).ok());
  watcher.append({"MULTI"});
  watcher.append({"EXEC"});
  publisher.append({"SET", "n", "6"});
  std::thread writes([&] { publisher.read(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  watcher.read();
  CHECK(watcher.read().nil());
  writes.join();
  Client(server.port()).call({"DEBUG", "AOF-FLUSH-SLEEP", "0"});
}

TEST_CASE("AOF: nobody hears of a script before its end is in the file") {
  ServerProcess server(with_aof("everysec"));
  Client caller(server.port());
  Client subscriber(server.port());
  subscriber.call({"SUBSCRIBE", "news"});
  std::thread calls([&] {
    CHECK_FALSE(caller.call({"EVAL", "redis.call('PUBLISH', 'news', redis.call('INCR', 'n')) for i = 1, 3e7 do end", "1", "n"}).error());
  });
  CHECK(subscriber.read().items.size() == 3);
  CHECK(Client(server.port()).info("cmdstat_eval").starts_with("calls=1,"));
  calls.join();
}

TEST_CASE("AOF: writers wait while too much is unwritten, readers do not") {
  ServerProcess server(with_aof("everysec", {"--journal-buffer-limit", "1mb"}));
  Client writer(server.port());
  Client reader(server.port());
  REQUIRE(reader.call({"DEBUG", "AOF-FLUSH-SLEEP", "800000"}).ok());
  const std::string big(400'000, 'z');
  for (int i = 0; i < 6; ++i) writer.call({"SET", "first" + std::to_string(i), big});
  std::atomic<bool> written{false};
  std::thread more([&] {
    for (int i = 0; i < 6; ++i) CHECK(writer.call({"SET", "more" + std::to_string(i), big}).ok());
    written = true;
  });
  CHECK(milliseconds_of([&] { CHECK(reader.text({"GET", "first0"}) == big); }) < 500);
  CHECK_FALSE(written);
  reader.call({"DEBUG", "AOF-FLUSH-SLEEP", "0"});
  more.join();
  CHECK(eventually([&] { return reader.info("aof_buffer_length") == "0"; }));
}

TEST_CASE("WAITAOF waits for the local disk") {
  ServerProcess server(with_aof("everysec"));
  Client client(server.port());
  for (int i = 0; i < 5; ++i) {
    client.call({"INCR", "n"});
    const Reply reply = client.call({"WAITAOF", "1", "0", "0"});
    REQUIRE(reply.items.size() == 2);
    CHECK(reply.items[0].integer == 1);
    CHECK(reply.items[1].integer == 0);
  }
  client.call({"INCR", "n"});
  CHECK(client.call({"WAITAOF", "0", "1", "50"}).items.size() == 2);  // no replica ever acknowledges
  client.call({"CONFIG", "SET", "appendonly", "no"});
  CHECK(client.call({"WAITAOF", "1", "0", "0"}).error());
}

TEST_CASE("WAITAOF: before the first base is there nothing is kept, and without an AOF there is nothing to wait for") {
  ServerProcess server({"--save", "", "--rdb-key-save-delay", "1000"});
  Client client(server.port());
  Client waits(server.port());
  client.call({"DEBUG", "POPULATE", "3000"});
  client.call({"CONFIG", "SET", "appendonly", "yes"});
  CHECK(client.call({"WAITAOF", "1", "0", "100"}).items.at(0).integer == 0);
  waits.append({"WAITAOF", "1", "0", "0"});
  std::thread told([&] {
    CHECK(waits.read().text == "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  });
  CHECK(eventually([&] { return client.info("blocked_clients") == "1"; }));
  client.call({"CONFIG", "SET", "appendonly", "no"});
  told.join();
  client.call({"CONFIG", "SET", "rdb-key-save-delay", "0", "appendonly", "yes"});
  CHECK(client.call({"WAITAOF", "1", "0", "0"}).items.at(0).integer == 1);
  server.stop(SIGKILL);
  server.restart(with_aof("everysec"));
  CHECK(Client(server.port()).integer({"DBSIZE"}) == 3000);
}

TEST_CASE("AOF: switched off while its first base is written, it leaves no file behind") {
  ServerProcess server({"--save", "", "--rdb-key-save-delay", "1000000"});
  Client client(server.port());
  client.call({"DEBUG", "POPULATE", "3000"});
  const std::string list = "ls " + server.folder() + "/appendonlydir/temp-* > /dev/null 2>&1";
  client.call({"CONFIG", "SET", "appendonly", "yes"});
  REQUIRE(eventually([&] { return std::system(list.c_str()) == 0; }));
  client.call({"CONFIG", "SET", "appendonly", "no"});
  CHECK(eventually([&] { return std::system(list.c_str()) != 0; }));
}

TEST_CASE("AOF: how much of the base was loaded is told while it is") {
  ServerProcess server(with_aof("everysec"));
  {
    Client client(server.port());
    client.call({"DEBUG", "POPULATE", "1000"});
    client.call({"BGREWRITEAOF"});
    REQUIRE(rewritten(client));
  }
  server.stop();
  const int port = free_port();
  std::thread loads([&] {
    ServerProcess::run({"--port", std::to_string(port), "--dir", server.folder(), "--appendonly", "yes", "--key-load-delay", "5000"}, {}, 3);
  });
  const auto loaded = [&] {
    Client client(port);
    return client.connected() ? client.info("loading_loaded_bytes") : std::string();
  };
  CHECK(eventually([&] { return !loaded().empty() && loaded() != "0"; }, 2500));
  loads.join();
}

TEST_CASE("AOF: an old single file becomes the base of a new one") {
  ServerProcess server;
  server.stop();
  const std::string old = server.folder() + "/appendonly.aof";
  put_bytes(old, encode({"SELECT", "0"}) + encode({"SET", "a", "1"}) + encode({"MULTI"}) + encode({"INCR", "a"}) + encode({"EXEC"}));
  server.restart(with_aof("everysec"));
  CHECK_FALSE(fs::exists(old));
  CHECK(manifest_of(server).starts_with("file appendonly.aof seq 1 type b\n"));
  {
    Client client(server.port());
    CHECK(client.text({"GET", "a"}) == "2");
    client.call({"INCR", "a"});
  }
  server.stop();
  server.restart(with_aof("everysec"));
  Client client(server.port());
  CHECK(client.text({"GET", "a"}) == "3");
}

TEST_CASE("AOF: a base of commands opens with the time if wanted; --check-aof tells its format and counts lines as Redis") {
  Directives directives = with_aof("always");
  directives.insert(directives.end(), {"--aof-timestamp-enabled", "yes", "--aof-use-rdb-preamble", "no"});
  ServerProcess server(directives);
  Client client(server.port());
  client.call({"SET", "k", "v"});
  client.call({"BGREWRITEAOF"});
  CHECK(eventually([&] { return fs::exists(aof_folder(server) + "/appendonly.aof.2.base.aof"); }));
  CHECK(eventually([&] { return client.info("aof_rewrite_in_progress") == "0"; }));
  CHECK(bytes_of(aof_folder(server) + "/appendonly.aof.2.base.aof").starts_with("#TS:"));
  const Ended valid = ServerProcess::run({"--check-aof", aof_folder(server) + "/appendonly.aof.manifest"});
  CHECK(valid.exit_code == 0);
  CHECK(valid.output.find("Start to check BASE AOF (RESP format).") != std::string::npos);
  const std::string before = digest(client);
  server.stop(SIGKILL);
  server.restart(directives);
  Client again(server.port());
  CHECK(digest(again) == before);
  put_bytes(server.folder() + "/lines.aof", "*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\nb\r\n!!!");
  const Ended damaged = ServerProcess::run({"--check-aof", server.folder() + "/lines.aof"});
  CHECK(damaged.exit_code == 1);
  CHECK(damaged.output.find("ok_up_to_line=8,") != std::string::npos);
}

TEST_CASE("AOF: a torn end is cut, damage is refused, and --check-aof mends both") {
  const Directives directives = with_aof("always");
  ServerProcess server(directives);
  std::string before;
  {
    Client client(server.port());
    write_some(client);
    before = digest(client);
    client.call({"SET", "last", std::string(100, 'l')});
  }
  server.stop(SIGKILL);
  const std::string increment = last_increment(server);
  const std::string manifest = aof_folder(server) + "/appendonly.aof.manifest";
  const std::string whole = bytes_of(increment);
  const auto check = [&](Directives arguments, const std::string& answer = "") {
    arguments.insert(arguments.begin(), "--check-aof");
    return ServerProcess::run(arguments, answer);
  };
  const Ended valid = check({manifest});
  CHECK(valid.exit_code == 0);
  CHECK(valid.output.find("All AOF files and manifest are valid") != std::string::npos);
  CHECK(valid.output.find("INCR AOF " + fs::path(increment).filename().string() + " is valid") != std::string::npos);
  CHECK(valid.output.find("\\o/ RDB looks OK! \\o/") != std::string::npos);

  SUBCASE("torn: cut off at the start") {
    put_bytes(increment, whole.substr(0, whole.size() - 7));
    const Ended torn = check({manifest});
    CHECK(torn.exit_code == 1);
    CHECK(torn.output.find("is not valid. Use the --fix option to try fixing it.") != std::string::npos);
    server.restart(directives);
    Client client(server.port());
    CHECK(digest(client) == before);
    CHECK(server.log().find("loaded anyway because aof-load-truncated is enabled") != std::string::npos);
  }
  SUBCASE("torn: refused if the configuration says so, then mended by hand") {
    put_bytes(increment, whole.substr(0, whole.size() - 7));
    Directives strict = directives;
    strict.insert(strict.end(), {"--aof-load-truncated", "no"});
    CHECK_THROWS(server.restart(strict));
    CHECK(check({"--fix", manifest}, "n\n").output.find("Aborting...") != std::string::npos);
    const Ended mended = check({"--fix", manifest}, "y\n");
    CHECK(mended.exit_code == 0);
    CHECK(mended.output.find("Successfully truncated AOF") != std::string::npos);
    server.restart(strict);
    Client client(server.port());
    CHECK(digest(client) == before);
  }
  SUBCASE("damaged: refused with file and offset") {
    std::string damaged = whole;
    damaged[whole.size() / 2] = static_cast<char>(damaged[whole.size() / 2] ^ 4);
    put_bytes(increment, damaged);
    CHECK_THROWS(server.restart(directives));
    CHECK(server.log().find("Bad file format reading the append only file") != std::string::npos);
    CHECK(server.log().find("at offset") != std::string::npos);
    CHECK(check({manifest}).exit_code == 1);
    CHECK(check({"--fix", manifest}, "y\n").exit_code == 0);
    server.restart(directives);
    CHECK(Client(server.port()).connected());
  }
}

TEST_CASE("--check-rdb tells what is in a snapshot, and where it is damaged") {
  ServerProcess server;
  {
    Client client(server.port());
    write_some(client);
    CHECK(client.call({"SAVE"}).ok());
  }
  server.stop(SIGKILL);
  const std::string path = server.folder() + "/dump.rdb";
  const std::string whole = bytes_of(path);
  const Ended valid = ServerProcess::run({"--check-rdb", path});
  CHECK(valid.exit_code == 0);
  CHECK(valid.output.find("\\o/ RDB looks OK! \\o/") != std::string::npos);
  CHECK(valid.output.find("Selecting DB ID 5") != std::string::npos);
  CHECK(valid.output.find("[info] 7 keys read") != std::string::npos);
  CHECK(valid.output.find("[info] 2 expires") != std::string::npos);
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 60) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    put_bytes(path, damaged);
    CAPTURE(at);
    const Ended found = ServerProcess::run({"--check-rdb", path});
    CHECK(found.exit_code == 1);
    CHECK(found.output.find("--- RDB ERROR DETECTED ---") != std::string::npos);
  }
  put_bytes(path, whole.substr(0, whole.size() - 20));
  CHECK(ServerProcess::run({"--check-rdb", path}).output.find("Unexpected EOF reading RDB file") != std::string::npos);
}

TEST_CASE("AOF: Redis 7.0 goes on with our files, and we with its") {
  for (const char* preamble : {"yes", "no"}) {
    const Directives directives = with_aof("everysec", {"--aof-use-rdb-preamble", preamble});
    ServerProcess ours(directives);
    ServerProcess theirs({"--enable-debug-command", "yes"}, Program::kRedis);
    theirs.stop();
    const auto hand_over = [](ServerProcess& from, ServerProcess& to) {
      from.stop(SIGTERM);
      fs::remove_all(aof_folder(to));
      fs::copy(aof_folder(from), aof_folder(to), fs::copy_options::recursive);
    };
    for (int round = 0; round < 3; ++round) {
      CAPTURE(round);
      std::string before;
      {
        Client client(ours.port());
        write_some(client);
        client.call({"SET", "round", "ours " + std::to_string(round)});
        if (round == 1) client.call({"BGREWRITEAOF"});
        REQUIRE(rewritten(client));
        client.call({"RPUSH", "list", "ours"});
        before = digest(client);
      }
      hand_over(ours, theirs);
      CHECK(std::system(("redis-check-aof " + aof_folder(theirs) + "/appendonly.aof.manifest > /dev/null").c_str()) == 0);
      theirs.restart(directives);
      {
        Client client(theirs.port());
        CHECK(digest(client) == before);
        write_some(client);
        client.call({"SET", "round", "theirs"});
        if (round == 2) client.call({"BGREWRITEAOF"});
        REQUIRE(rewritten(client));
        client.call({"RPUSH", "list", "theirs"});
        before = digest(client);
      }
      hand_over(theirs, ours);
      CHECK(ServerProcess::run({"--check-aof", aof_folder(ours) + "/appendonly.aof.manifest"}).exit_code == 0);
      ours.restart(directives);
      Client client(ours.port());
      CHECK(digest(client) == before);
    }
  }
}
