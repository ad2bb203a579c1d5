#include "server/program.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "server/base/crash_report.h"
#include "server/base/log.h"
#include "server/command/config_file.h"
#include "server/command/config_store.h"
#include "server/server.h"

namespace synap {

namespace {

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

}  // namespace

int run_server(const std::vector<std::string>& args, ProcessTitle* title, FileSystem* files) {
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
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error like a full disk
  std::signal(SIGCHLD, SIG_DFL);  // who started us may have ignored it, and then nobody learns how a child ended
  if (loaded.config.crash_log_enabled) install_crash_handlers(nullptr);
  write_pid_file(loaded.config);
  const std::string pidfile = loaded.config.pidfile;

  int exit_code;
  {
    Synap server(std::move(loaded), title, files);
    exit_code = server.run();
  }
  if (!pidfile.empty()) unlink(pidfile.c_str());
  return exit_code;
}

}  // namespace synap
