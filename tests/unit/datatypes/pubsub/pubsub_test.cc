#include "datatypes/pubsub/pubsub.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "server/base/random.h"
#include "tests/unit/server/base/shaker.h"

using namespace synap;

namespace {

constexpr std::array kKinds = {PubSubKind::kChannel, PubSubKind::kPattern, PubSubKind::kShardChannel};

std::set<std::string> as_set(const std::vector<std::string>& names) {
  std::set<std::string> set(names.begin(), names.end());
  CHECK(set.size() == names.size());
  return set;
}

// A registry with clients, and what it should know. No reactor: nothing is delivered.
struct Registry {
  explicit Registry(size_t clients) : known(clients) {
    for (uint64_t id = 1; id <= clients; ++id) sessions.push_back(std::make_unique<Session>(id));
  }
  ~Registry() {
    for (const auto& session : sessions) pubsub.forget(*session);
  }

  void subscribe(size_t client, PubSubKind kind, const std::string& name) {
    CHECK(pubsub.subscribe(kind, *sessions[client], name) == known[client][kind].insert(name).second);
  }
  void unsubscribe(size_t client, PubSubKind kind, const std::string& name) {
    CHECK(pubsub.unsubscribe(kind, *sessions[client], name) == (known[client][kind].erase(name) != 0));
  }
  void forget(size_t client) {
    pubsub.forget(*sessions[client]);
    known[client].clear();
  }
  size_t relocate(size_t count) {
    Shaker shaker;
    uint64_t cursor = 0;
    do {
      cursor = pubsub.relocate(cursor, count, shaker);
    } while (cursor != 0);
    return shaker.moved;
  }

  void check() {
    for (const PubSubKind kind : kKinds) {
      std::map<std::string, size_t> listeners;
      for (size_t client = 0; client < sessions.size(); ++client) {
        const Session& session = *sessions[client];
        REQUIRE(as_set(pubsub.subscriptions(kind, session)) == known[client][kind]);
        for (const std::string& name : known[client][kind]) ++listeners[name];
      }
      REQUIRE(pubsub.count(kind) == listeners.size());
      const std::vector<std::string> names = pubsub.names(kind, nullptr);
      REQUIRE(names.size() == listeners.size());
      for (const std::string& name : names) REQUIRE(pubsub.subscribers(kind, name) == listeners[name]);
    }
    for (size_t client = 0; client < sessions.size(); ++client) {
      const SharedSession& shared = *sessions[client]->shared;
      CHECK(shared.channels == known[client][PubSubKind::kChannel].size());
      CHECK(shared.patterns == known[client][PubSubKind::kPattern].size());
      CHECK(shared.shard_channels == known[client][PubSubKind::kShardChannel].size());
      const bool any = shared.channels + shared.patterns + shared.shard_channels != 0;
      CHECK(sessions[client]->has(kSessionPubsub) == any);
      CHECK((sessions[client]->subscriber != nullptr) == any);
    }
  }

  ClientDirectory directory{std::vector<Reactor*>()};
  PubSub pubsub{&directory};
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::map<PubSubKind, std::set<std::string>>> known;
};

}  // namespace

TEST_CASE("The registry knows who listens to what, through coming, going and moving") {
  Random random(7);
  Registry registry(9);
  const auto name = [&] { return "name:" + std::string(random.below(3) * 20, 'x') + std::to_string(random.below(60)); };
  for (int step = 0; step < 20000; ++step) {
    const size_t client = random.below(9);
    const PubSubKind kind = kKinds[random.below(3)];
    const uint64_t what = random.below(1000);
    // The one half of the time more come, then more go.
    const uint64_t comes = step / 2500 % 2 == 0 ? 700 : 250;
    if (what < comes) {
      registry.subscribe(client, kind, name());
    } else if (what < 980) {
      registry.unsubscribe(client, kind, name());
    } else if (what < 990) {
      registry.forget(client);
    } else {
      registry.relocate(1 + random.below(50));
      registry.check();
    }
  }
  registry.check();
}

TEST_CASE("A name is held once, moves with everything that points at it, and goes with its last listener") {
  Registry registry(3);
  for (int i = 0; i < 1000; ++i) {
    for (size_t client = 0; client < 3; ++client)
      registry.subscribe(client, PubSubKind::kChannel, "channel:" + std::to_string(i));
  }
  // Two blocks of three are moved: channels, lists, segments.
  CHECK(registry.relocate(16) > 1000);
  registry.check();
  for (size_t client = 0; client < 2; ++client) registry.forget(client);
  registry.check();
  CHECK(registry.pubsub.subscribers(PubSubKind::kChannel, "channel:500") == 1);
  registry.forget(2);
  CHECK(registry.pubsub.names(PubSubKind::kChannel, nullptr).empty());
}

TEST_CASE("A channel with very many listeners stays in its place, they all keep it") {
  Registry registry(400);
  for (size_t client = 0; client < 400; ++client) registry.subscribe(client, PubSubKind::kPattern, "news.*");
  for (int i = 0; i < 3; ++i) registry.relocate(1);
  registry.check();
}

TEST_CASE("Publishing counts channels and patterns, each client as often as it listens") {
  Registry registry(3);
  registry.subscribe(0, PubSubKind::kChannel, "news");
  registry.subscribe(0, PubSubKind::kPattern, "n*");
  registry.subscribe(1, PubSubKind::kPattern, "ne?s");
  registry.subscribe(1, PubSubKind::kPattern, "sport");
  registry.subscribe(2, PubSubKind::kShardChannel, "news");
  CHECK(registry.pubsub.publish("news", "hello") == 3);
  CHECK(registry.pubsub.publish("sport", "hello") == 1);
  CHECK(registry.pubsub.publish("other", "hello") == 0);
  CHECK(registry.pubsub.publish_to_shard("news", "hello") == 1);
  CHECK(registry.pubsub.publish_to_shard("sport", "hello") == 0);
}

TEST_CASE("Whether a client listens to something of a kind is asked by name") {
  Registry registry(1);
  Session& session = *registry.sessions[0];
  const auto listens_to = [&](PubSubKind wanted, std::string_view to) {
    return registry.pubsub.any_subscription(
        session, [&](PubSubKind kind, std::string_view name) { return kind == wanted && name == to; });
  };
  CHECK_FALSE(listens_to(PubSubKind::kChannel, "news"));
  registry.subscribe(0, PubSubKind::kChannel, "news");
  registry.subscribe(0, PubSubKind::kPattern, "sport.*");
  CHECK(listens_to(PubSubKind::kChannel, "news"));
  CHECK(listens_to(PubSubKind::kPattern, "sport.*"));
  CHECK_FALSE(listens_to(PubSubKind::kChannel, "sport.*"));
}

TEST_CASE("Clients of several threads come and go while messages are sent and names are moved") {
  constexpr int kSteps = 20000;
  Registry registry(3);
  std::vector<std::thread> threads;
  for (size_t client = 0; client < 3; ++client) {
    threads.emplace_back([&registry, client] {
      Random random(client);
      Session& session = *registry.sessions[client];
      for (int step = 0; step < kSteps; ++step) {
        const PubSubKind kind = kKinds[random.below(3)];
        const std::string name = "name:" + std::to_string(random.below(20));
        random.below(2) == 0 ? registry.pubsub.subscribe(kind, session, name)
                             : registry.pubsub.unsubscribe(kind, session, name);
        if (random.below(50) == 0) registry.pubsub.forget(session);
      }
    });
  }
  threads.emplace_back([&registry] {
    Random random(17);
    for (int step = 0; step < kSteps; ++step) {
      const std::string name = "name:" + std::to_string(random.below(20));
      CHECK(registry.pubsub.publish(name, "text") <= 6);
      CHECK(registry.pubsub.publish_to_shard(name, "text") <= 3);
      if (step % 20 == 0) registry.relocate(4);
    }
  });
  for (std::thread& thread : threads) thread.join();
  for (size_t client = 0; client < 3; ++client) {
    for (const PubSubKind kind : kKinds) {
      const std::set<std::string> left = as_set(registry.pubsub.subscriptions(kind, *registry.sessions[client]));
      registry.known[client][kind] = left;
    }
  }
  registry.check();
}
