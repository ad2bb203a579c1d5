#include "persistence/aof_writer.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "persistence/aof_format.h"
#include "persistence/journal.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/command/latency_monitor.h"
#include "server/command/server_api.h"
#include "server/keyspace/memory_counter.h"

namespace synap {

namespace {

constexpr int64_t kComplainEveryUs = 30'000'000;

}  // namespace

AofWriter::~AofWriter() { stop(); }

const Config& AofWriter::config() const { return server_->config->current(); }

// --- Other threads.

void AofWriter::append(std::span<const std::string_view> parts, uint64_t end_offset) {
  int64_t bytes = 0;
  for (const std::string_view part : parts) bytes += static_cast<int64_t>(part.size());
  count_queued(bytes);  // before the writer can take them off again
  LockGuard guard(mutex_);
  if (queue_.empty() || queue_.back().task || queue_.back().bytes.size() >= kBatchBytes) queue_.emplace_back();
  Item& item = queue_.back();
  for (const std::string_view part : parts) item.bytes += part;
  item.end_offset = end_offset;
  ++appended_;
}

void AofWriter::count_queued(int64_t change) {
  const size_t queued = queued_bytes_.fetch_add(static_cast<size_t>(change), std::memory_order_relaxed) +
                        static_cast<size_t>(change);
  server_->aof_buffer_bytes.store(queued, std::memory_order_relaxed);
  const auto limit = static_cast<size_t>(config().journal_buffer_limit);
  if (queued > limit) {
    if (!server_->state->has(kStateJournalFull)) server_->state->set(kStateJournalFull);
  } else if (change < 0 && queued <= limit / 2 && server_->state->has(kStateJournalFull)) {
    server_->state->clear(kStateJournalFull);
    server_->journal_full.retry_all(server_->clients);
  }
}

void AofWriter::kick() {
  if (!sleeping_.load(std::memory_order_seq_cst) || queued_bytes_.load(std::memory_order_seq_cst) == 0) return;
  LockGuard guard(mutex_);
  if (gathering_ && !group_complete()) return;
  work_came_.notify_one();
}

void AofWriter::in_order(std::function<void()> task) {
  LockGuard guard(mutex_);
  queue_.emplace_back().task = std::move(task);
  work_came_.notify_one();
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

bool AofWriter::drain(bool sync) {
  LockGuard guard(mutex_);
  if (!thread_.joinable()) return true;
  want_sync_ = want_sync_ || sync;
  work_came_.notify_one();
  while ((!queue_.empty() || busy_ || want_sync_) && healthy()) work_done_.wait_for_us(mutex_, kRetryUs);
  return healthy();
}

void AofWriter::stop() {
  if (!thread_.joinable()) return;
  {
    LockGuard guard(mutex_);
    stopping_ = true;
    work_came_.notify_one();
  }
  thread_.join();
}

void AofWriter::when_synced(uint64_t offset, std::function<void()> reached) {
  {
    LockGuard guard(mutex_);
    sync_waiters_.push_back({offset, std::move(reached)});
  }
  in_order([] {});  // it may have been reached meanwhile: the writer looks
}

std::string AofWriter::last_error() const {
  LockGuard guard(mutex_);
  return last_error_;
}

// --- The thread.

void AofWriter::run() {
  memory_counter_join();
  for (Item item; take(&item); item = Item()) {
    if (item.task) {
      item.task();
    } else if (!item.bytes.empty()) {
      write_until_done(&item);
      count_queued(-static_cast<int64_t>(item.bytes.size()));
    }
    bool nothing_left;
    {
      LockGuard guard(mutex_);
      nothing_left = queue_.empty();
    }
    sync_if_due(nothing_left);
    LockGuard guard(mutex_);
    busy_ = false;
    if (queue_.empty()) work_done_.notify_all();
  }
  set_file(nullptr, 0);
}

// Waits for an item, or with an empty one until a sync is due. False: stopped, and nothing is left.
bool AofWriter::take(Item* item) {
  LockGuard guard(mutex_);
  gather();
  while (queue_.empty()) {
    if (stopping_) return false;
    const int64_t patience_us = wait_us();
    if (patience_us == 0 || want_sync_) break;
    sleeping_.store(true, std::memory_order_seq_cst);
    if (queue_.empty()) patience_us < 0 ? work_came_.wait(mutex_) : void(work_came_.wait_for_us(mutex_, patience_us));
    sleeping_.store(false, std::memory_order_relaxed);
  }
  busy_ = true;
  if (queue_.empty()) return true;
  *item = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

// Lets a group come together before it is written. Under `always` whoever was released by the last sync writes again just
// now: were the first of them synced alone, all others, and those who wrote during that sync, would wait for two. So they
// get as long as a sync takes to join, but not for the sake of clients that a slow disk has driven away. Otherwise nobody
// waits for the disk, and a write for every turn of a reactor would cost more than its commands.
void AofWriter::gather() {
  const int64_t until_us = gate_->active() ? last_sync_us_ + std::min(last_sync_took_us_, kGatherUsMax)
                                           : last_write_us_ + kWriteEveryUs;
  gathering_ = true;
  while (!group_complete()) {
    const int64_t patience_us = until_us - monotonic_us();
    if (patience_us <= 0) break;
    sleeping_.store(true, std::memory_order_seq_cst);
    work_came_.wait_for_us(mutex_, patience_us);
    sleeping_.store(false, std::memory_order_relaxed);
  }
  gathering_ = false;
}

bool AofWriter::group_complete() const {
  if (stopping_ || want_sync_ || (!queue_.empty() && (queue_.front().task || queue_.back().task))) return true;
  if (gate_->active()) return appended_ >= appended_expected_;
  return queued_bytes_.load(std::memory_order_relaxed) >= kWriteAtOnceBytes;
}

// Until the next sync is due; 0: now, -1: none is.
int64_t AofWriter::wait_us() const {
  const bool for_somebody = !sync_waiters_.empty() && synced_offset() < written_offset_;
  if (unsynced_bytes_ == 0 || file_ == nullptr || background_sync_.started()) return -1;
  const Config& now = config();
  if (now.appendfsync == AppendFsync::kNo && !for_somebody) return -1;
  const int64_t due_us = last_sync_us_ + now.appendfsync_interval_ms * 1000;
  return std::max<int64_t>(due_us - monotonic_us(), 0);
}

// Tries for as long as it takes: what comes after this batch must not be written before it.
void AofWriter::write_until_done(Item* item) {
  const int64_t nap_us = flush_sleep_us.load(std::memory_order_relaxed);
  if (nap_us > 0) usleep(static_cast<useconds_t>(nap_us));
  while (!dropping_ && !write_batch(*item)) {
    LockGuard guard(mutex_);
    // The log has said that it cannot be written.
    dropping_ = stopping_ || giving_up_.load(std::memory_order_relaxed);
    work_done_.notify_all();
    if (!dropping_) work_came_.wait_for_us(mutex_, kRetryUs);
  }
  if (!dropping_) written_offset_ = item->end_offset;
}

bool AofWriter::write_batch(const Item& item) {
  if (file_ == nullptr) return true;
  const uint64_t begin = file_bytes();
  if (damaged_tail_) {
    const Status cut = file_->truncate(begin);
    if (!cut.ok()) {
      write_failed(cut.detail());
      return false;
    }
    damaged_tail_ = false;
  }
  std::string batch;
  const int64_t now_s = wall_clock_ms() / 1000;
  const bool stamped = config().aof_timestamp_enabled && now_s != last_timestamp_s_;
  if (stamped) {
    batch = aof_timestamp_line(now_s);
    last_timestamp_s_ = now_s;
  }
  batch += aof_batch_line(item.bytes, stamped ? now_s : 0);
  batch += item.bytes;
  const int64_t began_us = monotonic_us();
  size_t written = 0;
  const Status status = file_->write(batch, &written);
  last_write_us_ = monotonic_us();
  report("aof-write", last_write_us_ - began_us);
  if (!status.ok()) {
    last_timestamp_s_ = 0;
    damaged_tail_ = written != 0 && !file_->truncate(begin).ok();
    write_failed(status.detail());
    return false;
  }
  file_bytes_.store(begin + batch.size(), std::memory_order_relaxed);
  unsynced_bytes_ += batch.size();
  write_succeeded();
  return true;
}

void AofWriter::write_failed(const std::string& why) {
  if (promising_ && config().appendfsync == AppendFsync::kAlways) {
    log_warning("Can't recover from AOF write error when the AOF fsync policy is 'always': %s. Exiting...", why.c_str());
    _exit(1);
  }
  const int64_t now_us = monotonic_us();
  if (write_ok_.load(std::memory_order_relaxed) || now_us - last_complaint_us_ > kComplainEveryUs) {
    last_complaint_us_ = now_us;
    log_warning("Error writing to the AOF file: %s", why.c_str());
  }
  {
    LockGuard guard(mutex_);
    last_error_ = why;
  }
  write_ok_.store(false, std::memory_order_relaxed);
  server_->state->set(kStateDiskError);
}

void AofWriter::write_succeeded() {
  if (write_ok_.exchange(true, std::memory_order_relaxed)) return;
  log_notice("AOF write error looks solved. The server can write again.");
}

void AofWriter::sync_if_due(bool nothing_left) {
  bool asked;
  {
    LockGuard guard(mutex_);
    asked = std::exchange(want_sync_, false);
  }
  if (file_ == nullptr || unsynced_bytes_ == 0) return publish_synced(written_offset_);
  const Config& now = config();
  const bool spare = now.no_appendfsync_on_rewrite && !asked && child_saves && child_saves();
  bool due = asked;
  switch (now.appendfsync) {
    case AppendFsync::kAlways:
      due = due || nothing_left || unsynced_bytes_ >= kSyncAfterBytes;
      break;
    case AppendFsync::kEverysec:
    case AppendFsync::kNo: {
      LockGuard guard(mutex_);
      due = due || wait_us() == 0;
      break;
    }
  }
  if (!due) return;
  if (spare) {
    last_sync_us_ = monotonic_us();
    if (now.appendfsync == AppendFsync::kAlways) gate_->release(written_offset_);  // as the directive asks for
    return;
  }
  if (now.appendfsync != AppendFsync::kAlways && !asked) return start_background_sync();
  if (sync()) publish_synced(written_offset_);
}

// Nothing is written meanwhile.
bool AofWriter::sync() {
  // The kernel tells of an error once, so that one may know what the other does not.
  if (background_sync_.started()) {
    if (!end_background_sync()) return false;
    if (unsynced_bytes_ == 0) return true;
  }
  uint64_t group;
  {
    LockGuard guard(mutex_);
    group = std::exchange(appended_, 0);
  }
  const int64_t began_us = monotonic_us();
  syncing_.store(true, std::memory_order_relaxed);
  const Status status = file_->sync();
  syncing_.store(false, std::memory_order_relaxed);
  {
    LockGuard guard(mutex_);
    appended_expected_ = group + appended_;
  }
  if (!sync_ended(status, monotonic_us() - began_us)) return false;
  unsynced_bytes_ = 0;
  return true;
}

void AofWriter::start_background_sync() {
  background_bytes_ = unsynced_bytes_;
  background_offset_ = written_offset_;
  syncing_.store(true, std::memory_order_relaxed);
  background_sync_.start(file_.get(), [this, number = ++background_syncs_] {
    in_order([this, number] {
      if (background_sync_.started() && background_syncs_ == number) static_cast<void>(end_background_sync());
    });
  });
}

bool AofWriter::end_background_sync() {
  const BackgroundSync::Outcome outcome = background_sync_.wait();
  syncing_.store(false, std::memory_order_relaxed);
  if (!sync_ended(outcome.status, outcome.took_us)) return false;
  unsynced_bytes_ -= background_bytes_;
  publish_synced(background_offset_);
  return true;
}

bool AofWriter::sync_ended(const Status& status, int64_t took_us) {
  const bool always = config().appendfsync == AppendFsync::kAlways;
  report(always ? "aof-fsync-always" : "aof-fsync", took_us);
  last_sync_us_ = monotonic_us();
  last_sync_took_us_ = took_us;
  if (took_us > config().appendfsync_interval_ms * 1000) delayed_syncs_.fetch_add(1, std::memory_order_relaxed);
  if (status.ok()) {
    if (!sync_ok_.exchange(true)) log_notice("AOF sync error looks solved. The server can write again.");
    return true;
  }
  if (promising_ && always) {
    log_warning("Can't persist AOF for fsync error when the AOF fsync policy is 'always': %s. Exiting...",
                status.detail().c_str());
    _exit(1);
  }
  if (sync_ok_.exchange(false)) log_warning("Fail to fsync the AOF file: %s", status.detail().c_str());
  {
    LockGuard guard(mutex_);
    last_error_ = status.detail();
  }
  server_->state->set(kStateDiskError);
  return false;
}

// The journal is durable up to here.
void AofWriter::publish_synced(uint64_t offset) {
  if (!promising_.load(std::memory_order_relaxed)) return;
  synced_offset_.store(offset, std::memory_order_release);
  gate_->release(offset);
  call_waiters(offset);
}

void AofWriter::call_waiters(uint64_t offset) {
  std::vector<std::function<void()>> reached;
  {
    LockGuard guard(mutex_);
    const auto rest = std::stable_partition(sync_waiters_.begin(), sync_waiters_.end(),
                                            [offset](const SyncWaiter& waiter) { return waiter.offset > offset; });
    for (auto it = rest; it != sync_waiters_.end(); ++it) reached.push_back(std::move(it->reached));
    sync_waiters_.erase(rest, sync_waiters_.end());
  }
  for (const auto& call : reached) call();
}

void AofWriter::report(const char* event, int64_t took_us) {
  const int64_t took_ms = took_us / 1000;
  const int64_t threshold_ms = config().latency_monitor_threshold;
  if (threshold_ms > 0 && took_ms >= threshold_ms) server_->latency->add(event, took_ms);
}

void AofWriter::set_file(std::unique_ptr<File> file, uint64_t bytes) {
  if (file_ != nullptr && unsynced_bytes_ != 0 && sync()) publish_synced(written_offset_);
  file_ = std::move(file);
  file_bytes_.store(bytes, std::memory_order_relaxed);
  unsynced_bytes_ = 0;
  damaged_tail_ = false;
  dropping_ = false;
  last_timestamp_s_ = 0;
  giving_up_.store(false, std::memory_order_relaxed);
  write_ok_.store(true, std::memory_order_relaxed);
  sync_ok_.store(true, std::memory_order_relaxed);
}

void AofWriter::begin_at(uint64_t offset) {
  written_offset_ = offset;
  synced_offset_.store(offset, std::memory_order_release);
}

bool AofWriter::sync_written() {
  if (file_ != nullptr && unsynced_bytes_ != 0 && !sync()) return false;
  publish_synced(written_offset_);
  return true;
}

void AofWriter::set_promising(bool promising) {
  promising_.store(promising);
  refresh_gate();
  if (!promising) call_waiters(UINT64_MAX);
  static_cast<void>(sync_written());
}

void AofWriter::refresh_gate() {
  {
    LockGuard guard(mutex_);
    const bool gated = promising_.load() && config().appendfsync == AppendFsync::kAlways;
    if (gated == gate_->active()) return;
    gate_->set_active(gated);
    // Of what came before nobody knows which keys it was: replies may tell of any of it.
    if (gated) gate_->wrote_all(server_->journal->end_offset());
  }
  in_order([this] { static_cast<void>(sync_written()); });
}

}  // namespace synap
