// Tracking: which clients cache which keys, and telling them when one changes (CLIENT TRACKING). A key that such a
// client has read is remembered with the client's id until it changes or there are too many; clients in broadcasting
// mode are told of all keys with their prefixes, once per batch of commands. Costs one test of a flag while no client
// caches. Never touches data or a client's session: messages are posted to the client's reactor, or handed over on it.
//
// Order. Reads are remembered and changes told under the key's shard lock, so a message never overtakes the reply that
// it outdates; a client's own change is told after that command's reply; whoever learns that a change was made and asks
// the server anything finds the message before the answer.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/base/hash.h"
#include "server/base/shared_bytes.h"
#include "server/base/sync.h"
#include "server/base/table.h"
#include "server/command/client_directory.h"
#include "server/command/session.h"

namespace synap {

// A key and the ids of the clients that may cache it, ascending. One allocation: head, ids, key.
struct TrackedKey {
  uint32_t clients;
  uint32_t capacity;  // room for ids
  size_t key_bytes;

  uint64_t* ids() { return reinterpret_cast<uint64_t*>(this + 1); }
  std::string_view key() const {
    const auto* ids = reinterpret_cast<const uint64_t*>(this + 1);
    return {reinterpret_cast<const char*>(ids + capacity), key_bytes};
  }
  static TrackedKey* make(std::string_view key, uint32_t capacity);
};

struct TrackedKeyTraits {
  using Item = TrackedKey;
  static constexpr int kSkipBits = 6;  // the partition's index
  static uint64_t hash(const TrackedKey* tracked) { return hash_bytes(tracked->key()); }
  static bool equals(const TrackedKey* tracked, std::string_view key) { return tracked->key() == key; }
  static void retire(void* memory) { std::free(memory); }
};

class Tracking {
 public:
  // `active` is set while some client caches keys; `message_bytes` counts what messages on their way take.
  Tracking(ClientDirectory* clients, std::atomic<bool>* active, std::atomic<size_t>* message_bytes)
      : clients_(clients), active_(active), message_bytes_(message_bytes) {}
  ~Tracking();

  struct Request {
    uint64_t mode = 0;  // kSessionTrackingBcast, …Optin, …Optout, …Noloop
    std::shared_ptr<SharedSession> redirect;
    std::vector<std::string> prefixes;  // for broadcasting; none: all keys
  };

  // On the client's reactor, or the worker that runs its command.
  void enable(Session& session, Request request);
  void disable(Session& session);

  // Whether the keys that the command under way reads are cached by its client.
  static bool remembers_reads_of(const Session& session);
  // Under the key's shard lock: the client has read it.
  void remember(const Session& session, std::string_view key, size_t keys_max);
  // Under the key's shard lock. `by`: the session that changed it, or null.
  void key_changed(std::string_view key, const Session* by);
  // Under all shards' locks.
  void all_keys_changed();
  // After a batch of commands, before its replies leave: what clients in broadcasting mode must hear.
  void broadcast() {
    if (broadcast_waits_.load(std::memory_order_acquire)) [[unlikely]]
      send_broadcasts();
  }
  // The reply of a blocked client's command is on its way to the client: now what the command changed may follow.
  void command_served(uint64_t client_id);
  // Forgets keys, chosen at random, while there are too many, a bounded number a call; 0: there may be any number.
  void keep_limit(size_t keys_max);

  struct Figures {
    size_t keys = 0, items = 0, prefixes = 0;
  };
  Figures figures() const;

 private:
  // A client in tracking mode and who is told instead of it, if anybody.
  struct Tracker {
    std::shared_ptr<SharedSession> self, redirect;
    const SharedSession& receiver() const { return redirect == nullptr ? *self : *redirect; }
  };
  using Trackers = std::vector<Tracker>;
  struct Freed {
    void operator()(TrackedKey* tracked) const { std::free(tracked); }
  };
  using OwnedKey = std::unique_ptr<TrackedKey, Freed>;
  struct Partition {
    mutable Mutex mutex{LockRank::kTrackedKeys};
    Table<TrackedKeyTraits> keys GUARDED_BY(mutex);
    size_t items GUARDED_BY(mutex) = 0;
  };
  // Who listens to a prefix, and which of its keys changed since the last broadcast, with who changed it last (0:
  // nobody).
  struct Prefix {
    std::set<uint64_t> clients;
    std::map<std::string, uint64_t> changed;
  };
  static constexpr size_t kPartitions = size_t{1} << TrackedKeyTraits::kSkipBits;

  Partition& partition_of(uint64_t hash) { return partitions_[hash >> (64 - TrackedKeyTraits::kSkipBits)]; }
  OwnedKey take(std::string_view key);
  OwnedKey take_any();
  void forget_all_keys();
  void note_for_broadcast(std::string_view key, const Session* by);
  void forget_changed(Prefix* prefix) REQUIRES(mutex_);
  void send_broadcasts();
  void broadcast_prefix(const Prefix& prefix) REQUIRES(mutex_);
  void tell(TrackedKey& tracked, const Session* by);
  void send(Trackers trackers, const SharedBytes& keys) REQUIRES(mutex_);
  bool hand_over(size_t reactor, const Tracker& tracker, const SharedBytes& keys);
  void redirection_broken(const Tracker& tracker);

  ClientDirectory* const clients_;
  std::atomic<bool>* const active_;
  std::atomic<size_t>* const message_bytes_;
  std::atomic<size_t> key_count_{0};
  std::atomic<bool> broadcast_waits_{false};
  std::atomic<size_t> prefix_count_{0};
  std::array<Partition, kPartitions> partitions_;

  mutable Mutex mutex_{LockRank::kTracking};
  std::unordered_map<uint64_t, Tracker> trackers_ GUARDED_BY(mutex_);
  std::map<std::string, Prefix, std::less<>> prefixes_ GUARDED_BY(mutex_);
  // Keys that blocked clients changed by the command that is served just now, by client.
  std::multimap<uint64_t, std::string> after_served_ GUARDED_BY(mutex_);
};

}  // namespace synap
