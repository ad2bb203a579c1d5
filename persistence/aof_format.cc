#include "persistence/aof_format.h"

#include <charconv>

#include "server/base/crc64.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr std::string_view kTimestampBegin = "#TS:";
constexpr std::string_view kBatchBegin = "#CRC64:";

std::string batch_line(uint64_t bytes, uint64_t crc, int64_t unix_s) {
  const std::string text = format_text("#CRC64:%llu:%016llx:", static_cast<unsigned long long>(bytes),
                                       static_cast<unsigned long long>(crc));
  return text + format_text("%08llx", static_cast<unsigned long long>(crc64(static_cast<uint64_t>(unix_s), text) & 0xffffffffU));
}

}  // namespace

std::string aof_timestamp_line(int64_t unix_s) { return std::string(kTimestampBegin) + to_text(unix_s) + "\r\n"; }

std::string aof_batch_line(std::string_view batch, int64_t unix_s) {
  return batch_line(batch.size(), crc64(0, batch), unix_s) + "\r\n";
}

AofAnnotation parse_aof_annotation(std::string_view line, int64_t unix_s) {
  AofAnnotation annotation;
  if (line.starts_with(kTimestampBegin)) {
    if (parse_int64(line.substr(kTimestampBegin.size()), &annotation.unix_s)) {
      annotation.kind = AofAnnotation::Kind::kTimestamp;
    }
    return annotation;
  }
  if (!line.starts_with(kBatchBegin)) return annotation;
  const char* at = line.data() + kBatchBegin.size();
  const char* const end = line.data() + line.size();
  const auto bytes = std::from_chars(at, end, annotation.batch_bytes);
  if (bytes.ec != std::errc() || bytes.ptr == end || *bytes.ptr != ':') return annotation;
  const auto crc = std::from_chars(bytes.ptr + 1, end, annotation.batch_crc, 16);
  if (crc.ec != std::errc()) return annotation;
  // The line's own checksum is part of what has to be the same. A timestamp before it need not be its batch's: the one that
  // this came with may have been cut off.
  for (const int64_t stamp : {unix_s, int64_t{0}}) {
    if (batch_line(annotation.batch_bytes, annotation.batch_crc, stamp) == line) annotation.kind = AofAnnotation::Kind::kBatch;
  }
  return annotation;
}

}  // namespace synap
