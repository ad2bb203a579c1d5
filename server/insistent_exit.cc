#include "server/insistent_exit.h"

#include <unistd.h>

#include <atomic>
#include <utility>

#include "server/base/log.h"

namespace synap {

namespace {

// A signal handler gets no argument of ours; this is its only link to the rest.
std::atomic<const char*> half_written{nullptr};

void on_interrupt(int) {
  log().write_raw("You insist... exiting now.\n");
  if (const char* path = half_written.load(); path != nullptr) unlink(path);
  _exit(1);
}

}  // namespace

InsistentExit::InsistentExit(std::string path) : path_(std::move(path)) {
  half_written.store(path_.c_str());
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, &before_);
}

InsistentExit::~InsistentExit() {
  sigaction(SIGINT, &before_, nullptr);
  half_written.store(nullptr);
}

}  // namespace synap
