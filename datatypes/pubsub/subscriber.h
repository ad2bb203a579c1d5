// Subscriber: what a client listens to, as the registry of subscriptions knows it. Belongs to PubSub's lock, but for
// what is const and the count of references.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "datatypes/pubsub/channel_set.h"
#include "server/command/session.h"

namespace synap {

enum class PubSubKind : uint8_t { kChannel, kPattern, kShardChannel };
inline constexpr size_t kPubSubKinds = 3;

// A client that listens to something. Its session, audiences and snapshots of them share it: a message on its way may
// find it without channels, and its client gone.
struct Subscriber {
  explicit Subscriber(std::shared_ptr<const SharedSession> of)
      : session(std::move(of)), reactor(static_cast<uint32_t>(session->reactor.load(std::memory_order_relaxed))) {}

  void share() { references.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  ChannelSet& of(PubSubKind kind) { return channels[static_cast<size_t>(kind)]; }
  bool idle() const { return channels[0].empty() && channels[1].empty() && channels[2].empty(); }

  const std::shared_ptr<const SharedSession> session;
  const uint32_t reactor;
  std::atomic<uint32_t> references{1};
  std::array<ChannelSet, kPubSubKinds> channels;
};

}  // namespace synap
