// Sorted sets, element by element: ZADD to ZSCAN, and the family's table.
#include "datatypes/zset/zset_commands.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "server/base/text.h"
#include "server/command/scan_arguments.h"

namespace synap {

ZsetLimits zset_limits(const Config& config) {
  return {static_cast<size_t>(config.zset_max_listpack_entries), static_cast<size_t>(config.zset_max_listpack_value)};
}

void begin_elements(Reply& reply, size_t n, bool with_scores) {
  reply.array(with_scores && !reply.resp3() ? n * 2 : n);
}

void reply_element(Reply& reply, std::string_view member, double score, bool with_scores) {
  if (with_scores && reply.resp3()) reply.array(2);
  reply.bulk(member);
  if (with_scores) reply.dbl(score);
}

void reply_walk(Reply& reply, const Zset& zset, ZsetWalk walk, bool with_scores) {
  begin_elements(reply, walk.count, with_scores);
  walk_zset(zset, walk,
            [&](std::string_view member, double score) { reply_element(reply, member, score, with_scores); });
}

// ---- adding

namespace {

struct AddCounts {
  size_t added = 0;
  size_t updated = 0;
  bool processed = false;  // no option refused the last element
  bool not_a_number = false;
  double score = 0;  // the last element's
};

AddCounts add_all(Zset& zset, std::span<const ScoredMember> elements, ZsetAdd options, const ZsetLimits& limits) {
  AddCounts counts;
  size_t longest = 0;
  for (const ScoredMember& element : elements) longest = std::max(longest, element.member.size());
  zset.prepare(elements.size(), longest, limits);
  for (const ScoredMember& element : elements) {
    const ZsetAdded outcome = zset.add(element.member, element.score, options, limits, &counts.score);
    counts.added += outcome == ZsetAdded::kAdded ? 1 : 0;
    counts.updated += outcome == ZsetAdded::kUpdated ? 1 : 0;
    counts.processed = outcome != ZsetAdded::kRefused;
    counts.not_a_number = outcome == ZsetAdded::kNotANumber;
  }
  return counts;
}

}  // namespace

bool add_elements(Context& ctx, std::span<const ScoredMember> elements, ZsetAdd options, bool reply_changed) {
  auto zset = ctx.edit<Zset>(ctx.arg(1));
  if (zset.wrong_type()) return false;
  AddCounts counts;
  if (zset.exists() || !options.only_present) {
    counts = add_all(zset.create_if_absent(), elements, options, zset_limits(ctx.config()));
  }
  if (counts.not_a_number) {  // only an increment, which comes alone: nothing has changed
    ctx.error(kScoreNanError);
    return false;
  }
  const size_t changes = counts.added + counts.updated;
  if (changes > 0) zset.changed(changes, kEventZset, options.increment ? "zincr" : "zadd");
  if (!options.increment) {
    ctx.reply().integer(static_cast<int64_t>(reply_changed ? changes : counts.added));
  } else {
    counts.processed ? ctx.reply().dbl(counts.score) : ctx.reply().null();
  }
  return changes > 0;
}

namespace {

// ZADD's options, from argument 2 on. Returns the position of the first score.
size_t parse_add_options(const Context& ctx, ZsetAdd* options, bool* reply_changed) {
  size_t i = 2;
  for (; i < ctx.argc(); ++i) {
    std::string_view option = ctx.arg(i);
    if (equals_ignore_case(option, "nx")) {
      options->only_new = true;
    } else if (equals_ignore_case(option, "xx")) {
      options->only_present = true;
    } else if (equals_ignore_case(option, "ch")) {
      *reply_changed = true;
    } else if (equals_ignore_case(option, "incr")) {
      options->increment = true;
    } else if (equals_ignore_case(option, "gt")) {
      options->only_greater = true;
    } else if (equals_ignore_case(option, "lt")) {
      options->only_less = true;
    } else {
      break;
    }
  }
  return i;
}

void cmd_zadd(Context& ctx) {
  ZsetAdd options;
  bool reply_changed = false;
  const size_t first = parse_add_options(ctx, &options, &reply_changed);
  if (first == ctx.argc() || (ctx.argc() - first) % 2 != 0) return ctx.syntax_error();
  const size_t count = (ctx.argc() - first) / 2;
  if (options.only_new && options.only_present) return ctx.error(kXxNxError);
  const bool greater = options.only_greater;
  const bool less = options.only_less;
  if ((greater && options.only_new) || (less && options.only_new) || (greater && less)) return ctx.error(kGtLtNxError);
  if (options.increment && count > 1) return ctx.error(kIncrPairError);

  std::array<ScoredMember, 8> few;
  std::vector<ScoredMember> many(count > few.size() ? count : 0);
  std::span<ScoredMember> elements = count > few.size() ? std::span(many) : std::span(few).first(count);
  for (size_t i = 0; i < count; ++i) {
    if (!ctx.parse(ctx.arg(first + 2 * i), &elements[i].score)) return;
    elements[i].member = ctx.arg(first + 2 * i + 1);
  }
  add_elements(ctx, elements, options, reply_changed);
}

void cmd_zincrby(Context& ctx) {
  ScoredMember element{0, ctx.arg(3)};
  if (!ctx.parse(ctx.arg(2), &element.score)) return;
  ZsetAdd options;
  options.increment = true;
  add_elements(ctx, {&element, 1}, options, false);
}

void cmd_zrem(Context& ctx) {
  auto zset = ctx.edit<Zset>(ctx.arg(1));
  if (zset.wrong_type()) return;
  size_t removed = 0;
  for (size_t i = 2; i < ctx.argc() && zset.exists() && !zset->empty(); ++i)
    removed += zset->remove(ctx.arg(i)) ? 1 : 0;
  if (removed > 0) zset.changed(removed, kEventZset, "zrem");
  ctx.reply().integer(static_cast<int64_t>(removed));
}

// ---- looking at elements

void cmd_zcard(Context& ctx) {
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  ctx.reply().integer(zset == nullptr ? 0 : static_cast<int64_t>(zset->size()));
}

void reply_score(Context& ctx, const Zset* zset, std::string_view member) {
  auto score = zset == nullptr ? std::nullopt : zset->score(member);
  score ? ctx.reply().dbl(*score) : ctx.reply().null();
}

void cmd_zscore(Context& ctx) {
  const Zset* zset = nullptr;
  if (ctx.read(ctx.arg(1), &zset)) reply_score(ctx, zset, ctx.arg(2));
}

void cmd_zmscore(Context& ctx) {
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  ctx.reply().array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) reply_score(ctx, zset, ctx.arg(i));
}

void reply_rank(Context& ctx, bool reverse) {
  if (ctx.argc() > 4) return ctx.arity_error();
  const bool with_score = ctx.argc() == 4;
  if (with_score && !equals_ignore_case(ctx.arg(3), "withscore")) return ctx.syntax_error();
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  auto ranked = zset == nullptr ? std::nullopt : zset->rank(ctx.arg(2));
  if (!ranked) return with_score ? ctx.reply().null_array() : ctx.reply().null();
  if (with_score) ctx.reply().array(2);
  ctx.reply().integer(static_cast<int64_t>(reverse ? zset->size() - 1 - ranked->rank : ranked->rank));
  if (with_score) ctx.reply().dbl(ranked->score);
}

void cmd_zrank(Context& ctx) {
  reply_rank(ctx, false);
}
void cmd_zrevrank(Context& ctx) {
  reply_rank(ctx, true);
}

// ---- chance and cursor

void reply_random(Context& ctx, const Zset& zset, int64_t count, bool with_scores) {
  Reply& reply = ctx.reply();
  Random& random = thread_random();
  const size_t wanted = static_cast<size_t>(count < 0 ? -count : count);
  if (count < 0 || count == 1) {
    begin_elements(reply, wanted, with_scores);
    for (size_t i = 0; i < wanted; ++i) {
      auto at = zset.at(random.below(zset.size()));
      reply_element(reply, at.member(), at.score(), with_scores);
    }
    return;
  }
  const auto ranks = zset.random_unique(random, wanted);
  begin_elements(reply, ranks.size(), with_scores);
  for (size_t rank : ranks) {
    auto at = zset.at(rank);
    reply_element(reply, at.member(), at.score(), with_scores);
  }
}

void cmd_zrandmember(Context& ctx) {
  const Zset* zset = nullptr;
  if (ctx.argc() == 2) {
    if (!ctx.read(ctx.arg(1), &zset)) return;
    if (zset == nullptr) return ctx.reply().null();
    return ctx.reply().bulk(zset->at(thread_random().below(zset->size())).member());
  }
  int64_t count = 0;
  if (!ctx.parse(ctx.arg(2), &count)) return;
  if (count == INT64_MIN) return ctx.error(kLongRangeError);
  const bool with_scores = ctx.argc() == 4;
  if (ctx.argc() > 4 || (with_scores && !equals_ignore_case(ctx.arg(3), "withscores"))) return ctx.syntax_error();
  if (with_scores && (count < -INT64_MAX / 2 || count > INT64_MAX / 2)) return ctx.error(kOutOfRangeError);
  if (!ctx.read(ctx.arg(1), &zset)) return;
  if (zset == nullptr || count == 0) return ctx.reply().empty_array();
  reply_random(ctx, *zset, count, with_scores);
}

uint64_t cost_of_zrandmember(Context& ctx) {
  int64_t count = 1;
  if (ctx.argc() < 3 || !parse_int64(ctx.arg(2), &count) || count == INT64_MIN) return 1;
  const Zset* zset = ctx.peek_as<Zset>(ctx.arg(1));
  if (zset == nullptr) return 1;
  return count < 0 ? static_cast<uint64_t>(-count) : std::min<uint64_t>(static_cast<uint64_t>(count), zset->size());
}

// Redis spells a scanned score with 17 digits where the set is big, and as the listpack holds it where it is small.
void reply_scanned_score(Reply& reply, double score, bool small) {
  char text[kDoubleCharsMax];
  if (small) return reply.bulk({text, format_double(text, score)});
  reply.bulk({text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.17g", score))});
}

void cmd_zscan(Context& ctx) {
  uint64_t cursor = 0;
  if (!parse_scan_cursor(ctx, ctx.arg(2), &cursor)) return;
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  if (zset == nullptr) return reply_empty_scan(ctx);
  ScanArguments scan;
  if (!parse_scan_options(ctx, 3, ScanTarget::kZset, &scan)) return;

  std::vector<std::pair<std::string, double>> found;
  cursor = zset->scan(cursor, scan.count, [&](std::string_view member, double score) {
    if (scan.matches(member)) found.emplace_back(member, score);
  });
  Reply& reply = ctx.reply();
  reply.array(2);
  reply_scan_cursor(ctx, cursor);
  reply.array(scan.names_only ? found.size() : found.size() * 2);
  for (const auto& [member, score] : found) {
    reply.bulk(member);
    if (!scan.names_only) reply_scanned_score(reply, score, zset->is_listpack());
  }
}

// A COUNT, as far as there are elements.
uint64_t cost_of_zscan(Context& ctx) {
  const Zset* zset = ctx.peek_as<Zset>(ctx.arg(1));
  if (zset == nullptr || zset->size() < kSlowLaneCost) return 1;
  for (size_t i = 3; i + 1 < ctx.argc(); ++i) {
    int64_t count = 0;
    if (!equals_ignore_case(ctx.arg(i), "count") || !parse_int64(ctx.arg(i + 1), &count) || count < 0) continue;
    return std::min<uint64_t>(static_cast<uint64_t>(count), zset->size());
  }
  return 1;
}

constexpr uint32_t kReads = kKeyRO | kKeyAccess;
constexpr uint32_t kPops = kKeyRW | kKeyAccess | kKeyDelete;
constexpr uint32_t kRemoves = kKeyRW | kKeyDelete;
constexpr uint32_t kOverwrites = kKeyOW | kKeyUpdate;

constexpr Command zset_row(std::string_view name, Handler handler, int arity, uint64_t flags, KeySpec keys,
                           CostFunction cost = nullptr) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = flags,
          .categories = kCatSortedSet,
          .key_specs = {keys},
          .cost = cost};
}

constexpr Command store_row(std::string_view name, Handler handler, int arity, KeySpec sources, CostFunction cost) {
  Command row = zset_row(name, handler, arity, kWrite | kDenyOom | kWritesLast, one_key(kOverwrites), cost);
  row.key_specs[1] = sources;
  return row;
}

constexpr Command by_chance(Command row) {
  row.tips = {"nondeterministic_output"};
  return row;
}

constexpr Command kRows[] = {
    zset_row("bzmpop", cmd_bzmpop, -5, kWrite | kBlocking, counted_keys(2, kPops), cost_of_bzmpop),
    zset_row("bzpopmax", cmd_bzpopmax, -3, kWrite | kFast | kBlocking, key_range(1, -2, 1, kPops)),
    zset_row("bzpopmin", cmd_bzpopmin, -3, kWrite | kFast | kBlocking, key_range(1, -2, 1, kPops)),
    zset_row("zadd", cmd_zadd, -4, kWrite | kDenyOom | kFast, one_key(kKeyRW | kKeyUpdate), cost_of_arguments),
    zset_row("zcard", cmd_zcard, 2, kReadonly | kFast, one_key(kKeyRO)),
    zset_row("zcount", cmd_zcount, 4, kReadonly | kFast, one_key(kReads)),
    zset_row("zdiff", cmd_zdiff, -3, kReadonly, counted_keys(1, kReads), cost_of_algebra),
    store_row("zdiffstore", cmd_zdiffstore, -4, counted_keys(2, kReads), cost_of_algebra_store),
    zset_row("zincrby", cmd_zincrby, 4, kWrite | kDenyOom | kFast, one_key(kKeyRW | kKeyAccess | kKeyUpdate)),
    zset_row("zinter", cmd_zinter, -3, kReadonly, counted_keys(1, kReads), cost_of_algebra),
    zset_row("zintercard", cmd_zintercard, -3, kReadonly, counted_keys(1, kReads), cost_of_algebra),
    store_row("zinterstore", cmd_zinterstore, -4, counted_keys(2, kReads), cost_of_algebra_store),
    zset_row("zlexcount", cmd_zlexcount, 4, kReadonly | kFast, one_key(kReads)),
    zset_row("zmpop", cmd_zmpop, -4, kWrite, counted_keys(1, kPops), cost_of_zmpop),
    zset_row("zmscore", cmd_zmscore, -3, kReadonly | kFast, one_key(kReads), cost_of_arguments),
    zset_row("zpopmax", cmd_zpopmax, -2, kWrite | kFast, one_key(kPops), cost_of_zpop),
    zset_row("zpopmin", cmd_zpopmin, -2, kWrite | kFast, one_key(kPops), cost_of_zpop),
    by_chance(zset_row("zrandmember", cmd_zrandmember, -2, kReadonly, one_key(kReads), cost_of_zrandmember)),
    zset_row("zrange", cmd_zrange, -4, kReadonly, one_key(kReads), cost_of_zrange),
    zset_row("zrangebylex", cmd_zrangebylex, -4, kReadonly, one_key(kReads), cost_of_zrange),
    zset_row("zrangebyscore", cmd_zrangebyscore, -4, kReadonly, one_key(kReads), cost_of_zrange),
    store_row("zrangestore", cmd_zrangestore, -5, key_range(2, 2, 1, kReads), cost_of_zrangestore),
    zset_row("zrank", cmd_zrank, -3, kReadonly | kFast, one_key(kReads)),
    zset_row("zrem", cmd_zrem, -3, kWrite | kFast, one_key(kRemoves), cost_of_arguments),
    zset_row("zremrangebylex", cmd_zremrangebylex, 4, kWrite, one_key(kRemoves), cost_of_zremrange),
    zset_row("zremrangebyrank", cmd_zremrangebyrank, 4, kWrite, one_key(kRemoves), cost_of_zremrange),
    zset_row("zremrangebyscore", cmd_zremrangebyscore, 4, kWrite, one_key(kRemoves), cost_of_zremrange),
    zset_row("zrevrange", cmd_zrevrange, -4, kReadonly, one_key(kReads), cost_of_zrange),
    zset_row("zrevrangebylex", cmd_zrevrangebylex, -4, kReadonly, one_key(kReads), cost_of_zrange),
    zset_row("zrevrangebyscore", cmd_zrevrangebyscore, -4, kReadonly, one_key(kReads), cost_of_zrange),
    zset_row("zrevrank", cmd_zrevrank, -3, kReadonly | kFast, one_key(kReads)),
    by_chance(zset_row("zscan", cmd_zscan, -3, kReadonly, one_key(kReads), cost_of_zscan)),
    zset_row("zscore", cmd_zscore, 3, kReadonly | kFast, one_key(kReads)),
    zset_row("zunion", cmd_zunion, -3, kReadonly, counted_keys(1, kReads), cost_of_algebra),
    store_row("zunionstore", cmd_zunionstore, -4, counted_keys(2, kReads), cost_of_algebra_store),
};

}  // namespace

const CommandFamily kZsetCommands = kRows;

}  // namespace synap
