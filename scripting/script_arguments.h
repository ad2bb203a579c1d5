// What the handlers of scripts and of functions share.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/errors.h"
#include "scripting/scripting.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/server_api.h"

namespace synap {

// The Lua state of the thread that runs the command.
inline ScriptThread& script_thread(Context& ctx) {
  LuaEngineOptions options;
  options.jit = ctx.config().lua_jit;
  return ctx.server().scripting->thread(&ctx.runner(), options);
}

// The number of keys, argument 2; on failure the error was replied.
inline bool parse_key_count(Context& ctx, std::string_view not_a_number, size_t* keys) {
  int64_t count = 0;
  if (!parse_int64(ctx.arg(2), &count)) {
    ctx.error(not_a_number);
  } else if (count > static_cast<int64_t>(ctx.argc()) - 3) {
    ctx.error(kNumkeysTooBigError);
  } else if (count < 0) {
    ctx.error(kNumkeysNegativeError);
  } else {
    *keys = static_cast<size_t>(count);
    return true;
  }
  return false;
}

// SYNC or ASYNC, optional, as argument 2. Both do the same: what is dropped is freed by the threads that compiled it.
inline bool parse_flush_mode(Context& ctx, std::string_view error) {
  const bool valid =
      ctx.argc() == 2 ||
      (ctx.argc() == 3 && (equals_ignore_case(ctx.arg(2), "sync") || equals_ignore_case(ctx.arg(2), "async")));
  if (!valid) ctx.error(error);
  return valid;
}

}  // namespace synap
