// Reactors that change threads again and again beside clients of every kind.
#include "tests/concurrency/counters.h"

using namespace synap_test;

TEST_CASE("Nothing is lost or torn while the reactors change threads") {
  ServerProcess server({"--io-threads", "4", "--io-threads-always-active", "no"});
  Counters counters(8);
  Crowd crowd(&server);
  // So that there is little to do, and one thread is enough.
  const uint64_t rest_us_max = slow_build() ? 150000 : 20000;
  const auto rest = [=](Random& random) { std::this_thread::sleep_for(std::chrono::microseconds(random.below(rest_us_max))); };
  crowd.add("incr", 4, [&](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"INCR", counters.key(random)});
    if (reply.type != REDIS_REPLY_INTEGER) return unexpected("INCR", reply);
    counters.acknowledged(1);
    rest(random);
    return {};
  });
  std::atomic<long long> pushed_elements{0};
  std::atomic<long long> popped_elements{0};
  crowd.add("queue", 2, [&](Client& client, Random& random) -> std::string {
    const Reply pushed = client.call({"RPUSH", "queue", "x", "x"});
    if (pushed.type != REDIS_REPLY_INTEGER) return unexpected("RPUSH", pushed);
    pushed_elements += 2;
    rest(random);
    return {};
  });
  crowd.add("waiter", 4, [&](Client& client, Random&) -> std::string {
    const Reply popped = client.call({"BLPOP", "queue", "0.5"});
    if (popped.type == REDIS_REPLY_NIL) return {};
    ++popped_elements;
    return popped.items.size() == 2 ? "" : unexpected("BLPOP", popped);
  });
  crowd.add("newcomer", 2, [&](Client&, Random& random) -> std::string {
    Client guest(server.port());
    if (!guest.connected() || guest.text({"ECHO", "hello"}) != "hello") return "a new client was not served";
    guest.append({"PUBLISH", "channel", "message"});
    guest.append({"MSET", "a", "1", "b", "2", "c", "3"});
    rest(random);
    return {};
  });
  crowd.add("big", 1, [&](Client& client, Random& random) -> std::string {
    const std::string value(300000, 'v');
    if (!client.call({"SET", "big", value}).ok()) return "a big value was not taken";
    if (client.text({"GET", "big"}) != value) return "a big value is torn";
    rest(random);
    return {};
  });
  int changes = 0;
  crowd.add("changer", 1, [&, apart = false](Client& client, Random&) mutable -> std::string {
    const bool is_apart = client.text({"INFO", "server"}).find("io_threads_active:1") != std::string::npos;
    if (is_apart == apart) {
      ++changes;
      apart = !apart;
      if (!client.call({"CONFIG", "SET", "io-threads-always-active", apart ? "yes" : "no"}).ok()) return "CONFIG SET failed";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return {};
  });
  crowd.run_for(2 * seconds_per_test());
  CHECK(changes > 4);
  Client client(server.port());
  counters.check(client);
  CHECK(popped_elements + client.integer({"LLEN", "queue"}) == pushed_elements);
  check_clean_end(&server);
}
