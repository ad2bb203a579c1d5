// How much of a random test a build does. A sanitizer finds a bad access or a race in the first of many like rounds, and takes
// ten times as long for each; the plain build is the one that looks for rare wrong results.
#pragma once

#include <algorithm>

namespace synap {

#if defined(SYNAP_SANITIZED)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// Of `full` rounds, steps or the like: how many to do in this build.
constexpr int rounds(int full) { return kSanitized ? std::max(1, full / 8) : full; }

}  // namespace synap
