// The list commands' table, and what the handlers of its two files share.
#pragma once

#include <string_view>

#include "datatypes/list/list.h"
#include "server/command/command.h"
#include "server/command/context.h"

namespace synap {

extern const CommandFamily kListCommands;

ListLimits list_limits(const Context& ctx);
void reply_element(Reply& reply, const ListpackValue& element);
// LEFT or RIGHT, in any case; otherwise a syntax error was replied.
bool parse_end(Context& ctx, std::string_view text, List::End* end);
std::string_view push_event(List::End end);
std::string_view pop_event(List::End end);
// The command whose effect a pop has: "LPOP" or "RPOP".
std::string_view pop_command(List::End end);

// Writes at most `count` elements from an end on as an array, removes them and reports the change.
void pop_and_reply(Context& ctx, Edit<List>& list, List::End end, size_t count);
// LMPOP's and BLMPOP's answer and effect: the key with what was popped from it.
void pop_with_key(Context& ctx, Edit<List>& list, List::End end, size_t count);
// Moves one element between lists that may be the same; replies it, null when the source is missing.
struct ListMove {
  std::string_view source;
  std::string_view destination;
  List::End from;
  List::End to;
};
void move_and_reply(Context& ctx, const ListMove& move);

// The part that LMPOP and BLMPOP share: numkeys key… LEFT|RIGHT [COUNT count], from argument `index` on.
struct MultiPop {
  ArgViews keys;
  List::End end;
  int64_t count;
};
bool parse_multi_pop(Context& ctx, size_t index, MultiPop* pop);

// list_blocking_commands.cc
void cmd_blpop(Context& ctx);
void cmd_brpop(Context& ctx);
void cmd_blmpop(Context& ctx);
void cmd_blmove(Context& ctx);
void cmd_brpoplpush(Context& ctx);

}  // namespace synap
