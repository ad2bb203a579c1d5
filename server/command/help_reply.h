// The answer of every HELP subcommand: a heading, the given lines, and HELP's own two.
#pragma once

#include <span>
#include <string_view>

#include "server/base/text.h"
#include "server/command/context.h"

namespace synap {

inline void reply_help(Context& ctx, std::span<const std::string_view> lines) {
  Reply& reply = ctx.reply();
  reply.array(lines.size() + 3);
  reply.simple(to_upper(ctx.arg(0)) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) reply.simple(line);
  reply.simple("HELP");
  reply.simple("    Prints this help.");
}

}  // namespace synap
