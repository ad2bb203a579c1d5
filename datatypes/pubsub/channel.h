// A channel, pattern or shard channel: one object that holds the name once for everybody. The registry's table and the
// sets of all clients that listen point at it, it points back at them. It lives while somebody listens. Belongs to
// PubSub's lock, but for the name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "datatypes/pubsub/audience.h"
#include "server/base/hash.h"
#include "server/base/table.h"

namespace synap {

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

}  // namespace synap
