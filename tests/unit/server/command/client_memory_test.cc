#include "server/command/client_memory.h"

#include <doctest/doctest.h>

namespace synap {

TEST_CASE("A client's memory is the sum of what its reactor published") {
  SharedSession client(1);
  const uint64_t idle = client_memory_bytes(client);
  CHECK(idle == sizeof(SharedSession) + sizeof(Session));
  client.query_buffer_bytes = 100;
  client.query_buffer_free_bytes = 20;
  client.argv_bytes = 3;
  client.multi_bytes = 4;
  client.registry_bytes = 5;
  client.output_bytes = 6;
  CHECK(client_memory_bytes(client) == idle + 138);
}

TEST_CASE("The limit is bytes, a share of maxmemory, or none") {
  Config config;
  CHECK(client_memory_limit(config) == 0);
  config.maxmemory_clients = 5000;
  CHECK(client_memory_limit(config) == 5000);
  config.maxmemory_clients = -7;
  CHECK(client_memory_limit(config) == 0);
  config.maxmemory = 1000000;
  CHECK(client_memory_limit(config) == 70000);
}

TEST_CASE("Who serves replication, watches the server or asked for it is not evicted") {
  CHECK(client_is_evictable(0));
  CHECK(client_is_evictable(kSessionPubsub | kSessionMulti));
  for (const uint64_t flag : {kSessionReplica, kSessionMaster, kSessionMonitor, kSessionNoEvict}) CHECK_FALSE(client_is_evictable(flag));
}

}  // namespace synap
