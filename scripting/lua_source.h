// Rewrites a script's source so that errors know their line. LuaJIT replaces the caller's frame in every tail call,
// also in `return redis.call(…)`, where Lua 5.1 (and so Redis) still knows the calling line. Parentheses around the
// call keep the frame: `return (redis.call(…))`. Lines stay what they are.
#pragma once

#include <string>
#include <string_view>

namespace synap {

// Wraps calls after `return` where it changes nothing but the frame: anywhere in the main chunk, if only its first
// value counts; inside functions, which may rely on tail calls and several values, only calls of built-in functions
// with one value. Text that is not valid Lua comes back in some form that is not valid either, or as it was.
std::string keep_return_frames(std::string_view code);

}  // namespace synap
