#include "persistence/journal.h"

#include <algorithm>

namespace synap {

uint64_t Journal::append(std::string_view resp, size_t count, int first_db, int last_db) {
  LockGuard guard(mutex_);
  if (subscribers_.empty()) return end_offset();
  if (selected_db_ != first_db) {
    const std::string db = std::to_string(first_db);
    publish("*2\r\n$6\r\nSELECT\r\n$" + std::to_string(db.size()) + "\r\n" + db + "\r\n");
  }
  if (count > 1) publish("*1\r\n$5\r\nMULTI\r\n");
  publish(resp);
  if (count > 1) publish("*1\r\n$4\r\nEXEC\r\n");
  selected_db_ = last_db;
  return end_offset();
}

void Journal::publish(std::string_view bytes) {
  const uint64_t offset = end_offset_.load(std::memory_order_relaxed);
  for (JournalSubscriber* subscriber : subscribers_) subscriber->append(offset, bytes);
  end_offset_.store(offset + bytes.size(), std::memory_order_release);
}

void Journal::subscribe(JournalSubscriber* subscriber) {
  LockGuard guard(mutex_);
  subscribers_.push_back(subscriber);
  selected_db_ = -1;
  active_.store(true, std::memory_order_release);
}

void Journal::unsubscribe(JournalSubscriber* subscriber) {
  LockGuard guard(mutex_);
  subscribers_.erase(std::remove(subscribers_.begin(), subscribers_.end(), subscriber), subscribers_.end());
  active_.store(!subscribers_.empty(), std::memory_order_release);
}

void Journal::forget_database() {
  LockGuard guard(mutex_);
  selected_db_ = -1;
}

}  // namespace synap
