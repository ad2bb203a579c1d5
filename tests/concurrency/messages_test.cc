// Messages while everything moves: subscribers that come, change their minds and go, on all reactors, under publishers; and
// clients that cache keys, which must never believe an old value once they could know better.
#include <array>
#include <map>
#include <memory>
#include <sstream>

#include "tests/concurrency/crowd.h"
#include "tests/integration/resp3_client.h"

using namespace synap_test;

namespace {

constexpr size_t kCachedKeys = 16;
// What is known to have been written, by key: raised after the reply.
using Acknowledged = std::array<std::atomic<long long>, kCachedKeys>;

// A client with a cache of its own.
class Cacher {
 public:
  Cacher(int port, const std::vector<std::string>& tracking) : client_(port) { client_.call(tracking); }

  // Looks at one key as an application would; what is wrong with what it sees, or nothing.
  std::string look(size_t index, const Acknowledged& acknowledged) {
    const std::string key = "c" + std::to_string(index);
    const long long known = acknowledged[index];
    client_.call({"PING"});
    apply_pushes();
    auto cached = values_.find(key);
    if (cached == values_.end()) {
      const std::string text = client_.call({"GET", key});
      apply_pushes();
      cached = values_.emplace(key, text == "(nil)" ? 0 : std::atoll(text.c_str())).first;
    }
    if (cached->second >= known) return {};
    return key + ": " + std::to_string(cached->second) + " is cached, " + std::to_string(known) + " was acknowledged";
  }

 private:
  void apply_pushes() {
    while (client_.has_push()) {
      std::istringstream words(client_.push());  // "invalidate KEY …"
      for (std::string key; words >> key;) values_.erase(key);
    }
  }

  Resp3Client client_;
  std::map<std::string, long long> values_;
};

void raise_to(std::atomic<long long>* value, long long to) {
  for (long long old = *value; old < to && !value->compare_exchange_weak(old, to);) {
  }
}

void add_cachers(Crowd* crowd, ServerProcess* server, const Acknowledged& acknowledged, const std::vector<std::string>& tracking) {
  crowd->add("cache", 2, [&, server, tracking, cacher = std::shared_ptr<Cacher>()](Client&, Random& random) mutable -> std::string {
    if (cacher == nullptr || random.below(2000) == 0) cacher = std::make_shared<Cacher>(server->port(), tracking);
    return cacher->look(random.below(kCachedKeys), acknowledged);
  });
}

}  // namespace

TEST_CASE("No cached value is older than what was acknowledged before the client last heard from the server") {
  ServerProcess server({"--io-threads", "4", "--io-threads-always-active", "yes", "--tracking-table-max-keys", "12"});
  Acknowledged acknowledged{};
  Crowd crowd(&server);
  crowd.add("write", 3, [&](Client& client, Random& random) -> std::string {
    const size_t index = random.below(kCachedKeys);
    const std::string key = "c" + std::to_string(index);
    Reply reply;
    switch (random.below(4)) {
      case 0:
        client.call({"MULTI"});
        client.call({"INCR", key});
        client.call({"SET", "other", "x"});
        reply = client.call({"EXEC"});
        reply = reply.items.empty() ? Reply() : reply.items[0];
        break;
      case 1:
        reply = client.call({"EVAL", "return redis.call('INCR', KEYS[1])", "1", key});
        break;
      default:
        reply = client.call({"INCR", key});
    }
    if (reply.type != REDIS_REPLY_INTEGER) return unexpected("INCR", reply);
    raise_to(&acknowledged[index], reply.integer);
    return {};
  });
  add_cachers(&crowd, &server, acknowledged, {"CLIENT", "TRACKING", "on"});
  add_cachers(&crowd, &server, acknowledged, {"CLIENT", "TRACKING", "on", "NOLOOP"});
  add_cachers(&crowd, &server, acknowledged, {"CLIENT", "TRACKING", "on", "BCAST", "PREFIX", "c"});
  crowd.run_for(seconds_per_test());
  check_clean_end(&server);
}

TEST_CASE("Subscribers come, change their minds and go while others publish") {
  ServerProcess server({"--io-threads", "4", "--io-threads-always-active", "yes", "--notify-keyspace-events", "KEA"});
  Crowd crowd(&server);
  crowd.add("publish", 3, [](Client& client, Random& random) -> std::string {
    const std::string channel = random.key("ch", 5);
    const Reply reply = random.below(3) == 0 ? client.call({"SPUBLISH", channel, "m"})
                        : random.below(3) == 0 ? client.call({"SET", random.key("k", 5), "v", "PX", "5"})
                                               : client.call({"PUBLISH", channel, std::string(random.below(30000), 'm')});
    return reply.error() || reply.broken() ? unexpected("PUBLISH", reply) : "";
  });
  // After the confirmation that a channel is left, nothing of it may come.
  crowd.add("change", 4, [&server, client = std::shared_ptr<Resp3Client>()](Client&, Random& random) mutable -> std::string {
    if (client == nullptr || random.below(50) == 0) client = std::make_shared<Resp3Client>(server.port());
    const std::string channel = random.key("ch", 5);
    client->send({"SUBSCRIBE", channel});
    client->send({"PSUBSCRIBE", "c*", "__key*"});
    client->send({"SSUBSCRIBE", channel});
    for (uint64_t i = random.below(5); i > 0; --i) static_cast<void>(client->push());  // the confirmations are four at least
    client->send({"UNSUBSCRIBE", channel});
    client->send({"PUNSUBSCRIBE"});
    client->send({"SUNSUBSCRIBE"});
    if (client->call({"PING"}) != "PONG") return "no PONG";
    bool left = false;
    while (client->has_push()) {
      const std::string push = client->push();
      if (left && push.starts_with("message " + channel + " ")) return "a message after the channel was left";
      left = left || push.starts_with("unsubscribe " + channel + " ");
    }
    return left ? "" : "no confirmation";
  });
  crowd.add("leave", 2, [&server](Client&, Random& random) -> std::string {
    Client client(server.port());
    client.append({"SUBSCRIBE", random.key("ch", 5), random.key("ch", 5)});
    client.append({"PSUBSCRIBE", "*"});
    if (random.below(2) != 0) client.read();
    return {};
  });
  crowd.add("look", 1, [](Client& client, Random&) -> std::string {
    const Reply reply = client.call({"PUBSUB", "NUMSUB", "ch0", "ch1"});
    return reply.items.size() == 4 && !client.call({"PUBSUB", "CHANNELS"}).error() ? "" : unexpected("PUBSUB", reply);
  });
  crowd.run_for(seconds_per_test());
  Client client(server.port());
  CHECK(eventually([&] { return client.info("pubsub_channels") == "0" && client.info("pubsub_patterns") == "0"; }));
  check_clean_end(&server);
}
