// cjson for scripts: lua-cjson 2.1 as Redis configures it, with its error texts, written for this state: all memory
// that must survive an error belongs to the engine, and no input or table can exhaust the C stack.
#pragma once

#include <lua.hpp>

#include <climits>

namespace synap {

struct JsonSettings {
  bool sparse_convert = false;
  int sparse_ratio = 2;
  int sparse_safe = 10;
  int encode_depth_max = 1000;
  int decode_depth_max = 1000;
  int encode_invalid_numbers = 0;  // 0 refused, 1 written as nan and inf, 2 written as null
  int number_precision = 14;
  bool keep_buffer = true;
  bool decode_invalid_numbers = true;
  bool decode_array_with_array_mt = false;
};

// Replaces the table on top of the stack, the (read-only) metatable of decoded arrays, by the module's table.
void push_json_library(lua_State* lua);

}  // namespace synap
