// The configuration file: reading with Redis's errors, the command line's rules, rewriting, and conf/synap.conf itself.
#include "server/command/config_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "server/base/quoted_args.h"
#include "server/base/text.h"
#include "server/command/options.h"

namespace synap {
namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/synap-config-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + '/' + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(*this / name) << text;
    return *this / name;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(*this / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

 private:
  std::string path_;
};

LoadedConfig load(const ConfigSources& sources) {
  LoadedConfig loaded;
  const Status status = load_config(sources, &loaded);
  CAPTURE(status.detail());
  REQUIRE(status.ok());
  return loaded;
}

std::string error_of(const std::string& options) {
  LoadedConfig loaded;
  return load_config({.options = options}, &loaded).detail();
}

std::string options_of(std::vector<std::string> args) {
  return parse_command_line(args).options;
}

TEST_CASE("a file is read") {
  const Folder folder;
  const std::string path = folder.write("a.conf",
                                        "# comment\n"
                                        "\n"
                                        "  PORT 7000  \r\n"
                                        "bind 127.0.0.1 \"::1\"\n"
                                        "requirepass \"a b\\x21\"\n"
                                        "slave-read-only no\n"
                                        "save 900 1\n"
                                        "save 300 10\n"
                                        "client-output-buffer-limit normal 1 2 3\n"
                                        "client-output-buffer-limit pubsub 4 5 6\n"
                                        "lua-replicate-commands yes\n"
                                        "rename-command FLUSHALL \"\"\n"
                                        "user alice on >secret ~* +@all\n"
                                        "maxmemory 1gb");
  const LoadedConfig loaded = load({.file = path});
  CHECK(loaded.file == path);
  CHECK(loaded.config.port == 7000);
  CHECK(loaded.config.bind == std::vector<std::string>{"127.0.0.1", "::1"});
  CHECK(loaded.config.requirepass == "a b!");
  CHECK_FALSE(loaded.config.replica_read_only);
  CHECK(loaded.config.save == std::vector<SavePoint>{{900, 1}, {300, 10}});
  CHECK(loaded.config.client_output_buffer_limit[0] == OutputLimit{1, 2, 3});
  CHECK(loaded.config.client_output_buffer_limit[2] == OutputLimit{4, 5, 6});
  CHECK(loaded.config.maxmemory == 1 << 30);
  REQUIRE(loaded.renamed_commands.size() == 1);
  CHECK(loaded.renamed_commands[0].from == "FLUSHALL");
  CHECK(loaded.renamed_commands[0].to.empty());
  REQUIRE(loaded.users.size() == 1);
  CHECK(loaded.users[0].words == std::vector<std::string>{"user", "alice", "on", ">secret", "~*", "+@all"});
  CHECK(loaded.users[0].line.number == 13);
}

TEST_CASE("later sources win, save adds up") {
  const Folder folder;
  const std::string path = folder.write("a.conf", "port 1\nsave 900 1\nhz 20\n");
  CHECK(load({.file = path, .options = "port 2"}).config.port == 2);
  CHECK(load({.file = path, .options = "save 100 100"}).config.save == std::vector<SavePoint>{{900, 1}, {100, 100}});
  CHECK(load({.file = path, .options = "save \"\""}).config.save.empty());
  CHECK(load({.options = "save \"\""}).config.save.empty());
  CHECK(load({.options = "save '900 1'"}).config.save == std::vector<SavePoint>{{900, 1}});
  CHECK(load({.options = "port 3"}).config.save.size() == 3);
}

TEST_CASE("includes") {
  const Folder folder;
  folder.write("one.inc", "hz 30\n");
  folder.write("two.inc", "timeout 7\n");
  const std::string broken = folder.write("broken.conf", "port 1\nhz x\n");
  const LoadedConfig loaded =
      load({.options = "include " + (folder / "*.inc") + "\ninclude " + (folder / "none*.conf") + "\nport 9"});
  CHECK(loaded.config.hz == 30);
  CHECK(loaded.config.timeout == 7);
  CHECK(loaded.config.port == 9);
  CHECK(error_of("include " + broken) ==
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***\n"
        "Reading the configuration file " +
            broken +
            ", at line 2\n"
            ">>> 'hz x'\n"
            "argument couldn't be parsed into an integer\n");
  LoadedConfig unread;
  const Status missing = load_config({.file = folder / "missing.conf"}, &unread);
  CHECK(missing.code() == StatusCode::kIoError);
  CHECK(missing.detail() ==
        "Fatal error, can't open config file '" + (folder / "missing.conf") + "': No such file or directory");
  folder.write("loop.conf", "include " + (folder / "loop.conf") + "\n");
  CHECK(error_of("include " + (folder / "loop.conf")).find("Too many levels of include") != std::string::npos);
}

TEST_CASE("errors are worded as Redis does") {
  CHECK(error_of("port abc") ==
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***\n"
        "Reading the configuration file, at line 2\n"
        ">>> 'port abc'\n"
        "argument couldn't be parsed into an integer\n");
  const std::pair<const char*, const char*> expected[] = {
      {"foo bar", "Bad directive or wrong number of arguments"},
      {"port 1 2", "wrong number of arguments"},
      {"port", "wrong number of arguments"},
      {"port \"1", "Unbalanced quotes in configuration line"},
      {"save 1", "Invalid save parameters"},
      {"maxmemory 1x", "argument must be a memory value"},
      {"loadmodule x.so", "Synap does not load modules"},
      {"mod.option 1", "Synap does not load modules"},
      {"mod.option", "Module config specified without value"},
      {"sentinel monitor a", "sentinel directive while not in sentinel mode"},
      {"dir /nonexistent", "No such file or directory"},
      {"unixsocketperm 9", "argument couldn't be parsed as an octal number"},
      {"user", "Bad directive or wrong number of arguments"},
  };
  for (const auto& expectation : expected) {
    const char* const line = expectation.first;
    const char* const reason = expectation.second;
    CAPTURE(line);
    const std::string error = error_of(line);
    CAPTURE(error);
    CHECK(error.find(std::string(">>> '") + line + "'\n" + reason) != std::string::npos);
  }
  CHECK(error_of("logfile /nonexistent/x") ==
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***\nCan't open the log file: No such file or directory\n");
  CHECK(error_of("cluster-enabled yes\nreplicaof a 1").find("replicaof directive not allowed in cluster mode") !=
        std::string::npos);
}

TEST_CASE("warnings") {
  const LoadedConfig loaded = load({.options = "activerehashing no\ncluster-enabled yes\nhz 9999"});
  REQUIRE(loaded.warnings.size() == 2);
  CHECK(loaded.warnings[0] == "WARNING: Changing databases number from 16 to 1 since we are in cluster mode");
  CHECK(loaded.warnings[1].ends_with(": activerehashing"));
  CHECK(loaded.config.hz == 500);
}

TEST_CASE("the command line") {
  CHECK(options_of({"--port", "7000", "--save", "", "--bind", "a", "b"}) ==
        "port \"7000\" \nsave \"\" \nbind \"a\" \"b\" ");
  CHECK(options_of({"--maxmemory 700mb", "--maxmemory-policy 'volatile-lru'"}) ==
        "maxmemory 700mb \nmaxmemory-policy 'volatile-lru' ");
  CHECK(options_of({"--save", "--port", "1"}) == "save \"\"\nport \"1\" ");
  CHECK(options_of({"--port", "1", "--save"}) == "port \"1\" \nsave \"\"");
  CHECK(options_of({"--proc-title-template", "--save", "--save", "", "--loglevel", "debug"}) ==
        "proc-title-template \"--save\" \nsave \"\" \nloglevel \"debug\" ");
  const ConfigSources from_file = parse_command_line(std::vector<std::string>{"/etc/../x.conf", "-"});
  CHECK(from_file.file == "/x.conf");
  CHECK(from_file.standard_input);
  const ConfigSources from_input = parse_command_line(std::vector<std::string>{"-", "--port", "1"});
  CHECK(from_input.standard_input);
  CHECK(from_input.options == "port \"1\" ");
  CHECK(parse_command_line(std::vector<std::string>{"a.conf"}).file ==
        std::filesystem::current_path().string() + "/a.conf");
  CHECK(parse_command_line({}).file.empty());
  CHECK(load({.options = options_of({"--proc-title-template", "--my--title", "--hz", "42"})}).config.hz == 42);
}

TEST_CASE("a rewrite keeps comments and order") {
  Config config;
  config.port = 7001;
  config.hz = 33;
  config.save = {{900, 1}};
  config.dir = "/tmp";
  config.hash_max_listpack_entries = 100;
  const std::string old_text =
      "# mine\n"
      "PORT 6379\n"
      "\n"
      "\n"
      "save 60 1\n"
      "save 30 1\n"
      "hash-max-ziplist-entries 21\n"
      "include other.conf\n"
      "gone-option 5\n"
      "user alice on\n"
      "requirepass old\n"
      "timeout 0\n"
      "# end\n";
  const std::string text = rewrite_config_text(old_text, config, {});
  CHECK(text ==
        "# mine\n"
        "port 7001\n"
        "\n"
        "save 900 1\n"
        "\n"
        "hash-max-listpack-entries 100\n"
        "include other.conf\n"
        "# ??? gone-option 5\n"
        "user alice on\n"
        "\n"
        "timeout 0\n"
        "# end\n"
        "# Generated by CONFIG REWRITE\n"
        "dir \"/tmp\"\n"
        "hz 33\n"
        "latency-tracking-info-percentiles 50 99 99.9\n");
  CHECK(rewrite_config_text(text, config, {}) == text);
}

TEST_CASE("a rewrite of users") {
  RewriteOptions options;
  options.users = {"alice on", "bob off"};
  Config config;
  config.dir = "/tmp";
  const std::string text = rewrite_config_text("user carol on\n", config, options);
  CHECK(text.starts_with("user alice on\n# Generated by CONFIG REWRITE\n"));
  CHECK(text.ends_with("user bob off\n"));
  options.users->clear();
  CHECK(rewrite_config_text("user carol on\n", config, options).find("carol") == std::string::npos);
}

TEST_CASE("what is rewritten is read back, for every option") {
  const Folder folder;
  Config config;
  config.dir = "/tmp";
  config.requirepass = std::string("a\"\n\x01 b");
  config.unixsocketperm = 0700;
  config.maxmemory_clients = -5;
  config.replicaof = {"host", 6380};
  config.notify_keyspace_events = 0xffff & ~0x1000u;
  config.shutdown_on_sigterm = kShutdownNow | kShutdownNosave;
  config.save.clear();
  const std::string path = folder.write("a.conf", "");
  REQUIRE(rewrite_config_file(path, config, {.write_defaults = true}).ok());
  const LoadedConfig loaded = load({.file = path});
  for_each_option([&](const Option& option) {
    CAPTURE(option.name);
    CHECK(format_option(option, loaded.config) == format_option(option, config));
  });
}

TEST_CASE("a rewrite replaces the file in one step or not at all") {
  const Folder folder;
  Config config;
  config.dir = "/tmp";
  config.port = 1;
  const std::string path = folder / "new.conf";
  REQUIRE(rewrite_config_file(path, config, {}).ok());  // a missing file is written anew
  CHECK(folder.read("new.conf").find("port 1\n") != std::string::npos);
  CHECK(std::distance(std::filesystem::directory_iterator(folder / ""), {}) == 1);
  const Status status = rewrite_config_file(folder / "none/a.conf", config, {});
  CHECK(status.code() == StatusCode::kIoError);
  CHECK(status.detail() == "No such file or directory");
}

TEST_CASE("conf/synap.conf names every option, and its commented values are the defaults") {
  std::ifstream file(SYNAP_SOURCE_DIR "/conf/synap.conf");
  REQUIRE(file.is_open());
  std::set<std::string> named;
  Config defaults;
  for (std::string line; std::getline(file, line);) {
    CAPTURE(line);
    if (line.empty() || line == "#" || line.starts_with("# ")) continue;
    const bool commented = line.starts_with("#");
    const auto words = split_quoted_args(commented ? line.substr(1) : line);
    REQUIRE(words.has_value());
    const Option* option = find_option(words->front());
    if (option == nullptr) {
      CHECK(commented);
      CHECK(std::set<std::string>{"include", "user", "rename-command"}.contains(words->front()));
      continue;
    }
    CHECK(option->name == words->front());  // aliases are not advertised
    named.insert(words->front());
    const std::vector<std::string_view> values(words->begin() + 1, words->end());
    if (!commented) continue;
    Config config;
    REQUIRE(parse_option(*option, values, false, &config).ok());
    const bool varies = option->name == "io-threads" || option->name == "dir";  // on the machine, on where it starts
    if (!varies) CHECK(format_option(*option, config) == format_option(*option, defaults));
  }
  for_each_option([&](const Option& option) {
    CAPTURE(option.name);
    if (!option.has(kHidden)) CHECK(named.contains(std::string(option.name)));
  });
}

}  // namespace
}  // namespace synap
