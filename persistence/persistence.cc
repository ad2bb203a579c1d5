#include "persistence/persistence.h"

#include <unistd.h>

#include "persistence/aof.h"
#include "persistence/big_file.h"
#include "persistence/compressed_stream.h"
#include "persistence/file_stream.h"
#include "scripting/scripting.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/command/memory_usage.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

constexpr size_t kSyncEveryBytes = 4 << 20;  // rdb-save-incremental-fsync

// snapshot-keep: the file that is about to be replaced becomes NAME.1, what that was NAME.2, and so on.
void keep_old_snapshots(FileSystem* files, const std::string& name, int64_t keep) {
  if (keep == 0 || !files->exists(name)) return;
  const auto older = [&](int64_t i) { return name + "." + std::to_string(i); };
  for (int64_t i = keep; i > 1; --i) {
    if (files->exists(older(i - 1))) static_cast<void>(files->rename(older(i - 1), older(i)));
  }
  if (files->exists(older(1))) static_cast<void>(files->remove(older(1)));
  // A second name, so that there is no moment without the file.
  const Status kept = files->link(name, older(1));
  if (!kept.ok()) log_warning("Could not keep the old snapshot as %s: %s", older(1).c_str(), kept.detail().c_str());
}

std::string temporary_name(int pid) { return "temp-" + std::to_string(pid) + ".rdb"; }

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

Persistence::Persistence(Server* server, FileSystem* files, OomScore* oom_score)
    : server_(server), files_(files), child_(server, oom_score), last_save_ms_(wall_clock_ms()) {}

Persistence::~Persistence() { end_loading(true); }

// --- Saving.

RdbSaveOptions rdb_save_options(const Server& server, int64_t now_ms) {
  const Config& config = server.config->current();
  RdbSaveOptions options;
  options.functions = server.scripting->registry().current();
  options.used_memory_bytes = used_memory_bytes();
  options.encoding = {.compress = config.rdbcompression != Compression::kNo, .checksum = config.rdbchecksum};
  options.now_ms = now_ms;
  options.key_delay_us = config.rdb_key_save_delay;
  options.access_clock = clock_of(config, now_ms);
  options.save_frequencies = options.access_clock.lfu;
  options.save_idle_times = config.maxmemory_policy == MaxmemoryPolicy::kAllkeysLru ||
                            config.maxmemory_policy == MaxmemoryPolicy::kVolatileLru;
  return options;
}

Status Persistence::write_file(const Config& config, RdbSaveOptions options, RdbProgress* progress) {
  const std::string temporary = temporary_name(getpid());
  const auto failed = [&](const char* what, const Status& why) {
    log_warning("%s %s: %s", what, temporary.c_str(), why.detail().c_str());
    static_cast<void>(files_->remove(temporary));
    return why;
  };
  auto file = files_->open(temporary, FileSystem::Mode::kReplace);
  if (!file.ok()) return failed("Failed opening the temp RDB file", file.status());
  FileSink sink(file->get(), config.rdb_save_incremental_fsync ? kSyncEveryBytes : 0);
  Status status;
  if (config.rdbcompression == Compression::kLz4 || config.rdbcompression == Compression::kZstd) {
    CompressedSink frame(config.rdbcompression, &sink);
    options.encoding.compress = false;  // the whole file is
    status = save_rdb(*server_->keyspace, options, &frame, progress);
    if (status.ok()) status = frame.finish();
  } else {
    status = save_rdb(*server_->keyspace, options, &sink, progress);
  }
  if (status.ok()) status = (*file)->sync();
  if (!status.ok()) return failed("Write error saving DB on disk in", status);
  keep_old_snapshots(files_, config.dbfilename, config.snapshot_keep);
  status = files_->rename(temporary, config.dbfilename);
  if (!status.ok()) return failed("Error moving temp DB file on the final destination from", status);
  // The renamed file's directory entry survives a power cut only once the directory is synced.
  status = files_->sync_directory(".");
  if (!status.ok()) return failed("Could not sync the data directory after", status);
  log_notice("DB saved on disk");
  return {};
}

Status Persistence::save(int64_t now_ms) {
  kill_child();  // its file is older and must not take this one's place
  const uint64_t dirty = server_->changes_since_snapshot();
  RdbProgress progress;
  saves_.fetch_add(1, std::memory_order_relaxed);
  const Status status = write_file(server_->config->current(), rdb_save_options(*server_, now_ms), &progress);
  if (status.ok()) count_saved(dirty);
  finish_save(status.ok(), now_ms);
  return status;
}

// A child that ends after this has nothing more to count.
void Persistence::count_saved(uint64_t changes) {
  server_->changes_saved.fetch_add(changes, std::memory_order_relaxed);
  dirty_at_fork_.store(0, std::memory_order_relaxed);
}

void Persistence::finish_save(bool ok, int64_t now_ms) {
  last_ok_.store(ok, std::memory_order_relaxed);
  if (ok) last_save_ms_.store(now_ms, std::memory_order_relaxed);
  refresh_disk_error();
}

void Persistence::refresh_disk_error() {
  const Config& config = server_->config->current();
  const bool snapshots_fail =
      config.stop_writes_on_bgsave_error && !config.save.empty() && !last_ok_.load(std::memory_order_relaxed);
  server_->state->assign(kStateDiskError, snapshots_fail || !server_->aof->healthy());
}

std::string Persistence::disk_error() const {
  if (!server_->aof->healthy()) return "MISCONF Errors writing to the AOF file: " + server_->aof->last_error();
  return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
         "may modify the data set are disabled, because this instance is configured to report errors during writes if "
         "RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about "
         "the RDB error.";
}

Persistence::Started Persistence::start_background(int64_t now_ms, bool later) {
  if (child_.running()) {
    if (!later) return Started::kBusy;
    scheduled_.store(true);
    return Started::kScheduled;
  }
  const Config& config = server_->config->current();
  scheduled_.store(false);
  last_try_ms_.store(now_ms, std::memory_order_relaxed);
  dirty_at_fork_.store(server_->changes_since_snapshot(), std::memory_order_relaxed);
  RdbSaveOptions save = rdb_save_options(*server_, now_ms);
  const Status started = child_.start(
      ForkedChild::Purpose::kSnapshot, now_ms,
      [&](RdbProgress* progress, const std::function<void()>& measure) {
        save.on_keys = measure;
        return write_file(config, std::move(save), progress);
      },
      [this](const ForkedChild::Outcome& outcome) { child_ended(outcome); });
  if (!started.ok()) {
    log_warning("Can't save in background: fork: %s", started.detail().c_str());
    finish_save(false, now_ms);
    return Started::kForkFailed;
  }
  saves_.fetch_add(1, std::memory_order_relaxed);
  return Started::kStarted;
}

void Persistence::child_ended(const ForkedChild::Outcome& outcome) {
  const int64_t now_ms = wall_clock_ms();
  last_time_s_.store(outcome.seconds, std::memory_order_relaxed);
  last_cow_bytes_.store(outcome.cow_bytes, std::memory_order_relaxed);
  if (outcome.ok) {
    log_notice("Background saving terminated with success");
    count_saved(dirty_at_fork_.load(std::memory_order_relaxed));
    return finish_save(true, now_ms);
  }
  static_cast<void>(remove_big_file(files_, temporary_name(outcome.pid)));
  if (outcome.signal_number != 0) {
    log_warning("Background saving terminated by signal %d", outcome.signal_number);
  } else {
    log_warning("Background saving error");
  }
  if (!outcome.told_to_stop) finish_save(false, now_ms);
}

bool Persistence::wants_background(int64_t now_ms) {
  refresh_disk_error();  // its settings may have changed
  if (child_.running() || server_->state->has(kStateLoading | kStateShuttingDown)) return false;
  if (scheduled_.load()) return true;
  const auto dirty = static_cast<int64_t>(server_->changes_since_snapshot());
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

Persistence::Cancelled Persistence::cancel_background() {
  const bool was_scheduled = scheduled_.exchange(false);
  if (kill_child()) return Cancelled::kRunning;
  return was_scheduled ? Cancelled::kScheduled : Cancelled::kNothing;
}

std::string Persistence::save_path() { return temporary_name(getpid()); }

bool Persistence::kill_child() { return child_.kill(ForkedChild::Purpose::kSnapshot); }

void Persistence::end() {
  end_loading(true);
  end_child();
}

void Persistence::end_child() {
  ForkedChild::Purpose purpose;
  const int pid = child_.end(&purpose);
  if (pid <= 0) return;
  const bool snapshot = purpose == ForkedChild::Purpose::kSnapshot;
  log_warning(snapshot ? "There is a child saving an .rdb. Killing it!" : "There is a child rewriting the AOF. Killing it!");
  static_cast<void>(files_->remove(snapshot ? temporary_name(pid) : Aof::temporary_base_name(pid)));
}

void Persistence::all_flushed(int64_t now_ms) {
  kill_child();
  if (server_->config->current().save.empty()) return;
  static_cast<void>(save(now_ms));  // a failure is logged, and remembered for INFO
}

// --- Loading.

RdbLoadOptions Persistence::load_options(const Config& config, bool replace) {
  RdbLoadOptions options(config);
  options.now_ms = wall_clock_ms();
  options.checksum = config.rdbchecksum;
  options.access_clock = clock_of(config, options.now_ms);
  options.key_delay_us = config.key_load_delay;
  options.replace = replace;
  options.cancelled = &cancel_loading_;
  return options;
}

Status Persistence::load_file(const std::string& path, bool replace, RdbLoadResult* result) {
  auto file = files_->open(path, FileSystem::Mode::kRead);
  const Result<uint64_t> bytes = file.ok() ? (*file)->size() : Result<uint64_t>(file.status());
  if (!bytes.ok()) {
    log_warning("Fatal error: can't open the RDB file %s for reading: %s", path.c_str(), bytes.status().detail().c_str());
    return bytes.status();
  }
  FileSource raw(file->get());
  MaybeCompressedSource source(&raw);
  load_total_bytes_.store(*bytes, std::memory_order_relaxed);
  load_progress_.bytes.store(0, std::memory_order_relaxed);
  RdbLoadOptions options = load_options(server_->config->current(), replace);
  options.source_bytes = *bytes;
  RdbReader reader(&source, options.checksum);
  const Status status = load_rdb(&reader, server_->keyspace, options, result, &load_progress_);
  load_keys_expired_.store(result->keys_expired, std::memory_order_relaxed);
  load_keys_loaded_.store(result->keys_loaded, std::memory_order_relaxed);
  if (status.ok()) {
    const std::string skipped =
        result->empty_keys_skipped == 0 ? "" : ", empty keys skipped: " + std::to_string(result->empty_keys_skipped);
    log_notice("Done loading RDB, keys loaded: %llu, keys expired: %llu%s.",
               static_cast<unsigned long long>(result->keys_loaded),
               static_cast<unsigned long long>(result->keys_expired), skipped.c_str());
    return status;
  }
  log_warning("Error reading the RDB file %s: %s", path.c_str(), status.detail().c_str());
  log_warning("%s", status.code() == StatusCode::kIoError
                        ? "Short read or OOM loading DB. Unrecoverable error, aborting now."
                        : "The RDB file is corrupt: synap-server --check-rdb tells more.");
  return status;
}

Status Persistence::load_rdb_and_libraries(const std::string& path, bool replace, const LoadLibraries& load_libraries) {
  RdbLoadResult result;
  const Status status = load_file(path, replace, &result);
  if (!status.ok() || result.libraries.empty()) return status;
  const std::string error = load_libraries(result.libraries, replace);
  if (error.empty()) return {};
  log_warning("A function library of the data set cannot be loaded: %s", error.c_str());
  return Status(StatusCode::kCorrupt, error);
}

Status Persistence::load_aof_files(CommandRunner* runner, const LoadLibraries& load_libraries) {
  AofLoad load{.server = server_,
               .files = files_,
               .runner = runner,
               .load_libraries = load_libraries,
               .directory = server_->aof->directory(),
               .manifest = server_->aof->manifest(),
               .rdb_options = load_options(server_->config->current(), true),
               .progress = &load_progress_,
               .cancelled = &cancel_loading_};
  load.rdb_options.keep_expired = true;
  const Result<uint64_t> total = aof_total_bytes(files_, load.directory, load.manifest);
  if (!total.ok()) return total.status();
  load_total_bytes_.store(*total, std::memory_order_relaxed);
  load.rdb_options.source_bytes = *total;
  RdbLoadResult result;
  const Status status = load_aof(load, &result);
  load_keys_expired_.store(result.keys_expired, std::memory_order_relaxed);
  load_keys_loaded_.store(result.keys_loaded, std::memory_order_relaxed);
  return status;
}

bool Persistence::begin_loading(CommandRunner* runner, LoadLibraries load_libraries, std::function<void(Status)> done) {
  const Config& config = server_->config->current();
  // An AOF that was just switched on in the configuration begins with what the snapshot holds; Redis would lose that.
  const bool from_aof = config.appendonly && server_->aof->has_files();
  const std::string path = config.dbfilename;
  if (!from_aof && !files_->exists(path)) return false;
  server_->state->set(kStateLoading);
  load_began_ms_.store(wall_clock_ms(), std::memory_order_relaxed);
  loader_ = std::thread([=, this] {
    const int64_t began_us = monotonic_us();
    const Status status =
        from_aof ? load_aof_files(runner, load_libraries) : load_rdb_and_libraries(path, false, load_libraries);
    if (status.ok()) {
      log_notice("DB loaded from disk: %.3f seconds", static_cast<double>(monotonic_us() - began_us) / 1e6);
    } else if (!from_aof) {
      log_warning("Terminating server after rdb file reading failure.");
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

void Persistence::free_all_keys() {
  for (size_t i = 0; i < kShards; ++i) {
    for (DbSlice& slice : server_->keyspace->shard(i).dbs) {
      DbSlice old;
      std::swap(old, slice);
      old.table.for_each([](Entry* entry, bool) { free_entry(entry); });
    }
  }
}

Status Persistence::load_now(bool keep_keys, bool replace, const LoadLibraries& load_libraries) {
  if (!keep_keys) free_all_keys();
  return load_rdb_and_libraries(server_->config->current().dbfilename, replace, load_libraries);
}

Status Persistence::load_aof_now(CommandRunner* runner, const LoadLibraries& load_libraries) {
  if (!server_->aof->drain(false)) return Status(StatusCode::kIoError, server_->aof->last_error());
  const Status manifest = server_->aof->load_manifest();
  if (!manifest.ok()) return manifest;
  server_->state->set(kStateLoading);
  free_all_keys();
  const Status status = load_aof_files(runner, load_libraries);
  server_->state->clear(kStateLoading);
  if (status.ok()) count_saved(server_->changes_since_snapshot());
  return status;
}

Persistence::Figures Persistence::figures(int64_t now_ms) const {
  const auto relaxed = std::memory_order_relaxed;
  const ForkedChild::Figures child = child_.figures();
  const bool saving = child_.running_for(ForkedChild::Purpose::kSnapshot);
  return {.child_running = saving,
          .current_time_s = saving ? child_.elapsed_s(now_ms) : -1,
          .current_keys = child.keys,
          .current_keys_total = child.keys_total,
          .current_cow_bytes = child.cow_bytes,
          .current_cow_peak = child.cow_peak,
          .last_save_s = last_save_s(),
          .last_time_s = last_time_s_.load(relaxed),
          .last_ok = last_ok_.load(relaxed),
          .saves = saves_.load(relaxed),
          .last_cow_bytes = last_cow_bytes_.load(relaxed),
          .forks = child.forks,
          .last_fork_us = child.last_fork_us,
          .load_keys_expired = load_keys_expired_.load(relaxed),
          .load_keys_loaded = load_keys_loaded_.load(relaxed),
          .load_began_s = load_began_ms_.load(relaxed) / 1000,
          .load_total_bytes = load_total_bytes_.load(relaxed),
          .load_bytes = load_progress_.bytes.load(relaxed)};
}

}  // namespace synap
