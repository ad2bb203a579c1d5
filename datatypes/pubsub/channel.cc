#include "datatypes/pubsub/channel.h"

#include <cstring>
#include <new>

#include "server/base/assert.h"

namespace synap {

Channel* Channel::make(std::string_view name) {
  void* memory = std::malloc(sizeof(Channel) + name.size());
  SYNAP_ASSERT(memory != nullptr);
  Channel* channel = new (memory) Channel{.audience = {}, .name_bytes = name.size()};
  if (!name.empty()) std::memcpy(static_cast<char*>(memory) + sizeof(Channel), name.data(), name.size());
  return channel;
}

void Channel::destroy(Channel* channel) {
  channel->~Channel();
  std::free(channel);
}

}  // namespace synap
