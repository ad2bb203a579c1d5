// AofWriter: the thread that puts the journal into the append-only file. Effects gather in memory while the batch before
// them is written and synced (group commit), each batch headed by its CRC (aof_format.h). Whoever opens, changes and
// removes AOF files does it on this thread, too, in order with the journal's bytes: see in_order().
//
//   append() under the journal's lock ─▶ queue ─▶ write ─▶ sync as appendfsync says ─▶ JournalGate::release()
//
// Under `always` the next batch is written when the one before is durable. Otherwise syncs run beside the writes: a slow
// disk does not keep what a killed process would lose.
// A write that fails is taken back and tried again, and meanwhile writes are refused; under `always` the process ends,
// for nothing that was acknowledged may be lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "persistence/background_sync.h"
#include "persistence/file.h"
#include "persistence/journal.h"
#include "persistence/journal_gate.h"
#include "server/base/sync.h"
#include "server/command/config.h"

namespace synap {

struct Server;

class AofWriter final : public JournalSubscriber {
 public:
  AofWriter(Server* server, JournalGate* gate) : server_(server), gate_(gate) {}
  ~AofWriter();
  AofWriter(const AofWriter&) = delete;
  AofWriter& operator=(const AofWriter&) = delete;

  // Under the journal's lock.
  void append(std::span<const std::string_view> parts, uint64_t end_offset) override;
  // Any thread. Wakes the writer if it sleeps and enough is there: reactors call it once a turn, after their commands.
  void kick();
  // Any thread. Runs the task on the writer's thread after everything that was appended before. The first one starts it.
  void in_order(std::function<void()> task);
  // Any thread but the writer's. Returns when everything appended before is written (and synced, if asked), and all tasks
  // are done. False: it cannot be written at present.
  bool drain(bool sync);
  // Batches that wait before the next set_file() are dropped should they fail: the AOF is being switched off.
  void give_up_failing() { giving_up_.store(true, std::memory_order_relaxed); }
  // Writes and syncs what is left, then ends the thread.
  void stop();

  // --- In tasks.
  // The file that batches go to from now on, with what it holds; null: none, batches are dropped. The old one is synced
  // and closed.
  void set_file(std::unique_ptr<File> file, uint64_t bytes);
  // The journal's offset at which a first file begins.
  void begin_at(uint64_t offset);
  // Whether what is synced counts as durable, and replies wait for it while appendfsync is `always`: not before the AOF
  // holds the whole data set.
  void set_promising(bool promising);
  // All that was written is on disk; false: it cannot be synced.
  bool sync_written();
  uint64_t file_bytes() const { return file_bytes_.load(std::memory_order_relaxed); }

  // --- Any thread.
  // appendfsync was changed: replies wait, or no longer, when this returns.
  void refresh_gate();
  // Of the journal: on disk.
  uint64_t synced_offset() const { return synced_offset_.load(std::memory_order_acquire); }
  // `reached` is called on the writer's thread, once, when the journal is synced up to the offset, or nothing is promised
  // any more.
  void when_synced(uint64_t offset, std::function<void()> reached);
  size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }
  bool healthy() const { return write_ok_.load(std::memory_order_relaxed) && sync_ok_.load(std::memory_order_relaxed); }
  // errno's text while it is not.
  std::string last_error() const;
  uint64_t delayed_syncs() const { return delayed_syncs_.load(std::memory_order_relaxed); }
  bool sync_pending() const { return syncing_.load(std::memory_order_relaxed); }
  std::atomic<int64_t> flush_sleep_us{0};     // DEBUG AOF-FLUSH-SLEEP
  std::function<bool()> child_saves;          // whether no-appendfsync-on-rewrite counts; set before the first task

 private:
  static constexpr size_t kBatchBytes = 1 << 20;       // an effect begins a new batch when there is this much
  static constexpr size_t kSyncAfterBytes = 32 << 20;  // under `always`, of one group
  static constexpr int64_t kRetryUs = 100'000;
  static constexpr int64_t kGatherUsMax = 10'000;  // for a group whose replies wait
  // Unless replies wait: how long a batch gathers after the one before, and how much of it is written at once.
  static constexpr int64_t kWriteEveryUs = 1'000;
  static constexpr size_t kWriteAtOnceBytes = 256 << 10;

  // A batch of effects, or a task.
  struct Item {
    std::string bytes;
    uint64_t end_offset = 0;
    std::function<void()> task;
  };
  struct SyncWaiter {
    uint64_t offset;
    std::function<void()> reached;
  };

  void run();
  bool take(Item* item);
  int64_t wait_us() const REQUIRES(mutex_);
  void gather() REQUIRES(mutex_);
  bool group_complete() const REQUIRES(mutex_);
  void write_until_done(Item* item);
  bool write_batch(const Item& item);
  void write_failed(const std::string& why);
  void write_succeeded();
  void sync_if_due(bool nothing_left);
  bool sync();
  void start_background_sync();
  bool end_background_sync();
  bool sync_ended(const Status& status, int64_t took_us);
  void publish_synced(uint64_t offset);
  void call_waiters(uint64_t offset);
  void report(const char* event, int64_t took_us);
  void count_queued(int64_t change);
  const Config& config() const;

  Server* const server_;
  JournalGate* const gate_;

  mutable Mutex mutex_{LockRank::kFiles};
  CondVar work_came_;
  CondVar work_done_;
  std::deque<Item> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool busy_ GUARDED_BY(mutex_) = false;  // with an item that left the queue
  bool want_sync_ GUARDED_BY(mutex_) = false;
  uint64_t appended_ GUARDED_BY(mutex_) = 0;      // effects since the last sync began
  uint64_t appended_expected_ GUARDED_BY(mutex_) = 0;  // as many as it made durable, and those that came meanwhile
  bool gathering_ GUARDED_BY(mutex_) = false;  // asleep until group_complete()
  std::vector<SyncWaiter> sync_waiters_ GUARDED_BY(mutex_);
  std::string last_error_ GUARDED_BY(mutex_);
  std::atomic<bool> sleeping_{false};

  // Of the writer's thread.
  std::unique_ptr<File> file_;
  std::atomic<bool> promising_{false};  // others read it
  bool damaged_tail_ = false;  // a failed write left bytes that could not be cut off yet
  bool dropping_ = false;      // a batch was given up: what follows in this file would leave a hole
  uint64_t unsynced_bytes_ = 0;
  uint64_t written_offset_ = 0;
  BackgroundSync background_sync_;
  uint64_t background_bytes_ = 0;   // what it syncs
  uint64_t background_offset_ = 0;  // up to here
  uint64_t background_syncs_ = 0;   // begun
  int64_t last_write_us_ = 0;      // its end
  int64_t last_sync_us_ = 0;       // its end
  int64_t last_sync_took_us_ = 0;
  int64_t last_timestamp_s_ = 0;
  int64_t last_complaint_us_ = 0;

  std::atomic<uint64_t> file_bytes_{0};
  std::atomic<uint64_t> synced_offset_{0};
  std::atomic<size_t> queued_bytes_{0};
  std::atomic<bool> write_ok_{true}, sync_ok_{true};
  std::atomic<bool> syncing_{false}, giving_up_{false};
  std::atomic<uint64_t> delayed_syncs_{0};
  std::thread thread_;
};

}  // namespace synap
