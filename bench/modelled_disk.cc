// A disk whose syncs take a known time, for LD_PRELOAD: fsync and fdatasync sleep for SYNAP_BENCH_SYNC_US microseconds and
// sync nothing. With the files in a RAM disk two servers can be compared on the same disk, whatever a shared machine's real
// one is doing. Must never be linked into a server.

#include <cerrno>
#include <cstdlib>
#include <ctime>

#include <sys/prctl.h>

namespace {

int sync_of_known_length() {
  static const long microseconds = [] {
    const char* text = std::getenv("SYNAP_BENCH_SYNC_US");
    return text == nullptr ? 0L : std::strtol(text, nullptr, 10);
  }();
  thread_local const int slack = prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // else 50 µs come on top
  static_cast<void>(slack);
  timespec left{microseconds / 1'000'000, microseconds % 1'000'000 * 1000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  return 0;
}

}  // namespace

extern "C" int fsync(int) { return sync_of_known_length(); }
extern "C" int fdatasync(int) { return sync_of_known_length(); }
