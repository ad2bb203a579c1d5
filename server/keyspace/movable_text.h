// MovableText: bytes that never change, but that active defragmentation may give another address, or their owner may give
// up, while other threads read them without a lock. Whoever does either must be the only one to.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "server/base/assert.h"
#include "server/base/block_mover.h"
#include "server/keyspace/background.h"

namespace synap {

class MovableText {
 public:
  explicit MovableText(std::string_view text) : size_(text.size()) {
    auto* bytes = static_cast<char*>(std::malloc(std::max<size_t>(size_, 1)));
    SYNAP_ASSERT(bytes != nullptr);
    if (size_ != 0) std::memcpy(bytes, text.data(), size_);
    bytes_.store(bytes, std::memory_order_relaxed);
  }
  // Nobody reads any more.
  ~MovableText() { std::free(bytes_.load(std::memory_order_relaxed)); }
  MovableText(const MovableText&) = delete;
  MovableText& operator=(const MovableText&) = delete;

  // Good until this thread's next quiescent point (background.h). Its data() is null once the text was given up.
  std::string_view view() const {
    const char* bytes = bytes_.load(std::memory_order_acquire);
    return {bytes, bytes == nullptr ? 0 : size_};
  }
  size_t size() const { return size_; }

  void relocate(BlockMover& mover) {
    char* old = bytes_.load(std::memory_order_relaxed);
    if (old == nullptr || !mover.wants(old)) return;
    bytes_.store(static_cast<char*>(mover.copy(old)), std::memory_order_release);
    reclamation_retire(old, std::free);
  }

  void give_up() {
    char* old = bytes_.exchange(nullptr, std::memory_order_acq_rel);
    if (old != nullptr) reclamation_retire(old, std::free);
  }

 private:
  const size_t size_;
  std::atomic<char*> bytes_;
};

}  // namespace synap
