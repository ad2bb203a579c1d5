#include "datatypes/pubsub/pubsub.h"

#include <cstring>
#include <utility>

#include "server/base/glob.h"
#include "server/base/number.h"
#include "server/base/shared_bytes.h"

namespace synap {

namespace {

thread_local PubSub::Held* held_here = nullptr;

// What others see of a client's subscriptions.
void publish_figures(Session& session) {
  SharedSession& shared = *session.shared;
  shared.channels.store(static_cast<uint32_t>(session.channels.size()), std::memory_order_relaxed);
  shared.patterns.store(static_cast<uint32_t>(session.patterns.size()), std::memory_order_relaxed);
  shared.shard_channels.store(static_cast<uint32_t>(session.shard_channels.size()), std::memory_order_relaxed);
  const bool any = !session.channels.empty() || !session.patterns.empty() || !session.shard_channels.empty();
  any ? session.set(kSessionPubsub) : session.clear(kSessionPubsub);
}

char* put(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

char* put_bulk(char* to, std::string_view bytes) {
  *to++ = '$';
  to += format_int64(to, static_cast<int64_t>(bytes.size()));
  return put(put(put(to, "\r\n"), bytes), "\r\n");
}

// In RESP2; in RESP3 only the first byte is another.
SharedBytes encode(PubSubKind kind, std::string_view name, std::string_view channel, std::string_view message) {
  constexpr size_t kFraming = 100;
  SharedBytes bytes = SharedBytes::allocate(name.size() + channel.size() + message.size() + kFraming);
  char* end = bytes.data();
  if (kind == PubSubKind::kPattern) {
    end = put_bulk(put(end, "*4\r\n$8\r\npmessage\r\n"), name);
  } else {
    end = put(end, kind == PubSubKind::kShardChannel ? "*3\r\n$8\r\nsmessage\r\n" : "*3\r\n$7\r\nmessage\r\n");
  }
  end = put_bulk(put_bulk(end, channel), message);
  bytes.resize(static_cast<size_t>(end - bytes.data()));
  return bytes;
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

SubscriptionSet& subscriptions_of(Session& session, PubSubKind kind) {
  switch (kind) {
    case PubSubKind::kPattern:
      return session.patterns;
    case PubSubKind::kShardChannel:
      return session.shard_channels;
    default:
      return session.channels;
  }
}

PubSub::Hold::Hold(Held* held) : before_(held_here) {
  if (held_here == nullptr) held_here = held;
}

PubSub::Hold::~Hold() { held_here = before_; }

bool PubSub::subscribe(PubSubKind kind, Session& session, std::string_view name) {
  if (!subscriptions_of(session, kind).emplace(name).second) return false;
  publish_figures(session);
  LockGuard guard(mutex_);
  const auto reactor = static_cast<size_t>(session.shared->reactor.load(std::memory_order_relaxed));
  names_of(kind)[std::string(name)].to_change().push_back({session.shared, reactor});
  publish_counts();
  return true;
}

bool PubSub::unsubscribe(PubSubKind kind, Session& session, std::string_view name) {
  SubscriptionSet& own = subscriptions_of(session, kind);
  const auto it = own.find(name);
  if (it == own.end()) return false;
  {
    LockGuard guard(mutex_);
    remove(kind, name, session.id());
    publish_counts();
  }
  own.erase(it);
  publish_figures(session);
  return true;
}

void PubSub::forget(Session& session) {
  if (!session.has(kSessionPubsub)) return;
  {
    LockGuard guard(mutex_);
    for (size_t kind = 0; kind < kPubSubKinds; ++kind) {
      for (const std::string& name : subscriptions_of(session, static_cast<PubSubKind>(kind))) {
        remove(static_cast<PubSubKind>(kind), name, session.id());
      }
    }
    publish_counts();
  }
  session.channels.clear();
  session.patterns.clear();
  session.shard_channels.clear();
  publish_figures(session);
}

void PubSub::remove(PubSubKind kind, std::string_view name, uint64_t client_id) {
  Names& names = names_of(kind);
  const auto it = names.find(name);
  if (it == names.end()) return;
  Subscribers& subscribers = it->second.to_change();
  std::erase_if(subscribers, [client_id](const Subscriber& subscriber) { return subscriber.shared->id == client_id; });
  if (subscribers.empty()) names.erase(it);
}

void PubSub::publish_counts() {
  for (size_t kind = 0; kind < kPubSubKinds; ++kind) counts_[kind].store(names_[kind].size(), std::memory_order_relaxed);
}

// --- Delivery.

// One publish to the subscribers of one name.
struct PubSub::Message {
  PubSubKind kind;
  std::string name;
  SharedBytes resp2;
  std::shared_ptr<const Subscribers> subscribers;
};

PubSub::Subscribers& PubSub::Channel::to_change() {
  if (std::exchange(handed_out, false)) list = std::make_shared<Subscribers>(*list);
  return *list;
}

size_t PubSub::send(PubSubKind kind, std::string_view name, Channel* to, std::string_view channel,
                    std::string_view text, Messages* now) {
  to->handed_out = true;
  const size_t receivers = to->list->size();
  Message message{kind, std::string(name), encode(kind, name, channel, text), to->list};
  if (held_here != nullptr) {
    held_here->push_back([this, shared = std::make_shared<const Message>(std::move(message))] { send_held(shared); });
  } else if (may_hand_out_here()) {
    now->push_back(std::move(message));
  } else {
    post(std::make_shared<const Message>(std::move(message)));
  }
  return receivers;
}

// The only reactor's own messages take no detour through its mailbox. With several reactors they all do, so that messages
// of different publishers come in one order everywhere.
bool PubSub::may_hand_out_here() const {
  return clients_->reactor_count() == 1 && clients_->reactor(0).on_thread();
}

void PubSub::send_held(const std::shared_ptr<const Message>& message) {
  may_hand_out_here() ? hand_out_here(*message) : post(message);
}

void PubSub::post(const std::shared_ptr<const Message>& message) {
  uint64_t reactors = 0;
  const uint64_t all = (uint64_t{1} << clients_->reactor_count()) - 1;
  for (const Subscriber& subscriber : *message->subscribers) {
    reactors |= uint64_t{1} << subscriber.reactor;
    if (reactors == all) break;
  }
  for (size_t reactor = 0; reactor < clients_->reactor_count(); ++reactor) {
    if ((reactors >> reactor & 1) == 0) continue;
    clients_->reactor(reactor).post([this, reactor, message] { hand_out(reactor, *message); });
  }
}

// Nobody has come or gone since the message was published.
bool PubSub::is_current(const Message& message) const {
  LockGuard guard(mutex_);
  const Names& names = names_[static_cast<size_t>(message.kind)];
  const auto it = names.find(message.name);
  return it != names.end() && it->second.list == message.subscribers;
}

void PubSub::hand_out(size_t reactor, const Message& message) {
  const bool current = is_current(message);
  Encoded encoded(message.resp2);
  for (const Subscriber& subscriber : *message.subscribers) {
    if (subscriber.reactor != reactor) continue;
    ClientPort* port = subscriber.shared->port;
    if (port == nullptr) continue;
    // Whoever has unsubscribed since must not get the message after the confirmation.
    if (!current && !subscriptions_of(port->session(), message.kind).contains(message.name)) continue;
    port->deliver_shared(encoded.of(port->session()));
  }
}

// At once: nobody can have unsubscribed. But the reply of a blocked client may be on its way to it by post: what is
// published later stays behind it.
void PubSub::hand_out_here(const Message& message) {
  auto blocked = std::make_shared<Subscribers>();
  Encoded encoded(message.resp2);
  for (const Subscriber& subscriber : *message.subscribers) {
    ClientPort* port = subscriber.shared->port;
    if (port == nullptr) continue;
    if (port->session().has(kSessionBlocked)) [[unlikely]] {
      blocked->push_back(subscriber);
    } else {
      port->deliver_shared(encoded.of(port->session()));
    }
  }
  if (blocked->empty()) return;
  post(std::make_shared<const Message>(
      Message{message.kind, message.name, message.resp2.share(), std::move(blocked)}));
}

size_t PubSub::publish(std::string_view channel, std::string_view message) {
  if (count(PubSubKind::kChannel) == 0 && count(PubSubKind::kPattern) == 0) return 0;
  size_t receivers = 0;
  Messages now;
  {
    LockGuard guard(mutex_);
    Names& channels = names_of(PubSubKind::kChannel);
    if (const auto it = channels.find(channel); it != channels.end()) {
      receivers += send(PubSubKind::kChannel, channel, &it->second, channel, message, &now);
    }
    for (auto& [pattern, subscribers] : names_of(PubSubKind::kPattern)) {
      if (!glob_match(pattern, channel)) continue;
      receivers += send(PubSubKind::kPattern, pattern, &subscribers, channel, message, &now);
    }
  }
  for (const Message& each : now) hand_out_here(each);
  return receivers;
}

size_t PubSub::publish_to_shard(std::string_view channel, std::string_view message) {
  if (count(PubSubKind::kShardChannel) == 0) return 0;
  size_t receivers = 0;
  Messages now;
  {
    LockGuard guard(mutex_);
    Names& channels = names_of(PubSubKind::kShardChannel);
    const auto it = channels.find(channel);
    if (it == channels.end()) return 0;
    receivers = send(PubSubKind::kShardChannel, channel, &it->second, channel, message, &now);
  }
  for (const Message& each : now) hand_out_here(each);
  return receivers;
}

std::vector<std::string> PubSub::names(PubSubKind kind, const std::string_view* pattern) const {
  std::vector<std::string> found;
  LockGuard guard(mutex_);
  for (const auto& [name, subscribers] : names_[static_cast<size_t>(kind)]) {
    if (pattern == nullptr || glob_match(*pattern, name)) found.push_back(name);
  }
  return found;
}

size_t PubSub::subscribers(PubSubKind kind, std::string_view name) const {
  LockGuard guard(mutex_);
  const Names& names = names_[static_cast<size_t>(kind)];
  const auto it = names.find(name);
  return it == names.end() ? 0 : it->second.list->size();
}

}  // namespace synap
