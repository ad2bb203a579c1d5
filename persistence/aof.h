// Aof: the append-only file as a whole: which files there are (its manifest), switching it on and off, and the rewrite that
// replaces increments by a new base. The bytes themselves are AofWriter's.
//
//   off ── switch_on() ──▶ waits for a base (effects go to a temporary increment) ── first rewrite ──▶ on
//
// Files and manifest are changed on the writer's thread, in order with the journal, so that a base and its increments
// always meet at one point of it; each step leaves a manifest that can be loaded.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "persistence/aof_loader.h"
#include "persistence/aof_manifest.h"
#include "persistence/aof_writer.h"
#include "persistence/file.h"
#include "persistence/forked_child.h"
#include "persistence/journal.h"
#include "persistence/journal_gate.h"
#include "server/base/status.h"
#include "server/base/sync.h"
#include "server/command/server_api.h"

namespace synap {

class Aof {
 public:
  Aof(Server* server, FileSystem* files, Journal* journal, JournalGate* gate, ForkedChild* child);
  Aof(const Aof&) = delete;
  Aof& operator=(const Aof&) = delete;

  // --- Start, before other threads run commands. Failures are in the log.
  // Reads the manifest; an old single file becomes the base of a new one.
  Status load_manifest();
  // Whether there is anything to load.
  bool has_files() const;
  // The files as they are now, to be loaded. The writer must have nothing under way.
  AofManifest manifest() const;
  std::string directory() const;
  // After loading, with appendonly yes: makes what is missing and lets the journal flow into the last increment.
  Status open(int64_t now_ms);

  // --- Any thread.
  bool is_on() const { return state_.load(std::memory_order_acquire) != State::kOff; }
  // CONFIG SET appendonly. On: a rewrite must follow, see wants_rewrite().
  void switch_on();
  void switch_off();
  void policy_changed();
  // CONFIG SET aof-disable-auto-gc no: removes what was kept. Returns when the manifest says so.
  void collect_history();
  // Whether start_rewrite() should be called now, under all shards; on reactor 0.
  bool wants_rewrite(int64_t now_ms);
  enum class Started : uint8_t { kStarted, kScheduled, kBusy, kFailed };
  // BGREWRITEAOF. The caller has all shards.
  Started start_rewrite(int64_t now_ms);
  void schedule_rewrite() { scheduled_.store(true); }
  // Everything appended so far is in the file, and synced if asked. False: the disk does not take it.
  bool drain(bool sync) { return writer_.drain(sync); }
  // The process ends: everything that was journaled is written and synced.
  void close();

  AofWriter& writer() { return writer_; }
  bool healthy() const { return writer_.healthy(); }
  std::string last_error() const { return writer_.last_error(); }
  // A first base is being written: ending now would lose what the AOF was switched on for.
  bool waits_for_base() const { return state_.load(std::memory_order_acquire) == State::kWaitsForBase; }

  struct Figures {
    bool enabled, rewrite_running, rewrite_scheduled, last_rewrite_ok, write_ok;
    int64_t last_rewrite_s, current_rewrite_s;
    uint64_t rewrites, failures, last_cow_bytes, current_bytes, base_bytes, buffered_bytes, delayed_syncs;
    bool sync_pending;
  };
  Figures figures(int64_t now_ms) const;

  // Of the child with this pid.
  static std::string temporary_base_name(int pid);

 private:
  enum class State : uint8_t { kOff, kWaitsForBase, kOn };

  std::string prefix() const;
  std::string path(const std::string& name) const { return directory() + "/" + name; }
  std::string manifest_path() const { return path(aof_manifest_name(prefix())); }
  std::string temporary_increment() const { return path("temp-" + prefix() + ".incr"); }
  // Made if need be, durably.
  Status make_directory();
  Status adopt_old_file(AofManifest* manifest);
  // What the names in it mean must be durable before.
  Status persist(const AofManifest& manifest);
  // It was not. True: the one before is, and files that only the failed one names may go.
  bool take_back_manifest();
  Status write_base(const std::string& target, bool rdb, RdbSaveOptions options, RdbProgress* progress);
  // On the writer's thread.
  struct Begun {
    uint64_t increment = 0;  // the sequence of the one that begins with the base
    bool failed = false;     // its file could not be made
  };
  struct Rewrite {
    bool rdb;          // the base's format
    bool first;        // the AOF was waiting for a base
    bool has_increment;  // was on: an increment began with the rewrite
    uint64_t switched;   // how often the AOF had been switched off
    std::shared_ptr<Begun> begun;
  };
  Result<std::unique_ptr<File>> open_new(const std::string& name);
  void begin_increment(Begun* begun);
  void begin_temporary_increment(Begun* begun);
  bool install(const std::string& temporary_base, const Rewrite& rewrite);
  void remove_history();
  // False: it is still there.
  bool remove_file(const std::string& name);
  void measure();
  // On reactor 0.
  void rewrite_ended(const ForkedChild::Outcome& outcome, const Rewrite& rewrite);
  void rewrite_finished(bool ok, const ForkedChild::Outcome& outcome);
  bool retry_is_limited(int64_t now_ms);

  Server* const server_;
  FileSystem* const files_;
  Journal* const journal_;
  ForkedChild* const child_;
  AofWriter writer_;

  mutable Mutex mutex_{LockRank::kFiles};
  AofManifest manifest_ GUARDED_BY(mutex_);
  std::atomic<State> state_{State::kOff};
  std::atomic<uint64_t> switched_off_{0};    // times; with the state under mutex_
  std::atomic<bool> scheduled_{false};
  std::atomic<bool> installing_{false};      // a rewrite ended well and becomes the base
  std::atomic<bool> subscribed_{false};
  std::atomic<bool> last_ok_{true};
  std::atomic<int64_t> last_rewrite_s_{-1}, retry_at_ms_{0}, retry_delay_min_{0};
  std::atomic<uint64_t> rewrites_{0}, failures_{0}, last_cow_bytes_{0};
  std::atomic<uint64_t> closed_bytes_{0};    // of all files but the one that grows
  std::atomic<uint64_t> bytes_at_rewrite_{0};
};

}  // namespace synap
