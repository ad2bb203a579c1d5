// Hash of keys and members: XXH3 with a seed drawn once per process, so that clients cannot prepare collisions.
// The top bits choose shard, segment and bucket (server/base/table.h), the low bits the tag.
#pragma once

#include <cstdint>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace synap {

// Drawn from the system's entropy before main(); constant afterwards.
extern const uint64_t kHashSeed;

inline uint64_t hash_bytes(std::string_view bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), kHashSeed);
}

}  // namespace synap
