#include "server/admin/memory_overhead.h"

namespace synap {

namespace {

size_t client_bytes(const SharedSession& client) {
  const auto load = [](const std::atomic<uint64_t>& value) { return value.load(std::memory_order_relaxed); };
  return load(client.query_buffer_bytes) + load(client.query_buffer_free_bytes) + load(client.argv_bytes) +
         load(client.multi_bytes) + load(client.output_chunk_bytes) + load(client.output_bytes) + sizeof(SharedSession) +
         sizeof(Session);
}

}  // namespace

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
    (replica ? overhead.clients_replicas : overhead.clients_normal) += client_bytes(*client);
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
         server.replica_buffer_bytes.load(std::memory_order_relaxed);
}

}  // namespace synap
