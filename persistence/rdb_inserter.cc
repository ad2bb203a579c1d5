#include "persistence/rdb_inserter.h"

#include <utility>

#include "server/keyspace/memory_counter.h"
#include "server/keyspace/type_ops.h"

namespace synap {

void RdbInserter::add(DbSlice* slice, uint64_t hash, Entry* entry) {
  if (batch_ == nullptr) batch_ = std::make_unique<Batch>();
  batch_->items[batch_->count++] = {slice, hash, entry};
  if (batch_->count == Batch::kItemsMax) hand_over();
}

void RdbInserter::reserve(Keyspace* keyspace, size_t db, size_t keys) {
  if (batch_ != nullptr) hand_over();
  batch_ = std::make_unique<Batch>();
  batch_->before = [keyspace, db, keys] {
    for (size_t i = 0; i < kShards; ++i) keyspace->shard(i).dbs[db].table.reserve(keys / kShards);
  };
}

void RdbInserter::hand_over() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  LockGuard guard(mutex_);
  while (queue_.size() >= kQueuedMax) changed_.wait(mutex_);
  queue_.push_back(std::move(batch_));
  changed_.notify_all();
}

void RdbInserter::finish() {
  if (thread_.joinable()) {
    {
      LockGuard guard(mutex_);
      ending_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  if (batch_ != nullptr) insert(*std::exchange(batch_, nullptr));
}

void RdbInserter::run() {
  memory_counter_join();
  for (;;) {
    std::unique_ptr<Batch> batch;
    {
      LockGuard guard(mutex_);
      while (queue_.empty() && !ending_) changed_.wait(mutex_);
      if (queue_.empty()) return;
      batch = std::move(queue_.front());
      queue_.pop_front();
      changed_.notify_all();
    }
    insert(*batch);
  }
}

void RdbInserter::insert(const Batch& batch) {
  constexpr size_t kAhead = 12;  // items whose table lines are on their way
  if (batch.before) batch.before();
  for (size_t i = 0; i < batch.count; ++i) {
    if (i + kAhead < batch.count) batch.items[i + kAhead].slice->table.prefetch_bucket(batch.items[i + kAhead].hash);
    insert(batch.items[i]);
  }
}

void RdbInserter::insert(const Item& item) {
  const std::string_view key = item.entry->key();
  if (item.slice->find(item.hash, key) != nullptr) {
    if (!replace_) {
      if (!failed()) {
        repeated_key_ = key;
        failed_.store(true, std::memory_order_release);
      }
      return free_entry(item.entry);
    }
    free_entry(item.slice->take(item.hash, key));
  }
  item.slice->add(item.hash, item.entry);
}

}  // namespace synap
