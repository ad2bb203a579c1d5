// What memory is used for besides the data: INFO memory and MEMORY STATS show the same figures.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "server/command/server_api.h"

namespace synap {

struct MemoryOverhead {
  size_t startup = 0;
  size_t clients_normal = 0;
  size_t clients_replicas = 0;
  size_t aof_buffer = 0;
  std::vector<std::pair<int, size_t>> tables;  // database, bytes of its hash tables; only of those with keys
  size_t keys = 0;

  size_t total() const;
  // Of `used` bytes what is data.
  size_t dataset(size_t used) const { return used - (total() < used ? total() : used); }
};

MemoryOverhead memory_overhead(Server& server);

// What maxmemory does not count: it would grow by evicting.
size_t memory_not_counted(const Server& server);

}  // namespace synap
