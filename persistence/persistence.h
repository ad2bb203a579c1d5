// Persistence: when the data set is saved to its RDB file, how it is loaded (from the AOF if that is on), and what INFO
// says about it. A snapshot is written to temp-<pid>.rdb, synced and renamed over the old file, so that a failure leaves
// the old one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "persistence/aof_loader.h"
#include "persistence/file.h"
#include "persistence/forked_child.h"
#include "persistence/migrate_targets.h"
#include "persistence/rdb_file.h"
#include "server/base/status.h"
#include "server/command/oom_score.h"
#include "server/command/runner.h"
#include "server/command/server_api.h"

namespace synap {

class Persistence {
 public:
  Persistence(Server* server, FileSystem* files, OomScore* oom_score);
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
  // BGSAVE CANCEL.
  enum class Cancelled : uint8_t { kRunning, kScheduled, kNothing };
  Cancelled cancel_background();

  // --- Reactor 0.
  // Whether save points or a scheduled BGSAVE want start_background() now.
  bool wants_background(int64_t now_ms);
  // Tells a child that saves a snapshot to stop. False: there is none.
  bool kill_child();
  // What save() writes before it is the snapshot.
  static std::string save_path();
  // Any thread. Kills any child, waits for it and removes its file: the server shuts down.
  void end_child();
  // At the end of the process: the same, and ends a loading under way.
  void end();

  // --- Loading.
  // At start: reads AOF or RDB on a thread of its own while kStateLoading refuses commands on keys. `runner` runs the AOF's
  // commands. `done` is called on that thread, with the failure's text in the log. False: there is nothing to load; `done`
  // will not be called.
  bool begin_loading(CommandRunner* runner, LoadLibraries load_libraries, std::function<void(Status)> done);
  // Joins the thread of begin_loading; `cancel` ends it early.
  void end_loading(bool cancel);
  // DEBUG RELOAD: the caller has all shards.
  Status load_now(bool keep_keys, bool replace, const LoadLibraries& load_libraries);
  // DEBUG LOADAOF: the same. Loads what the AOF holds in place of all keys.
  Status load_aof_now(CommandRunner* runner, const LoadLibraries& load_libraries);

  // --- For INFO, any thread.
  struct Figures {
    bool child_running;       // saving a snapshot
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
  ForkedChild& child() { return child_; }
  // DEBUG SET-SKIP-CHECKSUM-VALIDATION: RESTORE takes payloads whose checksum is wrong.
  std::atomic<bool> skip_checksum{false};
  MigrateTargets& migrate_targets() { return migrate_targets_; }
  // The error of a write while snapshots (stop-writes-on-bgsave-error) or the AOF fail.
  std::string disk_error() const;

 private:
  static constexpr int64_t kRetryAfterFailureMs = 5000;

  Status write_file(const Config& config, RdbSaveOptions options, RdbProgress* progress);
  RdbLoadOptions load_options(const Config& config, bool replace);
  Status load_file(const std::string& path, bool replace, RdbLoadResult* result);
  Status load_rdb_and_libraries(const std::string& path, bool replace, const LoadLibraries& load_libraries);
  Status load_aof_files(CommandRunner* runner, const LoadLibraries& load_libraries);
  void free_all_keys();
  void child_ended(const ForkedChild::Outcome& outcome);
  void count_saved(uint64_t changes);
  void finish_save(bool ok, int64_t now_ms);
  void refresh_disk_error();

  Server* const server_;
  FileSystem* const files_;
  ForkedChild child_;
  MigrateTargets migrate_targets_;

  std::atomic<bool> scheduled_{false};
  std::atomic<int64_t> last_save_ms_, last_try_ms_{0}, last_time_s_{-1};
  std::atomic<bool> last_ok_{true};
  std::atomic<uint64_t> saves_{0}, last_cow_bytes_{0}, dirty_at_fork_{0};

  std::thread loader_;
  std::atomic<bool> cancel_loading_{false};
  RdbProgress load_progress_;
  std::atomic<uint64_t> load_total_bytes_{0}, load_keys_expired_{0}, load_keys_loaded_{0};
  std::atomic<int64_t> load_began_ms_{0};
};

// How the configuration wants RDB files written, and what they tell of the server.
RdbSaveOptions rdb_save_options(const Server& server, int64_t now_ms);

}  // namespace synap
