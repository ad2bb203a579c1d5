#include "persistence/journal.h"

#include <algorithm>

namespace synap {

uint64_t Journal::append(std::string_view resp, size_t count, int first_db, int last_db) {
  LockGuard guard(mutex_);
  if (subscribers_.empty()) return end_offset();
  std::string select;
  if (selected_db_ != first_db) {
    const std::string db = std::to_string(first_db);
    select = "*2\r\n$6\r\nSELECT\r\n$" + std::to_string(db.size()) + "\r\n" + db + "\r\n";
  }
  const bool block = count > 1;
  const std::string_view parts[] = {select, block ? "*1\r\n$5\r\nMULTI\r\n" : "", resp, block ? "*1\r\n$4\r\nEXEC\r\n" : ""};
  uint64_t end = end_offset_.load(std::memory_order_relaxed);
  for (const std::string_view part : parts) end += part.size();
  for (JournalSubscriber* subscriber : subscribers_) subscriber->append(parts, end);
  selected_db_ = last_db;
  end_offset_.store(end, std::memory_order_release);
  return end;
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
