// Snapshots as users meet them: saved in the foreground, in the background and at the end, loaded at the start; a child
// that is killed, a file that is damaged.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

void fill(Client& client) {
  client.call({"DEBUG", "POPULATE", "3000", "key", "30"});
  client.call({"SET", "text", std::string(5000, 'x')});
  client.call({"SET", "due", "v", "PX", "1"});
  client.call({"SET", "timed", "v", "EX", "1000"});
  client.call({"HSET", "hash", "a", "1", "b", "2"});
  client.call({"XADD", "stream", "1-1", "f", "v"});
  client.call({"FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 7 end)"});
  client.call({"SELECT", "3"});
  for (int i = 0; i < 300; ++i) {
    const std::string n = std::to_string(i);
    client.call({"RPUSH", "list", "element " + n});
    client.call({"SADD", "set", "member " + n});
    client.call({"ZADD", "zset", n, "member " + n});
  }
  client.call({"SELECT", "0"});
}

const std::vector<std::string> kNoSavePoints = {"--enable-debug-command", "yes", "--save", ""};

std::string info(Client& client, const std::string& field) {
  const std::string text = client.text({"INFO", "persistence"});
  const size_t at = text.find("\n" + field + ":");
  if (at == std::string::npos) return "";
  const size_t begin = at + field.size() + 2;
  return text.substr(begin, text.find('\r', begin) - begin);
}

bool wait_for(Client& client, const std::string& field, const std::string& value) {
  for (int i = 0; i < 500; ++i) {
    if (info(client, field) == value) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

}  // namespace

TEST_CASE("What was saved is there after a restart, functions and expiries too") {
  for (const char* how : {"SAVE", "BGSAVE", "SHUTDOWN"}) {
    CAPTURE(how);
    ServerProcess server(kNoSavePoints);
    std::string digest;
    {
      Client client(server.port());
      fill(client);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      client.call({"GET", "due"});
      digest = client.text({"DEBUG", "DIGEST"});
      if (std::string(how) == "SHUTDOWN") {
        client.call({"SHUTDOWN", "SAVE"});
      } else {
        REQUIRE_FALSE(client.call({how}).error());
        REQUIRE(wait_for(client, "rdb_bgsave_in_progress", "0"));
        CHECK(info(client, "rdb_changes_since_last_save") == "0");
      }
    }
    server.stop(SIGKILL);
    server.restart(kNoSavePoints);
    Client client(server.port());
    CHECK(client.text({"DEBUG", "DIGEST"}) == digest);
    CHECK(client.integer({"FCALL", "f", "0"}) == 7);
    CHECK(client.integer({"TTL", "timed"}) > 900);
    CHECK(client.integer({"EXISTS", "due"}) == 0);
  }
}

TEST_CASE("A save point saves by itself") {
  ServerProcess server({"--enable-debug-command", "yes", "--save", "1 10"});
  Client client(server.port());
  for (int i = 0; i < 20; ++i) client.call({"SET", "k" + std::to_string(i), "v"});
  CHECK(wait_for(client, "rdb_saves", "1"));
  CHECK(wait_for(client, "rdb_changes_since_last_save", "0"));
}

TEST_CASE("A killed child leaves the old file, writes are refused until a snapshot succeeds") {
  ServerProcess server({"--enable-debug-command", "yes", "--save", "3600 100000", "--rdb-key-save-delay", "2000"});
  Client client(server.port());
  client.call({"SET", "old", "1"});
  REQUIRE(client.call({"SAVE"}).ok());
  fill(client);
  REQUIRE_FALSE(client.call({"BGSAVE"}).error());
  CHECK(client.call({"BGSAVE"}).text == "ERR Background save already in progress");
  const std::string kill_child = "pkill -KILL -P " + std::to_string(server.pid());
  REQUIRE(std::system(kill_child.c_str()) == 0);
  REQUIRE(wait_for(client, "rdb_last_bgsave_status", "err"));
  CHECK(client.text({"SET", "a", "b"}).starts_with("MISCONF"));
  CHECK(client.call({"GET", "old"}).text == "1");
  CHECK(client.call({"PUBLISH", "c", "m"}).type == REDIS_REPLY_INTEGER);  // writes nothing
  client.call({"CONFIG", "SET", "rdb-key-save-delay", "0"});
  CHECK(client.call({"SAVE"}).ok());
  CHECK(client.call({"SET", "a", "b"}).ok());
  CHECK(std::system(("ls " + server.folder() + "/temp-* 2>/dev/null").c_str()) != 0);
}

TEST_CASE("A child that the server's end kills has saved nothing") {
  ServerProcess server({"--enable-debug-command", "yes", "--save", "", "--rdb-key-save-delay", "10000"});
  Client client(server.port());
  fill(client);
  REQUIRE_FALSE(client.call({"BGSAVE"}).error());
  client.call({"SHUTDOWN", "NOSAVE"});
  CHECK(eventually([&] { return !server.alive(); }));
  CHECK(server.log().find("Killing it") != std::string::npos);
  CHECK(server.log().find("terminated with success") == std::string::npos);
}

TEST_CASE("A child's file does not replace one that was saved after its fork, and no change is counted twice") {
  ServerProcess server({"--enable-debug-command", "yes", "--save", "", "--rdb-key-save-delay", "1000"});
  Client client(server.port());
  fill(client);
  REQUIRE_FALSE(client.call({"BGSAVE"}).error());
  client.call({"SET", "late", "1"});
  client.call({"CONFIG", "SET", "rdb-key-save-delay", "0"});
  REQUIRE(client.call({"DEBUG", "RELOAD"}).ok());
  REQUIRE(wait_for(client, "rdb_bgsave_in_progress", "0"));
  CHECK(info(client, "rdb_changes_since_last_save") == "0");
  server.stop(SIGKILL);
  server.restart(kNoSavePoints);
  CHECK(Client(server.port()).text({"GET", "late"}) == "1");
}

TEST_CASE("A child is looked after although there is no descriptor to watch it by") {
  ServerProcess server(kNoSavePoints);
  Client client(server.port());
  fill(client);
  rlim_t used = 0;
  for (const auto& file : std::filesystem::directory_iterator("/proc/" + std::to_string(server.pid()) + "/fd")) {
    used = std::max<rlim_t>(used, static_cast<rlim_t>(std::stoi(file.path().filename())) + 1);
  }
  const rlimit limit = {used, used};
  REQUIRE(prlimit(server.pid(), RLIMIT_NOFILE, &limit, nullptr) == 0);
  REQUIRE_FALSE(client.call({"BGSAVE"}).error());
  REQUIRE(wait_for(client, "rdb_bgsave_in_progress", "0"));
  CHECK(info(client, "rdb_last_bgsave_status") == "ok");
}

TEST_CASE("How a child ended is known even if whoever started the server ignores its own children's ends") {
  std::signal(SIGCHLD, SIG_IGN);
  ServerProcess server({"--enable-debug-command", "yes", "--save", "", "--rdb-key-save-delay", "10000"});
  std::signal(SIGCHLD, SIG_DFL);
  Client client(server.port());
  fill(client);
  REQUIRE_FALSE(client.call({"BGSAVE"}).error());
  REQUIRE(std::system(("pkill -KILL -P " + std::to_string(server.pid())).c_str()) == 0);
  CHECK(wait_for(client, "rdb_last_bgsave_status", "err"));
  CHECK(info(client, "rdb_bgsave_in_progress") == "0");
}

TEST_CASE("Commands on keys wait politely while a file is loaded") {
  ServerProcess server(kNoSavePoints);
  {
    Client client(server.port());
    fill(client);
    REQUIRE(client.call({"SAVE"}).ok());
  }
  server.stop(SIGKILL);
  std::vector<std::string> slowly = kNoSavePoints;
  slowly.insert(slowly.end(), {"--key-load-delay", "500"});
  server.restart(slowly);
  Client client(server.port());
  // The server is ready only when the file is loaded, so the delay has passed: everything is there.
  CHECK(info(client, "loading") == "0");
  CHECK(client.integer({"DBSIZE"}) > 3000);
}

TEST_CASE("A damaged or cut file is refused with its offset, and is left as it is") {
  ServerProcess server(kNoSavePoints);
  {
    Client client(server.port());
    fill(client);
    REQUIRE(client.call({"SAVE"}).ok());
  }
  server.stop(SIGKILL);
  const std::string path = server.folder() + "/dump.rdb";
  std::ifstream in(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  for (const bool cut : {true, false}) {
    CAPTURE(cut);
    std::string bad = cut ? good.substr(0, good.size() / 2) : good;
    if (!cut) bad[good.size() / 3] = static_cast<char>(bad[good.size() / 3] ^ 4);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
    const Ended ended = ServerProcess::run({"--port", std::to_string(free_port()), "--dir", server.folder()});
    CHECK(ended.exit_code == 1);
    CHECK(ended.output.find("offset ") != std::string::npos);
    CHECK(ended.output.find("Fatal error loading the DB") != std::string::npos);
  }
}

TEST_CASE("DUMP travels by RESTORE; damaged payloads change nothing") {
  ServerProcess server(kNoSavePoints);
  Client client(server.port());
  fill(client);
  client.call({"SELECT", "3"});
  for (const char* key : {"list", "set", "zset"}) {
    const std::string payload = client.text({"DUMP", key});
    const std::string copy = std::string(key) + "2";
    REQUIRE(client.call({"RESTORE", copy, "0", payload}).ok());
    CHECK(client.text({"RESTORE", copy, "0", payload}) == "BUSYKEY Target key name already exists.");
    CHECK(client.call({"DEBUG", "DIGEST-VALUE", key}).items[0].text == client.call({"DEBUG", "DIGEST-VALUE", copy}).items[0].text);
    CHECK(client.call({"RESTORE", copy, "5000", payload, "REPLACE"}).ok());
    CHECK(client.integer({"PTTL", copy}) > 1000);
    std::string bad = payload;
    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
    CHECK(client.text({"RESTORE", "bad", "0", bad}) == "ERR DUMP payload version or checksum are wrong");
    CHECK(client.integer({"EXISTS", "bad"}) == 0);
  }
}

TEST_CASE("snapshot-keep keeps that many older files") {
  ServerProcess server({"--enable-debug-command", "yes", "--save", "", "--snapshot-keep", "2"});
  Client client(server.port());
  const auto exists = [&](const std::string& name) { return std::ifstream(server.folder() + "/" + name).good(); };
  for (int i = 0; i < 4; ++i) {
    client.call({"SET", "round", std::to_string(i)});
    REQUIRE(client.call({"SAVE"}).ok());
  }
  CHECK(exists("dump.rdb"));
  CHECK(exists("dump.rdb.1"));
  CHECK(exists("dump.rdb.2"));
  CHECK_FALSE(exists("dump.rdb.3"));
}
