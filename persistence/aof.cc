#include "persistence/aof.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "persistence/aof_rewrite.h"
#include "persistence/big_file.h"
#include "persistence/file_stream.h"
#include "persistence/persistence.h"
#include "scripting/scripting.h"
#include "server/base/clock.h"
#include "server/base/log.h"

namespace synap {

namespace {

// Failing rewrites are not repeated at once for ever.
constexpr uint64_t kFailuresBeforeLimit = 3;
constexpr int64_t kLimitMinutesMax = 60;
constexpr size_t kSyncEveryBytes = 4 << 20;  // aof-rewrite-incremental-fsync

unsigned long long printable(uint64_t number) { return number; }

}  // namespace

Aof::Aof(Server* server, FileSystem* files, Journal* journal, JournalGate* gate, ForkedChild* child)
    : server_(server), files_(files), journal_(journal), child_(child), writer_(server, gate) {
  writer_.child_saves = [child] { return child->running(); };
}

std::string Aof::prefix() const { return server_->config->current().appendfilename; }
std::string Aof::directory() const { return server_->config->current().appenddirname; }
std::string Aof::temporary_base_name(int pid) { return "temp-rewriteaof-bg-" + std::to_string(pid) + ".aof"; }

bool Aof::has_files() const { return !manifest().empty(); }

AofManifest Aof::manifest() const {
  LockGuard guard(mutex_);
  return manifest_;
}

// --- Start.

Status Aof::load_manifest() {
  AofManifest manifest;
  if (files_->exists(manifest_path())) {
    const Result<std::string> text = read_file(files_, manifest_path());
    Result<AofManifest> parsed = text.ok() ? AofManifest::parse(*text) : Result<AofManifest>(text.status());
    if (!parsed.ok()) {
      log_warning("Fatal error: the AOF manifest %s cannot be used: %s", manifest_path().c_str(),
                  parsed.status().detail().c_str());
      return parsed.status();
    }
    manifest = std::move(*parsed);
  }
  if (server_->config->current().appendonly) {
    const Status adopted = adopt_old_file(&manifest);
    if (!adopted.ok()) return adopted;
  }
  LockGuard guard(mutex_);
  manifest_ = std::move(manifest);
  return {};
}

// A Redis before 7 kept all in one file in the data directory.
Status Aof::adopt_old_file(AofManifest* manifest) {
  const std::string old = prefix();
  if (!files_->exists(old)) return {};
  const bool under_way = manifest->base && manifest->increments.empty() && manifest->base->name == old &&
                         !files_->exists(path(old));
  if (!manifest->empty() && !under_way) return {};
  AofManifest fresh;
  fresh.base = AofFile{old, 1};
  fresh.base_sequence = 1;
  Status status = make_directory();
  if (status.ok()) status = persist(fresh);
  if (status.ok()) status = files_->rename(old, path(old));
  if (status.ok()) status = files_->sync_directory(directory());
  if (status.ok()) status = files_->sync_directory(".");
  if (!status.ok()) {
    log_warning("Error trying to move the old AOF file %s into dir %s: %s", old.c_str(), directory().c_str(),
                status.detail().c_str());
    return status;
  }
  log_notice("Successfully migrated an old-style AOF configuration (%s) into the AOF directory (%s).", old.c_str(),
             directory().c_str());
  *manifest = std::move(fresh);
  return {};
}

Status Aof::persist(const AofManifest& manifest) {
  const Status status = replace_file(files_, directory(), manifest_path(), manifest.format());
  if (!status.ok()) log_warning("Could not write the AOF manifest %s: %s", manifest_path().c_str(), status.detail().c_str());
  return status;
}

bool Aof::take_back_manifest() { return persist(manifest()).ok(); }

Status Aof::make_directory() {
  const Status made = files_->make_directory(directory());
  return made.ok() ? files_->sync_directory(".") : made;
}

Status Aof::open(int64_t now_ms) {
  AofManifest manifest = this->manifest();
  const Config& config = server_->config->current();
  const auto failed = [](const char* what, const std::string& name, const Status& why) {
    log_warning("Fatal error: can't %s %s: %s", what, name.c_str(), why.detail().c_str());
    return why;
  };
  Status status = make_directory();
  if (!status.ok()) return failed("open or create append-only dir", directory(), status);
  if (manifest.empty()) {
    const bool rdb = config.aof_use_rdb_preamble;
    manifest.base = manifest.next_base(prefix(), rdb);
    log_notice("Creating AOF base file %s on server start", manifest.base->name.c_str());
    RdbProgress progress;
    status = write_base(path(manifest.base->name), rdb, rdb_save_options(*server_, now_ms), &progress);
    if (!status.ok()) return failed("create the AOF base file", manifest.base->name, status);
  }
  const bool create = manifest.increments.empty();
  if (create) manifest.increments.push_back(manifest.next_increment(prefix()));
  const std::string name = manifest.increments.back().name;
  log_notice("%s AOF incr file %s on server start", create ? "Creating" : "Opening", name.c_str());
  auto file = files_->open(path(name), FileSystem::Mode::kAppend);
  const Result<uint64_t> size = file.ok() ? (*file)->size() : Result<uint64_t>(file.status());
  if (!size.ok()) return failed("open the append-only file", name, size.status());
  // What was loaded may only be in the page cache yet, from a process that was killed; readers will see it.
  status = (*file)->sync();
  if (status.ok()) status = files_->sync_directory(directory());
  if (!status.ok()) return failed("sync the append-only file", name, status);
  status = persist(manifest);
  if (!status.ok()) return status;
  {
    LockGuard guard(mutex_);
    manifest_ = std::move(manifest);
  }
  // std::function wants what can be copied.
  auto shared = std::make_shared<std::unique_ptr<File>>(std::move(*file));
  writer_.in_order([this, shared, bytes = *size, offset = journal_->end_offset()] {
    writer_.begin_at(offset);
    writer_.set_file(std::move(*shared), bytes);
    writer_.set_promising(true);
    remove_history();
    measure();
    bytes_at_rewrite_.store(closed_bytes_.load() + bytes);
  });
  journal_->subscribe(&writer_);
  subscribed_ = true;
  state_.store(State::kOn, std::memory_order_release);
  static_cast<void>(writer_.drain(false));  // the gate is in force before the first client comes
  return {};
}

// --- On and off.

void Aof::switch_on() {
  LockGuard guard(mutex_);
  State off = State::kOff;
  if (!state_.compare_exchange_strong(off, State::kWaitsForBase)) return;
  retry_at_ms_.store(0);
  log_notice("AOF was enabled. An AOF background was scheduled to start when possible.");
}

void Aof::switch_off() {
  {
    LockGuard guard(mutex_);
    if (state_.exchange(State::kOff) == State::kOff) return;
    switched_off_.fetch_add(1);
  }
  if (child_->kill(ForkedChild::Purpose::kRewrite)) log_notice("Killing running AOF rewrite child");
  scheduled_.store(false);
  journal_->unsubscribe(&writer_);
  subscribed_ = false;
  writer_.give_up_failing();
  writer_.in_order([this] {
    writer_.set_file(nullptr, 0);
    writer_.set_promising(false);
  });
}

void Aof::collect_history() {
  writer_.in_order([this] { remove_history(); });
  static_cast<void>(writer_.drain(false));
}

void Aof::policy_changed() {
  if (is_on()) writer_.refresh_gate();
}

void Aof::close() {
  if (!is_on()) return writer_.stop();
  log_notice("Calling fsync() on the AOF file.");
  writer_.stop();
}

// --- Rewriting.

bool Aof::retry_is_limited(int64_t now_ms) {
  if (failures_.load(std::memory_order_relaxed) < kFailuresBeforeLimit) {
    retry_delay_min_.store(0);
    retry_at_ms_.store(0);
    return false;
  }
  const int64_t retry_at_ms = retry_at_ms_.load();
  if (retry_at_ms != 0) return now_ms < retry_at_ms;
  const int64_t before_min = retry_delay_min_.load();
  const int64_t delay_min = before_min == 0 ? 1 : std::min(before_min * 2, kLimitMinutesMax);
  retry_delay_min_.store(delay_min);
  retry_at_ms_.store(now_ms + delay_min * 60'000);
  log_warning("Background AOF rewrite has repeatedly failed and triggered the limit, will retry in %lld minutes",
              static_cast<long long>(delay_min));
  return true;
}

bool Aof::wants_rewrite(int64_t now_ms) {
  if (child_->running() || installing_.load() || server_->state->has(kStateLoading | kStateShuttingDown)) return false;
  if (scheduled_.load()) return true;
  const State state = state_.load(std::memory_order_acquire);
  if (state == State::kOff) return false;
  if (state == State::kWaitsForBase) return !retry_is_limited(now_ms);
  const Config& config = server_->config->current();
  const uint64_t bytes = closed_bytes_.load() + writer_.file_bytes();
  if (config.auto_aof_rewrite_percentage == 0 || bytes <= static_cast<uint64_t>(config.auto_aof_rewrite_min_size)) return false;
  const uint64_t base = std::max<uint64_t>(bytes_at_rewrite_.load(), 1);
  const uint64_t growth = bytes > base ? (bytes - base) * 100 / base : 0;
  if (growth < static_cast<uint64_t>(config.auto_aof_rewrite_percentage) || retry_is_limited(now_ms)) return false;
  log_notice("Starting automatic rewriting of AOF on %llu%% growth", printable(growth));
  return true;
}

Aof::Started Aof::start_rewrite(int64_t now_ms) {
  if (child_->running_for(ForkedChild::Purpose::kRewrite) || installing_.load()) return Started::kBusy;
  if (child_->running()) {
    scheduled_.store(true);
    return Started::kScheduled;
  }
  scheduled_.store(false);
  retry_at_ms_.store(0);
  rewrites_.fetch_add(1, std::memory_order_relaxed);
  const State state = state_.load(std::memory_order_acquire);
  const Rewrite rewrite{.rdb = server_->config->current().aof_use_rdb_preamble,
                        .first = state == State::kWaitsForBase,
                        .has_increment = state == State::kOn,
                        .switched = switched_off_.load(),
                        .begun = std::make_shared<Begun>()};
  const Status made = make_directory();
  RdbSaveOptions save = rdb_save_options(*server_, now_ms);
  const Status started = !made.ok() ? made : child_->start(
      ForkedChild::Purpose::kRewrite, now_ms,
      [&](RdbProgress* progress, const std::function<void()>& measure) {
        save.on_keys = measure;
        return write_base(temporary_base_name(getpid()), rewrite.rdb, std::move(save), progress);
      },
      [this, rewrite](const ForkedChild::Outcome& outcome) { rewrite_ended(outcome, rewrite); });
  if (!started.ok()) {
    log_warning("Can't rewrite append only file in background: %s", started.detail().c_str());
    last_ok_.store(false);
    failures_.fetch_add(1);
    return Started::kFailed;
  }
  // What comes from here on belongs to the new base: it goes to an increment of its own, which selects its database.
  journal_->forget_database();
  if (rewrite.has_increment) writer_.in_order([this, begun = rewrite.begun] { begin_increment(begun.get()); });
  if (rewrite.first) {
    writer_.in_order([this, begun = rewrite.begun, offset = journal_->end_offset(), first = !subscribed_.load()] {
      if (first) writer_.begin_at(offset);
      begin_temporary_increment(begun.get());
    });
    if (!subscribed_.exchange(true)) journal_->subscribe(&writer_);
  }
  return Started::kStarted;
}

// The data set in one file: RDB, or the commands that make it.
Status Aof::write_base(const std::string& target, bool rdb, RdbSaveOptions options, RdbProgress* progress) {
  const Config& config = server_->config->current();
  const auto failed = [&](const Status& why) {
    log_warning("Write error writing append only file on disk: %s: %s", target.c_str(), why.detail().c_str());
    static_cast<void>(files_->remove(target));
    return why;
  };
  auto file = files_->open(target, FileSystem::Mode::kReplace);
  if (!file.ok()) return failed(file.status());
  FileSink sink(file->get(), config.aof_rewrite_incremental_fsync ? kSyncEveryBytes : 0);
  options.aof_base = true;
  Status status = rdb ? save_rdb(*server_->keyspace, options, &sink, progress)
                      : save_commands(*server_->keyspace, options, config.aof_timestamp_enabled, &sink, progress);
  if (status.ok()) status = (*file)->sync();
  return status.ok() ? status : failed(status);
}

// A file that was there before is removed, not emptied: after a power cut its old bytes could be there again.
Result<std::unique_ptr<File>> Aof::open_new(const std::string& name) {
  if (files_->exists(name)) {
    if (const Status removed = files_->remove(name); !removed.ok()) return removed;
  }
  return files_->open(name, FileSystem::Mode::kReplace);
}

// On the writer's thread: the journal goes on in a new increment.
void Aof::begin_increment(Begun* begun) {
  AofManifest next = manifest();
  next.increments.push_back(next.next_increment(prefix()));
  const std::string name = next.increments.back().name;
  auto file = open_new(path(name));
  // Only the last increment may end early, so the one before must be whole when there is another.
  begun->increment = next.increments.back().sequence;
  Status status = file.ok() ? Status() : file.status();
  if (status.ok() && !writer_.sync_written()) status = Status(StatusCode::kIoError, writer_.last_error());
  if (status.ok()) status = files_->sync_directory(directory());
  if (status.ok()) status = persist(next);
  begun->failed = !status.ok();
  if (begun->failed) {
    log_warning("Can't open the append-only file %s, the rewrite under way is void: %s", name.c_str(), status.detail().c_str());
    if (take_back_manifest() && file.ok()) static_cast<void>(files_->remove(path(name)));
    return;
  }
  log_notice("Creating AOF incr file %s on background rewrite", name.c_str());
  writer_.set_file(std::move(*file), 0);
  {
    LockGuard guard(mutex_);
    manifest_ = std::move(next);
  }
  measure();
}

void Aof::begin_temporary_increment(Begun* begun) {
  auto file = open_new(temporary_increment());
  begun->failed = !file.ok();
  if (begun->failed) {
    log_warning("Can't open the append-only file %s: %s", temporary_increment().c_str(), file.status().detail().c_str());
    return;
  }
  writer_.set_file(std::move(*file), 0);
}

void Aof::rewrite_ended(const ForkedChild::Outcome& outcome, const Rewrite& rewrite) {
  last_rewrite_s_.store(outcome.seconds);
  last_cow_bytes_.store(outcome.cow_bytes);
  installing_.store(outcome.ok);
  writer_.in_order([this, outcome, rewrite] {
    const std::string temporary = temporary_base_name(outcome.pid);
    const bool wanted = outcome.ok && !outcome.told_to_stop && !rewrite.begun->failed && waits_for_base() == rewrite.first &&
                        (!rewrite.first || switched_off_.load() == rewrite.switched);
    const bool ok = wanted && install(temporary, rewrite);
    if (!ok && files_->exists(temporary)) static_cast<void>(remove_big_file(files_, temporary));
    if (!ok && rewrite.first) {  // switched off meanwhile, too
      log_notice("Removing the temp incr aof file %s", temporary_increment().c_str());
      writer_.set_file(nullptr, 0);
      if (files_->exists(temporary_increment())) static_cast<void>(remove_big_file(files_, temporary_increment()));
    }
    server_->clients->reactor(0).post([this, ok, outcome] { rewrite_finished(ok, outcome); });
  });
}

// On the writer's thread: the base that the child wrote takes the place of all files before its increment.
bool Aof::install(const std::string& temporary_base, const Rewrite& rewrite) {
  AofManifest next = manifest();
  const auto retire = [&](const AofFile& file) { next.history.insert(next.history.begin(), file); };  // latest first, as Redis
  if (next.base) retire(*next.base);
  next.base = next.next_base(prefix(), rewrite.rdb);
  const auto is_covered = [&](const AofFile& file) { return !rewrite.has_increment || file.sequence < rewrite.begun->increment; };
  while (!next.increments.empty() && is_covered(next.increments.front())) {
    retire(next.increments.front());
    next.increments.erase(next.increments.begin());
  }
  Status status = files_->rename(temporary_base, path(next.base->name));
  if (status.ok() && rewrite.first) {
    next.increments.push_back(next.next_increment(prefix()));
    status = files_->rename(temporary_increment(), path(next.increments.back().name));
  }
  if (!status.ok()) {
    log_warning("Error trying to rename the temporary AOF base file %s: %s", temporary_base.c_str(), status.detail().c_str());
    return false;
  }
  // The names first: a manifest must not be there before what it names.
  status = files_->sync_directory(directory());
  if (!status.ok()) log_warning("Could not sync the AOF directory %s: %s", directory().c_str(), status.detail().c_str());
  if (status.ok()) status = persist(next);
  if (!status.ok()) {
    if (!take_back_manifest()) return false;
    static_cast<void>(files_->remove(path(next.base->name)));
    if (rewrite.first) static_cast<void>(files_->rename(path(next.increments.back().name), temporary_increment()));
    return false;
  }
  bool promising = false;
  {
    LockGuard guard(mutex_);
    manifest_ = std::move(next);
    State waiting = State::kWaitsForBase;
    // Switched off and on again just now, it waits for another base: this one lacks what came between.
    if (rewrite.first && switched_off_.load() == rewrite.switched) promising = state_.compare_exchange_strong(waiting, State::kOn);
  }
  if (promising) writer_.set_promising(true);
  remove_history();
  measure();
  bytes_at_rewrite_.store(closed_bytes_.load() + writer_.file_bytes());
  return true;
}

// The manifest names a file until it is gone: otherwise nobody would ever remove what a crash left.
void Aof::remove_history() {
  AofManifest next = manifest();
  if (next.history.empty() || server_->config->current().aof_disable_auto_gc) return;
  std::erase_if(next.history, [this](const AofFile& file) { return remove_file(file.name); });
  if (!persist(next).ok()) return;
  LockGuard guard(mutex_);
  manifest_ = std::move(next);
}

bool Aof::remove_file(const std::string& name) {
  log_notice("Removing the history file %s in the background", name.c_str());
  const Status removed = remove_big_file(files_, path(name));
  if (removed.ok() || removed.code() == StatusCode::kNotFound) return true;
  log_warning("Could not remove the history file %s: %s", name.c_str(), removed.detail().c_str());
  return false;
}

void Aof::measure() {
  AofManifest closed = manifest();
  if (is_on() && !closed.increments.empty()) closed.increments.pop_back();
  const Result<uint64_t> bytes = aof_total_bytes(files_, directory(), closed);
  if (bytes.ok()) closed_bytes_.store(*bytes);
}

void Aof::rewrite_finished(bool ok, const ForkedChild::Outcome& outcome) {
  installing_.store(false);
  if (ok) {
    log_notice("Background AOF rewrite finished successfully");
    last_ok_.store(true);
    failures_.store(0);
    return;
  }
  if (outcome.signal_number != 0) {
    log_warning("Background AOF rewrite terminated by signal %d", outcome.signal_number);
  } else {
    log_warning("Background AOF rewrite terminated with error");
  }
  if (outcome.told_to_stop) return;
  last_ok_.store(false);
  failures_.fetch_add(1);
}

Aof::Figures Aof::figures(int64_t now_ms) const {
  const bool child = child_->running_for(ForkedChild::Purpose::kRewrite);
  const bool rewriting = child || installing_.load();
  // While the AOF waits for its base a rewrite is always on its way: seen as running or as scheduled, never as neither.
  const bool awaited = waits_for_base() && !rewriting;
  const bool starting = awaited && !subscribed_.load() && !child_->running();  // as good as forked
  return {.enabled = is_on(),
          .rewrite_running = rewriting || starting,
          .rewrite_scheduled = scheduled_.load() || (awaited && !starting),
          .last_rewrite_ok = last_ok_.load(),
          .write_ok = healthy(),
          .last_rewrite_s = last_rewrite_s_.load(),
          .current_rewrite_s = child ? child_->elapsed_s(now_ms) : -1,
          .rewrites = rewrites_.load(),
          .failures = failures_.load(),
          .last_cow_bytes = last_cow_bytes_.load(),
          .current_bytes = closed_bytes_.load() + writer_.file_bytes(),
          .base_bytes = bytes_at_rewrite_.load(),
          .buffered_bytes = writer_.queued_bytes(),
          .delayed_syncs = writer_.delayed_syncs(),
          .sync_pending = writer_.sync_pending()};
}

}  // namespace synap
