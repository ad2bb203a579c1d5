// The append-only file and snapshots beside many writers: what was acknowledged is there after a restart, whatever was
// rewritten, saved or reconfigured meanwhile.
#include "tests/concurrency/counters.h"

using namespace synap_test;

namespace {

// Writers whose acknowledged effects add up, and the sum that must be found.
class Writers {
 public:
  explicit Writers(Crowd* crowd) {
    counters_.add_incr(crowd, 4);
    crowd->add("exec", 2, [this](Client& client, Random& random) -> std::string {
      client.append({"MULTI"});
      client.append({"INCRBY", counters_.key(random), "5"});
      client.append({"DECRBY", counters_.key(random), "3"});
      client.append({"SET", random.key("e", 100), "gone soon", "PX", "20"});
      client.append({"EXEC"});
      for (int i = 0; i < 4; ++i) client.read();
      const Reply reply = client.read();
      if (reply.items.size() != 3) return unexpected("EXEC", reply);
      counters_.acknowledged(2);
      return {};
    });
    crowd->add("script", 1, [this](Client& client, Random& random) -> std::string {
      const Reply reply = client.call({"EVAL", "redis.call('INCR',KEYS[1]) return redis.call('INCR',ARGV[1])", "1",
                                       counters_.key(random), counters_.key(random)});
      if (reply.type != REDIS_REPLY_INTEGER) return unexpected("EVAL", reply);
      counters_.acknowledged(2);
      return {};
    });
    crowd->add("push", 1, [this](Client& client, Random&) -> std::string {
      const Reply reply = client.call({"RPUSH", "from", std::string(300, 'x')});
      if (reply.type != REDIS_REPLY_INTEGER) return unexpected("RPUSH", reply);
      ++pushed_;
      return {};
    });
    crowd->add("move", 2, [](Client& client, Random&) -> std::string {
      const Reply reply = client.call({"BLMOVE", "from", "to", "LEFT", "RIGHT", "0.05"});
      return reply.error() ? unexpected("BLMOVE", reply) : "";
    });
  }

  void check(int port) const {
    Client client(port);
    counters_.check(client);
    CHECK(client.integer({"LLEN", "from"}) + client.integer({"LLEN", "to"}) == pushed_);
  }

 private:
  Counters counters_{16};
  std::atomic<long long> pushed_ = 0;
};

// Refusals that only say that something else is under way.
std::string trouble(const std::string& what, const Reply& reply) {
  const bool busy = reply.error() && (reply.text.find("in progress") != std::string::npos ||
                                      reply.text.find("Background") != std::string::npos);
  return reply.broken() || (reply.error() && !busy) ? unexpected(what, reply) : "";
}

void pause(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

bool file_is_whole(Client& client) {
  return client.info("aof_enabled") == "1" && client.info("aof_rewrite_in_progress") == "0" &&
         client.info("aof_rewrite_scheduled") == "0" && client.info("aof_last_bgrewrite_status") == "ok" &&
         client.info("rdb_bgsave_in_progress") == "0";
}

}  // namespace

TEST_CASE("Acknowledged writes survive a restart, beside rewrites, snapshots and new settings") {
  const std::vector<std::string> directives = {"--io-threads", "4", "--io-threads-always-active", "yes", "--appendonly", "yes", "--save", ""};
  ServerProcess server(directives);
  Crowd crowd(&server);
  const Writers writers(&crowd);
  crowd.add("rewrite", 1, [](Client& client, Random&) -> std::string {
    pause(150);
    return trouble("BGREWRITEAOF", client.call({"BGREWRITEAOF"}));
  });
  crowd.add("save", 1, [](Client& client, Random&) -> std::string {
    pause(250);
    return trouble("BGSAVE", client.call({"BGSAVE", "SCHEDULE"}));
  });
  crowd.add("settings", 1, [](Client& client, Random& random) -> std::string {
    pause(20);
    const char* const policies[] = {"always", "everysec", "no"};
    return trouble("CONFIG SET", client.call({"CONFIG", "SET", "appendfsync", policies[random.below(3)]}));
  });
  crowd.run_for(2 * seconds_per_test());
  writers.check(server.port());
  {
    Client client(server.port());
    CHECK(eventually([&] { return file_is_whole(client); }, 30000));
  }
  check_clean_end(&server);
  server.restart(directives);
  writers.check(server.port());
  check_clean_end(&server);
}

TEST_CASE("The append-only file may be switched off and on beside writers") {
  ServerProcess server({"--io-threads", "4", "--io-threads-always-active", "yes", "--appendonly", "yes", "--appendfsync", "always", "--save", ""});
  Crowd crowd(&server);
  const Writers writers(&crowd);
  crowd.add("switch", 1, [](Client& client, Random& random) -> std::string {
    pause(100);
    return trouble("CONFIG SET", client.call({"CONFIG", "SET", "appendonly", random.below(2) != 0 ? "yes" : "no"}));
  });
  crowd.run_for(seconds_per_test());
  {
    Client client(server.port());
    CHECK(eventually([&] { return client.call({"CONFIG", "SET", "appendonly", "yes"}).ok() && file_is_whole(client); }, 30000));
  }
  check_clean_end(&server);
  server.restart({"--appendonly", "yes", "--save", ""});
  writers.check(server.port());
  check_clean_end(&server);
}

TEST_CASE("A snapshot taken under load is one moment") {
  const std::vector<std::string> directives = {"--io-threads", "4", "--io-threads-always-active", "yes", "--save", ""};
  ServerProcess server(directives);
  Client(server.port()).call({"MSET", "a0", "100", "a1", "100", "a2", "100", "a3", "100"});
  Crowd crowd(&server);
  crowd.add("transfer", 6, [](Client& client, Random& random) -> std::string {
    client.append({"MULTI"});
    client.append({"INCR", random.key("a", 4)});
    client.append({"DECR", random.key("a", 4)});
    client.append({"EXEC"});
    for (int i = 0; i < 3; ++i) client.read();
    const Reply reply = client.read();
    return reply.items.size() == 2 ? "" : unexpected("EXEC", reply);
  });
  crowd.add("save", 1, [](Client& client, Random& random) -> std::string {
    pause(30);
    const bool here = random.below(3) == 0;
    return trouble("save", here ? client.call({"SAVE"}) : client.call({"BGSAVE"}));
  });
  crowd.run_for(seconds_per_test());
  {
    Client client(server.port());
    CHECK(eventually([&] { return client.info("rdb_bgsave_in_progress") == "0"; }, 30000));
  }
  CHECK(server.stop(SIGKILL) == 128 + SIGKILL);
  server.restart(directives);
  Client client(server.port());
  long long sum = 0;
  for (const Reply& item : client.call({"MGET", "a0", "a1", "a2", "a3"}).items) sum += std::atoll(item.text.c_str());
  CHECK(sum == 400);
  check_clean_end(&server);
}
