// CRC-64 as Redis has it in RDB files, DUMP payloads and AOF annotations: polynomial "Jones" 0xad93d23594c935a9,
// reflected, start 0.
#pragma once

#include <cstdint>
#include <string_view>

namespace synap {

// Continues from `crc`, the value of the bytes before (0 at the start).
uint64_t crc64(uint64_t crc, std::string_view bytes);

}  // namespace synap
