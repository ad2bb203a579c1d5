// Multi-key commands, transactions and scripts on shared keys: sums stay, values are never torn, everybody gets on.
#include "tests/concurrency/counters.h"

using namespace synap_test;

namespace {

const std::vector<std::string> kReactors = {"--io-threads", "4", "--io-threads-always-active", "yes"};

}  // namespace

TEST_CASE("Counters add up") {
  ServerProcess server(kReactors);
  Counters counters(8);
  Crowd crowd(&server);
  counters.add_incr(&crowd, 6);
  crowd.add("exec", 2, [&](Client& client, Random& random) -> std::string {
    client.append({"MULTI"});
    client.append({"INCR", counters.key(random)});
    client.append({"INCRBY", counters.key(random), "3"});
    client.append({"EXEC"});
    for (int i = 0; i < 3; ++i) client.read();
    const Reply reply = client.read();
    if (reply.items.size() != 2) return unexpected("EXEC", reply);
    counters.acknowledged(4);
    return {};
  });
  crowd.run_for(seconds_per_test());
  Client client(server.port());
  counters.check(client);
  check_clean_end(&server);
}

TEST_CASE("MSET over many shards is never seen half done") {
  ServerProcess server(kReactors);
  std::vector<std::string> get = {"MGET"};
  for (int i = 0; i < 40; ++i) get.push_back("k" + std::to_string(i));
  Crowd crowd(&server);
  crowd.add("mset", 3, [](Client& client, Random& random) -> std::string {
    std::vector<std::string> set = {"MSET"};
    const std::string value(1 + random.below(200), static_cast<char>('a' + random.below(26)));
    for (int i = 0; i < 40; ++i) set.insert(set.end(), {"k" + std::to_string(i), value});
    const Reply reply = client.call(set);
    return reply.ok() ? "" : unexpected("MSET", reply);
  });
  crowd.add("mget", 3, [&get](Client& client, Random&) -> std::string {
    const Reply reply = client.call(get);
    if (reply.items.size() != 40) return unexpected("MGET", reply);
    for (const Reply& item : reply.items) {
      if (item.text != reply.items[0].text || item.type != reply.items[0].type) return "torn: " + item.text + " and " + reply.items[0].text;
    }
    return {};
  });
  crowd.add("flushall", 1, [](Client& client, Random&) -> std::string {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const Reply reply = client.call({"FLUSHALL"});
    return reply.ok() ? "" : unexpected("FLUSHALL", reply);
  });
  crowd.run_for(seconds_per_test());
  check_clean_end(&server);
}

TEST_CASE("RENAME chains lose and double nothing") {
  ServerProcess server(kReactors);
  constexpr int kNames = 30;
  constexpr int kTokens = 10;
  Client setup(server.port());
  std::vector<std::string> exists = {"EXISTS"};
  for (int i = 0; i < kNames; ++i) exists.push_back("t" + std::to_string(i));
  for (int i = 0; i < kTokens; ++i) setup.call({"SET", "t" + std::to_string(i), "token" + std::to_string(i)});
  Crowd crowd(&server);
  crowd.add("rename", 5, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"RENAMENX", random.key("t", kNames), random.key("t", kNames)});
    const bool gone = reply.error() && reply.text == "ERR no such key";
    return gone || reply.type == REDIS_REPLY_INTEGER ? "" : unexpected("RENAMENX", reply);
  });
  crowd.add("count", 2, [&exists](Client& client, Random&) -> std::string {
    const Reply reply = client.call(exists);
    return reply.integer == kTokens ? "" : unexpected("EXISTS", reply);
  });
  crowd.add("keys", 1, [](Client& client, Random&) -> std::string {
    client.append({"MULTI"});
    client.append({"KEYS", "t*"});
    client.append({"DBSIZE"});
    client.append({"EXEC"});
    for (int i = 0; i < 3; ++i) client.read();
    const Reply reply = client.read();
    if (reply.items.size() != 2) return unexpected("EXEC", reply);
    if (reply.items[0].items.size() != kTokens) return "KEYS in EXEC saw " + std::to_string(reply.items[0].items.size());
    return reply.items[1].integer == kTokens ? "" : unexpected("DBSIZE", reply.items[1]);
  });
  crowd.run_for(seconds_per_test());
  check_clean_end(&server);
}

TEST_CASE("SMOVE, LMOVE, SPOP and ZUNIONSTORE keep the sum of what there is") {
  ServerProcess server(kReactors);
  Client setup(server.port());
  for (int i = 0; i < 200; ++i) {
    setup.call({"SADD", "s" + std::to_string(i % 6), "m" + std::to_string(i)});
    setup.call({"RPUSH", "l" + std::to_string(i % 6), "m" + std::to_string(i)});
  }
  Crowd crowd(&server);
  crowd.add("smove", 2, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"SMOVE", random.key("s", 6), random.key("s", 6), random.key("m", 200)});
    return reply.type == REDIS_REPLY_INTEGER ? "" : unexpected("SMOVE", reply);
  });
  crowd.add("lmove", 2, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"LMOVE", random.key("l", 6), random.key("l", 6), random.below(2) != 0 ? "LEFT" : "RIGHT", "LEFT"});
    return reply.error() ? unexpected("LMOVE", reply) : "";
  });
  crowd.add("blmove", 1, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"BLMOVE", random.key("l", 6), random.key("l", 6), "RIGHT", "LEFT", "0.01"});
    return reply.error() ? unexpected("BLMOVE", reply) : "";
  });
  crowd.add("rename", 1, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"RENAMENX", random.key("s", 6), random.key("s", 6)});
    return reply.error() && reply.text != "ERR no such key" ? unexpected("RENAMENX", reply) : "";
  });
  crowd.add("sum", 2, [](Client& client, Random&) -> std::string {
    client.append({"MULTI"});
    for (int i = 0; i < 6; ++i) {
      client.append({"LLEN", "l" + std::to_string(i)});
      client.append({"SCARD", "s" + std::to_string(i)});
    }
    client.append({"EXEC"});
    for (int i = 0; i < 13; ++i) client.read();
    const Reply reply = client.read();
    if (reply.items.size() != 12) return unexpected("EXEC", reply);
    long long sum = 0;
    for (const Reply& item : reply.items) sum += item.integer;
    return sum == 400 ? "" : "sum is " + std::to_string(sum);
  });
  crowd.add("algebra", 1, [](Client& client, Random&) -> std::string {
    const Reply all = client.call({"SUNIONSTORE", "all", "s0", "s1", "s2", "s3", "s4", "s5"});
    if (all.integer != 200) return unexpected("SUNIONSTORE", all);
    const Reply scores = client.call({"ZUNIONSTORE", "zall", "6", "s0", "s1", "s2", "s3", "s4", "s5"});
    return scores.integer == 200 ? "" : unexpected("ZUNIONSTORE", scores);
  });
  crowd.run_for(seconds_per_test());
  check_clean_end(&server);
}

TEST_CASE("Transfers by WATCH, by script and by EXEC keep the total") {
  ServerProcess server(kReactors);
  constexpr int kAccounts = 10;
  Client setup(server.port());
  std::vector<std::string> all = {"MGET"};
  for (int i = 0; i < kAccounts; ++i) {
    setup.call({"SET", "a" + std::to_string(i), "1000"});
    all.push_back("a" + std::to_string(i));
  }
  std::atomic<uint64_t> kept = 0;
  Crowd crowd(&server);
  crowd.add("watch", 3, [&kept](Client& client, Random& random) -> std::string {
    const std::string from = random.key("a", kAccounts);
    const std::string to = random.key("a", kAccounts);
    if (from == to) return {};
    client.call({"WATCH", from, to});
    const long long a = std::atoll(client.text({"GET", from}).c_str());
    const long long b = std::atoll(client.text({"GET", to}).c_str());
    client.append({"MULTI"});
    client.append({"SET", from, std::to_string(a - 7)});
    client.append({"SET", to, std::to_string(b + 7)});
    client.append({"EXEC"});
    for (int i = 0; i < 3; ++i) client.read();
    const Reply reply = client.read();
    kept += reply.items.size() == 2;
    return reply.nil() || reply.items.size() == 2 ? "" : unexpected("EXEC", reply);
  });
  crowd.add("script", 2, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"EVAL", "redis.call('DECRBY',KEYS[1],ARGV[1]) return redis.call('INCRBY',KEYS[2],ARGV[1])", "2",
                                     random.key("a", kAccounts), random.key("a", kAccounts), std::to_string(random.below(50))});
    return reply.type == REDIS_REPLY_INTEGER ? "" : unexpected("EVAL", reply);
  });
  crowd.add("promised", 2, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"EVAL",
                                     "#!lua flags=declared-keys-only\n"
                                     "redis.call('DECRBY',KEYS[1],ARGV[1]) return redis.call('INCRBY',KEYS[2],ARGV[1])",
                                     "2", random.key("a", kAccounts), random.key("a", kAccounts),
                                     std::to_string(random.below(50))});
    return reply.type == REDIS_REPLY_INTEGER ? "" : unexpected("EVAL", reply);
  });
  crowd.add("script in exec", 1, [](Client& client, Random& random) -> std::string {
    client.append({"MULTI"});
    client.append({"DECRBY", random.key("a", kAccounts), "3"});
    client.append({"EVAL", "for i=1,1000 do end return redis.call('INCRBY',KEYS[1],3)", "1", random.key("a", kAccounts)});
    client.append({"EXEC"});
    for (int i = 0; i < 3; ++i) client.read();
    const Reply reply = client.read();
    return reply.items.size() == 2 ? "" : unexpected("EXEC", reply);
  });
  crowd.add("undeclared", 1, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"EVAL", "redis.call('DECR',ARGV[1]) redis.call('INCR',ARGV[2]) return 1", "0", random.key("a", kAccounts),
                                     random.key("a", kAccounts)});
    return reply.type == REDIS_REPLY_INTEGER ? "" : unexpected("EVAL", reply);
  });
  crowd.add("exec", 2, [](Client& client, Random& random) -> std::string {
    client.append({"MULTI"});
    client.append({"DECRBY", random.key("a", kAccounts), "5"});
    client.append({"INCRBY", random.key("a", kAccounts), "5"});
    client.append({"EXEC"});
    for (int i = 0; i < 3; ++i) client.read();
    const Reply reply = client.read();
    return reply.items.size() == 2 ? "" : unexpected("EXEC", reply);
  });
  crowd.add("sum", 2, [&all](Client& client, Random&) -> std::string {
    const Reply reply = client.call(all);
    long long sum = 0;
    for (const Reply& item : reply.items) sum += std::atoll(item.text.c_str());
    return sum == 1000 * kAccounts ? "" : "the total is " + std::to_string(sum);
  });
  crowd.run_for(seconds_per_test());
  CHECK(kept > 0);
  check_clean_end(&server);
}

TEST_CASE("Slow commands starve nobody and nobody starves them") {
  ServerProcess server(kReactors);
  Client setup(server.port());
  const int members = slow_build() ? 20000 : 200000;
  for (int i = 0; i < members; i += 100) {
    std::vector<std::string> a = {"SADD", "big1"};
    std::vector<std::string> b = {"RPUSH", "biglist"};
    for (int k = i; k < i + 100; ++k) {
      a.push_back("member" + std::to_string(k));
      b.push_back(std::to_string((k * 7919) % 100003));
    }
    setup.call(a);
    a[1] = "big2";
    setup.call(a);
    setup.call(b);
  }
  setup.call({"DEBUG", "POPULATE", std::to_string(members), "p"});
  Crowd crowd(&server);
  crowd.add("get", 3, [](Client& client, Random& random) -> std::string {
    const Reply reply = client.call({"SET", random.key("p:", 1000), "x"});
    return reply.ok() ? "" : unexpected("SET", reply);
  });
  crowd.add("slow", 4, [members](Client& client, Random& random) -> std::string {
    switch (random.below(7)) {
      case 0: return client.call({"SUNIONSTORE", "out", "big1", "big2"}).integer == members ? "" : "SUNIONSTORE";
      case 1: return client.call({"SORT", "biglist", "LIMIT", "0", "10"}).items.size() == 10 ? "" : "SORT";
      case 2: return client.call({"KEYS", "p:1*"}).items.size() >= 1 ? "" : "KEYS";
      case 3: return client.call({"LRANGE", "biglist", "0", "-1"}).items.size() == static_cast<size_t>(members) ? "" : "LRANGE";
      case 4: return client.call({"SINTERCARD", "2", "big1", "big2"}).integer == members ? "" : "SINTERCARD";
      case 5: return client.call({"COPY", "big1", "copy", "REPLACE"}).integer == 1 ? "" : "COPY";
      default: return client.call({"UNLINK", "copy", "out"}).type == REDIS_REPLY_INTEGER ? "" : "UNLINK";
    }
  });
  crowd.add("writer of the same key", 1, [](Client& client, Random&) -> std::string {
    client.append({"MULTI"});
    client.append({"SADD", "big1", "extra"});
    client.append({"SREM", "big1", "extra"});
    client.append({"EXEC"});
    for (int i = 0; i < 3; ++i) client.read();
    const Reply reply = client.read();
    return reply.items.size() == 2 && reply.items[0].integer == 1 && reply.items[1].integer == 1 ? "" : unexpected("EXEC", reply);
  });
  crowd.add("script", 1, [](Client& client, Random&) -> std::string {
    const Reply reply = client.call({"EVAL", "local s=0 for i=1,200000 do s=s+i end return redis.call('INCR','scripted')", "1", "scripted"});
    return reply.type == REDIS_REPLY_INTEGER ? "" : unexpected("EVAL", reply);
  });
  crowd.run_for(2 * seconds_per_test(), 60000);
  check_clean_end(&server);
}

TEST_CASE("A writer gets on beside readers that never leave its key alone") {
  std::vector<std::string> directives = kReactors;
  directives.insert(directives.end(), {"--busy-reply-threshold", "0"});
  ServerProcess server(directives);
  Client writer(server.port());
  REQUIRE(writer.call({"SET", "key", "before"}).ok());
  // It shares its key while it runs, and for most of the time several do.
  const std::string code =
      "#!lua flags=no-writes,declared-keys-only\n"
      "local n = 0 for i = 1, 2e7 do n = n + i % 3 end return redis.call('GET', KEYS[1])";
  std::atomic<bool> stop = false;
  std::atomic<int> reads = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      Client client(server.port());
      while (!stop && !client.call({"EVAL", code, "1", "key"}).text.empty()) ++reads;
    });
  }
  CHECK(eventually([&] { return reads > 4; }, 60000));
  for (int i = 0; i < 3; ++i) CHECK(writer.call({"SET", "key", std::to_string(i)}).ok());
  stop = true;
  for (std::thread& reader : readers) reader.join();
  check_clean_end(&server);
}
