// CRC-64: Redis's check value, and that bytes may come in any pieces.
#include "server/base/crc64.h"

#include <doctest/doctest.h>

#include <string>

namespace synap {

TEST_CASE("CRC-64 has the check value of its polynomial") { CHECK(crc64(0, "123456789") == 0xe9c6d914c4b8d9ca); }

TEST_CASE("CRC-64 does not depend on how bytes are cut") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 37 % 251);
  const uint64_t whole = crc64(0, bytes);
  for (size_t cut = 0; cut <= 40; ++cut) {
    CHECK(crc64(crc64(0, std::string_view(bytes).substr(0, cut)), std::string_view(bytes).substr(cut)) == whole);
  }
}

}  // namespace synap
