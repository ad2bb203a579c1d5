#include "datatypes/pubsub/pubsub.h"

#include <algorithm>

#include "protocol/output_buffer.h"
#include "protocol/reply.h"
#include "server/base/glob.h"

namespace synap {

namespace {

using SubscriptionSet = std::set<std::string, std::less<>>;

SubscriptionSet& subscriptions(Session& session, PubSubKind kind) {
  switch (kind) {
    case PubSubKind::kPattern:
      return session.patterns;
    case PubSubKind::kShardChannel:
      return session.shard_channels;
    default:
      return session.channels;
  }
}

// What others see of a client's subscriptions.
void publish_figures(Session& session) {
  SharedSession& shared = *session.shared;
  shared.channels.store(static_cast<uint32_t>(session.channels.size()), std::memory_order_relaxed);
  shared.patterns.store(static_cast<uint32_t>(session.patterns.size()), std::memory_order_relaxed);
  shared.shard_channels.store(static_cast<uint32_t>(session.shard_channels.size()), std::memory_order_relaxed);
  const bool any = !session.channels.empty() || !session.patterns.empty() || !session.shard_channels.empty();
  any ? session.set(kSessionPubsub) : session.clear(kSessionPubsub);
}

// A message as a client of this protocol version gets it.
SharedBytes encode(PubSubKind kind, int resp, std::string_view name, std::string_view channel, std::string_view message) {
  OutputBuffer buffer;
  Reply reply(&buffer, resp);
  if (kind == PubSubKind::kPattern) {
    reply.push(4);
    reply.bulk("pmessage");
    reply.bulk(name);
  } else {
    reply.push(3);
    reply.bulk(kind == PubSubKind::kShardChannel ? "smessage" : "message");
  }
  reply.bulk(channel);
  reply.bulk(message);
  return SharedBytes::copy_of(buffer.to_string());
}

// The message of one publish for the clients of one reactor.
struct Parcel {
  PubSubKind kind;
  std::string name;
  std::shared_ptr<const std::array<SharedBytes, 2>> encoded;  // RESP2, RESP3
  std::vector<uint64_t> clients;
};

void hand_out(ClientDirectory& clients, size_t reactor, const Parcel& parcel) {
  for (const uint64_t id : parcel.clients) {
    ClientPort* port = clients.local(reactor, id);
    // It may have unsubscribed since: then it must not get the message after the confirmation.
    if (port == nullptr || !subscriptions(port->session(), parcel.kind).contains(parcel.name)) continue;
    port->deliver_shared((*parcel.encoded)[port->session().resp == 3 ? 1 : 0]);
  }
}

}  // namespace

bool PubSub::subscribe(PubSubKind kind, Session& session, std::string_view name) {
  if (!subscriptions(session, kind).emplace(name).second) return false;
  publish_figures(session);
  LockGuard guard(mutex_);
  names_of(kind)[std::string(name)].push_back(session.shared);
  publish_counts();
  return true;
}

bool PubSub::unsubscribe(PubSubKind kind, Session& session, std::string_view name) {
  SubscriptionSet& own = subscriptions(session, kind);
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
      for (const std::string& name : subscriptions(session, static_cast<PubSubKind>(kind))) {
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
  std::erase_if(it->second, [client_id](const auto& shared) { return shared->id == client_id; });
  if (it->second.empty()) names.erase(it);
}

void PubSub::publish_counts() {
  for (size_t kind = 0; kind < kPubSubKinds; ++kind) counts_[kind].store(names_[kind].size(), std::memory_order_relaxed);
}

void PubSub::deliver(PubSubKind kind, const Subscribers& subscribers, std::string_view name, std::string_view channel,
                     std::string_view message) {
  auto encoded = std::make_shared<std::array<SharedBytes, 2>>();
  (*encoded)[0] = encode(kind, 2, name, channel, message);
  (*encoded)[1] = encode(kind, 3, name, channel, message);
  std::vector<std::vector<uint64_t>> by_reactor(clients_->reactor_count());
  for (const auto& shared : subscribers) {
    by_reactor[static_cast<size_t>(shared->reactor.load(std::memory_order_relaxed))].push_back(shared->id);
  }
  for (size_t reactor = 0; reactor < by_reactor.size(); ++reactor) {
    if (by_reactor[reactor].empty()) continue;
    auto parcel = std::make_shared<Parcel>(Parcel{kind, std::string(name), encoded, std::move(by_reactor[reactor])});
    clients_->reactor(reactor).post([this, reactor, parcel] { hand_out(*clients_, reactor, *parcel); });
  }
}

size_t PubSub::publish(std::string_view channel, std::string_view message) {
  if (count(PubSubKind::kChannel) == 0 && count(PubSubKind::kPattern) == 0) return 0;
  size_t receivers = 0;
  LockGuard guard(mutex_);
  const Names& channels = names_of(PubSubKind::kChannel);
  if (const auto it = channels.find(channel); it != channels.end()) {
    deliver(PubSubKind::kChannel, it->second, channel, channel, message);
    receivers += it->second.size();
  }
  for (const auto& [pattern, subscribers] : names_of(PubSubKind::kPattern)) {
    if (!glob_match(pattern, channel)) continue;
    deliver(PubSubKind::kPattern, subscribers, pattern, channel, message);
    receivers += subscribers.size();
  }
  return receivers;
}

size_t PubSub::publish_to_shard(std::string_view channel, std::string_view message) {
  if (count(PubSubKind::kShardChannel) == 0) return 0;
  LockGuard guard(mutex_);
  const Names& channels = names_of(PubSubKind::kShardChannel);
  const auto it = channels.find(channel);
  if (it == channels.end()) return 0;
  deliver(PubSubKind::kShardChannel, it->second, channel, channel, message);
  return it->second.size();
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
  return it == names.end() ? 0 : it->second.size();
}

}  // namespace synap
