#include "server/net/reactor.h"

#include <doctest/doctest.h>

#include <string>

using namespace synap;

TEST_CASE("reactor: what is meant for the next turn does not run with what was posted") {
  Reactor reactor(0);
  std::string ran;
  int pieces = 0;
  const std::function<void()> piece = [&] {
    ran += 'p';
    if (++pieces < 3) return reactor.next_turn(piece);
    reactor.stop();
  };
  reactor.on_turn([&] { ran += '|'; }, [] {});
  reactor.post([&] {
    reactor.next_turn(piece);
    reactor.post([&] { ran += 'm'; });
    reactor.run_posted();
    ran += '.';
  });
  reactor.run();
  CHECK(ran == "|m.p|p|p|");
}
