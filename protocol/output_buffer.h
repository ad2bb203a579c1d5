// OutputBuffer: the bytes a client is still to be sent, gathered by Reply and drained by writev.
// A chain of contiguous chunks and of references to SharedBytes (big values are never copied). An empty buffer owns
// no memory: a chunk is taken at the first byte and given back when the last one has left, so idle clients cost
// nothing and the thread's clients all use the same warm chunk in turn. Used by one thread at a time.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "server/base/shared_bytes.h"

namespace synap {

class OutputBuffer {
 public:
  // The first chunk, header included; later ones are twice as big.
  static constexpr size_t kFirstChunkBytes = 16 * 1024;
  // From this size on a reference is cheaper than a copy.
  static constexpr size_t kSharedBytesMin = 16 * 1024;

  OutputBuffer() = default;
  OutputBuffer(OutputBuffer&& other) noexcept { take(other); }
  OutputBuffer& operator=(OutputBuffer&& other) noexcept {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;
  ~OutputBuffer() { clear(); }

  void append(std::string_view bytes) {
    if (bytes.size() > room()) return append_slow(bytes);
    if (bytes.empty()) return;
    std::memcpy(cursor_, bytes.data(), bytes.size());
    cursor_ += bytes.size();
  }

  // At least n contiguous writable bytes; commit() says how many of them were written.
  char* reserve(size_t n) {
    if (n > room()) [[unlikely]]
      add_chunk(n);
    return cursor_;
  }
  void commit(size_t n) { cursor_ += n; }

  // Queues `part`, which must lie inside `bytes`, without copying it (short parts are copied all the same).
  void append_shared(SharedBytes bytes, std::string_view part);
  void append_shared(SharedBytes bytes) {
    const std::string_view all = bytes.view();
    append_shared(std::move(bytes), all);
  }
  // The same for short bytes, too, while nothing else is here: what goes to many clients takes no chunk of each. Returns
  // whether they are referred to.
  bool append_to_many(SharedBytes bytes);
  // Everything of `other`, which is left empty. Takes constant time.
  void append_all(OutputBuffer&& other);

  bool empty() const { return size() == 0; }
  size_t size() const { return settled_bytes_ + (tail_ == nullptr ? 0 : static_cast<size_t>(cursor_ - tail_->begin)); }
  // Heap bytes that are held for this client, shared values included.
  size_t memory_bytes() const { return memory_bytes_; }

  // Fills `out` with the first pieces in order, of bytes_max bytes together; returns how many were filled.
  size_t gather(std::span<iovec> out, size_t bytes_max = SIZE_MAX) const;
  // Drops the first n bytes, after they were written to a socket.
  void consume(size_t n);
  // Puts `bytes` in front of what was appended since the buffer held `position` bytes. Nothing may have been consumed
  // in between. Moves at most one chunk's content.
  void insert(size_t position, std::string_view bytes);
  // Forgets what was appended since the buffer held `size` bytes.
  void truncate(size_t size);
  void clear();
  // The same, but the first chunk is kept for what comes: for a buffer that is filled and read again and again.
  void restart();
  std::string to_string() const;

 private:
  // A chunk's own bytes follow its header; a reference's [begin, end) lies inside `shared`.
  struct Chunk {
    Chunk* previous;
    Chunk* next;
    char* begin;
    char* end;  // stale in the tail, where cursor_ is the truth
    char* limit;
    SharedBytes::Block* shared;

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
  };

  size_t room() const { return static_cast<size_t>(limit_ - cursor_); }
  void append_slow(std::string_view bytes);
  void add_chunk(size_t bytes_min);
  void push_back(Chunk* chunk);
  void push_reference(SharedBytes bytes, std::string_view part);
  void settle_tail();
  Chunk* new_chunk(size_t capacity);
  void free_chunk(Chunk* chunk);
  void take(OutputBuffer& other);

  char* cursor_ = nullptr;  // the tail's next free byte
  char* limit_ = nullptr;   // the tail's end
  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  size_t settled_bytes_ = 0;  // in all chunks before the tail
  size_t memory_bytes_ = 0;
};

}  // namespace synap
