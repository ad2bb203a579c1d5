// What a script or function declares about itself: flags of `#!lua flags=…` and of redis.register_function, and the
// shebang lines that carry them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace synap {

inline constexpr uint32_t kScriptNoWrites = 1 << 0;
inline constexpr uint32_t kScriptAllowOom = 1 << 1;
inline constexpr uint32_t kScriptAllowStale = 1 << 2;
inline constexpr uint32_t kScriptNoCluster = 1 << 3;
inline constexpr uint32_t kScriptNoShebang = 1 << 4;  // an EVAL script without one: rules as before Redis 7
inline constexpr uint32_t kScriptAllowCrossSlotKeys = 1 << 5;
inline constexpr uint32_t kScriptDeclaredKeysOnly = 1 << 6;  // ours: runs beside other scripts, is held to its KEYS

struct ScriptFlagName {
  std::string_view name;
  uint32_t flag;
};
inline constexpr ScriptFlagName kScriptFlagNames[] = {
    {"no-writes", kScriptNoWrites},
    {"allow-oom", kScriptAllowOom},
    {"allow-stale", kScriptAllowStale},
    {"no-cluster", kScriptNoCluster},
    {"allow-cross-slot-keys", kScriptAllowCrossSlotKeys},
    {"declared-keys-only", kScriptDeclaredKeysOnly},
};

// 0 for an unknown name.
uint32_t script_flag(std::string_view name, bool ignore_case);

struct ScriptShebang {
  uint32_t flags = kScriptNoShebang;
  size_t bytes = 0;  // up to its line feed, which the compiled code keeps for its line numbers
};
// False with Redis's text (without its code) in *error.
bool parse_script_shebang(std::string_view body, ScriptShebang* shebang, std::string* error);

struct LibraryShebang {
  std::string engine;
  std::string name;
  size_t bytes = 0;
};
bool parse_library_shebang(std::string_view code, LibraryShebang* shebang, std::string* error);

}  // namespace synap
