#include "server/command/session.h"

#include <doctest/doctest.h>

namespace synap {
namespace {

TEST_CASE("a session's gate: what a worker raised while earlier replies left still holds") {
  Session session(1);
  session.raise_gate(10);
  session.raise_gate(5);
  CHECK(session.gate_offset == 10);
  const uint64_t seen = session.gate_offset;
  session.raise_gate(20);
  session.pass_gate(seen);
  CHECK(session.gate_offset == 20);
  session.pass_gate(20);
  CHECK(session.gate_offset == 0);
}

}  // namespace
}  // namespace synap
