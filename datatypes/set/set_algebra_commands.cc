// Commands over several sets: SINTER, SUNION, SDIFF, SINTERCARD and the forms that store their result.
#include <algorithm>
#include <vector>

#include "datatypes/set/set_algebra.h"
#include "datatypes/set/set_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

// The sets under these keys, null where there is none. False: WRONGTYPE was replied.
bool read_sets(Context& ctx, ArgViews keys, std::vector<const Set*>* sets) {
  sets->reserve(keys.size());
  for (const std::string_view key : keys) {
    const Set* set;
    if (!ctx.read(key, &set)) return false;
    sets->push_back(set);
  }
  return true;
}

// `visit_result` is one of the visit_… functions: visits the members and returns how many.
template <class VisitResult>
void reply_members(Context& ctx, VisitResult visit_result) {
  std::vector<const Set*> sets;
  if (!read_sets(ctx, ctx.args().subspan(1), &sets)) return;
  Reply& reply = ctx.reply();
  const size_t mark = reply.deferred_begin();
  const size_t members = visit_result(sets, [&](const SetElement& element) {
    SetElement::Scratch scratch;
    reply.bulk(element.text(scratch));
  });
  reply.deferred_end_set(mark, members);
}

void cmd_sinter(Context& ctx) {
  reply_members(ctx, [](SetSpan sets, const SetVisitor& visit) { return visit_intersection(sets, 0, visit); });
}
void cmd_sunion(Context& ctx) {
  reply_members(ctx, visit_union);
}
void cmd_sdiff(Context& ctx) {
  reply_members(ctx, visit_difference);
}

void store_result(Context& ctx, Set (*build)(SetSpan, const SetLimits&), std::string_view event) {
  std::vector<const Set*> sets;
  if (!read_sets(ctx, ctx.args().subspan(2), &sets)) return;
  Set result = build(sets, set_limits(ctx));
  const size_t size = result.size();
  ctx.store(ctx.arg(1), std::move(result), kEventSet, event);
  ctx.reply().integer(static_cast<int64_t>(size));
}

void cmd_sinterstore(Context& ctx) {
  store_result(ctx, build_intersection, "sinterstore");
}
void cmd_sunionstore(Context& ctx) {
  store_result(ctx, build_union, "sunionstore");
}
void cmd_sdiffstore(Context& ctx) {
  store_result(ctx, build_difference, "sdiffstore");
}

struct IntercardArguments {
  ArgViews keys;
  int64_t limit = 0;
};

bool parse_intercard(Context& ctx, IntercardArguments* intercard) {
  int64_t count;
  if (!ctx.parse_range(ctx.arg(1), 1, INT64_MAX, &count, kNumkeysNotIntegerError)) return false;
  if (static_cast<size_t>(count) > ctx.argc() - 2) {
    ctx.error(kNumkeysTooBigError);
    return false;
  }
  intercard->keys = ctx.args().subspan(2, static_cast<size_t>(count));
  for (size_t i = 2 + static_cast<size_t>(count); i < ctx.argc(); ++i) {
    if (!equals_ignore_case(ctx.arg(i), "limit") || i + 1 >= ctx.argc()) {
      ctx.syntax_error();
      return false;
    }
    if (!ctx.parse_range(ctx.arg(++i), 0, INT64_MAX, &intercard->limit, kLimitNegativeError)) return false;
  }
  return true;
}

void cmd_sintercard(Context& ctx) {
  IntercardArguments intercard;
  if (!parse_intercard(ctx, &intercard)) return;
  std::vector<const Set*> sets;
  if (!read_sets(ctx, intercard.keys, &sets)) return;
  const size_t members = visit_intersection(sets, static_cast<size_t>(intercard.limit), [](const SetElement&) {});
  ctx.reply().integer(static_cast<int64_t>(members));
}

// --- Costs, in members visited or looked up.

uint64_t cost_of_all(Context& ctx, ArgViews keys) {
  uint64_t members = 0;
  for (const std::string_view key : keys) {
    const Set* set = ctx.peek_as<Set>(key);
    members += set == nullptr ? 0 : set->size();
  }
  return members;
}

// The smallest set is walked, its members looked up in the others.
uint64_t cost_of_intersection(Context& ctx, ArgViews keys) {
  uint64_t smallest = UINT32_MAX;
  for (const std::string_view key : keys) {
    const Set* set = ctx.peek_as<Set>(key);
    smallest = std::min<uint64_t>(smallest, set == nullptr ? 0 : set->size());
  }
  return smallest * keys.size();
}

uint64_t cost_from_first(Context& ctx) {
  return cost_of_all(ctx, ctx.args().subspan(1));
}
uint64_t cost_after_target(Context& ctx) {
  return cost_of_all(ctx, ctx.args().subspan(2));
}
uint64_t cost_sinter(Context& ctx) {
  return cost_of_intersection(ctx, ctx.args().subspan(1));
}
uint64_t cost_sinterstore(Context& ctx) {
  return cost_of_intersection(ctx, ctx.args().subspan(2));
}

uint64_t cost_sintercard(Context& ctx) {
  int64_t count;
  if (!parse_int64(ctx.arg(1), &count) || count < 1 || static_cast<size_t>(count) > ctx.argc() - 2) return 0;
  return cost_of_intersection(ctx, ctx.args().subspan(2, static_cast<size_t>(count)));
}

constexpr KeySpec kAllKeys = key_range(1, -1, 1, kKeyRO | kKeyAccess);
constexpr KeySpec kTarget = one_key(kKeyOW | kKeyUpdate);
constexpr KeySpec kSources = key_range(2, -1, 1, kKeyRO | kKeyAccess);
constexpr KeySpec kCounted = counted_keys(1, kKeyRO | kKeyAccess);
constexpr uint64_t kStore = kWrite | kDenyOom | kWritesLast;
constexpr std::string_view kAnyOrder = "nondeterministic_output_order";

constexpr Command kRows[] = {
    {"sinter", cmd_sinter, -2, kReadonly, kCatSet, {kAllKeys}, {}, cost_sinter, nullptr, {kAnyOrder}},
    {"sunion", cmd_sunion, -2, kReadonly, kCatSet, {kAllKeys}, {}, cost_from_first, nullptr, {kAnyOrder}},
    {"sdiff", cmd_sdiff, -2, kReadonly, kCatSet, {kAllKeys}, {}, cost_from_first, nullptr, {kAnyOrder}},
    {"sinterstore", cmd_sinterstore, -3, kStore, kCatSet, {kTarget, kSources}, {}, cost_sinterstore},
    {"sunionstore", cmd_sunionstore, -3, kStore, kCatSet, {kTarget, kSources}, {}, cost_after_target},
    {"sdiffstore", cmd_sdiffstore, -3, kStore, kCatSet, {kTarget, kSources}, {}, cost_after_target},
    {"sintercard", cmd_sintercard, -3, kReadonly | kMovableKeys, kCatSet, {kCounted}, {}, cost_sintercard},
};

}  // namespace

const CommandFamily kSetAlgebraCommands = kRows;

}  // namespace synap
