// Start, stop, command line, configuration file, log lines that tools wait for.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

using namespace synap_test;

namespace {

std::string write_file(const ServerProcess& server, const std::string& name, const std::string& text) {
  const std::string path = server.folder() + "/" + name;
  std::ofstream(path) << text;
  return path;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("The server says when it is ready and ends in order") {
  ServerProcess server({"--always-show-logo", "yes"});
  CHECK(contains(server.log(), "Server initialized"));
  CHECK(contains(server.log(), " PID: " + std::to_string(server.pid())));
  Client client(server.port());
  CHECK(client.text({"PING"}) == "PONG");
  CHECK(client.info("redis_version") == "7.4.1");
  CHECK(client.info("process_id") == std::to_string(server.pid()));
  CHECK(client.info("tcp_port") == std::to_string(server.port()));
  CHECK_FALSE(client.info("synap_version").empty());
  SUBCASE("SIGTERM") { CHECK(server.stop(SIGTERM) == 0); }
  SUBCASE("SIGINT") { CHECK(server.stop(SIGINT) == 0); }
  SUBCASE("SHUTDOWN") {
    CHECK(client.call({"SHUTDOWN", "NOSAVE"}).broken());
    CHECK(eventually([&] { return !server.alive(); }));
    CHECK(server.stop() == 0);
  }
  CHECK(contains(server.log(), "bye bye"));
}

TEST_CASE("ps shows the process as proc-title-template says") {
  const auto title_of = [](const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/cmdline", std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    return bytes.substr(0, bytes.find('\0'));
  };
  ServerProcess server({"--rdb-key-save-delay", "60000000"});
  Client client(server.port());
  const std::string pid = std::to_string(server.pid());
  const std::string program = client.info("executable");
  const std::string port = std::to_string(server.port());
  CHECK(title_of(pid) == program + " 127.0.0.1:" + port);

  const std::string longer = "longer than all arguments of the server together: " + std::string(150, 'x') + ' ';
  CHECK(client.text({"CONFIG", "SET", "proc-title-template", longer + "{port} {tls-port} {config-file} {title}"}) == "OK");
  CHECK(title_of(pid) == longer + port + " 0 - " + program);
  CHECK(contains(client.text({"CONFIG", "SET", "proc-title-template", "{nosuch}"}), "contains unknown variables"));
  CHECK(title_of(pid) == longer + port + " 0 - " + program);
  CHECK(client.text({"CONFIG", "SET", "proc-title-template", "{title} {listen-addr}", "port", "0"}) == "OK");
  CHECK(title_of(pid) == program + " unixsocket:");
  CHECK(client.text({"CONFIG", "SET", "port", port}) == "OK");
  CHECK(title_of(pid) == program + " 127.0.0.1:" + port);

  CHECK(client.text({"SET", "key", "value"}) == "OK");
  CHECK(client.text({"BGSAVE"}) == "Background saving started");
  std::string child;
  std::ifstream("/proc/" + pid + "/task/" + pid + "/children") >> child;
  REQUIRE_FALSE(child.empty());
  CHECK(eventually([&] { return title_of(child) == "redis-rdb-bgsave 127.0.0.1:" + port; }));
  CHECK(title_of(pid) == program + " 127.0.0.1:" + port);
}

TEST_CASE("Without set-proc-title the arguments stay visible") {
  ServerProcess server({"--set-proc-title", "no"});
  Client client(server.port());
  CHECK(client.text({"CONFIG", "SET", "proc-title-template", "other"}) == "OK");
  std::ifstream file("/proc/" + std::to_string(server.pid()) + "/cmdline", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  CHECK(contains(bytes, std::string("--set-proc-title\0no\0", 20)));
}

TEST_CASE("--version and --help print and end") {
  for (const char* option : {"--version", "-v"}) {
    const Ended ended = ServerProcess::run({option});
    CHECK(ended.exit_code == 0);
    CHECK(contains(ended.output, "Redis server v=7.4.1"));
  }
  const Ended help = ServerProcess::run({"--help"});
  CHECK(help.exit_code == 0);
  CHECK(contains(help.output, "synap-server"));
}

TEST_CASE("A wrong configuration is refused with its place and reason") {
  ServerProcess server;  // for its folder
  struct Case {
    const char* text;
    const char* reason;
  };
  for (const Case& row : {Case{"port 1\nnosuchdirective 1\n", "Bad directive or wrong number of arguments"},
                          Case{"port abc\n", "argument couldn't be parsed into an integer"},
                          Case{"port 70000\n", "argument must be between 0 and 65535 inclusive"},
                          Case{"appendonly maybe\n", "argument must be 'yes' or 'no'"},
                          Case{"maxmemory-policy nosuch\n", "argument(s) must be one of the following"},
                          Case{"maxmemory 10xb\n", "argument must be a memory value"},
                          Case{"dir /nonexistent/folder\n", "No such file or directory"},
                          Case{"bind \"unbalanced\n", "Unbalanced quotes in configuration line"}}) {
    const std::string path = write_file(server, "bad.conf", row.text);
    const Ended ended = ServerProcess::run({path});
    CAPTURE(row.text);
    CAPTURE(ended.output);
    CHECK(ended.exit_code == 1);
    CHECK(contains(ended.output, "FATAL CONFIG FILE ERROR"));
    CHECK(contains(ended.output, row.reason));
  }
  CHECK(contains(ServerProcess::run({server.folder() + "/none.conf"}).output, "can't open config file"));
}

TEST_CASE("Configuration comes from file, command line and standard input, in this order") {
  ServerProcess server;
  const std::string included = write_file(server, "more.conf", "maxmemory-samples 7\n");
  const std::string path = write_file(server, "s.conf", "maxclients 100\ntimeout 50\ninclude " + included + "\n# end\n");
  const int port = free_port();
  const std::string script = "port " + std::to_string(port) + "\ndir " + server.folder() + "\nsave \"\"\ndatabases 3\n";
  ServerProcess other({"--maxclients", "77", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"});
  Client client(other.port());
  const Reply reply = client.call({"CONFIG", "GET", "maxmemory*"});
  CHECK(reply.type == REDIS_REPLY_ARRAY);
  CHECK(client.call({"CONFIG", "GET", "maxclients"}).items.at(1).text == "77");
  CHECK(client.call({"CONFIG", "GET", "maxmemory"}).items.at(1).text == "104857600");
  std::thread stopper([port] {
    CHECK(eventually([port] { return Client(port).connected(); }));
    Client inner(port);
    CHECK(inner.call({"CONFIG", "GET", "maxclients"}).items.at(1).text == "60");
    CHECK(inner.call({"CONFIG", "GET", "timeout"}).items.at(1).text == "50");
    CHECK(inner.call({"CONFIG", "GET", "databases"}).items.at(1).text == "3");
    CHECK(inner.call({"CONFIG", "GET", "maxmemory-samples"}).items.at(1).text == "7");
    inner.call({"SHUTDOWN", "NOSAVE"});
  });
  const Ended ended = ServerProcess::run({path, "--maxclients", "60", "-"}, script, 30);
  stopper.join();
  CHECK(ended.exit_code == 0);
}

TEST_CASE("CONFIG REWRITE keeps comments and adds what changed") {
  ServerProcess server;
  const int port = free_port();
  const std::string path = write_file(server, "kept.conf", "# my comment\nport " + std::to_string(port) +
                                                               "\n\ntimeout 5 \nsave \"\"\ndir " + server.folder() + "\n");
  std::thread control([port] {
    REQUIRE(eventually([port] { return Client(port).connected(); }));
    Client client(port);
    CHECK(client.call({"CONFIG", "SET", "timeout", "9", "maxmemory", "5mb"}).ok());
    CHECK(client.call({"CONFIG", "REWRITE"}).ok());
    client.call({"SHUTDOWN", "NOSAVE"});
  });
  ServerProcess::run({path}, "", 30);
  control.join();
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  CHECK(contains(text, "# my comment\n"));
  CHECK(contains(text, "timeout 9\n"));
  CHECK(contains(text, "maxmemory 5mb\n"));
  CHECK_FALSE(contains(text, "timeout 5"));
}

TEST_CASE("A file with every directive, written by DEBUG CONFIG-REWRITE-FORCE-ALL, changes nothing") {
  ServerProcess server;
  const int port = free_port();
  const std::string path = write_file(server, "all.conf", "port " + std::to_string(port) +
                                                              "\nenable-debug-command yes\nsave \"\"\ndir " +
                                                              server.folder() + "\ntimeout 5\n");
  std::vector<std::string> seen[2];
  for (std::vector<std::string>& values : seen) {
    std::thread control([port, &values] {
      REQUIRE(eventually([port] { return Client(port).connected(); }));
      Client client(port);
      CHECK(client.call({"DEBUG", "CONFIG-REWRITE-FORCE-ALL"}).ok());
      for (const Reply& item : client.call({"CONFIG", "GET", "*"}).items) values.push_back(item.text);
      client.call({"SHUTDOWN", "NOSAVE"});
    });
    ServerProcess::run({path}, "", 30);
    control.join();
  }
  CHECK(seen[0].size() > 300);
  CHECK(seen[0] == seen[1]);
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  CHECK(contains(text, "\nmaxmemory 0\n"));
}

TEST_CASE("A taken port is an error that names it") {
  ServerProcess server;
  const Ended ended = ServerProcess::run({"--port", std::to_string(server.port()), "--bind", "127.0.0.1", "--save", ""});
  CHECK(ended.exit_code == 1);
  CHECK(contains(ended.output, "Could not create server TCP listening socket 127.0.0.1:" + std::to_string(server.port())));
  CHECK(contains(ended.output, "Failed listening on port"));
}

TEST_CASE("Unix socket, its permissions, and port 0") {
  const std::string path = std::filesystem::temp_directory_path() / ("synap-" + std::to_string(::getpid()) + ".sock");
  {
    ServerProcess server({"--unixsocket", path, "--unixsocketperm", "700"});
    Client client(path);
    REQUIRE(client.connected());
    CHECK(client.text({"PING"}) == "PONG");
    struct stat info = {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
    CHECK(contains(client.text({"CLIENT", "INFO"}), "addr=" + path + ":0"));
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("pidfile, logfile and a restart that keeps what was saved") {
  ServerProcess server;
  Client client(server.port());
  CHECK(client.call({"SET", "kept", "value"}).ok());
  const bool snapshots = client.has_command("save");
  if (snapshots) CHECK(client.call({"SAVE"}).ok());
  const std::string pidfile = server.folder() + "/pid";
  server.restart({"--pidfile", pidfile});
  Client again(server.port());
  if (snapshots) CHECK(again.text({"GET", "kept"}) == "value");
  std::ifstream file(pidfile);
  std::string pid;
  file >> pid;
  CHECK(pid == std::to_string(server.pid()));
  server.stop();
  CHECK(::access(pidfile.c_str(), F_OK) != 0);
}

TEST_CASE("SIGINT once more while the last snapshot is saved ends the server at once, without half a file") {
  ServerProcess server({"--save", "900 1", "--rdb-key-save-delay", "100000"});
  Client client(server.port());
  for (int i = 0; i < 200; ++i) REQUIRE(client.call({"SET", "k" + std::to_string(i), "v"}).ok());
  const std::string temporary = server.folder() + "/temp-" + std::to_string(server.pid()) + ".rdb";
  kill(server.pid(), SIGINT);
  REQUIRE(eventually([&] { return access(temporary.c_str(), F_OK) == 0; }));
  CHECK(server.stop(SIGINT) == 1);
  CHECK(access(temporary.c_str(), F_OK) != 0);
  CHECK(server.log().find("You insist... exiting now.") != std::string::npos);
}

TEST_CASE("A crash prints a report") {
  ServerProcess server;
  Client client(server.port());
  CHECK(client.call({"DEBUG", "SEGFAULT"}).broken());
  CHECK(eventually([&] { return !server.alive(); }));
  if (!slow_build()) CHECK(contains(server.log(), "crashed by signal"));
}
