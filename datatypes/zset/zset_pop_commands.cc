// Taking the first or last elements: ZPOPMIN, ZPOPMAX, ZMPOP and their blocking forms.
#include <algorithm>
#include <span>

#include "datatypes/zset/zset_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {
namespace {

enum class End { kMin, kMax };

std::string_view pop_name(End end) {
  return end == End::kMin ? "ZPOPMIN" : "ZPOPMAX";
}
std::string_view pop_event(End end) {
  return end == End::kMin ? "zpopmin" : "zpopmax";
}

// Replies `count` elements from one end (the array's head was written), each as a pair if nested, and removes them.
void pop_elements(Context& ctx, Edit<Zset>& zset, End end, size_t count, bool nested) {
  const size_t size = zset->size();
  const ZsetWalk walk{end == End::kMin ? 0 : size - 1, count, end == End::kMax};
  Reply& reply = ctx.reply();
  walk_zset(*zset, walk, [&](std::string_view member, double score) {
    if (nested) reply.array(2);
    reply.bulk(member);
    reply.dbl(score);
  });
  zset->remove_span({end == End::kMin ? 0 : size - count, count});
  zset.changed(count, kEventZset, pop_event(end));
}

void pop_plain(Context& ctx, End end) {
  if (ctx.argc() > 3) return ctx.syntax_error();
  int64_t count = 1;
  const bool counted = ctx.argc() == 3;
  if (counted && !ctx.parse_range(ctx.arg(2), 0, INT64_MAX, &count, kMustBePositiveError)) return;
  auto zset = ctx.edit<Zset>(ctx.arg(1));
  if (zset.wrong_type()) return;
  if (!zset.exists() || count == 0) return ctx.reply().empty_array();
  const size_t n = std::min<size_t>(static_cast<size_t>(count), zset->size());
  const bool nested = counted && ctx.reply().resp3();
  ctx.reply().array(nested ? n : n * 2);
  pop_elements(ctx, zset, end, n, nested);
}

// The effect of a pop that chose its key or its moment itself.
void pop_effect(Context& ctx, End end, std::string_view key) {
  ctx.effect({pop_name(end), key});
}
void pop_effect(Context& ctx, End end, std::string_view key, size_t count) {
  ctx.effect({pop_name(end), key, to_text(count)});
}

// ZMPOP and BZMPOP after their keys.
struct MultiPop {
  size_t first_key = 0;
  size_t key_count = 0;
  End end = End::kMin;
  size_t count = 1;
};

bool parse_multi_pop(Context& ctx, size_t numkeys_at, MultiPop* pop) {
  int64_t keys = 0;
  if (!ctx.parse_range(ctx.arg(numkeys_at), 1, INT64_MAX, &keys, kNumkeysNotIntegerError)) return false;
  bool good = static_cast<uint64_t>(keys) < ctx.argc() - numkeys_at - 1;
  const size_t end_at = good ? numkeys_at + static_cast<size_t>(keys) + 1 : 0;
  if (good && equals_ignore_case(ctx.arg(end_at), "max")) {
    pop->end = End::kMax;
  } else {
    good = good && equals_ignore_case(ctx.arg(end_at), "min");
  }
  const size_t rest = good ? ctx.argc() - end_at - 1 : 0;
  if (!good || (rest != 0 && (rest != 2 || !equals_ignore_case(ctx.arg(end_at + 1), "count")))) {
    // A second COUNT is refused too, but only after the first one's number.
    int64_t ignored = 0;
    if (rest > 2 && equals_ignore_case(ctx.arg(end_at + 1), "count") &&
        !ctx.parse_range(ctx.arg(end_at + 2), 1, INT64_MAX, &ignored, kCountPositiveError)) {
      return false;
    }
    ctx.syntax_error();
    return false;
  }
  int64_t count = 1;
  if (rest == 2 && !ctx.parse_range(ctx.arg(end_at + 2), 1, INT64_MAX, &count, kCountPositiveError)) return false;
  pop->first_key = numkeys_at + 1;
  pop->key_count = static_cast<size_t>(keys);
  pop->count = static_cast<size_t>(count);
  return true;
}

enum class Popped { kYes, kNothingThere, kError };

// Pops from the first of the keys that has elements; one of another type before it is an error.
Popped pop_from_first(Context& ctx, const MultiPop& pop, bool nested) {
  for (std::string_view key : ctx.args().subspan(pop.first_key, pop.key_count)) {
    auto zset = ctx.edit<Zset>(key);
    if (zset.wrong_type()) return Popped::kError;
    if (!zset.exists()) continue;
    const size_t n = std::min(pop.count, zset->size());
    ctx.reply().array(nested ? 2 : 3);
    ctx.reply().bulk(key);
    if (nested) ctx.reply().array(n);
    pop_elements(ctx, zset, pop.end, n, nested);
    nested ? pop_effect(ctx, pop.end, key, n) : pop_effect(ctx, pop.end, key);
    return Popped::kYes;
  }
  return Popped::kNothingThere;
}

void pop_or_block(Context& ctx, const MultiPop& pop, size_t timeout_at, bool nested) {
  BlockRequest request;
  if (!ctx.parse_timeout_seconds(ctx.arg(timeout_at), &request.timeout_ms)) return;
  if (pop_from_first(ctx, pop, nested) != Popped::kNothingThere) return;
  const auto keys = ctx.args().subspan(pop.first_key, pop.key_count);
  request.keys.assign(keys.begin(), keys.end());
  request.type = ValueType::kZset;
  ctx.block(std::move(request));
}

}  // namespace

void cmd_zpopmin(Context& ctx) {
  pop_plain(ctx, End::kMin);
}
void cmd_zpopmax(Context& ctx) {
  pop_plain(ctx, End::kMax);
}

void cmd_zmpop(Context& ctx) {
  MultiPop pop;
  if (!parse_multi_pop(ctx, 1, &pop)) return;
  if (pop_from_first(ctx, pop, true) == Popped::kNothingThere) ctx.reply().null_array();
}

void cmd_bzpopmin(Context& ctx) {
  pop_or_block(ctx, {1, ctx.argc() - 2, End::kMin, 1}, ctx.argc() - 1, false);
}
void cmd_bzpopmax(Context& ctx) {
  pop_or_block(ctx, {1, ctx.argc() - 2, End::kMax, 1}, ctx.argc() - 1, false);
}

void cmd_bzmpop(Context& ctx) {
  MultiPop pop;
  if (!parse_multi_pop(ctx, 2, &pop)) return;
  pop_or_block(ctx, pop, 1, true);
}

namespace {

// At most the last argument, if it is a count, of the biggest of the keys.
uint64_t cost_of_pop(Context& ctx, ArgViews keys) {
  int64_t count = 1;
  if (!parse_int64(ctx.arg(ctx.argc() - 1), &count) || count < static_cast<int64_t>(kSlowLaneCost)) return 1;
  uint64_t most = 1;
  for (std::string_view key : keys) {
    if (const Zset* zset = ctx.peek_as<Zset>(key); zset != nullptr) most = std::max<uint64_t>(most, zset->size());
  }
  return std::min<uint64_t>(most, static_cast<uint64_t>(count));
}

uint64_t cost_of_multi_pop(Context& ctx, size_t numkeys_at) {
  int64_t count = 0;
  if (!parse_int64(ctx.arg(numkeys_at), &count) || count < 1) return 1;
  if (static_cast<uint64_t>(count) > ctx.argc() - numkeys_at - 1) return 1;
  return cost_of_pop(ctx, ctx.args().subspan(numkeys_at + 1, static_cast<size_t>(count)));
}

}  // namespace

uint64_t cost_of_zpop(Context& ctx) {
  return cost_of_pop(ctx, ctx.args().subspan(1, 1));
}
uint64_t cost_of_zmpop(Context& ctx) {
  return cost_of_multi_pop(ctx, 1);
}
uint64_t cost_of_bzmpop(Context& ctx) {
  return cost_of_multi_pop(ctx, 2);
}

}  // namespace synap
