// What we are, and what we claim to be compatible with.
#pragma once

namespace synap {

inline constexpr char kSynapVersion[] = "0.1.0";
inline constexpr char kRedisVersion[] = "7.4.1";

}  // namespace synap
