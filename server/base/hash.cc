#include "server/base/hash.h"

#include <sys/random.h>

#include "server/base/assert.h"

namespace synap {

namespace {

uint64_t draw_seed() {
  uint64_t seed = 0;
  SYNAP_ASSERT(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  return seed;
}

}  // namespace

const uint64_t kHashSeed = draw_seed();

}  // namespace synap
