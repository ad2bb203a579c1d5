// The chain of chunks. The tail's end is cursor_; every other chunk's is its own `end`.
#include "protocol/output_buffer.h"

#include <algorithm>
#include <new>
#include <utility>

namespace synap {

namespace {

// A chunk that follows a reference usually takes a line end and the next header.
constexpr size_t kSmallChunkBytes = 512;
// append_all() copies instead of linking when the other buffer is no bigger than this.
constexpr size_t kCopyBytesMax = 1024;

// A chunk of the first one's size that a buffer of this thread freed: most replies come and go one at a time. No buffer
// outlives its thread's locals.
struct SpareChunk {
  ~SpareChunk() { std::free(memory); }
  void* memory = nullptr;
};
thread_local SpareChunk spare;
#if defined(SYNAP_SANITIZED)
constexpr bool kKeepsSpare = false;  // the sanitizer shall see who uses what is freed
#else
constexpr bool kKeepsSpare = true;
#endif

}  // namespace

OutputBuffer::Chunk* OutputBuffer::new_chunk(size_t capacity) {
  const size_t size = sizeof(Chunk) + capacity;
  const bool spared = size == kFirstChunkBytes && spare.memory != nullptr;
  void* memory = spared ? std::exchange(spare.memory, nullptr) : std::malloc(size);
  SYNAP_ASSERT(memory != nullptr);
  Chunk* chunk = new (memory) Chunk{};
  chunk->begin = chunk->end = chunk->bytes();
  chunk->limit = chunk->begin + capacity;
  memory_bytes_ += size;
  return chunk;
}

void OutputBuffer::free_chunk(Chunk* chunk) {
  if (chunk->shared != nullptr) {
    SharedBytes bytes = SharedBytes::adopt(chunk->shared);
    memory_bytes_ -= sizeof(Chunk) + bytes.heap_bytes();
  } else {
    const size_t size = sizeof(Chunk) + static_cast<size_t>(chunk->limit - chunk->bytes());
    memory_bytes_ -= size;
    if (kKeepsSpare && size == kFirstChunkBytes && spare.memory == nullptr) {
      spare.memory = chunk;
      return;
    }
  }
  std::free(chunk);
}

void OutputBuffer::settle_tail() {
  if (tail_ == nullptr) return;
  tail_->end = cursor_;
  settled_bytes_ += static_cast<size_t>(cursor_ - tail_->begin);
}

void OutputBuffer::push_back(Chunk* chunk) {
  settle_tail();
  chunk->previous = tail_;
  (tail_ == nullptr ? head_ : tail_->next) = chunk;
  tail_ = chunk;
  cursor_ = chunk->end;
  limit_ = chunk->limit;
}

void OutputBuffer::add_chunk(size_t bytes_min) {
  size_t capacity = 2 * kFirstChunkBytes - sizeof(Chunk);
  if (tail_ == nullptr) capacity = kFirstChunkBytes - sizeof(Chunk);
  if (tail_ != nullptr && tail_->shared != nullptr) capacity = kSmallChunkBytes - sizeof(Chunk);
  push_back(new_chunk(std::max(capacity, bytes_min)));
}

void OutputBuffer::append_slow(std::string_view bytes) {
  const size_t now = std::min(room(), bytes.size());
  if (now != 0) std::memcpy(cursor_, bytes.data(), now);
  cursor_ += now;
  bytes.remove_prefix(now);
  std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

void OutputBuffer::append_shared(SharedBytes bytes, std::string_view part) {
  part.size() < kSharedBytesMin ? append(part) : push_reference(std::move(bytes), part);
}

bool OutputBuffer::append_to_many(SharedBytes bytes) {
  const std::string_view all = bytes.view();
  if (all.size() < (tail_ == nullptr ? 1 : kSharedBytesMin)) {
    append(all);
    return false;
  }
  push_reference(std::move(bytes), all);
  return true;
}

void OutputBuffer::push_reference(SharedBytes bytes, std::string_view part) {
  void* memory = std::malloc(sizeof(Chunk));
  SYNAP_ASSERT(memory != nullptr);
  Chunk* chunk = new (memory) Chunk{};
  chunk->begin = const_cast<char*>(part.data());
  chunk->end = chunk->limit = chunk->begin + part.size();
  memory_bytes_ += sizeof(Chunk) + bytes.heap_bytes();
  chunk->shared = bytes.release();
  push_back(chunk);
}

void OutputBuffer::append_all(OutputBuffer&& other) {
  if (other.tail_ == nullptr) return;
  if (other.head_ == other.tail_ && other.size() <= std::min(room(), kCopyBytesMax)) {
    append({other.tail_->begin, other.size()});
    return other.clear();
  }
  settle_tail();
  (tail_ == nullptr ? head_ : tail_->next) = other.head_;
  other.head_->previous = tail_;
  tail_ = other.tail_;
  cursor_ = other.cursor_;
  limit_ = other.limit_;
  settled_bytes_ += other.settled_bytes_;
  memory_bytes_ += other.memory_bytes_;
  other.head_ = other.tail_ = nullptr;
  other.cursor_ = other.limit_ = nullptr;
  other.settled_bytes_ = other.memory_bytes_ = 0;
}

size_t OutputBuffer::gather(std::span<iovec> out, size_t bytes_max) const {
  size_t filled = 0;
  for (Chunk* chunk = head_; chunk != nullptr && filled < out.size() && bytes_max != 0; chunk = chunk->next) {
    const char* end = chunk == tail_ ? cursor_ : chunk->end;
    if (end == chunk->begin) continue;
    const size_t length = std::min(static_cast<size_t>(end - chunk->begin), bytes_max);
    out[filled++] = {chunk->begin, length};
    bytes_max -= length;
  }
  return filled;
}

void OutputBuffer::consume(size_t n) {
  if (n == size()) return clear();
  while (head_ != tail_) {
    const size_t length = static_cast<size_t>(head_->end - head_->begin);
    if (n < length) break;
    n -= length;
    settled_bytes_ -= length;
    Chunk* done = head_;
    head_ = head_->next;
    head_->previous = nullptr;
    free_chunk(done);
  }
  head_->begin += n;
  if (head_ != tail_) settled_bytes_ -= n;
  SYNAP_ASSERT(head_->begin <= (head_ == tail_ ? cursor_ : head_->end));
}

void OutputBuffer::insert(size_t position, std::string_view bytes) {
  SYNAP_ASSERT(position <= size());
  if (position == size()) return append(bytes);
  // From the back, because what was appended since is usually little.
  Chunk* chunk = tail_;
  size_t chunk_position = settled_bytes_;
  char* chunk_end = cursor_;
  while (chunk_position > position) {
    chunk = chunk->previous;
    chunk_end = chunk->end;
    chunk_position -= static_cast<size_t>(chunk_end - chunk->begin);
  }
  char* at = chunk->begin + (position - chunk_position);
  const size_t moved = static_cast<size_t>(chunk_end - at);
  const bool in_tail = chunk == tail_;
  if (static_cast<size_t>(chunk->limit - chunk_end) >= bytes.size()) {
    std::memmove(at + bytes.size(), at, moved);
    std::memcpy(at, bytes.data(), bytes.size());
    if (in_tail) {
      cursor_ += bytes.size();
    } else {
      chunk->end += bytes.size();
      settled_bytes_ += bytes.size();
    }
    return;
  }
  // The chunk is full: what follows the position moves to a chunk of its own, behind `bytes`.
  if (chunk->shared != nullptr) {
    SYNAP_ASSERT(at == chunk->begin);  // appended in one piece, so no position lies inside
    Chunk* front = new_chunk(bytes.size());
    std::memcpy(front->begin, bytes.data(), bytes.size());
    front->end += bytes.size();
    front->next = chunk;
    front->previous = chunk->previous;
    (chunk->previous == nullptr ? head_ : chunk->previous->next) = front;
    chunk->previous = front;
    settled_bytes_ += bytes.size();
    return;
  }
  Chunk* rest = new_chunk(std::max(moved + bytes.size(), kFirstChunkBytes - sizeof(Chunk)));
  std::memcpy(rest->begin, bytes.data(), bytes.size());
  std::memcpy(rest->begin + bytes.size(), at, moved);
  rest->end += bytes.size() + moved;
  rest->previous = chunk;
  rest->next = chunk->next;
  (chunk->next == nullptr ? tail_ : chunk->next->previous) = rest;
  chunk->next = rest;
  chunk->end = at;
  if (in_tail) {
    settled_bytes_ += static_cast<size_t>(at - chunk->begin);
    cursor_ = rest->end;
    limit_ = rest->limit;
  } else {
    settled_bytes_ += bytes.size();
  }
}

void OutputBuffer::truncate(size_t size) {
  SYNAP_ASSERT(size <= this->size());
  if (size == 0) return clear();
  while (settled_bytes_ >= size && head_ != tail_) {
    Chunk* dropped = tail_;
    tail_ = tail_->previous;
    tail_->next = nullptr;
    cursor_ = tail_->end;
    limit_ = tail_->limit;
    settled_bytes_ -= static_cast<size_t>(cursor_ - tail_->begin);
    free_chunk(dropped);
  }
  cursor_ = tail_->begin + (size - settled_bytes_);
  if (tail_->shared != nullptr) limit_ = tail_->limit = cursor_;  // its room is somebody else's bytes
}

void OutputBuffer::restart() {
  if (head_ == nullptr || head_ != tail_ || head_->shared != nullptr) return clear();
  cursor_ = head_->begin = head_->bytes();
}

void OutputBuffer::clear() {
  while (head_ != nullptr) {
    Chunk* chunk = head_;
    head_ = head_->next;
    free_chunk(chunk);
  }
  tail_ = nullptr;
  cursor_ = limit_ = nullptr;
  settled_bytes_ = 0;
}

std::string OutputBuffer::to_string() const {
  std::string result;
  result.reserve(size());
  for (Chunk* chunk = head_; chunk != nullptr; chunk = chunk->next) {
    const char* end = chunk == tail_ ? cursor_ : chunk->end;
    result.append(chunk->begin, static_cast<size_t>(end - chunk->begin));
  }
  return result;
}

void OutputBuffer::take(OutputBuffer& other) {
  cursor_ = std::exchange(other.cursor_, nullptr);
  limit_ = std::exchange(other.limit_, nullptr);
  head_ = std::exchange(other.head_, nullptr);
  tail_ = std::exchange(other.tail_, nullptr);
  settled_bytes_ = std::exchange(other.settled_bytes_, 0);
  memory_bytes_ = std::exchange(other.memory_bytes_, 0);
}

}  // namespace synap
