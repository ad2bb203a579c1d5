#include "scripting/debug_session.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "server/base/number.h"
#include "server/base/log.h"
#include "server/base/text.h"

namespace synap {
namespace {

// A pipe whose writing end only the server has, for as long as it lives: its children see it hang up.
struct Lifeline {
  int reading = -1;
  int writing = -1;
};

const Lifeline& lifeline_of_server() {
  static const Lifeline lifeline = [] {
    int ends[2];
    return pipe2(ends, O_CLOEXEC) == 0 ? Lifeline{ends[0], ends[1]} : Lifeline();
  }();
  return lifeline;
}

// Gives up the server's other connections, which must end when the server closes them.
void close_other_sockets(int kept) {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    int64_t number;
    if (!parse_int64(entry->d_name, &number)) continue;  // "." and ".."
    const auto descriptor = static_cast<int>(number);
    struct stat status;
    if (descriptor == kept || fstat(descriptor, &status) != 0 || !S_ISSOCK(status.st_mode)) continue;
    close(descriptor);
  }
  closedir(directory);
}

}  // namespace

void debug_in_child(Context& ctx, const std::function<void(int socket, int lifeline)>& body) {
  const Lifeline& lifeline = lifeline_of_server();
  const int socket = ctx.session().shared->fd.load(std::memory_order_relaxed);
  // Twice, so that the session's process is nobody's child and leaves no zombie.
  const pid_t child = fork();
  if (child < 0) {
    return ctx.error(format_text("ERR Fork() failed: can't run EVAL in debugging mode: %s", std::strerror(errno)));
  }
  if (child == 0) {
    if (fork() != 0) _exit(0);
    for (const int number : {SIGTERM, SIGINT}) std::signal(number, SIG_DFL);
    close_other_sockets(socket);
    if (lifeline.writing >= 0) close(lifeline.writing);
    body(socket, lifeline.reading);
    _exit(0);
  }
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  log_notice("A process was forked to debug a script");
  ctx.session().set(kSessionCloseAfterReply);
}

}  // namespace synap
