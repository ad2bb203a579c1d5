// The program: command line, configuration, then the server. CLI11 is the one part that throws, caught here.

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "server/base/crash_report.h"
#include "server/base/log.h"
#include "server/command/config_file.h"
#include "server/command/config_store.h"
#include "server/command/version.h"
#include "server/server.h"

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

void daemonize() {
  if (fork() != 0) std::exit(0);
  setsid();
  static_cast<void>(!std::freopen("/dev/null", "r", stdin));
  static_cast<void>(!std::freopen("/dev/null", "w", stdout));
  static_cast<void>(!std::freopen("/dev/null", "w", stderr));
}

void open_log(const Config& config) {
  LogTarget target;
  target.file = config.logfile;
  target.format = static_cast<LogFormat>(config.log_format);
  target.standard_output = !config.daemonize;
  target.syslog = config.syslog_enabled;
  target.syslog_ident = config.syslog_ident;
  target.syslog_facility = static_cast<int>(config.syslog_facility) << 3;
  log().open(target);
  log().set_level(static_cast<LogLevel>(config.loglevel));
}

void write_pid_file(const Config& config) {
  if (config.pidfile.empty() && !config.daemonize) return;
  const std::string path = config.pidfile.empty() ? "/var/run/redis.pid" : config.pidfile;
  FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) {
    log_warning("Failed to write PID file: %s", path.c_str());
    return;
  }
  std::fprintf(file, "%d\n", getpid());
  std::fclose(file);
}

int run_program(const std::vector<std::string>& args, const char* executable) {
  bool done = false;
  const int code = parse_meta_options(args, &done);
  if (done) return code;

  LoadedConfig loaded;
  const Status status = load_config(parse_command_line(args), &loaded);
  if (!status.ok()) {
    std::fprintf(stderr, "%s", status.detail().c_str());
    if (status.code() == StatusCode::kIoError) std::fprintf(stderr, "\n");
    return 1;
  }
  if (loaded.config.daemonize) daemonize();
  open_log(loaded.config);
  for (const std::string& warning : loaded.warnings) log_warning("%s", warning.c_str());
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  if (loaded.config.crash_log_enabled) install_crash_handlers(nullptr);
  write_pid_file(loaded.config);
  const std::string pidfile = loaded.config.pidfile;

  int exit_code;
  {
    Synap server(std::move(loaded), executable, &posix_files());
    exit_code = server.run();
  }
  if (!pidfile.empty()) unlink(pidfile.c_str());
  return exit_code;
}

}  // namespace

}  // namespace synap

int main(int argc, char** argv) {
  return synap::run_program(std::vector<std::string>(argv + 1, argv + argc), argv[0]);
}
