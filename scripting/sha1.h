// SHA-1 as 40 lower-case hex digits: the names of scripts.
#pragma once

#include <openssl/sha.h>

#include <string_view>

namespace synap {

inline constexpr size_t kSha1HexBytes = 40;

inline void sha1_hex(std::string_view bytes, char* out) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int i = 0; i < SHA_DIGEST_LENGTH; ++i) {
    out[2 * i] = kDigits[digest[i] >> 4];
    out[2 * i + 1] = kDigits[digest[i] & 15];
  }
}

}  // namespace synap
