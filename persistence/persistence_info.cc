#include "persistence/persistence_info.h"

#include <algorithm>

#include "persistence/aof.h"
#include "persistence/persistence.h"
#include "server/base/clock.h"
#include "server/command/info_writer.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

double percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void loading_fields(const Persistence::Figures& figures, int64_t now_s, InfoWriter& info) {
  const uint64_t total = figures.load_total_bytes;
  const uint64_t done = std::min(figures.load_bytes, total);
  const int64_t elapsed_s = std::max<int64_t>(now_s - figures.load_began_s, 1);
  const int64_t eta_s =
      done == 0 ? 1 : static_cast<int64_t>(static_cast<double>(elapsed_s) * static_cast<double>(total - done) /
                                           static_cast<double>(done));
  info.number("loading_start_time", figures.load_began_s);
  info.number("loading_total_bytes", total);
  info.number("loading_rdb_used_mem", uint64_t{0});
  info.number("loading_loaded_bytes", done);
  info.fixed("loading_loaded_perc", percent(done, total));
  info.number("loading_eta_seconds", eta_s);
}

void aof_fields(const Aof::Figures& aof, InfoWriter& info) {
  info.flag("aof_enabled", aof.enabled);
  info.flag("aof_rewrite_in_progress", aof.rewrite_running);
  info.flag("aof_rewrite_scheduled", aof.rewrite_scheduled);
  info.number("aof_last_rewrite_time_sec", aof.last_rewrite_s);
  info.number("aof_current_rewrite_time_sec", aof.current_rewrite_s);
  info.text("aof_last_bgrewrite_status", aof.last_rewrite_ok ? "ok" : "err");
  info.number("aof_rewrites", aof.rewrites);
  info.number("aof_rewrites_consecutive_failures", aof.failures);
  info.text("aof_last_write_status", aof.write_ok ? "ok" : "err");
  info.number("aof_last_cow_size", aof.last_cow_bytes);
}

void aof_size_fields(const Aof::Figures& aof, InfoWriter& info) {
  info.number("aof_current_size", aof.current_bytes);
  info.number("aof_base_size", aof.base_bytes);
  info.flag("aof_pending_rewrite", aof.rewrite_scheduled);
  info.number("aof_buffer_length", aof.buffered_bytes);
  info.flag("aof_pending_bio_fsync", aof.sync_pending);
  info.number("aof_delayed_fsync", aof.delayed_syncs);
}

}  // namespace

void info_persistence(Server& server, InfoWriter& info) {
  const int64_t now_ms = wall_clock_ms();
  const Persistence::Figures figures = server.persistence->figures(now_ms);
  const bool loading = server.state->has(kStateLoading);
  info.flag("loading", loading);
  info.flag("async_loading", server.state->has(kStateAsyncLoading));
  info.number("current_cow_peak", figures.current_cow_peak);
  info.number("current_cow_size", figures.current_cow_bytes);
  info.number("current_cow_size_age", 0);
  info.fixed("current_fork_perc", percent(figures.current_keys, figures.current_keys_total));
  info.number("current_save_keys_processed", figures.current_keys);
  info.number("current_save_keys_total", figures.current_keys_total);
  info.number("rdb_changes_since_last_save", server.changes_since_snapshot());
  info.flag("rdb_bgsave_in_progress", figures.child_running);
  info.number("rdb_last_save_time", figures.last_save_s);
  info.text("rdb_last_bgsave_status", figures.last_ok ? "ok" : "err");
  info.number("rdb_last_bgsave_time_sec", figures.last_time_s);
  info.number("rdb_current_bgsave_time_sec", figures.current_time_s);
  info.number("rdb_saves", figures.saves);
  info.number("rdb_last_cow_size", figures.last_cow_bytes);
  info.number("rdb_last_load_keys_expired", figures.load_keys_expired);
  info.number("rdb_last_load_keys_loaded", figures.load_keys_loaded);
  const Aof::Figures aof = server.aof->figures(now_ms);
  aof_fields(aof, info);
  info.number("module_fork_in_progress", 0);
  info.number("module_fork_last_cow_size", 0);
  if (aof.enabled) aof_size_fields(aof, info);
  if (loading) loading_fields(figures, now_ms / 1000, info);
}

}  // namespace synap
