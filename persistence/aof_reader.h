// AofReader: the commands of one AOF file (or of what follows an RDB preamble), with the offsets needed to cut a torn end
// off. Nothing in the file is trusted: lengths are checked against what the file still holds, and a batch that has a CRC
// is handed out only after all of it was read and found right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/file.h"
#include "protocol/args.h"

namespace synap {

// Whether the file begins with an RDB part. One that cannot be read is neither: nobody should call it damaged.
Result<bool> begins_with_rdb(FileSystem* files, const std::string& path);

class AofReader {
 public:
  enum class Next : uint8_t {
    kCommand,
    kEnd,
    kTorn,     // the file ends inside a command or batch, or in zeros that a power cut left
    kDamaged,  // bytes that make no sense, or do not match their CRC
    kIoError,
  };

  // `begin`: bytes of the file that are not commands (its RDB preamble), `file_bytes` all of it.
  AofReader(File* file, uint64_t begin, uint64_t file_bytes) : file_(file), begin_(begin), file_bytes_(file_bytes) {}

  // The views are good until the next call.
  Next next(Args* args);

  // After the last command or annotation that was handed out or passed over, but not inside a batch that proved torn: where
  // a file may be cut.
  uint64_t valid_offset() const { return valid_offset_; }
  uint64_t valid_line() const { return valid_line_; }
  // Where the failure was found, and why.
  uint64_t offset() const { return buffer_offset_ + at_; }
  const std::string& error() const { return error_; }
  // Of the last #TS annotation, 0 without one.
  int64_t timestamp_s() const { return timestamp_s_; }
  // Where its line begins.
  uint64_t timestamp_offset() const { return timestamp_begin_; }
  // Whether the file has batches with a CRC.
  bool has_batches() const { return has_batches_; }

 private:
  static constexpr size_t kBufferBytes = 256 * 1024;
  static constexpr uint64_t kArgumentsMax = 1024 * 1024;

  Next read_annotation();
  Next read_command(Args* args);
  Next read_batch_header(uint64_t bytes, uint64_t crc);
  // The line from at_ + from on, without its CR LF; *after is where the next begins. kCommand: found.
  Next line(size_t from, std::string_view* text, size_t* after);
  Next number(size_t from, char mark, int64_t min, int64_t max, int64_t* value, size_t* after);
  // Makes `size` bytes contiguous from at_ on. kCommand: done; kTorn: the file has no more.
  Next need(size_t size);
  Next damaged(std::string_view why);
  void passed(size_t size);
  // kTorn if all from at_ + from to the file's end is zeros, else kDamaged for this reason.
  Next torn_if_zeros(size_t from, std::string_view why);
  bool skip_preamble();

  File* const file_;
  const uint64_t begin_;
  const uint64_t file_bytes_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  size_t at_ = 0;
  size_t end_ = 0;
  uint64_t buffer_offset_ = 0;
  bool started_ = false;
  uint64_t batch_end_ = 0;  // of the batch under way
  uint64_t valid_offset_ = 0;
  uint64_t valid_line_ = 0;
  int64_t timestamp_s_ = 0;
  uint64_t timestamp_begin_ = 0, timestamp_end_ = 0;  // of its line
  bool has_batches_ = false;
  std::vector<std::pair<size_t, size_t>> places_;  // of the arguments, from at_ on
  std::vector<std::string_view> views_;
  std::string error_;
};

}  // namespace synap
