// InsistentExit: while it exists, SIGINT ends the process at once and removes a file that is half written. For the last
// snapshot before the end, whose writer hears no signal: Ctrl-C once more means now. One at a time.
#pragma once

#include <csignal>
#include <string>

namespace synap {

class InsistentExit {
 public:
  explicit InsistentExit(std::string path);
  ~InsistentExit();
  InsistentExit(const InsistentExit&) = delete;
  InsistentExit& operator=(const InsistentExit&) = delete;

 private:
  const std::string path_;
  struct sigaction before_ {};
};

}  // namespace synap
