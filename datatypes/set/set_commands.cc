// Commands on one set (and SMOVE's two).
#include "datatypes/set/set_commands.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/number.h"
#include "server/base/random.h"
#include "server/base/text.h"
#include "server/command/scan_arguments.h"

namespace synap {

SetLimits set_limits(const Context& ctx) {
  const Config& config = ctx.config();
  return {static_cast<size_t>(config.set_max_intset_entries), static_cast<size_t>(config.set_max_listpack_entries),
          static_cast<size_t>(config.set_max_listpack_value)};
}

namespace {

// Members in one SREM effect.
constexpr size_t kEffectBatch = 1024;

void cmd_sadd(Context& ctx) {
  auto set = ctx.edit<Set>(ctx.arg(1));
  if (set.wrong_type()) return;
  Set& value = set.create_if_absent();
  const SetLimits limits = set_limits(ctx);
  value.prepare(ctx.arg(2), ctx.argc() - 2, limits);
  size_t added = 0;
  for (const std::string_view member : ctx.args().subspan(2)) added += value.add(member, limits) ? 1 : 0;
  if (added > 0) set.changed(added, kEventSet, "sadd");
  ctx.reply().integer(static_cast<int64_t>(added));
}

void cmd_srem(Context& ctx) {
  auto set = ctx.edit<Set>(ctx.arg(1));
  if (set.wrong_type()) return;
  if (!set.exists()) return ctx.reply().zero();
  size_t removed = 0;
  for (const std::string_view member : ctx.args().subspan(2)) removed += set->remove(member) ? 1 : 0;
  if (removed > 0) set.changed(removed, kEventSet, "srem");
  ctx.reply().integer(static_cast<int64_t>(removed));
}

void cmd_sismember(Context& ctx) {
  const Set* set;
  if (!ctx.read(ctx.arg(1), &set)) return;
  ctx.reply().integer(set != nullptr && set->contains(ctx.arg(2)) ? 1 : 0);
}

void cmd_smismember(Context& ctx) {
  const Set* set;
  if (!ctx.read(ctx.arg(1), &set)) return;
  ctx.reply().array(ctx.argc() - 2);
  for (const std::string_view member : ctx.args().subspan(2)) {
    ctx.reply().integer(set != nullptr && set->contains(member) ? 1 : 0);
  }
}

void cmd_scard(Context& ctx) {
  const Set* set;
  if (!ctx.read(ctx.arg(1), &set)) return;
  ctx.reply().integer(set == nullptr ? 0 : static_cast<int64_t>(set->size()));
}

void cmd_smembers(Context& ctx) {
  const Set* set;
  if (!ctx.read(ctx.arg(1), &set)) return;
  if (set == nullptr) return ctx.reply().empty_set();
  ctx.reply().set(set->size());
  set->for_each([&](std::string_view member) { ctx.reply().bulk(member); });
}

void move_member(Context& ctx, Edit<Set>& source, Edit<Set>& target, std::string_view member) {
  if (!source.exists() || !source->remove(member)) return ctx.reply().zero();
  source.changed(1, kEventSet, "srem");
  source.close();  // "del" of an emptied source comes before "sadd"
  if (target.create_if_absent().add(member, set_limits(ctx))) target.changed(1, kEventSet, "sadd");
  ctx.reply().one();
}

void cmd_smove(Context& ctx) {
  const std::string_view member = ctx.arg(3);
  auto source = ctx.edit<Set>(ctx.arg(1));
  if (source.wrong_type()) return;
  if (!source.exists()) return ctx.reply().zero();
  if (ctx.arg(1) == ctx.arg(2)) return ctx.reply().integer(source->contains(member) ? 1 : 0);
  auto target = ctx.edit<Set>(ctx.arg(2));
  if (target.wrong_type()) return;
  move_member(ctx, source, target, member);
}

// All members at once: the key goes, and its deletion is the effect.
void pop_all(Context& ctx, Edit<Set>& set) {
  const std::string_view key = ctx.arg(1);
  const size_t popped = set->size();
  ctx.reply().set(popped);
  set->for_each([&](std::string_view member) { ctx.reply().bulk(member); });
  set.close();
  ctx.effect({ctx.config().lazyfree_lazy_server_del ? "UNLINK" : "DEL", key});
  ctx.changed(key, popped, kEventSet, "spop");
  ctx.remove(key);
  ctx.notify(kEventGeneric, "del", key);
}

void pop_some(Context& ctx, Edit<Set>& set, size_t count) {
  std::vector<std::string> batch;
  const auto journal = [&] {
    std::vector<std::string_view> effect{"SREM", set.key()};
    effect.insert(effect.end(), batch.begin(), batch.end());
    ctx.effect(effect);
    batch.clear();
  };
  ctx.reply().set(count);
  set->pop_random(thread_random(), count, set_limits(ctx), [&](std::string_view member) {
    ctx.reply().bulk(member);
    if (!ctx.journaling()) return;
    batch.emplace_back(member);
    if (batch.size() == kEffectBatch) journal();
  });
  if (!batch.empty()) journal();
  set.changed(count, kEventSet, "spop");
}

void pop_count(Context& ctx) {
  int64_t count;
  if (!ctx.parse_range(ctx.arg(2), 0, INT64_MAX, &count, kMustBePositiveError)) return;
  auto set = ctx.edit<Set>(ctx.arg(1));
  if (set.wrong_type()) return;
  if (!set.exists() || count == 0) return ctx.reply().empty_set();
  if (static_cast<size_t>(count) < set->size()) return pop_some(ctx, set, static_cast<size_t>(count));
  pop_all(ctx, set);
}

void cmd_spop(Context& ctx) {
  if (ctx.argc() > 3) return ctx.syntax_error();
  if (ctx.argc() == 3) return pop_count(ctx);
  auto set = ctx.edit<Set>(ctx.arg(1));
  if (set.wrong_type()) return;
  if (!set.exists()) return ctx.reply().null();
  set->pop_random(thread_random(), 1, set_limits(ctx), [&](std::string_view member) {
    ctx.reply().bulk(member);
    ctx.effect({"SREM", set.key(), member});
  });
  set.changed(1, kEventSet, "spop");
}

void cmd_srandmember(Context& ctx) {
  if (ctx.argc() > 3) return ctx.syntax_error();
  int64_t count = 0;
  if (ctx.argc() == 3) {
    if (!ctx.parse(ctx.arg(2), &count)) return;
    if (count == INT64_MIN) return ctx.error(kLongRangeError);
  }
  const Set* set;
  if (!ctx.read(ctx.arg(1), &set)) return;
  const auto visit = [&](std::string_view member) { ctx.reply().bulk(member); };
  if (ctx.argc() == 2) {
    if (set == nullptr) return ctx.reply().null();
    return set->random_with_repeats(thread_random(), 1, visit);
  }
  if (set == nullptr || count == 0) return ctx.reply().empty_array();
  if (count < 0) {
    const size_t wanted = size_t{0} - static_cast<size_t>(count);
    ctx.reply().array(wanted);
    return set->random_with_repeats(thread_random(), wanted, visit);
  }
  const size_t wanted = std::min(static_cast<size_t>(count), set->size());
  ctx.reply().array(wanted);
  set->random_distinct(thread_random(), wanted, visit);
}

void cmd_sscan(Context& ctx) {
  uint64_t cursor;
  if (!parse_scan_cursor(ctx, ctx.arg(2), &cursor)) return;
  const Set* set;
  if (!ctx.read(ctx.arg(1), &set)) return;
  if (set == nullptr) return reply_empty_scan(ctx);
  ScanArguments scan;
  if (!parse_scan_options(ctx, 3, ScanTarget::kSet, &scan)) return;
  // The cursor comes first in the reply but is known last: what was found waits.
  std::vector<std::string> found;
  cursor = set->scan(cursor, scan.count, [&](std::string_view member) {
    if (scan.matches(member)) found.emplace_back(member);
  });
  ctx.reply().array(2);
  reply_scan_cursor(ctx, cursor);
  ctx.reply().array(found.size());
  for (const std::string& member : found) ctx.reply().bulk(member);
}

// --- Costs, in members visited.

uint64_t cost_arguments(Context& ctx) {
  return ctx.argc();
}

uint64_t size_of(Context& ctx) {
  const Set* set = ctx.peek_as<Set>(ctx.arg(1));
  return set == nullptr ? 0 : set->size();
}

uint64_t cost_spop(Context& ctx) {
  int64_t count;
  if (ctx.argc() < 3 || !parse_int64(ctx.arg(2), &count) || count < 0) return 0;
  return std::min(static_cast<uint64_t>(count), size_of(ctx));
}

uint64_t cost_srandmember(Context& ctx) {
  int64_t count;
  if (ctx.argc() < 3 || !parse_int64(ctx.arg(2), &count)) return 0;
  if (count < 0) return size_t{0} - static_cast<size_t>(count);
  // A large share of the set is picked by walking all of it.
  return std::min<uint64_t>(static_cast<uint64_t>(count), kSlowLaneCost) * 3 > size_of(ctx)
             ? size_of(ctx)
             : static_cast<uint64_t>(count);
}

uint64_t cost_sscan(Context& ctx) {
  for (size_t i = 3; i + 1 < ctx.argc(); ++i) {
    int64_t count;
    if (equals_ignore_case(ctx.arg(i), "count") && parse_int64(ctx.arg(i + 1), &count)) {
      return std::min(static_cast<uint64_t>(std::max<int64_t>(count, 0)), size_of(ctx));
    }
  }
  return 0;
}

constexpr uint64_t kRead = kReadonly | kFast;
constexpr KeySpec kReadKey = one_key(kKeyRO | kKeyAccess);
constexpr KeySpec kLookKey = one_key(kKeyRO);
constexpr KeySpec kInsertKey = one_key(kKeyRW | kKeyInsert);
constexpr KeySpec kTakeKey = one_key(kKeyRW | kKeyAccess | kKeyDelete);
constexpr KeySpec kMoveTarget = key_range(2, 2, 1, kKeyRW | kKeyInsert);
constexpr std::string_view kAnyOutput = "nondeterministic_output";
constexpr std::string_view kAnyOrder = "nondeterministic_output_order";

constexpr Command kRows[] = {
    {"sadd", cmd_sadd, -3, kWrite | kDenyOom | kFast, kCatSet, {kInsertKey}, {}, cost_arguments},
    {"srem", cmd_srem, -3, kWrite | kFast, kCatSet, {one_key(kKeyRW | kKeyDelete)}, {}, cost_arguments},
    {"sismember", cmd_sismember, 3, kRead, kCatSet, {kLookKey}},
    {"smismember", cmd_smismember, -3, kRead, kCatSet, {kReadKey}, {}, cost_arguments},
    {"scard", cmd_scard, 2, kRead, kCatSet, {kLookKey}},
    {"smembers", cmd_smembers, 2, kReadonly, kCatSet, {kReadKey}, {}, size_of, nullptr, {kAnyOrder}},
    {"smove", cmd_smove, 4, kWrite | kFast, kCatSet, {kTakeKey, kMoveTarget}},
    {"spop", cmd_spop, -2, kWrite | kFast, kCatSet, {kTakeKey}, {}, cost_spop, nullptr, {kAnyOutput}},
    {"srandmember", cmd_srandmember, -2, kReadonly, kCatSet, {kReadKey}, {}, cost_srandmember, nullptr, {kAnyOutput}},
    {"sscan", cmd_sscan, -3, kReadonly, kCatSet, {kReadKey}, {}, cost_sscan, nullptr, {kAnyOutput}},
};

}  // namespace

const CommandFamily kSetCommands = kRows;

}  // namespace synap
