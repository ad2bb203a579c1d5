// ChannelSet: the channels of one kind that a client listens to. Most clients have one or none: that is a pointer, more
// are a table. Belongs to PubSub's lock; the channels are the registry's.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "datatypes/pubsub/channel.h"
#include "server/base/assert.h"
#include "server/base/block_mover.h"

namespace synap {

class ChannelSet {
 public:
  ChannelSet() = default;
  ChannelSet(const ChannelSet&) = delete;
  ChannelSet& operator=(const ChannelSet&) = delete;
  ~ChannelSet() { clear(); }

  bool empty() const { return word_ == 0; }
  size_t size() const { return is_table() ? table()->size() : empty() ? 0 : 1; }
  bool contains(uint64_t hash, std::string_view name) const {
    if (is_table()) return table()->find(hash, name) != nullptr;
    return !empty() && only()->name() == name;
  }
  template <class Visit>
  void for_each(Visit visit) const {
    if (!is_table()) return empty() ? void() : visit(only());
    table()->for_each([&](Channel* channel, bool) { visit(channel); });
  }

  // Absent before.
  void insert(uint64_t hash, Channel* channel) {
    if (empty()) {
      set_only(channel);
      return;
    }
    if (!is_table()) {
      auto fresh = std::make_unique<ChannelTable>();
      fresh->insert(ChannelTraits::hash(only()), only());
      word_ = reinterpret_cast<uintptr_t>(fresh.release()) | kTableBit;
    }
    table()->insert(hash, channel);
  }

  // The channel, or null when it is not here.
  Channel* erase(uint64_t hash, std::string_view name) {
    if (!contains(hash, name)) return nullptr;
    if (!is_table()) return reinterpret_cast<Channel*>(std::exchange(word_, 0));
    Channel* gone = table()->erase(hash, name);
    if (table()->size() == 1) {
      Channel* left = nullptr;
      table()->for_each([&left](Channel* channel, bool) { left = channel; });
      clear();
      set_only(left);
    }
    return gone;
  }
  void clear() {
    if (is_table()) delete table();
    word_ = 0;
  }

  // The channel of that name is elsewhere now; its old place can still be read.
  void replace(uint64_t hash, Channel* channel) {
    is_table() ? table()->find(hash, channel->name())->set_item(channel) : set_only(channel);
  }
  // Moves the part of its own memory that begins with the hash.
  void relocate(uint64_t hash, BlockMover& mover) {
    if (!is_table()) return;
    table()->move_memory(hash >> (64 - ChannelTable::kCursorBits), mover);
  }

 private:
  static constexpr uintptr_t kTableBit = 1;

  bool is_table() const { return (word_ & kTableBit) != 0; }
  Channel* only() const { return reinterpret_cast<Channel*>(word_); }
  void set_only(Channel* channel) { word_ = reinterpret_cast<uintptr_t>(channel); }
  ChannelTable* table() const { return reinterpret_cast<ChannelTable*>(word_ & ~kTableBit); }

  uintptr_t word_ = 0;  // null, a Channel, or a ChannelTable with kTableBit
};

}  // namespace synap
