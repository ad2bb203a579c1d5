// The program: options that end at once, or the server. CLI11 is the one part that throws, caught here.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "persistence/check_aof.h"
#include "persistence/check_rdb.h"
#include "server/command/version.h"
#include "server/program.h"

namespace synap {

namespace {

void print_version() {
  std::printf("Redis server v=%s sha=00000000:0 malloc=jemalloc bits=64 build=0 (Synap v=%s)\n", kRedisVersion,
              kSynapVersion);
}

struct MetaOptions {
  bool version = false;
  bool check_aof = false;
  bool check_rdb = false;
  bool fix = false;
  int64_t truncate_to_s = -1;
  std::string file;
};

// Called by the names of Redis's two programs, it is them: redis-check-aof FILE is --check-aof FILE.
std::vector<std::string> with_program_name(const std::string& executable, std::vector<std::string> args) {
  const std::string name = executable.substr(executable.rfind('/') + 1);
  if (name == "redis-check-aof") args.insert(args.begin(), "--check-aof");
  if (name == "redis-check-rdb") args.insert(args.begin(), "--check-rdb");
  return args;
}

int run_meta_options(const MetaOptions& options) {
  if (options.version) print_version();
  if (options.check_rdb) return check_rdb(&posix_files(), options.file);
  if (!options.check_aof) return 0;
  AofCheck check{.path = options.file, .fix = options.fix, .truncate_to_s = {}};
  if (options.truncate_to_s >= 0) check.truncate_to_s = options.truncate_to_s;
  return check_aof(&posix_files(), check);
}

// Redis's syntax (a file, then --directive value …) is not an option parser's: CLI11 reads the options that end at once,
// the rest is the configuration's.
int parse_meta_options(const std::vector<std::string>& args, bool* done) {
  CLI::App app{"synap-server [/path/to/synap.conf] [--directive value …] [-]\n\nEvery directive of the configuration file can "
               "be given as --directive value; - reads the configuration from standard input."};
  MetaOptions options;
  app.add_flag("-v,--version", options.version, "Print the version and exit");
  CLI::Option* file = app.add_option("file", options.file, "What to check");
  CLI::Option* aof = app.add_flag("--check-aof", options.check_aof, "Check an append-only file: its manifest, or one file of it");
  aof->needs(file);
  CLI::Option* fix = app.add_flag("--fix", options.fix, "Cut off a damaged end, after asking")->needs(aof);
  app.add_option("--truncate-to-timestamp", options.truncate_to_s, "Cut off what came after that time (aof-timestamp-enabled)")
      ->needs(aof)
      ->excludes(fix);
  app.add_flag("--check-rdb", options.check_rdb, "Check a snapshot")->needs(file)->excludes(aof);
  const bool asks = std::any_of(args.begin(), args.end(), [](const std::string& arg) { return arg.starts_with("--check-"); }) ||
                    (args.size() == 1 && (args[0] == "-v" || args[0] == "--version" || args[0] == "-h" || args[0] == "--help"));
  if (!asks) return 0;
  *done = true;
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return run_meta_options(options);
}

int run_program(std::vector<std::string> args, ProcessTitle* title) {
  args = with_program_name(title->program(), std::move(args));
  bool done = false;
  const int code = parse_meta_options(args, &done);
  return done ? code : run_server(args, title, &posix_files());
}

}  // namespace

}  // namespace synap

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  synap::ProcessTitle title(argc, argv);
  return synap::run_program(args, &title);
}
