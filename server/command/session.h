// Session: what a client is, apart from its socket: database, protocol version, user, transaction, watches. Belongs to
// the reactor of its client; only that thread (or the worker that runs the client's command, while the reactor waits for
// it) touches the plain members. What other threads may read (CLIENT LIST, CLIENT KILL, INFO) is in `shared`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/args.h"
#include "server/base/sync.h"

namespace synap {

struct Command;
struct User;  // server/command/acl.h

// Bits of SharedSession::flags and their letters in CLIENT LIST.
enum SessionFlag : uint64_t {
  kSessionMulti = 1ULL << 0,         // x
  kSessionBlocked = 1ULL << 1,       // b
  kSessionDirtyCas = 1ULL << 2,      // d
  kSessionCloseAfterReply = 1ULL << 3,  // c
  kSessionCloseNow = 1ULL << 4,      // A
  kSessionUnblocked = 1ULL << 5,     // u
  kSessionUnixSocket = 1ULL << 6,    // U
  kSessionReadonly = 1ULL << 7,      // r
  kSessionMonitor = 1ULL << 8,       // O
  kSessionReplica = 1ULL << 9,       // S
  kSessionMaster = 1ULL << 10,       // M
  kSessionPubsub = 1ULL << 11,       // P
  kSessionTracking = 1ULL << 12,     // t
  kSessionTrackingBroken = 1ULL << 13,  // R
  kSessionTrackingBcast = 1ULL << 14,   // B
  kSessionNoEvict = 1ULL << 15,      // e
  kSessionNoTouch = 1ULL << 16,      // T
  kSessionAuthenticated = 1ULL << 17,
  kSessionReplyOff = 1ULL << 18,       // CLIENT REPLY OFF
  kSessionReplySkipNext = 1ULL << 19,  // CLIENT REPLY SKIP: the next command's reply
  kSessionReplySkip = 1ULL << 20,      // the reply of the command now running
  kSessionScript = 1ULL << 21,         // the client inside a script
  kSessionDirtyExec = 1ULL << 22,      // a queued command had an error
  kSessionDenyBlocking = 1ULL << 23,   // inside EXEC or a script
  kSessionTls = 1ULL << 24,
  kSessionProtectedOut = 1ULL << 25,   // killed with SKIPME: close once the reply left
  kSessionTrackingOptin = 1ULL << 26,
  kSessionTrackingOptout = 1ULL << 27,
  kSessionTrackingNoloop = 1ULL << 28,
  kSessionPostponed = 1ULL << 30,      // its command waits for the end of a pause; b, too
  kSessionDebugScript = 1ULL << 33,    // SCRIPT DEBUG YES or SYNC: the next EVAL is a debugging session
  kSessionDebugSync = 1ULL << 34,      // in the server itself
  kSessionTrackingCaching = 1ULL << 29,  // CLIENT CACHING was called: what it says holds for the next command
};

class ClientPort;

// The part of a session that any thread may read. Numbers are relaxed atomics; strings are under the mutex.
struct SharedSession {
  explicit SharedSession(uint64_t client_id) : id(client_id) {}

  const uint64_t id;
  ClientPort* port = nullptr;  // of its reactor's thread alone: the client, while it is there
  std::atomic<uint64_t> flags{0};
  std::atomic<int> db{0};
  std::atomic<int> resp{2};
  std::atomic<int> reactor{0};
  std::atomic<int> fd{-1};
  std::atomic<int64_t> created_ms{0};
  std::atomic<int64_t> last_interaction_ms{0};
  std::atomic<uint32_t> channels{0}, patterns{0}, shard_channels{0};
  std::atomic<int32_t> multi_commands{-1};  // queued in MULTI, -1 outside
  std::atomic<uint32_t> watched_keys{0};
  std::atomic<uint64_t> query_buffer_bytes{0}, query_buffer_free_bytes{0}, argv_bytes{0}, multi_bytes{0};
  std::atomic<uint64_t> registry_bytes{0};  // watched keys, subscriptions, tracking prefixes
  std::atomic<bool> evicted{false};         // its reactor was told to close it: no longer listed
  std::atomic<uint64_t> output_chunk_bytes{0}, output_list_length{0}, output_bytes{0};
  std::atomic<uint64_t> network_in_bytes{0}, network_out_bytes{0}, commands{0};
  std::atomic<const Command*> last_command{nullptr};
  std::atomic<uint64_t> tracking_redirect{0};  // client id; 0: none
  std::atomic<uint64_t> user_identity{0};      // of the user it authenticated as, see User; 0: none

  mutable Mutex mutex{LockRank::kLeaf};
  std::string peer GUARDED_BY(mutex);   // "127.0.0.1:50001" or "/path:0"
  std::string local GUARDED_BY(mutex);
  std::string name GUARDED_BY(mutex);
  std::string user_name GUARDED_BY(mutex) = "default";
  std::string lib_name GUARDED_BY(mutex), lib_version GUARDED_BY(mutex);
};

// A command kept for later: inside MULTI, parked, blocked. Owns its arguments.
struct QueuedCommand {
  const Command* command = nullptr;
  StoredArgs args;
};

// A key under WATCH and the version it had (server/keyspace/watch).
struct WatchedKey {
  int db;
  std::string key;
  uint64_t version;
  bool gone;  // it was absent or past its expiry when watched
};

// What it listens to, PubSub's part of a session.
struct Subscriber;  // datatypes/pubsub/subscriber.h
struct SubscriberRelease {
  void operator()(Subscriber* subscriber) const;
};
using SubscriberHandle = std::unique_ptr<Subscriber, SubscriberRelease>;

struct Session {
  explicit Session(uint64_t id) : shared(std::make_shared<SharedSession>(id)) {}

  uint64_t id() const { return shared->id; }
  uint64_t flags() const { return shared->flags.load(std::memory_order_relaxed); }
  bool has(uint64_t flag) const { return (flags() & flag) != 0; }
  // Its reactor may tell it something while a worker runs its command.
  void set(uint64_t flag) { shared->flags.fetch_or(flag, std::memory_order_relaxed); }
  void clear(uint64_t flag) { shared->flags.fetch_and(~flag, std::memory_order_relaxed); }

  int db = 0;
  int resp = 2;
  std::shared_ptr<const User> user;  // null: not authenticated
  std::vector<QueuedCommand> queued;  // MULTI
  size_t queued_bytes = 0;
  std::vector<WatchedKey> watched;
  SubscriberHandle subscriber;  // null: it listens to nothing. Under PubSub's lock.
  std::vector<std::string> tracking_prefixes;  // CLIENT TRACKING BCAST
  uint64_t written_offset = 0;                 // the journal's end after its last write: WAIT, WAITAOF
  // Its replies leave once the journal is durable up to here (JournalGate). A worker raises it for the reply to come while
  // the reactor sends those before.
  std::atomic<uint64_t> gate_offset{0};
  void raise_gate(uint64_t offset) {
    uint64_t known = gate_offset.load(std::memory_order_relaxed);
    while (known < offset && !gate_offset.compare_exchange_weak(known, offset, std::memory_order_relaxed)) {
    }
  }
  // What waited for this much may leave. If somebody raised it meanwhile that stands: for a reply that comes later.
  void pass_gate(uint64_t offset) { gate_offset.compare_exchange_strong(offset, 0, std::memory_order_relaxed); }

  std::shared_ptr<SharedSession> shared;
};

}  // namespace synap
