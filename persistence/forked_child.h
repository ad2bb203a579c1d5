// ForkedChild: the one child process that saves the data set at a time, a snapshot or the base of an AOF. The child is a
// copy of the process with one thread: it touches no lock that another thread may have held, and tells the parent of its
// progress through one shared page.
//
//   idle ── start(), under all shards ──▶ running ── its end is seen on reactor 0, ended() is called ──▶ idle
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "persistence/rdb_file.h"
#include "server/base/status.h"
#include "server/command/oom_score.h"
#include "server/command/server_api.h"

namespace synap {

class ForkedChild {
 public:
  enum class Purpose : uint8_t { kSnapshot, kRewrite };
  struct Outcome {
    bool ok;
    bool told_to_stop;  // killed by kill() or SIGUSR1: no failure
    int signal_number;  // that ended it, or 0
    int64_t seconds;
    uint64_t cow_bytes;
    int pid;
  };
  // In the child: `measure` is to be called now and then.
  using Work = std::function<Status(RdbProgress* progress, const std::function<void()>& measure)>;

  ForkedChild(Server* server, OomScore* oom_score);
  ~ForkedChild();
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;

  // The caller has all shards. `ended` is called on reactor 0. kIoError: fork failed.
  Status start(Purpose purpose, int64_t now_ms, const Work& work, std::function<void(const Outcome&)> ended);
  // Any thread. Tells the child, if it works for this purpose, to stop. False: it does not.
  bool kill(Purpose purpose);
  // At the end of the process: kills it without asking and waits for it; its purpose, pid or -1.
  int end(Purpose* purpose);

  // Any thread.
  bool running() const { return pid_.load(std::memory_order_acquire) > 0; }
  bool running_for(Purpose purpose) const { return running() && purpose_.load(std::memory_order_relaxed) == purpose; }
  int64_t elapsed_s(int64_t now_ms) const { return (now_ms - began_ms_.load(std::memory_order_relaxed)) / 1000; }
  struct Figures {
    uint64_t keys, keys_total, cow_bytes, cow_peak;
    uint64_t forks;
    int64_t last_fork_us;
  };
  Figures figures() const;

 private:
  struct SharedPage;

  [[noreturn]] void run(Purpose purpose, const Work& work);
  void watch(int pid);
  void look_after(int pid);
  bool reap(int pid);

  Server* const server_;
  OomScore* const oom_score_;
  SharedPage* const page_;
  std::function<void(const Outcome&)> ended_;  // of reactor 0 once the child runs
  std::atomic<int> pid_{-1};
  std::atomic<Purpose> purpose_{Purpose::kSnapshot};
  std::atomic<bool> told_{false};
  std::atomic<int64_t> began_ms_{0}, last_fork_us_{0};
  std::atomic<uint64_t> forks_{0}, keys_total_{0};
};

}  // namespace synap
