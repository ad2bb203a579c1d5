// PubSub: who listens to which channels and patterns, and the delivery of messages. One registry for all reactors under
// one lock; a message is encoded once, shared by its receivers' buffers, and goes to each reactor with a single post,
// so a publisher's messages arrive in their order. What a client listens to (subscriber.h) is part of the registry,
// under the same lock; its session only owns the handle. Keyspace events are published the same way.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datatypes/pubsub/subscriber.h"
#include "server/base/block_mover.h"
#include "server/base/sync.h"
#include "server/command/client_directory.h"
#include "server/command/session.h"

namespace synap {

class PubSub {
 public:
  // Messages of a running command. Under appendfsync always one must not leave before the journal has the effects that
  // it may tell of: the subscriber's reactor would not know what to wait for.
  using Held = std::vector<std::function<void()>>;
  // While it lives, what this thread publishes goes there instead of being sent; a command inside another's adds to
  // that one's messages.
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
  ~PubSub();
  PubSub(const PubSub&) = delete;
  PubSub& operator=(const PubSub&) = delete;

  // On the client's reactor. False: it was subscribed already, or it was not.
  bool subscribe(PubSubKind kind, Session& session, std::string_view name);
  bool unsubscribe(PubSubKind kind, Session& session, std::string_view name);
  // The client leaves, or RESET.
  void forget(Session& session);
  // What the client listens to.
  std::vector<std::string> subscriptions(PubSubKind kind, const Session& session) const;
  // Whether that holds for one of them at least. The predicate may not come back here.
  bool any_subscription(const Session& session, const std::function<bool(PubSubKind, std::string_view)>& holds) const;

  // Any thread. Returns how many clients (and patterns of clients) will get it.
  size_t publish(std::string_view channel, std::string_view message);
  size_t publish_to_shard(std::string_view channel, std::string_view message);

  // Names with subscribers, those that match `pattern` unless it is null.
  std::vector<std::string> names(PubSubKind kind, const std::string_view* pattern) const;
  size_t subscribers(PubSubKind kind, std::string_view name) const;
  size_t count(PubSubKind kind) const { return counts_[static_cast<size_t>(kind)].load(std::memory_order_relaxed); }

  // Active defragmentation: moves the names and tables from a cursor on, those of at least `count` subscriptions if
  // there are so many. Returns the next cursor, 0 at the end. Begin with 0.
  uint64_t relocate(uint64_t cursor, size_t count, BlockMover& mover);

 private:
  struct Message;
  using Messages = std::vector<Message>;

  // To those who listen to `to`: sends the message, or leaves it in *now, to be handed out here once the lock is free.
  // Under the lock.
  size_t send(PubSubKind kind, const Channel& to, std::string_view channel, std::string_view text, Messages* now);
  void post(const std::shared_ptr<const Message>& message);
  void send_held(const std::shared_ptr<const Message>& message);
  bool may_hand_out_here() const;
  void hand_out_here(const Message& message);
  void hand_out(size_t reactor, const Message& message);
  bool is_current(const Message& message) const REQUIRES(mutex_);
  static Audience still_listening(size_t reactor, const Message& message);
  static void leave(ChannelTable& channels, uint64_t hash, Channel* channel, const Subscriber* subscriber);
  static size_t relocate_channel(PubSubKind kind, ChannelTable& channels, Channel* channel, BlockMover& mover);
  ChannelTable& of(PubSubKind kind) REQUIRES(mutex_) { return channels_[static_cast<size_t>(kind)]; }
  const ChannelTable& of(PubSubKind kind) const REQUIRES(mutex_) { return channels_[static_cast<size_t>(kind)]; }
  void publish_figures(Session& session) REQUIRES(mutex_);

  ClientDirectory* const clients_;
  mutable Mutex mutex_{LockRank::kPubsub};
  std::array<ChannelTable, kPubSubKinds> channels_ GUARDED_BY(mutex_);
  std::array<std::atomic<size_t>, kPubSubKinds> counts_{};
};

}  // namespace synap
