// A fast pseudo-random generator (xoshiro256**, Blackman and Vigna), one per thread, seeded by the kernel.
// Not for secrets: ids and passwords take secure_random_bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synap {

class Random {
 public:
  Random();                        // seeded by the kernel
  explicit Random(uint64_t seed);  // repeatable, for tests

  uint64_t next();
  uint64_t below(uint64_t n);  // uniform in [0, n); n > 0
  double unit();               // uniform in [0, 1)

 private:
  uint64_t state_[4];
};

Random& thread_random();

void secure_random_bytes(void* out, size_t size);

}  // namespace synap
