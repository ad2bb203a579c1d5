// ServerProcess: a real server for one test, on a free port in a folder of its own; both go when the object does.
// The binary is $SYNAP_SERVER, or build/release/synap-server below the working folder.
#pragma once

#include <csignal>
#include <sys/types.h>

#include <string>
#include <vector>

namespace synap_test {

struct Ended {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string output;  // standard output and standard error
};

// Which server: ours, or Debian's redis-server to speak with.
enum class Program { kSynap, kRedis };

class ServerProcess {
 public:
  // Directives as on the command line: {"--maxclients", "10"}. Waits until the server is ready.
  explicit ServerProcess(const std::vector<std::string>& directives = {}, Program program = Program::kSynap);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  const std::string& folder() const { return folder_; }
  std::string log() const;
  bool alive();
  // Sends the signal and waits for the end; returns the exit code.
  int stop(int signal_number = SIGTERM);
  // Starts again in the same folder, on the same port.
  void restart(const std::vector<std::string>& directives = {});

  // Runs the binary with exactly these arguments until it ends (killed after the time).
  static Ended run(const std::vector<std::string>& arguments, const std::string& input = {}, int seconds = 10);

 private:
  void start(const std::vector<std::string>& directives);
  void wait_until_ready();
  int wait_for_end(int seconds);

  const Program program_;
  int port_ = 0;
  pid_t pid_ = -1;
  int exit_code_ = -1;
  size_t log_begin_ = 0;  // of the current run
  std::string folder_;
};

// A port that nobody listens on at the moment.
int free_port();

// The sanitizers make everything slower; tests that scale say by how much.
bool slow_build();

}  // namespace synap_test
