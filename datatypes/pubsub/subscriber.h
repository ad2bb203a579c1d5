// What the registry of subscriptions is made of. A channel (pattern, shard channel) is one object that holds its name,
// once for everybody: the registry's table and the tables of all clients that listen to it point at it, it points back
// at them. It lives while somebody listens. All of this belongs to PubSub's lock, but for what is const.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "datatypes/pubsub/audience.h"
#include "server/base/hash.h"
#include "server/base/table.h"
#include "server/command/session.h"

namespace synap {

enum class PubSubKind : uint8_t { kChannel, kPattern, kShardChannel };
inline constexpr size_t kPubSubKinds = 3;

struct Channel {
  Audience audience;
  const size_t name_bytes;  // the name follows

  static Channel* make(std::string_view name);
  static void destroy(Channel* channel);
  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_bytes}; }
};

struct ChannelTraits {
  using Item = Channel;
  static constexpr int kSkipBits = 0;
  static uint64_t hash(const Channel* channel) { return hash_bytes(channel->name()); }
  static bool equals(const Channel* channel, std::string_view name) { return channel->name() == name; }
  static void retire(void* memory) { std::free(memory); }
};
using ChannelTable = Table<ChannelTraits>;

// A client that listens to something. Its session, audiences and snapshots of them share it: a message on its way may
// find it without channels, and its client gone.
struct Subscriber {
  explicit Subscriber(std::shared_ptr<const SharedSession> of)
      : session(std::move(of)), reactor(static_cast<uint32_t>(session->reactor.load(std::memory_order_relaxed))) {}

  void share() { references.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  ChannelTable& of(PubSubKind kind) { return channels[static_cast<size_t>(kind)]; }
  bool idle() const { return channels[0].empty() && channels[1].empty() && channels[2].empty(); }

  const std::shared_ptr<const SharedSession> session;
  const uint32_t reactor;
  std::atomic<uint32_t> references{1};
  std::array<ChannelTable, kPubSubKinds> channels;
};

}  // namespace synap
