// Published<T>: a number that one thread at a time changes (under some lock) and any thread may read without it. The
// reader gets some recent value: good for INFO and estimates, never for decisions about the data.
#pragma once

#include <atomic>

namespace synap {

template <class T>
class Published {
 public:
  Published(T value = {}) : value_(value) {}
  Published(const Published& other) : value_(T{other}) {}
  Published& operator=(const Published& other) { return *this = T{other}; }

  operator T() const { return value_.load(std::memory_order_relaxed); }
  Published& operator=(T value) {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }
  Published& operator+=(T change) { return *this = T{*this} + change; }
  Published& operator-=(T change) { return *this = T{*this} - change; }
  Published& operator++() { return *this += 1; }
  Published& operator--() { return *this -= 1; }

 private:
  std::atomic<T> value_;
};

}  // namespace synap
