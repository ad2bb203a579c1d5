#include "server/command/process_title.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "server/base/number.h"
#include "server/command/options.h"

namespace synap {

namespace {

std::string listen_address(const Config& config) {
  const int64_t port = config.port != 0 ? config.port : config.tls_port;
  if (port == 0) return "unixsocket:" + config.unixsocket;
  return (config.bind.empty() ? "*" : config.bind.front()) + ':' + to_text(port);
}

// The end of what lies in memory without a gap from `begin` on, of these strings in this order.
char* contiguous_end(char* begin, char* const* strings) {
  char* end = begin;
  for (; *strings == end && end != nullptr; ++strings) end += std::strlen(end) + 1;
  return end;
}

// Every variable gets memory of its own; where a name comes twice the first counts, as for getenv().
void move_environment() {
  if (environ == nullptr) return;
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  clearenv();
  for (const std::string& variable : variables) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos) continue;
    setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 0);
  }
}

}  // namespace

std::optional<std::string> process_title(const Config& config, const TitleSubject& subject) {
  return expand_title(config.proc_title_template, [&](std::string_view name) -> std::optional<std::string> {
    if (name == "title") return std::string(subject.name);
    if (name == "listen-addr") return listen_address(config);
    if (name == "server-mode") return config.cluster_enabled ? "[cluster]" : "";
    if (name == "config-file") return subject.config_file.empty() ? "-" : std::string(subject.config_file);
    if (name == "port") return to_text(config.port);
    if (name == "tls-port") return to_text(config.tls_port);
    if (name == "unixsocket") return config.unixsocket;
    return std::nullopt;
  });
}

ProcessTitle::ProcessTitle(int argc, char** argv) {
  if (argc == 0) return;
  program_ = argv[0];
  char* const arguments_end = contiguous_end(argv[0], argv);
  char* end = arguments_end;
  const bool whole = arguments_end == argv[argc - 1] + std::strlen(argv[argc - 1]) + 1;
  if (whole && environ != nullptr) end = contiguous_end(arguments_end, environ);
  arguments_bytes_ = static_cast<size_t>(arguments_end - argv[0]);
  space_ = {argv[0], static_cast<size_t>(end - argv[0])};
  move_environment();
  // The C library's messages name the program by these; the copy lives as long as the process.
  program_invocation_name = strdup(program_.c_str());
  program_invocation_short_name = program_invocation_name + (program_.rfind('/') + 1);
}

// A NUL as the arguments' last byte says that they are arguments, to be shown up to there, NULs and all. Any other byte
// says that this is a title, which ends at its first NUL, be that among the arguments or in the environment.
void ProcessTitle::show(std::string_view title) {
  if (space_.empty()) return;
  const size_t bytes = std::min(title.size(), space_.size() - 1);
  std::fill(std::copy_n(title.begin(), bytes, space_.begin()), space_.end(), '\0');
  if (bytes + 1 < arguments_bytes_) space_[arguments_bytes_ - 1] = '.';
}

}  // namespace synap
