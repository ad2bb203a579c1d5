#include "persistence/forked_child.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/command/latency_monitor.h"
#include "server/keyspace/background.h"

namespace synap {

namespace {

// The child's exit code after SIGUSR1: told to stop, nothing failed.
constexpr int kStoppedByUser = 255;
constexpr int64_t kMeasureEveryUs = 500'000;
constexpr int64_t kLookEveryMs = 50;

// Memory that this process no longer shares with its parent.
uint64_t private_dirty_bytes() {
  FILE* file = std::fopen("/proc/self/smaps_rollup", "r");
  if (file == nullptr) return 0;
  uint64_t kilobytes = 0;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    unsigned long long value;
    if (std::sscanf(line, "Private_Dirty: %llu", &value) == 1) kilobytes = value;
  }
  std::fclose(file);
  return kilobytes * 1024;
}

}  // namespace

struct ForkedChild::SharedPage {
  RdbProgress progress;
  std::atomic<uint64_t> cow_bytes{0};
  std::atomic<uint64_t> cow_peak{0};
  int64_t measured_us = 0;  // the child's

  void measure() {
    const uint64_t bytes = private_dirty_bytes();
    cow_bytes.store(bytes, std::memory_order_relaxed);
    if (bytes > cow_peak.load(std::memory_order_relaxed)) cow_peak.store(bytes, std::memory_order_relaxed);
  }
  // Reading the kernel's figures takes a while.
  void measure_sometimes() {
    const int64_t now_us = monotonic_us();
    if (now_us - measured_us < kMeasureEveryUs) return;
    measured_us = now_us;
    measure();
  }
  void clear() {
    progress.keys.store(0, std::memory_order_relaxed);
    progress.bytes.store(0, std::memory_order_relaxed);
    cow_bytes.store(0, std::memory_order_relaxed);
    cow_peak.store(0, std::memory_order_relaxed);
  }
};

ForkedChild::ForkedChild(Server* server, OomScore* oom_score)
    : server_(server), oom_score_(oom_score), page_([] {
        void* page = mmap(nullptr, sizeof(SharedPage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        SYNAP_ASSERT(page != MAP_FAILED);
        return new (page) SharedPage;
      }()) {}

ForkedChild::~ForkedChild() { munmap(page_, sizeof(SharedPage)); }

Status ForkedChild::start(Purpose purpose, int64_t now_ms, const Work& work, std::function<void(const Outcome&)> ended) {
  SYNAP_ASSERT(!running());
  uint64_t total = 0;
  for (int db = 0; db < server_->keyspace->databases(); ++db) total += server_->keyspace->key_count(db);
  keys_total_.store(total, std::memory_order_relaxed);
  told_.store(false);
  page_->clear();
  const int64_t began_us = monotonic_us();
  const pid_t pid = fork();
  if (pid == 0) run(purpose, work);
  const int64_t took_us = monotonic_us() - began_us;
  last_fork_us_.store(took_us, std::memory_order_relaxed);
  if (pid < 0) return Status(StatusCode::kIoError, std::strerror(errno));
  const int64_t threshold_ms = server_->config->current().latency_monitor_threshold;
  if (threshold_ms > 0 && took_us / 1000 >= threshold_ms) server_->latency->add("fork", took_us / 1000);
  began_ms_.store(now_ms, std::memory_order_relaxed);
  purpose_.store(purpose, std::memory_order_relaxed);
  pid_.store(pid, std::memory_order_release);
  forks_.fetch_add(1, std::memory_order_release);  // whoever sees it counted sees it run
  log_notice(purpose == Purpose::kSnapshot ? "Background saving started by pid %d"
                                           : "Background append only file rewriting started by pid %d",
             pid);
  server_->clients->reactor(0).post([this, pid, call = std::move(ended)]() mutable {
    ended_ = std::move(call);
    watch(pid);
  });
  return {};
}

void ForkedChild::run(Purpose purpose, const Work& work) {
  forbid_mutexes();
  background_after_fork_child();
  std::signal(SIGUSR1, [](int) { _exit(kStoppedByUser); });
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_DFL);
  // The parent's sockets must not live on here when it ends.
  close_range(3, UINT_MAX, 0);
  server_->show_title(purpose == Purpose::kSnapshot ? "redis-rdb-bgsave" : "redis-aof-rewrite");
  static_cast<void>(oom_score_->apply(server_->config->current(), OomClass::kChild));
  const Status status = work(&page_->progress, [this] { page_->measure_sometimes(); });
  page_->measure();
  if (status.ok()) {
    log_notice("Fork CoW for %s: current %llu MB, peak %llu MB", purpose == Purpose::kSnapshot ? "RDB" : "AOF rewrite",
               static_cast<unsigned long long>(page_->cow_bytes.load() >> 20),
               static_cast<unsigned long long>(page_->cow_peak.load() >> 20));
  }
  _exit(status.ok() ? 0 : 1);
}

// On reactor 0.
void ForkedChild::watch(int pid) {
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return look_after(pid);
  Reactor& reactor = server_->clients->reactor(0);
  reactor.watch_readable(fd, [this, pid, fd, &reactor] {
    reactor.unwatch(fd);
    close(fd);
    look_after(pid);
  });
}

// Now and then, if there was no descriptor left to watch the child by.
void ForkedChild::look_after(int pid) {
  if (reap(pid)) return;
  server_->clients->reactor(0).after(kLookEveryMs, [this, pid] { look_after(pid); });
}

// False: it still runs.
bool ForkedChild::reap(int pid) {
  int status = 0;
  int gone;
  while ((gone = waitpid(pid, &status, WNOHANG)) < 0 && errno == EINTR) {
  }
  if (gone == 0) return false;
  const auto ended = std::exchange(ended_, nullptr);
  if (gone < 0) return true;  // end() was first: nobody wants to know what became of it
  const int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  const int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  const bool told = told_.load() || signal_number == SIGUSR1 || exit_code == kStoppedByUser;
  const Outcome outcome{.ok = exit_code == 0,
                        .told_to_stop = told,
                        .signal_number = signal_number == 0 && told && exit_code != 0 ? SIGUSR1 : signal_number,
                        .seconds = elapsed_s(wall_clock_ms()),
                        .cow_bytes = page_->cow_peak.load(std::memory_order_relaxed),
                        .pid = pid};
  ended(outcome);  // first, so that what follows the child is under way before the child is gone
  pid_.store(-1, std::memory_order_release);
  return true;
}

bool ForkedChild::kill(Purpose purpose) {
  const int pid = pid_.load(std::memory_order_acquire);
  if (pid <= 0 || purpose_.load(std::memory_order_relaxed) != purpose) return false;
  told_.store(true);
  ::kill(pid, SIGUSR1);
  return true;
}

int ForkedChild::end(Purpose* purpose) {
  const int pid = pid_.exchange(-1);
  if (pid <= 0) return -1;
  *purpose = purpose_.load();
  ::kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return pid;
}

ForkedChild::Figures ForkedChild::figures() const {
  const auto relaxed = std::memory_order_relaxed;
  const bool now = running();
  return {.keys = now ? page_->progress.keys.load(relaxed) : 0,
          .keys_total = now ? keys_total_.load(relaxed) : 0,
          .cow_bytes = now ? page_->cow_bytes.load(relaxed) : 0,
          .cow_peak = now ? page_->cow_peak.load(relaxed) : 0,
          .forks = forks_.load(std::memory_order_acquire),
          .last_fork_us = last_fork_us_.load(relaxed)};
}

}  // namespace synap
