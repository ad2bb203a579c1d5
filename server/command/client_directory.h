// ClientDirectory: all clients of all reactors by id, and the way to reach one from any thread. Reading a client's shared
// part is direct; doing something to it is posted to its reactor, in order.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/output_buffer.h"
#include "server/base/sync.h"
#include "server/command/session.h"
#include "server/net/reactor.h"

namespace synap {

struct Waiter;  // server/keyspace/waiters.h

// A client as its reactor's thread sees it.
class ClientPort {
 public:
  virtual Session& session() = 0;
  // Queues bytes for the client (pushes, replies of others); they leave at the end of the reactor's turn.
  virtual void deliver(std::string_view encoded) = 0;
  virtual void deliver_shared(const SharedBytes& encoded) = 0;
  // Closes the connection, after what is queued has left if asked so.
  virtual void close(bool after_reply) = 0;
  // Ends the wait of a blocked client. With `error` the reply is -UNBLOCKED, else the time-out's null. False: not blocked.
  virtual bool unblock(bool error) = 0;
  // Whoever served it found nothing, and its wait was to end meanwhile: it does now.
  virtual void end_wait(const std::shared_ptr<Waiter>& waiter) = 0;
  // A key it waits for became ready, but must be taken under the waiter's own guard.
  virtual void retry_blocked(const std::shared_ptr<Waiter>& waiter) = 0;
  // The command that was held back by a pause may run again.
  virtual void retry_postponed() = 0;
  // Runs the command that it is blocked in again: something it may wait for has happened.
  virtual void retry_waiting() = 0;
  // The answer of a blocked command, served on another thread.
  virtual void complete_blocked(OutputBuffer&& reply) = 0;

 protected:
  ~ClientPort() = default;
};

class ClientDirectory {
 public:
  explicit ClientDirectory(std::vector<Reactor*> reactors) : reactors_(std::move(reactors)), local_(reactors_.size()) {}

  uint64_t next_id() { return next_id_.fetch_add(1, std::memory_order_relaxed); }

  // A new client is on its way to that reactor: it counts from now on, and add() follows. Any thread.
  void expect(size_t reactor);
  // On the client's reactor.
  void add(size_t reactor, std::shared_ptr<SharedSession> shared, ClientPort* port);
  void remove(size_t reactor, uint64_t id);
  ClientPort* local(size_t reactor, uint64_t id);
  template <class Visit>
  void for_each_local(size_t reactor, Visit visit) {
    for (auto& [id, port] : local_[reactor]) visit(*port);
  }

  // Any thread.
  size_t count() const { return count_.load(std::memory_order_relaxed); }
  size_t count_on(size_t reactor) const { return reactor_counts_[reactor].load(std::memory_order_relaxed); }
  std::shared_ptr<SharedSession> find(uint64_t id) const;
  // In the order of their ids, without those that are being evicted.
  std::vector<std::shared_ptr<SharedSession>> all() const;
  // Runs the action on the client's reactor, if it is still there then. False: no such client now.
  bool post(uint64_t id, std::function<void(ClientPort&)> action);
  // The same for every client of every reactor.
  void post_all(std::function<void(ClientPort&)> action);

  Reactor& reactor(size_t index) { return *reactors_[index]; }
  size_t reactor_count() const { return reactors_.size(); }

 private:
  static constexpr size_t kReactorsMax = 16;

  std::vector<Reactor*> reactors_;
  std::vector<std::map<uint64_t, ClientPort*>> local_;  // each touched by its reactor only
  std::atomic<uint64_t> next_id_{1};
  std::atomic<size_t> count_{0};
  std::array<std::atomic<size_t>, kReactorsMax> reactor_counts_{};
  mutable Mutex mutex_{LockRank::kClients};
  std::map<uint64_t, std::shared_ptr<SharedSession>> clients_ GUARDED_BY(mutex_);
};

}  // namespace synap
