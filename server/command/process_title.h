// ProcessTitle: what ps shows this process as (directives set-proc-title and proc-title-template). The kernel shows the
// memory that held the arguments and, when that is full, the environment behind it: so both are copied away, once, and the
// title is written over them. It never grows beyond that memory.
// Thread: one at a time, as the configuration's writers are; a forked child whenever it likes, so there is no Mutex.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/command/config.h"

namespace synap {

// What of a title the configuration does not know.
struct TitleSubject {
  std::string_view name;         // as the program was started, or what a child does
  std::string_view config_file;  // or empty
};

// The title after proc-title-template. Nothing when the template is not well formed or names an unknown variable.
std::optional<std::string> process_title(const Config& config, const TitleSubject& subject);

class ProcessTitle {
 public:
  // First of all in main: before there are other threads, and before anybody keeps what argv or getenv() point to.
  ProcessTitle(int argc, char** argv);
  ProcessTitle(const ProcessTitle&) = delete;
  ProcessTitle& operator=(const ProcessTitle&) = delete;

  // argv[0] as it was.
  const std::string& program() const { return program_; }
  // What does not fit is cut off.
  void show(std::string_view title);

 private:
  std::string program_;
  std::span<char> space_;      // arguments, then environment
  size_t arguments_bytes_ = 0;  // of them
};

}  // namespace synap
