// Persistence: when the data set is saved to and loaded from its RDB file, and what INFO says about it.
//
//   idle ── start_background() forks, under all shards ──▶ child saves ── its end is seen on reactor 0 ──▶ idle
//
// The child of a fork is a copy of the process with one thread: it touches no lock that another thread may have held.
// It writes temp-<pid>.rdb, syncs it and renames it over the old file, so that a failure leaves the old one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "persistence/rdb_file.h"
#include "server/base/status.h"
#include "server/base/sync.h"
#include "server/command/oom_score.h"
#include "server/command/server_api.h"

namespace synap {

class Persistence {
 public:
  // Loads function libraries that a file held; an error's text or empty. On a thread that runs commands.
  using LoadLibraries = std::function<std::string(const std::vector<std::string>& codes, bool replace)>;

  Persistence(Server* server, OomScore* oom_score);
  ~Persistence();
  Persistence(const Persistence&) = delete;
  Persistence& operator=(const Persistence&) = delete;

  // --- Saving. The caller has all shards.
  // SAVE: here and now. Fails with the text of the log line.
  Status save(int64_t now_ms);
  enum class Started { kStarted, kScheduled, kBusy, kForkFailed };
  // BGSAVE. `later`: when a child is at work, after it.
  Started start_background(int64_t now_ms, bool later);
  // FLUSHALL: a child's work is void, and the file shall hold nothing.
  void all_flushed(int64_t now_ms);
  // BGSAVE CANCEL. False: nothing to cancel.
  bool cancel_background();

  // --- Reactor 0.
  // Whether save points or a scheduled BGSAVE want start_background() now.
  bool wants_background(int64_t now_ms);
  // Tells a child under way to stop.
  void kill_child();
  // At the end of the process: the same, and waits for it.
  void end();

  // --- Loading.
  // At start: reads the file on a thread of its own while kStateLoading refuses commands on keys. `done` is called on that
  // thread, with the failure's text in the log. False: there is no file; `done` will not be called.
  bool begin_loading(std::function<void(Status)> done);
  // Joins the thread of begin_loading; `cancel` ends it early.
  void end_loading(bool cancel);
  // DEBUG RELOAD: the caller has all shards.
  Status load_now(bool keep_keys, bool replace, const LoadLibraries& load_libraries);
  // What begin_loading found, to be loaded on a reactor.
  const std::vector<std::string>& loaded_libraries() const { return load_result_.libraries; }

  // --- For INFO, any thread.
  struct Figures {
    bool child_running;
    int64_t current_time_s;  // of the child under way, or -1
    uint64_t current_keys, current_keys_total, current_cow_bytes, current_cow_peak;
    int64_t last_save_s, last_time_s;
    bool last_ok;
    uint64_t saves, last_cow_bytes, forks;
    int64_t last_fork_us;
    uint64_t load_keys_expired, load_keys_loaded;
    int64_t load_began_s;
    uint64_t load_total_bytes, load_bytes;
  };
  Figures figures(int64_t now_ms) const;
  int64_t last_save_s() const { return last_save_ms_.load(std::memory_order_relaxed) / 1000; }
  bool child_running() const { return child_pid_.load(std::memory_order_acquire) > 0; }
  // DEBUG SET-SKIP-CHECKSUM-VALIDATION: RESTORE takes payloads whose checksum is wrong.
  std::atomic<bool> skip_checksum{false};
  // The error of a write while snapshots fail (stop-writes-on-bgsave-error).
  static std::string disk_error();

 private:
  struct SharedWithChild;
  static constexpr int64_t kRetryAfterFailureMs = 5000;

  Status write_file(const Config& config, int64_t now_ms, RdbProgress* progress, const std::function<void()>& on_sync);
  Status read_file(const std::string& path, bool replace, RdbLoadResult* result);
  [[noreturn]] void run_child(const Config& config, int64_t now_ms);
  void watch_child(int pid);
  void child_ended(int pid);
  void finish_save(bool ok, int64_t now_ms);
  void refresh_disk_error();

  Server* const server_;
  OomScore* const oom_score_;
  SharedWithChild* const shared_;  // one page that parent and child see

  std::atomic<int> child_pid_{-1};
  std::atomic<bool> scheduled_{false};
  std::atomic<bool> killed_by_user_{false};
  std::atomic<int64_t> last_save_ms_, last_try_ms_{0}, child_began_ms_{0}, last_time_s_{-1}, last_fork_us_{0};
  std::atomic<bool> last_ok_{true};
  std::atomic<uint64_t> saves_{0}, forks_{0}, last_cow_bytes_{0}, dirty_at_fork_{0}, keys_total_{0};

  std::thread loader_;
  std::atomic<bool> cancel_loading_{false};
  RdbLoadResult load_result_;
  RdbProgress load_progress_;
  std::atomic<uint64_t> load_total_bytes_{0}, load_keys_expired_{0}, load_keys_loaded_{0};
  std::atomic<int64_t> load_began_ms_{0};
};

}  // namespace synap
