// See random.h. `below` is Lemire's multiply-and-reject ("Fast Random Integer Generation in an Interval", 2019).
#include "server/base/random.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>

#include "server/base/assert.h"

namespace synap {

void secure_random_bytes(void* out, size_t size) {
  auto* bytes = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t got = getrandom(bytes, size, 0);
    SYNAP_ASSERT(got > 0 || errno == EINTR);
    if (got <= 0) continue;
    bytes += got;
    size -= static_cast<size_t>(got);
  }
}

Random::Random() {
  secure_random_bytes(state_, sizeof state_);
}

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {  // SplitMix64 spreads a small seed over the state
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::below(uint64_t n) {
  SYNAP_ASSERT(n > 0);
  __extension__ using Wide = unsigned __int128;
  auto product = static_cast<Wide>(next()) * n;
  if (static_cast<uint64_t>(product) < n) {
    const uint64_t threshold = (0 - n) % n;
    while (static_cast<uint64_t>(product) < threshold) product = static_cast<Wide>(next()) * n;
  }
  return static_cast<uint64_t>(product >> 64);
}

double Random::unit() {
  return static_cast<double>(next() >> 11) * 0x1p-53;
}

Random& thread_random() {
  thread_local Random random;
  return random;
}

}  // namespace synap
