// Starting, watching and ending the server under test with fork, exec and waitpid.
#include "tests/integration/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace synap_test {
namespace {

std::string binary() {
  const char* path = std::getenv("SYNAP_SERVER");
  return path != nullptr ? path : "build/release/synap-server";
}

[[noreturn]] void exec_server(const std::string& path, const std::vector<std::string>& arguments, int input,
                              int output) {
  ::dup2(input, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(path.c_str(), argv.data());
  ::_exit(127);
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string temporary_folder() {
  std::string path = std::filesystem::temp_directory_path() / "synap-integration-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
  return path;
}

}  // namespace

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

bool slow_build() {
  return std::getenv("ASAN_OPTIONS") != nullptr || std::getenv("TSAN_OPTIONS") != nullptr;
}

ServerProcess::ServerProcess(const std::vector<std::string>& directives, Program program)
    : program_(program), port_(free_port()), folder_(temporary_folder()) {
  start(directives);
}

ServerProcess::~ServerProcess() {
  // A test that fails because its server crashed says what the server said. (A client may hear of the end before us.)
  for (int i = 0; std::uncaught_exceptions() > 0 && i < 20 && pid_ >= 0; ++i) {
    if (!alive()) std::cout << "the server has ended:\n" << log() << std::flush;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  stop(SIGTERM);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void ServerProcess::start(const std::vector<std::string>& directives) {
  std::vector<std::string> arguments = {
      "--port", std::to_string(port_),    "--bind", "127.0.0.1", "--dir", folder_, "--save",
      "",       "--enable-debug-command", "yes"};
  // The sanitizers shall see reactors that run at the same time, however little there is to do.
  if (slow_build() && program_ == Program::kSynap) arguments.insert(arguments.end(), {"--io-threads-always-active", "yes"});
  arguments.insert(arguments.end(), directives.begin(), directives.end());
  const std::string path = folder_ + "/log";
  log_begin_ = read_file(path).size();
  pid_ = ::fork();
  if (pid_ == 0) {
    const int null = ::open("/dev/null", O_RDONLY);
    const int log = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    exec_server(program_ == Program::kRedis ? "redis-server" : binary(), arguments, null, log);
  }
  exit_code_ = -1;
  wait_until_ready();
}

void ServerProcess::wait_until_ready() {
  for (int i = 0; i < 3000; ++i) {
    if (log().find("Ready to accept connections") != std::string::npos) return;
    if (!alive()) throw std::runtime_error("the server ended at once:\n" + log());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("the server is not ready after 30 s:\n" + log());
}

std::string ServerProcess::log() const {
  const std::string text = read_file(folder_ + "/log");
  return text.size() > log_begin_ ? text.substr(log_begin_) : std::string();
}

bool ServerProcess::alive() {
  if (pid_ < 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  exit_code_ = exit_code_of(status);
  pid_ = -1;
  return false;
}

int ServerProcess::wait_for_end(int seconds) {
  for (int i = 0; i < seconds * 100; ++i) {
    if (!alive()) return exit_code_;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(pid_, SIGKILL);
  while (alive()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return -1;
}

int ServerProcess::stop(int signal_number) {
  if (!alive()) return exit_code_;
  ::kill(pid_, signal_number);
  return wait_for_end(30);
}

void ServerProcess::restart(const std::vector<std::string>& directives) {
  stop(SIGTERM);
  start(directives);
}

Ended ServerProcess::run(const std::vector<std::string>& arguments, const std::string& input, int seconds) {
  const std::string folder = temporary_folder();
  const std::string out = folder + "/out";
  std::ofstream(folder + "/in", std::ios::binary) << input;
  const pid_t pid = ::fork();
  if (pid == 0) {
    exec_server(binary(), arguments, ::open((folder + "/in").c_str(), O_RDONLY),
                ::open(out.c_str(), O_WRONLY | O_CREAT, 0644));
  }
  Ended ended;
  int status = 0;
  for (int i = 0; i < seconds * 100 && ::waitpid(pid, &status, WNOHANG) == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (::kill(pid, 0) == 0 && ::waitpid(pid, &status, WNOHANG) == 0) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
  ended.exit_code = exit_code_of(status);
  ended.output = read_file(out);
  std::filesystem::remove_all(folder);
  return ended;
}

}  // namespace synap_test
