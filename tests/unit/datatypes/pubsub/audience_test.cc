#include "datatypes/pubsub/audience.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "datatypes/pubsub/subscriber.h"
#include "tests/unit/server/base/shaker.h"

using namespace synap;

namespace {

struct Clients {
  explicit Clients(size_t count) {
    for (uint64_t id = 1; id <= count; ++id) {
      all.emplace_back(std::make_unique<Subscriber>(std::make_shared<SharedSession>(id)).release());
    }
  }
  Subscriber* operator[](size_t index) { return all[index].get(); }

  std::vector<SubscriberHandle> all;
};

std::vector<Subscriber*> members(const Audience& audience) {
  std::vector<Subscriber*> found;
  audience.for_each([&](Subscriber* subscriber) { found.push_back(subscriber); });
  return found;
}

}  // namespace

TEST_CASE("An audience keeps who came, in order, through nobody, one and many") {
  Clients clients(40);
  Audience audience;
  std::vector<Subscriber*> model;
  CHECK(audience.empty());
  for (size_t round = 0; round < 3; ++round) {
    for (size_t i = 0; i < 40; ++i) {
      audience.add(clients[i]);
      model.push_back(clients[i]);
      REQUIRE(members(audience) == model);
    }
    while (!model.empty()) {
      const size_t gone = (model.size() * 7 + round) % model.size();
      audience.remove(model[gone]);
      model.erase(model.begin() + static_cast<ptrdiff_t>(gone));
      REQUIRE(members(audience) == model);
      REQUIRE(audience.size() == model.size());
    }
    CHECK(audience.empty());
  }
  for (size_t i = 0; i < 40; ++i) CHECK(clients[i]->references.load() == 1);
}

TEST_CASE("A snapshot of an audience stays as it was, and outlives its clients") {
  for (const size_t size : {1UL, 2UL, 3UL, 9UL}) {
    Clients clients(10);
    Audience audience;
    for (size_t i = 0; i < size; ++i) audience.add(clients[i]);
    const std::vector<Subscriber*> before = members(audience);
    const Audience snapshot = audience.snapshot();
    CHECK(audience.is(snapshot));
    SUBCASE("one comes") {
      audience.add(clients[9]);
    }
    SUBCASE("one goes") {
      audience.remove(clients[0]);
    }
    SUBCASE("all go") {
      for (size_t i = 0; i < size; ++i) audience.remove(clients[i]);
      clients.all.clear();
    }
    CHECK_FALSE(audience.is(snapshot));
    REQUIRE(members(snapshot) == before);
    for (const Subscriber* subscriber : before) CHECK(subscriber->session->id >= 1);
  }
}

TEST_CASE("An audience's list moves, unless a snapshot refers to it") {
  Clients clients(20);
  Audience audience;
  for (size_t i = 0; i < 20; ++i) audience.add(clients[i]);
  const std::vector<Subscriber*> before = members(audience);
  Shaker shaker;
  {
    const Audience snapshot = audience.snapshot();
    for (int i = 0; i < 4; ++i) audience.relocate(shaker);
    CHECK(shaker.moved == 0);
    CHECK(audience.is(snapshot));
  }
  for (int i = 0; i < 4; ++i) audience.relocate(shaker);
  CHECK(shaker.moved > 0);
  CHECK(members(audience) == before);
}
