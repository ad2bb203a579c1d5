// What redis.register_function gathers while the code of a function library runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace synap {

struct RegisteredFunction {
  std::string name;
  std::string description;
  bool has_description = false;
  uint32_t flags = 0;
  int callback_ref = 0;  // in the state that ran the library
};

struct LibraryLoad {
  std::vector<RegisteredFunction> functions;
  RegisteredFunction pending;  // of the call in progress; here because Lua may raise
};

// Letters, digits and underscores, at least one: names of libraries and of functions.
bool is_library_name(std::string_view name);

inline constexpr std::string_view kLibraryNameError =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

}  // namespace synap
