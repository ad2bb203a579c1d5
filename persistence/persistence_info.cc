#include "persistence/persistence_info.h"

#include "server/command/info_writer.h"
#include "server/command/server_api.h"

namespace synap {

void info_persistence(Server& server, InfoWriter& info) {
  info.flag("loading", server.state->has(kStateLoading));
  info.flag("async_loading", server.state->has(kStateAsyncLoading));
  info.number("current_cow_peak", 0);
  info.number("current_cow_size", 0);
  info.number("current_cow_size_age", 0);
  info.fixed("current_fork_perc", 0);
  info.number("current_save_keys_processed", 0);
  info.number("current_save_keys_total", 0);
  info.number("rdb_changes_since_last_save", server.dirty.load(std::memory_order_relaxed));
  info.flag("rdb_bgsave_in_progress", false);
  info.number("rdb_last_save_time", server.start_ms / 1000);
  info.text("rdb_last_bgsave_status", "ok");
  info.number("rdb_last_bgsave_time_sec", -1);
  info.number("rdb_current_bgsave_time_sec", -1);
  info.number("rdb_saves", 0);
  info.number("rdb_last_cow_size", 0);
  info.number("rdb_last_load_keys_expired", 0);
  info.number("rdb_last_load_keys_loaded", 0);
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
}

}  // namespace synap
