// What an increment file holds beside commands: annotation lines, which Redis skips. "#TS:<seconds>" is Redis's own;
// "#CRC64:<bytes>:<crc>:<check>" stands before each batch that Synap writes: the length and CRC-64 of the batch, and a
// checksum of the line itself and of the timestamp before it, if its batch came with one. So a batch is known to be whole
// before any of it is run, a torn one can be told from a damaged one, and files that Redis wrote, or went on writing,
// still load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace synap {

constexpr size_t kAofAnnotationMax = 128;  // bytes of a line, as in Redis

// With its CR LF.
std::string aof_timestamp_line(int64_t unix_s);
// `unix_s`: of the timestamp line right before it, or 0.
std::string aof_batch_line(std::string_view batch, int64_t unix_s);

struct AofAnnotation {
  enum class Kind : uint8_t { kUnknown, kTimestamp, kBatch };
  Kind kind = Kind::kUnknown;
  int64_t unix_s = 0;          // kTimestamp
  uint64_t batch_bytes = 0;    // kBatch
  uint64_t batch_crc = 0;
};

// A line without its line end. Whatever is not exactly one of the two is unknown. `unix_s`: of the line before, if that is
// a timestamp, or 0.
AofAnnotation parse_aof_annotation(std::string_view line, int64_t unix_s);

}  // namespace synap
