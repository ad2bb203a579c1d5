#include "persistence/dump_payload.h"

#include <cstring>

#include "persistence/rdb_format.h"
#include "persistence/rdb_values.h"
#include "server/base/crc64.h"

namespace synap {

std::string dump_payload(const Entry& entry) {
  std::string out;
  StringSink sink(&out);
  RdbWriter writer(&sink, RdbEncoding{.compress = true, .checksum = false});
  const uint8_t type = rdb_type_of(entry);
  writer.byte(type);
  save_rdb_value(entry, &writer);
  SYNAP_ASSERT(writer.finish().ok());
  const auto version = static_cast<uint16_t>(rdb_version_of(type));
  out.append(reinterpret_cast<const char*>(&version), sizeof version);
  const uint64_t crc = crc64(0, out);
  out.append(reinterpret_cast<const char*>(&crc), sizeof crc);
  return out;
}

bool has_valid_dump_footer(std::string_view payload, bool skip_checksum) {
  if (payload.size() < kRdbDumpFooterBytes) return false;
  uint16_t version;
  uint64_t crc;
  std::memcpy(&version, payload.end() - kRdbDumpFooterBytes, sizeof version);
  std::memcpy(&crc, payload.end() - sizeof crc, sizeof crc);
  if (version > kRdbVersionMax) return false;
  return skip_checksum || crc == crc64(0, payload.substr(0, payload.size() - sizeof crc));
}

}  // namespace synap
