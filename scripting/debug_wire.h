// DebugWire: how a debugging session talks with its client: lines out, commands in, straight on the client's socket and
// waiting for it. Only for a thread or process that has nothing else to do (see debug_session.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace synap {

class DebugWire {
 public:
  // `lifeline`: a pipe that hangs up when the server ends, or -1.
  DebugWire(int fd, int lifeline) : fd_(fd), lifeline_(lifeline) {}

  // A line of the next answer. Longer ones than the limit (0: none) are cut when `may_cut`.
  void log(std::string_view line, bool may_cut = false);
  // Sends the lines gathered as one array of status replies.
  void send_logs();
  // Sends bytes as they are; what is left when the client went away is dropped.
  void send(std::string_view bytes);
  enum class Input { kCommand, kClosed, kBroken };
  // Waits for the client's next command.
  Input read_command(std::vector<std::string>* words);

  void set_line_bytes_max(size_t bytes) {
    line_bytes_max_ = bytes;
    hint_sent_ = true;
  }

 private:
  bool wait(short events);

  const int fd_;
  const int lifeline_;
  std::vector<std::string> lines_;
  std::string input_;
  size_t line_bytes_max_ = 256;
  bool hint_sent_ = false;
  bool closed_ = false;
};

}  // namespace synap
