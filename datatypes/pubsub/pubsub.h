// PubSub: who listens to which channels and patterns, and the delivery of messages. One registry for all reactors under
// one lock; a message is encoded once, shared by its receivers' buffers, and goes to each reactor with a single post, so a
// publisher's messages arrive in their order. A client's own set of subscriptions is in its Session, on its reactor;
// the registry follows it. Keyspace events are published the same way.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/base/hash.h"
#include "server/base/sync.h"
#include "server/command/client_directory.h"
#include "server/command/session.h"

namespace synap {

enum class PubSubKind : uint8_t { kChannel, kPattern, kShardChannel };
inline constexpr size_t kPubSubKinds = 3;

SubscriptionSet& subscriptions_of(Session& session, PubSubKind kind);

class PubSub {
 public:
  // Messages of a running command. Under appendfsync always one must not leave before the journal has the effects that it
  // may tell of: the subscriber's reactor would not know what to wait for.
  using Held = std::vector<std::function<void()>>;
  // While it lives, what this thread publishes goes there instead of being sent; a command inside another's adds to that
  // one's messages.
  class Hold {
   public:
    explicit Hold(Held* held);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Held* const before_;
  };

  explicit PubSub(ClientDirectory* clients) : clients_(clients) {}

  // On the client's reactor. False: it was subscribed already, or it was not.
  bool subscribe(PubSubKind kind, Session& session, std::string_view name);
  bool unsubscribe(PubSubKind kind, Session& session, std::string_view name);
  // The client leaves, or RESET.
  void forget(Session& session);

  // Any thread. Returns how many clients (and patterns of clients) will get it.
  size_t publish(std::string_view channel, std::string_view message);
  size_t publish_to_shard(std::string_view channel, std::string_view message);

  // Names with subscribers, those that match `pattern` unless it is null.
  std::vector<std::string> names(PubSubKind kind, const std::string_view* pattern) const;
  size_t subscribers(PubSubKind kind, std::string_view name) const;
  size_t count(PubSubKind kind) const { return counts_[static_cast<size_t>(kind)].load(std::memory_order_relaxed); }

 private:
  struct Subscriber {
    std::shared_ptr<const SharedSession> shared;
    size_t reactor;
  };
  using Subscribers = std::vector<Subscriber>;
  // Those of one name. Messages on their way refer to the list as it was when they were published: a list that was handed
  // out is never changed, the next change makes another.
  struct Channel {
    std::shared_ptr<Subscribers> list = std::make_shared<Subscribers>();
    bool handed_out = false;

    Subscribers& to_change();
  };
  struct Message;
  struct Hasher {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return static_cast<size_t>(hash_bytes(name)); }
  };
  using Names = std::unordered_map<std::string, Channel, Hasher, std::equal_to<>>;
  using Messages = std::vector<Message>;

  // To the subscribers of `name`: sends the message, or leaves it in *now, to be handed out here once the lock is free.
  size_t send(PubSubKind kind, std::string_view name, Channel* to, std::string_view channel, std::string_view text,
              Messages* now) REQUIRES(mutex_);
  void post(const std::shared_ptr<const Message>& message);
  void send_held(const std::shared_ptr<const Message>& message);
  bool may_hand_out_here() const;
  void hand_out_here(const Message& message);
  void hand_out(size_t reactor, const Message& message);
  bool is_current(const Message& message) const;
  void remove(PubSubKind kind, std::string_view name, uint64_t client_id) REQUIRES(mutex_);
  Names& names_of(PubSubKind kind) REQUIRES(mutex_) { return names_[static_cast<size_t>(kind)]; }
  void publish_counts() REQUIRES(mutex_);

  ClientDirectory* const clients_;
  mutable Mutex mutex_{LockRank::kPubsub};
  std::array<Names, kPubSubKinds> names_ GUARDED_BY(mutex_);
  std::array<std::atomic<size_t>, kPubSubKinds> counts_{};
};

}  // namespace synap
