// What passes from one client to another across reactors: queue elements once each, messages in order; and clients that
// come, go, are listed and killed meanwhile.
#include <map>
#include <mutex>
#include <set>

#include "tests/concurrency/crowd.h"

using namespace synap_test;

TEST_CASE("Every queued element is delivered once, whoever waits where") {
  ServerProcess server({"--io-threads", "4", "--io-threads-always-active", "yes"});
  std::atomic<long long> pushed = 0;
  std::mutex mutex;
  std::set<std::string> seen;
  std::string doubled;
  Crowd crowd(&server);
  crowd.add("push", 3, [&](Client& client, Random& random) -> std::string {
    const std::string value = std::to_string(++pushed);
    const Reply reply = random.below(4) != 0 ? client.call({"RPUSH", random.key("q", 3), value})
                                             : client.call({"EVAL", "return redis.call('LPUSH',KEYS[1],ARGV[1])", "1", random.key("q", 3), value});
    return reply.type == REDIS_REPLY_INTEGER ? "" : unexpected("push", reply);
  });
  crowd.add("pop", 4, [&](Client& client, Random& random) -> std::string {
    const Reply reply = random.below(2) != 0 ? client.call({"BLPOP", "q0", "q1", "q2", "0.05"}) : client.call({"BRPOP", "q2", "q0", "q1", "0.05"});
    if (reply.nil()) return {};
    if (reply.items.size() != 2) return unexpected("BLPOP", reply);
    const std::lock_guard lock(mutex);
    if (!seen.insert(reply.items[1].text).second) doubled = reply.items[1].text;
    return {};
  });
  crowd.run_for(seconds_per_test());
  Client client(server.port());
  for (const char* queue : {"q0", "q1", "q2"}) {
    for (const Reply& item : client.call({"LRANGE", queue, "0", "-1"}).items) CHECK(seen.insert(item.text).second);
  }
  CHECK(doubled == "");
  CHECK(static_cast<long long>(seen.size()) == pushed);
  CHECK(client.info("blocked_clients") == "0");
  check_clean_end(&server);
}

TEST_CASE("Messages of one publisher arrive in order at every subscriber") {
  ServerProcess server({"--io-threads", "4", "--io-threads-always-active", "yes"});
  std::atomic<int> next_publisher = 0;
  std::vector<std::thread> subscribers;
  std::atomic<int> ready = 0;
  std::atomic<uint64_t> received = 0;
  std::atomic<int> disordered = 0;
  for (int i = 0; i < 6; ++i) {
    subscribers.emplace_back([&] {
      Client client(server.port());
      client.call({"SUBSCRIBE", "c"});
      ++ready;
      std::map<int, long long> last;
      while (true) {
        const Reply reply = client.read();
        if (reply.items.size() != 3) break;
        if (reply.items[2].text == "end") break;
        const int publisher = std::atoi(reply.items[2].text.c_str());
        const long long number = std::atoll(reply.items[2].text.substr(reply.items[2].text.find(' ')).c_str());
        if (number != ++last[publisher]) ++disordered;
        ++received;
      }
    });
  }
  REQUIRE(eventually([&] { return ready == 6; }));
  {
    Crowd publishers(&server);
    publishers.add("publish", 3, [&, numbers = std::map<Client*, std::pair<int, long long>>()](Client& client, Random&) mutable -> std::string {
      auto [at, fresh] = numbers.try_emplace(&client, 0, 0);
      if (fresh) at->second.first = ++next_publisher;
      const std::string text = std::to_string(at->second.first) + " " + std::to_string(++at->second.second);
      const Reply reply = client.call({"PUBLISH", "c", text});
      return reply.integer == 6 ? "" : unexpected("PUBLISH", reply);
    });
    publishers.run_for(seconds_per_test());
  }
  Client(server.port()).call({"PUBLISH", "c", "end"});
  for (std::thread& thread : subscribers) thread.join();
  CHECK(received > 0);
  CHECK(disordered == 0);
  check_clean_end(&server);
}

TEST_CASE("Clients come, go, are listed and killed; settings and statistics change meanwhile") {
  ServerProcess server({"--io-threads", "4", "--io-threads-always-active", "yes"});
  Crowd crowd(&server);
  crowd.add("short lives", 3, [&server](Client&, Random& random) -> std::string {
    Client client(server.port());
    client.append({"SET", random.key("k", 100), "v"});
    client.append({"SUBSCRIBE", "c"});
    client.append({"BLPOP", "none", "0"});
    if (random.below(2) != 0) client.read();
    return {};
  });
  crowd.add("admin", 2, [](Client& client, Random& random) -> std::string {
    const std::vector<std::vector<std::string>> commands = {
        {"CLIENT", "LIST"}, {"INFO", "everything"}, {"CONFIG", "SET", "maxmemory-samples", std::to_string(1 + random.below(9))},
        {"CONFIG", "GET", "*"}, {"CLIENT", "KILL", "TYPE", "pubsub"}, {"CONFIG", "RESETSTAT"}, {"MEMORY", "STATS"}, {"SLOWLOG", "GET"},
        {"LATENCY", "LATEST"}, {"COMMAND", "COUNT"}, {"PUBLISH", "c", "x"}, {"ACL", "SETUSER", "u", "on", ">p", "~*", "+@all"}, {"ACL", "DELUSER", "u"},
        {"CLIENT", "NO-EVICT", "on"}, {"DBSIZE"}, {"RANDOMKEY"}, {"CLIENT", "PAUSE", "1", "WRITE"}, {"OBJECT", "ENCODING", "k1"}};
    const Reply reply = client.call(commands[random.below(commands.size())]);
    return reply.broken() || reply.error() ? unexpected("admin", reply) : "";
  });
  crowd.add("work", 2, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"SET", random.key("k", 1000), "v", "PX", std::to_string(1 + random.below(20))});
    return reply.ok() ? "" : unexpected("SET", reply);
  });
  crowd.add("readers", 2, [](Client& client, Random& random) -> std::string {
    const Reply reply = random.below(2) != 0 ? client.call({"GET", random.key("k", 1000)}) : client.call({"SCAN", "0", "COUNT", "100"});
    return reply.error() || reply.broken() ? unexpected("read", reply) : "";
  });
  crowd.run_for(seconds_per_test());
  Client client(server.port());
  CHECK(eventually([&] { return client.info("connected_clients") == "1"; }));
  CHECK(eventually([&] { return client.integer({"DBSIZE"}) <= 100; }));
  check_clean_end(&server);
}

TEST_CASE("Expiry and eviction beside reads and writes of the same keys") {
  ServerProcess server({"--io-threads", "4", "--io-threads-always-active", "yes", "--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru"});
  Crowd crowd(&server);
  crowd.add("write", 3, [](Client& client, Random& random) -> std::string {
    const std::string key = random.key("e", 20000);
    const Reply reply = random.below(2) != 0 ? client.call({"SET", key, std::string(random.below(3000), 'x'), "PX", std::to_string(1 + random.below(300))})
                                             : client.call({"SET", key, std::string(random.below(3000), 'y')});
    return reply.ok() ? "" : unexpected("SET", reply);
  });
  crowd.add("read", 3, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"MGET", random.key("e", 20000), random.key("e", 20000), random.key("e", 20000)});
    for (const Reply& item : reply.items) {
      if (!item.text.empty() && item.text.find_first_not_of(item.text[0]) != std::string::npos) return "a torn value";
    }
    return reply.items.size() == 3 ? "" : unexpected("MGET", reply);
  });
  crowd.run_for(seconds_per_test());
  check_clean_end(&server);
}
