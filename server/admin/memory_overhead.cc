#include "server/admin/memory_overhead.h"

#include "server/command/client_memory.h"

namespace synap {

size_t MemoryOverhead::total() const {
  size_t sum = startup + clients_normal + clients_replicas + aof_buffer;
  for (const auto& [db, bytes] : tables) sum += bytes;
  return sum;
}

MemoryOverhead memory_overhead(Server& server) {
  MemoryOverhead overhead;
  overhead.startup = server.startup_memory_bytes;
  overhead.aof_buffer = server.aof_buffer_bytes.load(std::memory_order_relaxed);
  for (const std::shared_ptr<SharedSession>& client : server.clients->all()) {
    const bool replica = (client->flags.load(std::memory_order_relaxed) & kSessionReplica) != 0;
    (replica ? overhead.clients_replicas : overhead.clients_normal) += client_memory_bytes(*client);
  }
  Keyspace& keyspace = *server.keyspace;
  for (int db = 0; db < keyspace.databases(); ++db) {
    const size_t keys = keyspace.key_count(db);
    if (keys == 0) continue;
    overhead.keys += keys;
    size_t bytes = 0;
    for (size_t i = 0; i < kShards; ++i) bytes += keyspace.shard(i).dbs[static_cast<size_t>(db)].table.memory_bytes();
    overhead.tables.emplace_back(db, bytes);
  }
  return overhead;
}

size_t memory_not_counted(const Server& server) {
  return server.aof_buffer_bytes.load(std::memory_order_relaxed) +
         server.replica_buffer_bytes.load(std::memory_order_relaxed) +
         server.message_bytes.load(std::memory_order_relaxed);
}

}  // namespace synap
