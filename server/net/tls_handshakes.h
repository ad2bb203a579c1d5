// TlsHandshakes: the handshakes under way on one reactor. A step of one costs up to a millisecond of arithmetic, so a
// turn of the loop takes one step and then serves everybody else; a handshake that is not through in time ends. The
// number under way on all reactors is in TlsLoad, so that whoever accepts can refuse more.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "server/net/reactor.h"

namespace synap {

class Connection;

struct TlsLoad {
  static constexpr size_t kHandshakesMax = 1000;
  std::atomic<size_t> handshakes{0};
  bool full() const { return handshakes.load(std::memory_order_relaxed) >= kHandshakesMax; }
};

class TlsHandshakes {
 public:
  static constexpr int64_t kTimeLimitMs = 10'000;

  TlsHandshakes(Reactor* reactor, TlsLoad* load) : reactor_(reactor), load_(load) {}
  TlsHandshakes(const TlsHandshakes&) = delete;
  TlsHandshakes& operator=(const TlsHandshakes&) = delete;

  void begin(Connection* connection);
  // Bytes for it arrived: its next step is due.
  void wants_step(Connection* connection);
  // It is established, or gone. May be called more than once.
  void end(Connection* connection);

 private:
  void schedule();
  void run_step();

  Reactor* const reactor_;
  TlsLoad* const load_;
  std::unordered_map<Connection*, uint64_t> deadlines_;  // timers, of all that are under way
  std::deque<Connection*> due_;
  bool scheduled_ = false;
};

}  // namespace synap
