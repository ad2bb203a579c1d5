#include "persistence/persistence.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "scripting/scripting.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/keyspace/background.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

// The child's exit code after SIGUSR1: told to stop, nothing failed.
constexpr int kStoppedByUser = 255;
constexpr size_t kSyncEveryBytes = 4 << 20;  // rdb-save-incremental-fsync

std::string errno_text() { return std::strerror(errno); }

// An open file being written; closed at the end of its life.
class FileSink final : public ByteSink {
 public:
  FileSink(int fd, bool sync_often, std::function<void()> on_sync)
      : fd_(fd), sync_often_(sync_often), on_sync_(std::move(on_sync)) {}
  ~FileSink() {
    if (fd_ >= 0) close(fd_);
  }
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Status(StatusCode::kIoError, errno_text());
      bytes.remove_prefix(static_cast<size_t>(written));
      unsynced_ += static_cast<size_t>(written);
    }
    if (!sync_often_ || unsynced_ < kSyncEveryBytes) return {};
    unsynced_ = 0;
    if (on_sync_) on_sync_();
    return fdatasync(fd_) == 0 ? Status() : Status(StatusCode::kIoError, errno_text());
  }

  Status finish() {
    const bool synced = fsync(fd_) == 0;
    const int error = errno;
    const bool closed = close(std::exchange(fd_, -1)) == 0;
    if (!synced) errno = error;
    return synced && closed ? Status() : Status(StatusCode::kIoError, errno_text());
  }

 private:
  int fd_;
  const bool sync_often_;
  const std::function<void()> on_sync_;
  size_t unsynced_ = 0;
};

class FileSource final : public ByteSource {
 public:
  explicit FileSource(int fd) : fd_(fd) {}
  ~FileSource() { close(fd_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  int64_t read(char* out, size_t size) override {
    for (;;) {
      const ssize_t got = ::read(fd_, out, size);
      if (got >= 0 || errno != EINTR) return got;
    }
  }

 private:
  const int fd_;
};

// The renamed file's directory entry survives a power cut only once the directory is synced.
void sync_directory() {
  const int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  if (fsync(fd) != 0) log_warning("Could not sync the data directory: %s", std::strerror(errno));
  close(fd);
}

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

// snapshot-keep: the file that is about to be replaced becomes NAME.1, what that was NAME.2, and so on.
void keep_old_snapshots(const std::string& name, int64_t keep) {
  for (int64_t i = keep; i > 0; --i) {
    const std::string older = name + "." + std::to_string(i);
    const std::string newer = i == 1 ? name : name + "." + std::to_string(i - 1);
    if (i > 1) {
      std::rename(newer.c_str(), older.c_str());
      continue;
    }
    unlink(older.c_str());
    // A second name, so that there is no moment without the file.
    if (link(newer.c_str(), older.c_str()) != 0 && errno != ENOENT) {
      log_warning("Could not keep the old snapshot as %s: %s", older.c_str(), std::strerror(errno));
    }
  }
}

std::string temporary_name() { return "temp-" + std::to_string(getpid()) + ".rdb"; }

AccessClock clock_of(const Config& config, int64_t now_ms) {
  AccessClock clock;
  clock.set_time(now_ms);
  clock.lfu = config.maxmemory_policy == MaxmemoryPolicy::kAllkeysLfu ||
              config.maxmemory_policy == MaxmemoryPolicy::kVolatileLfu;
  clock.lfu_log_factor = static_cast<int>(config.lfu_log_factor);
  clock.lfu_decay_minutes = static_cast<int>(config.lfu_decay_time);
  return clock;
}

}  // namespace

struct Persistence::SharedWithChild {
  RdbProgress progress;
  std::atomic<uint64_t> cow_bytes{0};
  std::atomic<uint64_t> cow_peak{0};

  void measure() {
    const uint64_t bytes = private_dirty_bytes();
    cow_bytes.store(bytes, std::memory_order_relaxed);
    if (bytes > cow_peak.load(std::memory_order_relaxed)) cow_peak.store(bytes, std::memory_order_relaxed);
  }
  void clear() {
    progress.keys.store(0, std::memory_order_relaxed);
    progress.bytes.store(0, std::memory_order_relaxed);
    cow_bytes.store(0, std::memory_order_relaxed);
    cow_peak.store(0, std::memory_order_relaxed);
  }
};

Persistence::Persistence(Server* server, OomScore* oom_score)
    : server_(server),
      oom_score_(oom_score),
      shared_([] {
        void* page = mmap(nullptr, sizeof(SharedWithChild), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        SYNAP_ASSERT(page != MAP_FAILED);
        return new (page) SharedWithChild;
      }()),
      last_save_ms_(wall_clock_ms()) {}

Persistence::~Persistence() {
  end_loading(true);
  munmap(shared_, sizeof(SharedWithChild));
}

// --- Saving.

Status Persistence::write_file(const Config& config, int64_t now_ms, RdbProgress* progress,
                               const std::function<void()>& on_sync) {
  const std::string temporary = temporary_name();
  const auto failed = [&](const char* what, const std::string& why) {
    log_warning("%s %s: %s", what, temporary.c_str(), why.c_str());
    unlink(temporary.c_str());
    return Status(StatusCode::kIoError, why);
  };
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed("Failed opening the temp RDB file", errno_text());
  FileSink sink(fd, config.rdb_save_incremental_fsync, on_sync);
  RdbSaveOptions options;
  options.encoding = {.compress = config.rdbcompression != Compression::kNo, .checksum = config.rdbchecksum};
  options.now_ms = now_ms;
  options.key_delay_us = config.rdb_key_save_delay;
  options.access_clock = clock_of(config, now_ms);
  options.save_frequencies = options.access_clock.lfu;
  options.save_idle_times = config.maxmemory_policy == MaxmemoryPolicy::kAllkeysLru ||
                            config.maxmemory_policy == MaxmemoryPolicy::kVolatileLru;
  Status status = save_rdb(*server_->keyspace, *server_->scripting->registry().current(), options, &sink, progress);
  if (status.ok()) status = sink.finish();
  if (!status.ok()) return failed("Write error saving DB on disk in", status.detail());
  keep_old_snapshots(config.dbfilename, config.snapshot_keep);
  if (std::rename(temporary.c_str(), config.dbfilename.c_str()) != 0) {
    return failed("Error moving temp DB file on the final destination from", errno_text());
  }
  sync_directory();
  log_notice("DB saved on disk");
  return {};
}

Status Persistence::save(int64_t now_ms) {
  const uint64_t dirty = server_->dirty.load(std::memory_order_relaxed);
  RdbProgress progress;
  saves_.fetch_add(1, std::memory_order_relaxed);
  const Status status = write_file(server_->config->current(), now_ms, &progress, nullptr);
  if (status.ok()) server_->dirty.fetch_sub(dirty, std::memory_order_relaxed);
  finish_save(status.ok(), now_ms);
  return status;
}

void Persistence::finish_save(bool ok, int64_t now_ms) {
  last_ok_.store(ok, std::memory_order_relaxed);
  if (ok) last_save_ms_.store(now_ms, std::memory_order_relaxed);
  refresh_disk_error();
}

void Persistence::refresh_disk_error() {
  const Config& config = server_->config->current();
  server_->state->assign(kStateDiskError, config.stop_writes_on_bgsave_error && !config.save.empty() &&
                                              !last_ok_.load(std::memory_order_relaxed));
}

std::string Persistence::disk_error() {
  return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
         "may modify the data set are disabled, because this instance is configured to report errors during writes if "
         "RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about "
         "the RDB error.";
}

Persistence::Started Persistence::start_background(int64_t now_ms, bool later) {
  if (child_running()) {
    if (!later) return Started::kBusy;
    scheduled_.store(true);
    return Started::kScheduled;
  }
  const Config& config = server_->config->current();
  scheduled_.store(false);
  killed_by_user_.store(false);
  last_try_ms_.store(now_ms, std::memory_order_relaxed);
  uint64_t total = 0;
  for (int db = 0; db < server_->keyspace->databases(); ++db) total += server_->keyspace->key_count(db);
  keys_total_.store(total, std::memory_order_relaxed);
  dirty_at_fork_.store(server_->dirty.load(std::memory_order_relaxed), std::memory_order_relaxed);
  shared_->clear();
  const int64_t began_us = monotonic_us();
  const pid_t pid = fork();
  if (pid == 0) run_child(config, now_ms);
  last_fork_us_.store(monotonic_us() - began_us, std::memory_order_relaxed);
  if (pid < 0) {
    log_warning("Can't save in background: fork: %s", std::strerror(errno));
    finish_save(false, now_ms);
    return Started::kForkFailed;
  }
  forks_.fetch_add(1, std::memory_order_relaxed);
  saves_.fetch_add(1, std::memory_order_relaxed);
  child_began_ms_.store(now_ms, std::memory_order_relaxed);
  child_pid_.store(pid, std::memory_order_release);
  log_notice("Background saving started by pid %d", pid);
  server_->clients->reactor(0).post([this, pid] { watch_child(pid); });
  return Started::kStarted;
}

void Persistence::run_child(const Config& config, int64_t now_ms) {
  background_after_fork_child();
  std::signal(SIGUSR1, [](int) { _exit(kStoppedByUser); });
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_DFL);
  // The parent's sockets must not live on here when it ends.
  close_range(3, UINT_MAX, 0);
  static_cast<void>(oom_score_->apply(config, OomClass::kChild));
  const Status status = write_file(config, now_ms, &shared_->progress, [this] { shared_->measure(); });
  shared_->measure();
  if (status.ok()) {
    log_notice("Fork CoW for RDB: current %llu MB, peak %llu MB",
               static_cast<unsigned long long>(shared_->cow_bytes.load() >> 20),
               static_cast<unsigned long long>(shared_->cow_peak.load() >> 20));
  }
  _exit(status.ok() ? 0 : 1);
}

// On reactor 0.
void Persistence::watch_child(int pid) {
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  SYNAP_ASSERT(fd >= 0);
  Reactor& reactor = server_->clients->reactor(0);
  reactor.watch_readable(fd, [this, pid, fd, &reactor] {
    reactor.unwatch(fd);
    close(fd);
    child_ended(pid);
  });
}

void Persistence::child_ended(int pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const int64_t now_ms = wall_clock_ms();
  last_time_s_.store((now_ms - child_began_ms_.load(std::memory_order_relaxed)) / 1000, std::memory_order_relaxed);
  last_cow_bytes_.store(shared_->cow_peak.load(std::memory_order_relaxed), std::memory_order_relaxed);
  const int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    log_notice("Background saving terminated with success");
    server_->dirty.fetch_sub(dirty_at_fork_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    finish_save(true, now_ms);
  } else {
    unlink(("temp-" + std::to_string(pid) + ".rdb").c_str());
    const bool told = killed_by_user_.load() || signal_number == SIGUSR1 ||
                      (WIFEXITED(status) && WEXITSTATUS(status) == kStoppedByUser);
    if (signal_number != 0 || told) {
      log_warning("Background saving terminated by signal %d", signal_number == 0 ? SIGUSR1 : signal_number);
    } else {
      log_warning("Background saving error");
    }
    if (!told) finish_save(false, now_ms);
  }
  child_pid_.store(-1, std::memory_order_release);
}

bool Persistence::wants_background(int64_t now_ms) {
  refresh_disk_error();  // its settings may have changed
  if (child_running() || server_->state->has(kStateLoading | kStateShuttingDown)) return false;
  if (scheduled_.load()) return true;
  const auto dirty = static_cast<int64_t>(server_->dirty.load(std::memory_order_relaxed));
  const int64_t idle_ms = now_ms - last_save_ms_.load(std::memory_order_relaxed);
  if (!last_ok_.load(std::memory_order_relaxed) &&
      now_ms - last_try_ms_.load(std::memory_order_relaxed) <= kRetryAfterFailureMs) {
    return false;
  }
  for (const SavePoint& point : server_->config->current().save) {
    if (dirty < point.changes || idle_ms <= point.seconds * 1000) continue;
    log_notice("%lld changes in %lld seconds. Saving...", static_cast<long long>(point.changes),
               static_cast<long long>(point.seconds));
    return true;
  }
  return false;
}

bool Persistence::cancel_background() {
  const bool was_scheduled = scheduled_.exchange(false);
  const bool was_running = child_running();
  kill_child();
  return was_scheduled || was_running;
}

void Persistence::kill_child() {
  const int pid = child_pid_.load(std::memory_order_acquire);
  if (pid <= 0) return;
  killed_by_user_.store(true);
  kill(pid, SIGUSR1);
}

void Persistence::end() {
  end_loading(true);
  const int pid = child_pid_.exchange(-1);
  if (pid <= 0) return;
  log_warning("There is a child saving an .rdb. Killing it!");
  kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  unlink(("temp-" + std::to_string(pid) + ".rdb").c_str());
}

void Persistence::all_flushed(int64_t now_ms) {
  kill_child();
  if (server_->config->current().save.empty()) return;
  static_cast<void>(save(now_ms));  // a failure is logged, and remembered for INFO
}

// --- Loading.

Status Persistence::read_file(const std::string& path, bool replace, RdbLoadResult* result) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const std::string why = errno_text();
    log_warning("Fatal error: can't open the RDB file %s for reading: %s", path.c_str(), why.c_str());
    return Status(StatusCode::kNotFound, why);
  }
  FileSource source(fd);
  struct stat info {};
  fstat(fd, &info);
  load_total_bytes_.store(static_cast<uint64_t>(info.st_size), std::memory_order_relaxed);
  load_progress_.bytes.store(0, std::memory_order_relaxed);
  const Config& config = server_->config->current();
  RdbLoadOptions options(config);
  options.now_ms = wall_clock_ms();
  options.checksum = config.rdbchecksum;
  options.access_clock = clock_of(config, options.now_ms);
  options.key_delay_us = config.key_load_delay;
  options.replace = replace;
  options.cancelled = &cancel_loading_;
  RdbReader reader(&source, config.rdbchecksum);
  const Status status = load_rdb(&reader, server_->keyspace, options, result, &load_progress_);
  load_keys_expired_.store(result->keys_expired, std::memory_order_relaxed);
  load_keys_loaded_.store(result->keys_loaded, std::memory_order_relaxed);
  if (status.ok()) {
    log_notice("Done loading RDB, keys loaded: %llu, keys expired: %llu.",
               static_cast<unsigned long long>(result->keys_loaded), static_cast<unsigned long long>(result->keys_expired));
    return status;
  }
  log_warning("Error reading the RDB file %s: %s", path.c_str(), status.detail().c_str());
  log_warning("%s", status.code() == StatusCode::kIoError
                        ? "Short read or OOM loading DB. Unrecoverable error, aborting now."
                        : "The RDB file is corrupt: synap-server --check-rdb tells more.");
  return status;
}

bool Persistence::begin_loading(std::function<void(Status)> done) {
  const std::string path = server_->config->current().dbfilename;
  if (access(path.c_str(), F_OK) != 0) return false;
  server_->state->set(kStateLoading);
  load_began_ms_.store(wall_clock_ms(), std::memory_order_relaxed);
  loader_ = std::thread([this, path, done = std::move(done)] {
    const int64_t began_us = monotonic_us();
    const Status status = read_file(path, false, &load_result_);
    if (status.ok()) {
      log_notice("DB loaded from disk: %.3f seconds", static_cast<double>(monotonic_us() - began_us) / 1e6);
    }
    done(status);
  });
  return true;
}

void Persistence::end_loading(bool cancel) {
  if (!loader_.joinable()) return;
  if (cancel) cancel_loading_.store(true);
  loader_.join();
}

Status Persistence::load_now(bool keep_keys, bool replace, const LoadLibraries& load_libraries) {
  if (!keep_keys) {
    for (size_t i = 0; i < kShards; ++i) {
      for (DbSlice& slice : server_->keyspace->shard(i).dbs) {
        DbSlice old;
        std::swap(old, slice);
        old.table.for_each([](Entry* entry, bool) { free_entry(entry); });
      }
    }
  }
  RdbLoadResult result;
  const Status status = read_file(server_->config->current().dbfilename, replace, &result);
  if (!status.ok()) return status;
  const std::string error = load_libraries(result.libraries, replace);
  return error.empty() ? Status() : Status(StatusCode::kCorrupt, error);
}

Persistence::Figures Persistence::figures(int64_t now_ms) const {
  const auto relaxed = std::memory_order_relaxed;
  const bool running = child_running();
  return {.child_running = running,
          .current_time_s = running ? (now_ms - child_began_ms_.load(relaxed)) / 1000 : -1,
          .current_keys = running ? shared_->progress.keys.load(relaxed) : 0,
          .current_keys_total = running ? keys_total_.load(relaxed) : 0,
          .current_cow_bytes = running ? shared_->cow_bytes.load(relaxed) : 0,
          .current_cow_peak = running ? shared_->cow_peak.load(relaxed) : 0,
          .last_save_s = last_save_s(),
          .last_time_s = last_time_s_.load(relaxed),
          .last_ok = last_ok_.load(relaxed),
          .saves = saves_.load(relaxed),
          .last_cow_bytes = last_cow_bytes_.load(relaxed),
          .forks = forks_.load(relaxed),
          .last_fork_us = last_fork_us_.load(relaxed),
          .load_keys_expired = load_keys_expired_.load(relaxed),
          .load_keys_loaded = load_keys_loaded_.load(relaxed),
          .load_began_s = load_began_ms_.load(relaxed) / 1000,
          .load_total_bytes = load_total_bytes_.load(relaxed),
          .load_bytes = load_progress_.bytes.load(relaxed)};
}

}  // namespace synap
