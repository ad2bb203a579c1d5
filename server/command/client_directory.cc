#include "server/command/client_directory.h"

#include <utility>

#include "server/base/assert.h"

namespace synap {

void ClientDirectory::expect(size_t reactor) {
  SYNAP_ASSERT(reactor < kReactorsMax);
  count_.fetch_add(1, std::memory_order_relaxed);
  reactor_counts_[reactor].fetch_add(1, std::memory_order_relaxed);
}

void ClientDirectory::add(size_t reactor, std::shared_ptr<SharedSession> shared, ClientPort* port) {
  shared->reactor.store(static_cast<int>(reactor), std::memory_order_relaxed);
  local_[reactor][shared->id] = port;
  shared->port = port;
  LockGuard guard(mutex_);
  clients_[shared->id] = std::move(shared);
}

void ClientDirectory::remove(size_t reactor, uint64_t id) {
  if (local_[reactor].erase(id) == 0) return;
  count_.fetch_sub(1, std::memory_order_relaxed);
  reactor_counts_[reactor].fetch_sub(1, std::memory_order_relaxed);
  LockGuard guard(mutex_);
  const auto it = clients_.find(id);
  it->second->port = nullptr;
  clients_.erase(it);
}

ClientPort* ClientDirectory::local(size_t reactor, uint64_t id) {
  const auto it = local_[reactor].find(id);
  return it == local_[reactor].end() ? nullptr : it->second;
}

std::shared_ptr<SharedSession> ClientDirectory::find(uint64_t id) const {
  LockGuard guard(mutex_);
  const auto it = clients_.find(id);
  return it == clients_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<SharedSession>> ClientDirectory::all() const {
  LockGuard guard(mutex_);
  std::vector<std::shared_ptr<SharedSession>> all;
  all.reserve(clients_.size());
  for (const auto& [id, shared] : clients_) {
    if (!shared->evicted.load(std::memory_order_relaxed)) all.push_back(shared);
  }
  return all;
}

bool ClientDirectory::post(uint64_t id, std::function<void(ClientPort&)> action) {
  const std::shared_ptr<SharedSession> shared = find(id);
  if (shared == nullptr) return false;
  const auto reactor = static_cast<size_t>(shared->reactor.load(std::memory_order_relaxed));
  reactors_[reactor]->post([this, reactor, id, action = std::move(action)] {
    ClientPort* port = local(reactor, id);
    if (port != nullptr) action(*port);
  });
  return true;
}

void ClientDirectory::post_all(std::function<void(ClientPort&)> action) {
  for (size_t i = 0; i < reactors_.size(); ++i) {
    reactors_[i]->post([this, i, action] {
      std::vector<uint64_t> ids;  // the action may remove clients
      for (const auto& [id, port] : local_[i]) ids.push_back(id);
      for (const uint64_t id : ids) {
        ClientPort* port = local(i, id);
        if (port != nullptr) action(*port);
      }
    });
  }
}

}  // namespace synap
