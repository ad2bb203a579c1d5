#include "datatypes/stream/consumer_group.h"

#include <utility>

namespace synap {

const StreamConsumer* ConsumerGroup::find_consumer(std::string_view name) const {
  const auto found = consumers_.find(name);
  return found == consumers_.end() ? nullptr : &found->second;
}

StreamConsumer* ConsumerGroup::create_consumer(std::string_view name, int64_t now_ms) {
  const auto [place, created] = consumers_.try_emplace(std::string(name));
  SYNAP_ASSERT(created);
  place->second.name = place->first;
  place->second.seen_time_ms = now_ms;
  return &place->second;
}

size_t ConsumerGroup::delete_consumer(std::string_view name) {
  const auto found = consumers_.find(name);
  if (found == consumers_.end()) return 0;
  const IdChunks<PendingId>& mine = found->second.pending;
  const size_t count = mine.size();
  if (count == pending_.size()) {
    pending_.clear();
  } else {
    for (auto at = mine.begin(); at != mine.end(); at = mine.next(at)) pending_.erase_id(mine[at].id);
  }
  consumers_.erase(found);
  return count;
}

void ConsumerGroup::deliver(const StreamId& id, StreamConsumer* consumer, int64_t now_ms) {
  assign(id, consumer, now_ms, 1);
}

void ConsumerGroup::redeliver(const StreamId& id, int64_t now_ms) {
  PendingEntry* entry = pending_.find(id);
  SYNAP_ASSERT(entry != nullptr);
  entry->delivery_time_ms = now_ms;
  ++entry->delivery_count;
}

void ConsumerGroup::assign(const StreamId& id, StreamConsumer* consumer, int64_t delivery_time_ms,
                           uint64_t delivery_count) {
  const PendingEntry wanted{id, consumer, delivery_time_ms, delivery_count};
  if (pending_.insert(wanted)) {
    consumer->pending.insert({id});
    return;
  }
  PendingEntry* entry = pending_.find(id);
  if (entry->consumer != consumer) {
    entry->consumer->pending.erase_id(id);
    consumer->pending.insert({id});
  }
  *entry = wanted;
}

bool ConsumerGroup::acknowledge(const StreamId& id) {
  const auto at = pending_.lower_bound(id);
  if (at == pending_.end() || pending_[at].id != id) return false;
  pending_[at].consumer->pending.erase_id(id);
  pending_.erase(at);
  return true;
}

bool ConsumerGroup::load_pending(const StreamId& id, int64_t delivery_time_ms, uint64_t delivery_count) {
  return pending_.insert({id, nullptr, delivery_time_ms, delivery_count});
}

bool ConsumerGroup::load_owner(const StreamId& id, StreamConsumer* consumer) {
  PendingEntry* entry = pending_.find(id);
  if (entry == nullptr || entry->consumer != nullptr) return false;
  entry->consumer = consumer;
  return consumer->pending.insert({id});
}

bool ConsumerGroup::owners_complete() const {
  size_t owned = 0;
  for (const auto& [name, consumer] : consumers_) owned += consumer.pending.size();
  return owned == pending_.size();
}

void ConsumerGroup::relocate(BlockMover& mover) {
  const auto leave = [](const auto&) {};
  pending_.move_arrays(0, SIZE_MAX, mover, leave);
  for (auto& [name, consumer] : consumers_) consumer.pending.move_arrays(0, SIZE_MAX, mover, leave);
}

ConsumerGroup ConsumerGroup::copy() const {
  ConsumerGroup result(last_id, entries_read);
  result.pending_ = pending_.copy();
  for (const auto& [name, consumer] : consumers_) {
    StreamConsumer* twin = result.create_consumer(name, consumer.seen_time_ms);
    twin->active_time_ms = consumer.active_time_ms;
    twin->pending = consumer.pending.copy();
    for (auto at = twin->pending.begin(); at != twin->pending.end(); at = twin->pending.next(at)) {
      result.pending_.find(twin->pending[at].id)->consumer = twin;
    }
  }
  return result;
}

size_t ConsumerGroup::memory_bytes() const {
  // A map node: three links and a colour, then the pair.
  constexpr size_t kNodeBytes = 4 * sizeof(void*) + sizeof(Consumers::value_type);
  size_t bytes = pending_.memory_bytes();
  for (const auto& [name, consumer] : consumers_) {
    bytes += kNodeBytes + (name.size() > 15 ? name.capacity() + 1 : 0) + consumer.pending.memory_bytes();
  }
  return bytes;
}

}  // namespace synap
