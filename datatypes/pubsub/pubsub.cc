#include "datatypes/pubsub/pubsub.h"

#include <cstring>
#include <utility>

#include "server/base/glob.h"
#include "server/base/number.h"
#include "server/base/shared_bytes.h"

namespace synap {

namespace {

thread_local PubSub::Held* held_here = nullptr;

char* put(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

char* put_bulk(char* to, std::string_view bytes) {
  *to++ = '$';
  to += format_int64(to, static_cast<int64_t>(bytes.size()));
  return put(put(put(to, "\r\n"), bytes), "\r\n");
}

// One message, and where its first bulk behind the kind lies: what the receivers are subscribed to.
struct Encoding {
  SharedBytes resp2;  // in RESP3 only the first byte is another
  std::string_view name;
};

Encoding encode(PubSubKind kind, std::string_view name, std::string_view channel, std::string_view message) {
  constexpr size_t kFraming = 100;
  constexpr size_t kLineEnd = 2;
  SharedBytes bytes = SharedBytes::allocate(name.size() + channel.size() + message.size() + kFraming);
  char* end = bytes.data();
  if (kind == PubSubKind::kPattern) {
    end = put_bulk(put(end, "*4\r\n$8\r\npmessage\r\n"), name);
  } else {
    end = put(end, kind == PubSubKind::kShardChannel ? "*3\r\n$8\r\nsmessage\r\n" : "*3\r\n$7\r\nmessage\r\n");
    end = put_bulk(end, name);
  }
  const std::string_view written(end - kLineEnd - name.size(), name.size());
  if (kind == PubSubKind::kPattern) end = put_bulk(end, channel);
  end = put_bulk(end, message);
  bytes.resize(static_cast<size_t>(end - bytes.data()));
  return {std::move(bytes), written};
}

// One message in the two versions of the protocol.
class Encoded {
 public:
  explicit Encoded(const SharedBytes& resp2) : resp2_(resp2) {}

  const SharedBytes& of(const Session& session) {
    if (session.resp != 3) return resp2_;
    if (!resp3_) {
      resp3_ = SharedBytes::copy_of(resp2_.view());
      resp3_.data()[0] = '>';
    }
    return resp3_;
  }

 private:
  const SharedBytes& resp2_;
  SharedBytes resp3_;
};

}  // namespace

PubSub::Hold::Hold(Held* held) : before_(held_here) {
  if (held_here == nullptr) held_here = held;
}

PubSub::Hold::~Hold() { held_here = before_; }

PubSub::~PubSub() {
  for (const ChannelTable& channels : channels_) {
    channels.for_each([](Channel* channel, bool) { Channel::destroy(channel); });
  }
}

bool PubSub::subscribe(PubSubKind kind, Session& session, std::string_view name) {
  const uint64_t hash = hash_bytes(name);
  LockGuard guard(mutex_);
  if (session.subscriber == nullptr) session.subscriber.reset(std::make_unique<Subscriber>(session.shared).release());
  ChannelSet& own = session.subscriber->of(kind);
  Channel* channel = of(kind).find_item(hash, name);
  if (channel == nullptr) {
    channel = Channel::make(name);
    of(kind).insert(hash, channel);
  } else if (own.contains(hash, name)) {
    return false;
  }
  own.insert(hash, channel);
  channel->audience.add(session.subscriber.get());
  publish_figures(session);
  return true;
}

bool PubSub::unsubscribe(PubSubKind kind, Session& session, std::string_view name) {
  const uint64_t hash = hash_bytes(name);
  LockGuard guard(mutex_);
  if (session.subscriber == nullptr) return false;
  Channel* channel = session.subscriber->of(kind).erase(hash, name);
  if (channel == nullptr) return false;
  leave(of(kind), hash, channel, session.subscriber.get());
  publish_figures(session);
  return true;
}

void PubSub::forget(Session& session) {
  if (!session.has(kSessionPubsub)) return;
  LockGuard guard(mutex_);
  Subscriber* subscriber = session.subscriber.get();
  for (size_t kind = 0; kind < kPubSubKinds; ++kind) {
    ChannelTable& all = channels_[kind];
    ChannelSet& own = subscriber->channels[kind];
    own.for_each([&](Channel* channel) { leave(all, ChannelTraits::hash(channel), channel, subscriber); });
    own.clear();
  }
  publish_figures(session);
}

// The channel goes with the last one who listens to it.
void PubSub::leave(ChannelTable& channels, uint64_t hash, Channel* channel, const Subscriber* subscriber) {
  channel->audience.remove(subscriber);
  if (!channel->audience.empty()) return;
  channels.erase(hash, channel->name());
  Channel::destroy(channel);
}

// What others see of a client's subscriptions, and of all. A client without any needs no place here.
void PubSub::publish_figures(Session& session) {
  SharedSession& shared = *session.shared;
  Subscriber& subscriber = *session.subscriber;
  const auto count_of = [&](PubSubKind kind) { return static_cast<uint32_t>(subscriber.of(kind).size()); };
  shared.channels.store(count_of(PubSubKind::kChannel), std::memory_order_relaxed);
  shared.patterns.store(count_of(PubSubKind::kPattern), std::memory_order_relaxed);
  shared.shard_channels.store(count_of(PubSubKind::kShardChannel), std::memory_order_relaxed);
  subscriber.idle() ? session.clear(kSessionPubsub) : session.set(kSessionPubsub);
  if (subscriber.idle()) session.subscriber = nullptr;
  for (size_t kind = 0; kind < kPubSubKinds; ++kind)
    counts_[kind].store(channels_[kind].size(), std::memory_order_relaxed);
}

std::vector<std::string> PubSub::subscriptions(PubSubKind kind, const Session& session) const {
  std::vector<std::string> found;
  LockGuard guard(mutex_);
  if (session.subscriber == nullptr) return found;
  const ChannelSet& own = session.subscriber->of(kind);
  found.reserve(own.size());
  own.for_each([&](const Channel* channel) { found.emplace_back(channel->name()); });
  return found;
}

bool PubSub::any_subscription(const Session& session,
                              const std::function<bool(PubSubKind, std::string_view)>& holds) const {
  LockGuard guard(mutex_);
  bool any = false;
  for (size_t i = 0; i < kPubSubKinds && session.subscriber != nullptr; ++i) {
    const auto kind = static_cast<PubSubKind>(i);
    session.subscriber->of(kind).for_each(
        [&](const Channel* channel) { any = any || holds(kind, channel->name()); });
  }
  return any;
}

// --- Delivery.

// One publish to those who listen to one name.
struct PubSub::Message {
  PubSubKind kind;
  SharedBytes resp2;
  std::string_view name;  // inside resp2
  Audience audience;
};

size_t PubSub::send(PubSubKind kind, const Channel& to, std::string_view channel, std::string_view text,
                    Messages* now) {
  Encoding encoding = encode(kind, to.name(), channel, text);
  Message message{kind, std::move(encoding.resp2), encoding.name, to.audience.snapshot()};
  if (held_here != nullptr) {
    held_here->push_back([this, shared = std::make_shared<const Message>(std::move(message))] { send_held(shared); });
  } else if (may_hand_out_here()) {
    now->push_back(std::move(message));
  } else {
    post(std::make_shared<const Message>(std::move(message)));
  }
  return to.audience.size();
}

// The only reactor's own messages take no detour through its mailbox. With several reactors they all do, so that
// messages of different publishers come in one order everywhere.
bool PubSub::may_hand_out_here() const {
  return clients_->reactor_count() == 1 && clients_->reactor(0).on_thread();
}

void PubSub::send_held(const std::shared_ptr<const Message>& message) {
  may_hand_out_here() ? hand_out_here(*message) : post(message);
}

void PubSub::post(const std::shared_ptr<const Message>& message) {
  uint64_t reactors = 0;
  message->audience.for_each([&](const Subscriber* subscriber) { reactors |= uint64_t{1} << subscriber->reactor; });
  for (size_t reactor = 0; reactor < clients_->reactor_count(); ++reactor) {
    if ((reactors >> reactor & 1) == 0) continue;
    clients_->reactor(reactor).post([this, reactor, message] { hand_out(reactor, *message); });
  }
}

// Nobody has come or gone since the message was published.
bool PubSub::is_current(const Message& message) const {
  const Channel* channel = of(message.kind).find_item(hash_bytes(message.name), message.name);
  return channel != nullptr && channel->audience.is(message.audience);
}

// Whoever has unsubscribed since must not get the message after the confirmation.
Audience PubSub::still_listening(size_t reactor, const Message& message) {
  Audience audience;
  const uint64_t hash = hash_bytes(message.name);
  message.audience.for_each([&](Subscriber* subscriber) {
    if (subscriber->reactor != reactor || !subscriber->of(message.kind).contains(hash, message.name)) return;
    audience.add(subscriber);
  });
  return audience;
}

void PubSub::hand_out(size_t reactor, const Message& message) {
  Audience rest;
  const Audience* audience = &message.audience;
  {
    LockGuard guard(mutex_);
    if (!is_current(message)) {
      rest = still_listening(reactor, message);
      audience = &rest;
    }
  }
  Encoded encoded(message.resp2);
  audience->for_each([&](const Subscriber* subscriber) {
    if (subscriber->reactor != reactor) return;
    ClientPort* port = subscriber->session->port;
    if (port != nullptr) port->deliver_shared(encoded.of(port->session()));
  });
}

// At once: nobody can have unsubscribed. But the reply of a blocked client may be on its way to it by post: what is
// published later stays behind it.
void PubSub::hand_out_here(const Message& message) {
  Audience blocked;
  Encoded encoded(message.resp2);
  message.audience.for_each([&](Subscriber* subscriber) {
    ClientPort* port = subscriber->session->port;
    if (port == nullptr) return;
    if (port->session().has(kSessionBlocked)) [[unlikely]] {
      blocked.add(subscriber);
    } else {
      port->deliver_shared(encoded.of(port->session()));
    }
  });
  if (blocked.empty()) return;
  post(std::make_shared<const Message>(Message{message.kind, message.resp2.share(), message.name, std::move(blocked)}));
}

size_t PubSub::publish(std::string_view channel, std::string_view message) {
  if (count(PubSubKind::kChannel) == 0 && count(PubSubKind::kPattern) == 0) return 0;
  const uint64_t hash = hash_bytes(channel);
  size_t receivers = 0;
  Messages now;
  {
    LockGuard guard(mutex_);
    const Channel* exact = of(PubSubKind::kChannel).find_item(hash, channel);
    if (exact != nullptr) receivers += send(PubSubKind::kChannel, *exact, channel, message, &now);
    of(PubSubKind::kPattern).for_each([&](const Channel* pattern, bool) {
      if (!glob_match(pattern->name(), channel)) return;
      receivers += send(PubSubKind::kPattern, *pattern, channel, message, &now);
    });
  }
  for (const Message& each : now) hand_out_here(each);
  return receivers;
}

size_t PubSub::publish_to_shard(std::string_view channel, std::string_view message) {
  if (count(PubSubKind::kShardChannel) == 0) return 0;
  const uint64_t hash = hash_bytes(channel);
  size_t receivers = 0;
  Messages now;
  {
    LockGuard guard(mutex_);
    const Channel* exact = of(PubSubKind::kShardChannel).find_item(hash, channel);
    if (exact == nullptr) return 0;
    receivers = send(PubSubKind::kShardChannel, *exact, channel, message, &now);
  }
  for (const Message& each : now) hand_out_here(each);
  return receivers;
}

std::vector<std::string> PubSub::names(PubSubKind kind, const std::string_view* pattern) const {
  std::vector<std::string> found;
  LockGuard guard(mutex_);
  of(kind).for_each([&](const Channel* channel, bool) {
    if (pattern == nullptr || glob_match(*pattern, channel->name())) found.emplace_back(channel->name());
  });
  return found;
}

size_t PubSub::subscribers(PubSubKind kind, std::string_view name) const {
  LockGuard guard(mutex_);
  const Channel* channel = of(kind).find_item(hash_bytes(name), name);
  return channel == nullptr ? 0 : channel->audience.size();
}

// --- Defragmentation.

// A cursor is a kind and a cursor of its table.
uint64_t PubSub::relocate(uint64_t cursor, size_t count, BlockMover& mover) {
  const auto kind = static_cast<PubSubKind>(cursor >> ChannelTable::kCursorBits);
  uint64_t place = cursor & ((uint64_t{1} << ChannelTable::kCursorBits) - 1);
  std::vector<Channel*> met;
  size_t seen = 0;
  LockGuard guard(mutex_);
  ChannelTable& channels = of(kind);
  do {
    met.clear();
    channels.move_memory(place, mover);
    place = channels.scan(place, [&met](Channel* channel) { met.push_back(channel); });
    for (Channel* channel : met) seen += relocate_channel(kind, channels, channel, mover);
  } while (place != 0 && seen < count);
  if (place != 0) return static_cast<uint64_t>(kind) << ChannelTable::kCursorBits | place;
  const size_t next = static_cast<size_t>(kind) + 1;
  return next == kPubSubKinds ? 0 : static_cast<uint64_t>(next) << ChannelTable::kCursorBits;
}

// With it go its list, and of its listeners' tables the segments that begin with it. Returns how much that was to look
// at.
size_t PubSub::relocate_channel(PubSubKind kind, ChannelTable& channels, Channel* channel, BlockMover& mover) {
  // The channel is one block: not worth finding it in very many tables.
  constexpr size_t kListenersMax = 256;
  channel->audience.relocate(mover);
  if (channel->audience.size() > kListenersMax) return 1;
  const uint64_t hash = ChannelTraits::hash(channel);
  Channel* const fresh = mover.wants(channel) ? static_cast<Channel*>(mover.copy(channel)) : channel;
  fresh->audience.for_each([&](Subscriber* subscriber) {
    subscriber->of(kind).relocate(hash, mover);
    subscriber->of(kind).replace(hash, fresh);
  });
  channels.find(hash, fresh->name())->set_item(fresh);
  if (fresh != channel) mover.release(channel);
  return 1 + fresh->audience.size();
}

}  // namespace synap
