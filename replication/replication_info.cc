#include "replication/replication_info.h"

#include "persistence/journal.h"
#include "server/command/info_writer.h"
#include "server/command/server_api.h"

namespace synap {

void info_replication(Server& server, InfoWriter& info) {
  info.text("role", "master");
  info.number("connected_slaves", 0);
  info.text("master_failover_state", "no-failover");
  info.text("master_replid", server.run_id);
  info.text("master_replid2", std::string(40, '0'));
  info.number("master_repl_offset", server.journal->end_offset());
  info.number("second_repl_offset", -1);
  info.flag("repl_backlog_active", false);
  info.number("repl_backlog_size", server.config->current().repl_backlog_size);
  info.number("repl_backlog_first_byte_offset", 0);
  info.number("repl_backlog_histlen", 0);
}

}  // namespace synap
