// The generator behind math.random in scripts: the 48-bit linear congruence of POSIX drand48, as in Redis, so that one
// seed gives one sequence on every machine and every server.
#pragma once

#include <cstdint>

namespace synap {

class LuaRandom {
 public:
  static constexpr int32_t kMax = INT32_MAX;  // next() is in [0, kMax]

  void seed(int32_t value) { state_ = (static_cast<uint64_t>(static_cast<uint32_t>(value)) << 16) | 0x330E; }
  int32_t next() {
    state_ = (state_ * 0x5DEECE66DULL + 0xB) & ((1ULL << 48) - 1);
    return static_cast<int32_t>(state_ >> 17);
  }

 private:
  uint64_t state_ = 0x1234ABCD330EULL;
};

}  // namespace synap
