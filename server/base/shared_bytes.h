// SharedBytes: one heap block of bytes that several owners may reference: a big string value in the keyspace, the
// replies that quote it, the bulk argument it was read into. A handle is one pointer; references are counted
// atomically, so the last one may be dropped on any thread. Bytes may be changed only while unique().
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "server/base/assert.h"

namespace synap {

class SharedBytes {
 public:
  // What a raw pointer (release, adopt) points to. The bytes follow the header.
  struct Block {
    std::atomic<uint32_t> refs;
    uint64_t size;
    uint64_t capacity;

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
    std::string_view view() const { return {bytes(), size}; }
  };

  SharedBytes() = default;
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes&& other) noexcept {
    if (this != &other) {
      reset();
      block_ = std::exchange(other.block_, nullptr);
    }
    return *this;
  }
  SharedBytes(const SharedBytes&) = delete;
  SharedBytes& operator=(const SharedBytes&) = delete;
  ~SharedBytes() { reset(); }

  // An unshared block of size 0.
  static SharedBytes allocate(size_t capacity) {
    SharedBytes result = try_allocate(capacity);
    SYNAP_ASSERT(result);
    return result;
  }
  // The same for sizes that a client chose: null when there is no such memory.
  static SharedBytes try_allocate(size_t capacity) {
    if (capacity > SIZE_MAX / 2) return {};
    void* memory = std::malloc(sizeof(Block) + capacity);
    if (memory == nullptr) return {};
    return SharedBytes(new (memory) Block{.refs = 1, .size = 0, .capacity = capacity});
  }
  static SharedBytes copy_of(std::string_view bytes) {
    SharedBytes result = allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
    result.resize(bytes.size());
    return result;
  }

  // For a container that stores the block as one word: release() hands over this handle's reference,
  // adopt() takes it back, share_of() makes one more handle while the word keeps its own.
  [[nodiscard]] Block* release() { return std::exchange(block_, nullptr); }
  static SharedBytes adopt(Block* block) { return SharedBytes(block); }
  // The block itself, still this handle's.
  Block* block() const { return block_; }
  static SharedBytes share_of(Block* block) {
    block->refs.fetch_add(1, std::memory_order_relaxed);
    return SharedBytes(block);
  }

  SharedBytes share() const { return share_of(block_); }
  // True when this handle is the only one: then its owner may write, and nobody can start sharing but the owner.
  bool unique() const { return block_->refs.load(std::memory_order_acquire) == 1; }

  explicit operator bool() const { return block_ != nullptr; }
  char* data() { return block_->bytes(); }
  const char* data() const { return block_->bytes(); }
  size_t size() const { return block_->size; }
  size_t capacity() const { return block_->capacity; }
  std::string_view view() const { return block_ == nullptr ? std::string_view() : block_->view(); }
  // Bytes beyond the old size are whatever the owner wrote at data().
  void resize(size_t size) {
    SYNAP_ASSERT(size <= block_->capacity);
    block_->size = size;
  }
  // Bytes of heap the block takes, without the allocator's rounding.
  size_t heap_bytes() const { return sizeof(Block) + block_->capacity; }

  void reset() {
    if (block_ == nullptr) return;
    if (block_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(block_);
    block_ = nullptr;
  }

 private:
  explicit SharedBytes(Block* block) : block_(block) {}

  Block* block_ = nullptr;
};

static_assert(sizeof(SharedBytes) == 8 && sizeof(SharedBytes::Block) == 24);

}  // namespace synap
