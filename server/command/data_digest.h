// Digests of values and of the whole data set for DEBUG DIGEST: equal data, equal digest, whatever the encoding and the
// order of what has no order. The combination is Redis's (SHA-1 of each element, mixed by XOR for unordered collections
// and by chained hashing for ordered ones), so that DIGEST-VALUE agrees with Redis's for the types it knows.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "server/command/context.h"

namespace synap {

using Digest = std::array<uint8_t, 20>;

Digest entry_digest(const Entry* entry);
// All databases; the context's guard must cover all shards.
Digest keyspace_digest(Context& ctx);
std::string digest_hex(const Digest& digest);

}  // namespace synap
