// The program: options that end at once, or the server. CLI11 is the one part that throws, caught here.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "server/command/version.h"
#include "server/program.h"

namespace synap {

namespace {

void print_version() {
  std::printf("Redis server v=%s sha=00000000:0 malloc=jemalloc bits=64 build=0 (Synap v=%s)\n", kRedisVersion,
              kSynapVersion);
}

// Redis's syntax (a file, then --directive value …) is not an option parser's: CLI11 reads the options that end at once,
// the rest is the configuration's.
int parse_meta_options(const std::vector<std::string>& args, bool* done) {
  CLI::App app{"synap-server [/path/to/synap.conf] [--directive value …] [-]\n\nEvery directive of the configuration file can "
               "be given as --directive value; - reads the configuration from standard input."};
  bool version = false;
  app.add_flag("-v,--version", version, "Print the version and exit");
  app.allow_extras();
  const bool asks = args.size() == 1 && (args[0] == "-v" || args[0] == "--version" || args[0] == "-h" || args[0] == "--help");
  if (!asks) return 0;
  *done = true;
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (version) print_version();
  return 0;
}

int run_program(const std::vector<std::string>& args, const char* executable) {
  bool done = false;
  const int code = parse_meta_options(args, &done);
  return done ? code : run_server(args, executable, &posix_files());
}

}  // namespace

}  // namespace synap

int main(int argc, char** argv) {
  return synap::run_program(std::vector<std::string>(argv + 1, argv + argc), argv[0]);
}
