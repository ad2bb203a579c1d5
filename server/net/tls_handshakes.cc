#include "server/net/tls_handshakes.h"

#include <algorithm>

#include "server/net/connection.h"

namespace synap {

void TlsHandshakes::begin(Connection* connection) {
  load_->handshakes.fetch_add(1, std::memory_order_relaxed);
  deadlines_[connection] = reactor_->after(kTimeLimitMs, [this, connection] {
    deadlines_[connection] = 0;
    connection->fail_tls("the TLS handshake took too long");
  });
}

void TlsHandshakes::end(Connection* connection) {
  const auto it = deadlines_.find(connection);
  if (it == deadlines_.end()) return;
  if (it->second != 0) reactor_->cancel(it->second);
  deadlines_.erase(it);
  std::erase(due_, connection);
  load_->handshakes.fetch_sub(1, std::memory_order_relaxed);
}

void TlsHandshakes::wants_step(Connection* connection) {
  if (std::find(due_.begin(), due_.end(), connection) == due_.end()) due_.push_back(connection);
  schedule();
}

void TlsHandshakes::schedule() {
  if (scheduled_ || due_.empty()) return;
  scheduled_ = true;
  reactor_->next_turn([this] { run_step(); });
}

void TlsHandshakes::run_step() {
  scheduled_ = false;
  if (due_.empty()) return;
  Connection* connection = due_.front();
  due_.pop_front();
  connection->handshake_step();
  schedule();
}

}  // namespace synap
