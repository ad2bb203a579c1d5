// What a client's connection takes of memory, from the figures that its reactor publishes: CLIENT LIST's tot-mem, INFO's
// mem_clients_*, and what maxmemory-clients is about.
#pragma once

#include <cstdint>

#include "server/command/config.h"
#include "server/command/session.h"

namespace synap {

inline uint64_t client_memory_bytes(const SharedSession& client) {
  const auto load = [](const std::atomic<uint64_t>& value) { return value.load(std::memory_order_relaxed); };
  return load(client.query_buffer_bytes) + load(client.query_buffer_free_bytes) + load(client.argv_bytes) +
         load(client.multi_bytes) + load(client.registry_bytes) + load(client.output_chunk_bytes) +
         load(client.output_bytes) + sizeof(SharedSession) + sizeof(Session);
}

// Replicas, masters and listeners of MONITOR are not evicted, nor who asked for it (CLIENT NO-EVICT).
inline bool client_is_evictable(uint64_t session_flags) {
  return (session_flags & (kSessionReplica | kSessionMaster | kSessionMonitor | kSessionNoEvict)) == 0;
}

// maxmemory-clients in bytes; 0: no limit.
inline uint64_t client_memory_limit(const Config& config) {
  if (config.maxmemory_clients >= 0) return static_cast<uint64_t>(config.maxmemory_clients);
  return static_cast<uint64_t>(static_cast<double>(config.maxmemory) * static_cast<double>(-config.maxmemory_clients) / 100);
}

}  // namespace synap
