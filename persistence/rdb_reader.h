// RdbReader: the primitives of an RDB file or DUMP payload, read through one buffer from a ByteSource. Bytes from outside
// are never trusted: every read checks its bounds, memory grows only with bytes that are really there, and the first
// failure is remembered (with its offset); later reads give zeros and empty strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace synap {

// Where bytes come from. Any thread, one at a time.
class ByteSource {
 public:
  // Reads up to `size` bytes; 0 at the end, negative when reading failed.
  virtual int64_t read(char* out, size_t size) = 0;

 protected:
  ~ByteSource() = default;
};

class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string_view bytes) : bytes_(bytes) {}
  int64_t read(char* out, size_t size) override {
    const size_t n = bytes_.copy(out, size);
    bytes_.remove_prefix(n);
    return static_cast<int64_t>(n);
  }

 private:
  std::string_view bytes_;
};

class RdbReader {
 public:
  explicit RdbReader(ByteSource* source, bool checksum) : source_(source), checksum_(checksum) {}

  uint8_t byte();
  uint64_t length();
  // The length or, with *special, the kind of a special string.
  uint64_t length_or_special(bool* special);
  // Exactly `size` bytes as they stand. The view is good until the next read.
  std::string_view raw(size_t size);
  // A string in any of its forms. The view is good until the next read.
  std::string_view string();
  double binary_double();
  double text_double();  // of the old sorted sets
  int64_t milliseconds();
  uint32_t seconds();

  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }
  // Where the reader stands, or failed.
  uint64_t offset() const { return offset_ + at_; }
  void fail(std::string_view why);
  // The source failed or ended early, as opposed to bytes that make no sense.
  bool truncated() const { return truncated_; }

  // Of all bytes read so far.
  uint64_t crc();
  bool at_end() { return !failed() && !fill(1); }

 private:
  static constexpr size_t kBufferBytes = 64 * 1024;

  // Makes `size` bytes contiguous from at_ on. False: the source has no more.
  bool fill(size_t size);
  bool need(size_t size) { return end_ - at_ >= size && !failed() ? true : need_more(size); }
  bool need_more(size_t size);
  template <class T>
  T number();
  std::string_view lzf_string();

  ByteSource* const source_;
  const bool checksum_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  size_t at_ = 0;
  size_t end_ = 0;
  uint64_t offset_ = 0;   // of the buffer's begin
  size_t summed_ = 0;     // bytes of the buffer that are in crc_
  uint64_t crc_ = 0;
  std::vector<char> scratch_;
  char number_[24];
  std::string error_;
  bool truncated_ = false;
};

}  // namespace synap
