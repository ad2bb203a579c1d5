// The list commands that wait for an element. Each tries like its plain sibling and blocks when there is nothing; when
// a key may be ready it runs again from the start. What is journaled is the sibling's command, for the element served.
#include "datatypes/list/list_commands.h"

namespace synap {

namespace {

void block_on_lists(Context& ctx, ArgViews keys, int64_t timeout_ms) {
  BlockRequest request;
  request.keys.assign(keys.begin(), keys.end());
  request.type = ValueType::kList;
  request.timeout_ms = timeout_ms;
  ctx.block(std::move(request));
}

void blocking_pop(Context& ctx, List::End end) {
  int64_t timeout_ms;
  if (!ctx.parse_timeout_seconds(ctx.arg(ctx.argc() - 1), &timeout_ms)) return;
  const ArgViews keys = ctx.args().subspan(1, ctx.argc() - 2);
  for (const std::string_view key : keys) {
    auto list = ctx.edit<List>(key);
    if (list.wrong_type()) return;
    if (!list.exists()) continue;
    ctx.reply().array(2);
    ctx.reply().bulk(key);
    reply_element(ctx.reply(), list->peek(end));
    list->pop(end, 1, list_limits(ctx));
    list.changed(1, kEventList, pop_event(end));
    return ctx.effect({pop_command(end), key});
  }
  block_on_lists(ctx, keys, timeout_ms);
}

// Replies and moves; or blocks and returns false.
bool move_or_block(Context& ctx, const ListMove& move, int64_t timeout_ms) {
  const Entry* source = ctx.peek(move.source);
  if (source == nullptr) {
    BlockRequest request;
    request.keys = {move.source};
    request.type = ValueType::kList;
    request.timeout_ms = timeout_ms;
    // Redis answers a time-out with a null array but a refusal to block with a plain null.
    request.null_array_on_timeout = ctx.may_block();
    ctx.block(std::move(request));
    return false;
  }
  move_and_reply(ctx, move);
  return !ctx.reply().error_replied();
}

}  // namespace

void cmd_blpop(Context& ctx) {
  blocking_pop(ctx, List::End::kHead);
}
void cmd_brpop(Context& ctx) {
  blocking_pop(ctx, List::End::kTail);
}

void cmd_blmpop(Context& ctx) {
  MultiPop request;
  if (!parse_multi_pop(ctx, 2, &request)) return;
  int64_t timeout_ms;
  if (!ctx.parse_timeout_seconds(ctx.arg(1), &timeout_ms)) return;
  for (const std::string_view key : request.keys) {
    auto list = ctx.edit<List>(key);
    if (list.wrong_type()) return;
    if (list.exists()) return pop_with_key(ctx, list, request.end, static_cast<size_t>(request.count));
  }
  block_on_lists(ctx, request.keys, timeout_ms);
}

void cmd_blmove(Context& ctx) {
  ListMove move{ctx.arg(1), ctx.arg(2), {}, {}};
  if (!parse_end(ctx, ctx.arg(3), &move.from) || !parse_end(ctx, ctx.arg(4), &move.to)) return;
  int64_t timeout_ms;
  if (!ctx.parse_timeout_seconds(ctx.arg(5), &timeout_ms)) return;
  if (!move_or_block(ctx, move, timeout_ms)) return;
  ctx.effect({"LMOVE", move.source, move.destination, ctx.arg(3), ctx.arg(4)});
}

void cmd_brpoplpush(Context& ctx) {
  int64_t timeout_ms;
  if (!ctx.parse_timeout_seconds(ctx.arg(3), &timeout_ms)) return;
  const ListMove move{ctx.arg(1), ctx.arg(2), List::End::kTail, List::End::kHead};
  if (!move_or_block(ctx, move, timeout_ms)) return;
  ctx.effect({"RPOPLPUSH", move.source, move.destination});
}

}  // namespace synap
