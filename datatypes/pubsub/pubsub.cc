#include "datatypes/pubsub/pubsub.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "server/base/glob.h"
#include "server/base/number.h"
#include "server/base/shared_bytes.h"

namespace synap {

namespace {

using SubscriptionSet = std::set<std::string, std::less<>>;

thread_local PubSub::Held* held_here = nullptr;

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

void append_bulk(std::string_view bytes, std::string* out) {
  char number[24];
  *out += '$';
  out->append(number, format_int64(number, static_cast<int64_t>(bytes.size())));
  *out += "\r\n";
  *out += bytes;
  *out += "\r\n";
}

// A message in RESP2 and in RESP3, where only the first byte is another.
std::array<SharedBytes, 2> encode(PubSubKind kind, std::string_view name, std::string_view channel,
                                  std::string_view message) {
  constexpr size_t kFraming = 100;
  std::string text;
  text.reserve(name.size() + channel.size() + message.size() + kFraming);
  if (kind == PubSubKind::kPattern) {
    text += "*4\r\n$8\r\npmessage\r\n";
    append_bulk(name, &text);
  } else {
    text += kind == PubSubKind::kShardChannel ? "*3\r\n$8\r\nsmessage\r\n" : "*3\r\n$7\r\nmessage\r\n";
  }
  append_bulk(channel, &text);
  append_bulk(message, &text);
  SharedBytes resp2 = SharedBytes::copy_of(text);
  text[0] = '>';
  return {std::move(resp2), SharedBytes::copy_of(text)};
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

// The only reactor's own messages take no detour through its mailbox. With several reactors they all do, so that messages
// of different publishers come in one order everywhere.
bool may_hand_out_now(ClientDirectory& clients) { return clients.reactor_count() == 1 && clients.reactor(0).on_thread(); }

// The reply of a blocked client may be on its way to it by post: what is published later stays behind it.
std::vector<uint64_t> take_blocked(ClientDirectory& clients, Parcel* parcel) {
  const auto is_served_elsewhere = [&clients](uint64_t id) {
    ClientPort* port = clients.local(0, id);
    return port != nullptr && port->session().has(kSessionBlocked);
  };
  const auto blocked = std::stable_partition(parcel->clients.begin(), parcel->clients.end(), std::not_fn(is_served_elsewhere));
  std::vector<uint64_t> taken(blocked, parcel->clients.end());
  parcel->clients.erase(blocked, parcel->clients.end());
  return taken;
}

}  // namespace

PubSub::Hold::Hold(Held* held) : before_(held_here) {
  if (held_here == nullptr) held_here = held;
}

PubSub::Hold::~Hold() { held_here = before_; }

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
  const auto encoded = std::make_shared<const std::array<SharedBytes, 2>>(encode(kind, name, channel, message));
  std::vector<std::vector<uint64_t>> by_reactor(clients_->reactor_count());
  for (const auto& shared : subscribers) {
    by_reactor[static_cast<size_t>(shared->reactor.load(std::memory_order_relaxed))].push_back(shared->id);
  }
  for (size_t reactor = 0; reactor < by_reactor.size(); ++reactor) {
    if (by_reactor[reactor].empty()) continue;
    auto parcel = std::make_shared<Parcel>(Parcel{kind, std::string(name), encoded, std::move(by_reactor[reactor])});
    auto send = [this, reactor, parcel] {
      if (may_hand_out_now(*clients_)) {
        std::vector<uint64_t> blocked = take_blocked(*clients_, parcel.get());
        hand_out(*clients_, reactor, *parcel);
        if (blocked.empty()) return;
        parcel->clients = std::move(blocked);
      }
      clients_->reactor(reactor).post([this, reactor, parcel] { hand_out(*clients_, reactor, *parcel); });
    };
    held_here != nullptr ? held_here->push_back(std::move(send)) : send();
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
