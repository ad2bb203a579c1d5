// RdbWriter: the bytes of an RDB file or DUMP payload, through one fixed buffer into a ByteSink, with their CRC-64.
// A failed write is remembered; later ones do nothing. Knows lengths and strings, not values (rdb_values.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace synap {

// Where bytes go. Any thread, one at a time.
class ByteSink {
 public:
  virtual Status write(std::string_view bytes) = 0;

 protected:
  ~ByteSink() = default;
};

class StringSink final : public ByteSink {
 public:
  explicit StringSink(std::string* out) : out_(out) {}
  Status write(std::string_view bytes) override {
    out_->append(bytes);
    return Status();
  }

 private:
  std::string* const out_;
};

struct RdbEncoding {
  bool compress = true;  // long strings by LZF
  bool checksum = true;
};

class RdbWriter {
 public:
  RdbWriter(ByteSink* sink, const RdbEncoding& encoding);

  void byte(uint8_t value) { raw({reinterpret_cast<const char*>(&value), 1}); }
  void raw(std::string_view bytes);
  void length(uint64_t value);
  // As an integer, compressed, or plain: whatever Redis would choose.
  void string(std::string_view bytes);
  // An integer as the string it spells.
  void integer_string(int64_t value);
  // Bytes that are compressed already.
  void lzf_string(std::string_view compressed, uint64_t raw_bytes);
  void binary_double(double value);
  void milliseconds(int64_t value);

  uint64_t crc() const;  // of everything so far
  // Everything written is with the sink.
  Status finish();
  bool failed() const { return !status_.ok(); }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kBufferBytes = 64 * 1024;
  static constexpr size_t kCompressMin = 21;  // shorter strings are not worth it, as in Redis

  void flush();
  bool try_lzf(std::string_view bytes);

  ByteSink* const sink_;
  const RdbEncoding encoding_;
  std::string buffer_;
  std::vector<char> scratch_;
  uint64_t crc_ = 0;    // of what was flushed
  uint64_t bytes_ = 0;
  Status status_;
};

}  // namespace synap
