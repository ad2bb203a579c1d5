// HeldShard: a script on a connection of its own that keeps one shard of the server busy.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace synap_test {

// A script that keeps the shard of its key until SCRIPT KILL.
class HeldShard {
 public:
  HeldShard(const ServerProcess& server, const std::string& key) : script_(server.port()), control_(server.port()) {
    script_.send(encode({"EVAL", "redis.call('get', KEYS[1]) while true do end", "1", key}));
    CHECK(eventually([&] { return control_.text({"CLIENT", "LIST"}).find("cmd=eval ") != std::string::npos; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  void release() {
    CHECK(eventually([&] { return control_.call({"SCRIPT", "KILL"}).ok(); }));
    CHECK(script_.receive(1).substr(0, 4) == "-ERR");
  }

 private:
  RawSocket script_;
  Client control_;
};

// A key that lies in another shard than this one (the hash has another seed in every process). Not with a
// busy-reply-threshold between 1 and 499 ms.
inline std::string key_beside(const ServerProcess& server, const std::string& key) {
  for (int i = 0;; ++i) {
    const std::string other = key + std::to_string(i);
    HeldShard held(server, other);
    RawSocket probe(server.port());
    probe.send(encode({"EXISTS", key}));
    const bool answered = !probe.receive(1, 500).empty();
    held.release();
    if (answered) return other;
  }
}

}  // namespace synap_test
