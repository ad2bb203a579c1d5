#include "persistence/persistence_info.h"

#include <algorithm>

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
  info.number("rdb_changes_since_last_save", server.dirty.load(std::memory_order_relaxed));
  info.flag("rdb_bgsave_in_progress", figures.child_running);
  info.number("rdb_last_save_time", figures.last_save_s);
  info.text("rdb_last_bgsave_status", figures.last_ok ? "ok" : "err");
  info.number("rdb_last_bgsave_time_sec", figures.last_time_s);
  info.number("rdb_current_bgsave_time_sec", figures.current_time_s);
  info.number("rdb_saves", figures.saves);
  info.number("rdb_last_cow_size", figures.last_cow_bytes);
  info.number("rdb_last_load_keys_expired", figures.load_keys_expired);
  info.number("rdb_last_load_keys_loaded", figures.load_keys_loaded);
  info.flag("aof_enabled", false);
  info.flag("aof_rewrite_in_progress", false);
  info.flag("aof_rewrite_scheduled", false);
  info.number("aof_last_rewrite_time_sec", -1);
  info.number("aof_current_rewrite_time_sec", -1);
  info.text("aof_last_bgrewrite_status", "ok");
  info.number("aof_rewrites", 0);
  info.number("aof_rewrites_consecutive_failures", 0);
  info.text("aof_last_write_status", "ok");
  info.number("aof_last_cow_size", 0);
  info.number("module_fork_in_progress", 0);
  info.number("module_fork_last_cow_size", 0);
  if (loading) loading_fields(figures, now_ms / 1000, info);
}

}  // namespace synap
