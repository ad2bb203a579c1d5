// Intervals of sorted sets: ZRANGE with all its options and the older commands it replaced, ZRANGESTORE, counting and
// removing.
#include <algorithm>
#include <cmath>

#include "datatypes/zset/zset_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {
namespace {

enum class RangeBy { kRank, kScore, kLex };

struct RangeQuery {
  RangeBy by = RangeBy::kRank;
  bool reverse = false;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;  // negative: none
  int64_t start = 0;   // ranks, from the end when negative
  int64_t stop = 0;
  ScoreRange scores;
  LexRange members;
};

// What a command leaves for its options to decide.
struct RangeForm {
  size_t first = 1;    // the argument of the key; min and max follow
  bool fixed = false;  // an older command: no BYSCORE, BYLEX, REV
  bool store = false;
  RangeBy by = RangeBy::kRank;
  bool reverse = false;
};

bool parse_range_options(Context& ctx, const RangeForm& form, RangeQuery* query) {
  for (size_t i = form.first + 3; i < ctx.argc(); ++i) {
    std::string_view option = ctx.arg(i);
    if (!form.store && equals_ignore_case(option, "withscores")) {
      query->with_scores = true;
    } else if (equals_ignore_case(option, "limit") && i + 2 < ctx.argc()) {
      if (!ctx.parse(ctx.arg(i + 1), &query->offset) || !ctx.parse(ctx.arg(i + 2), &query->limit)) return false;
      i += 2;
    } else if (!form.fixed && !query->reverse && equals_ignore_case(option, "rev")) {
      query->reverse = true;
    } else if (!form.fixed && query->by == RangeBy::kRank && equals_ignore_case(option, "bylex")) {
      query->by = RangeBy::kLex;
    } else if (!form.fixed && query->by == RangeBy::kRank && equals_ignore_case(option, "byscore")) {
      query->by = RangeBy::kScore;
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

// A descending interval is written from its upper end.
bool parse_range_limits(Context& ctx, size_t first, RangeQuery* query) {
  std::string_view min = ctx.arg(first + 1);
  std::string_view max = ctx.arg(first + 2);
  if (query->by == RangeBy::kRank) return ctx.parse(min, &query->start) && ctx.parse(max, &query->stop);
  if (query->reverse) std::swap(min, max);
  const bool good = query->by == RangeBy::kScore ? parse_score_range(min, max, &query->scores)
                                                 : parse_lex_range(min, max, &query->members);
  if (!good) ctx.error(query->by == RangeBy::kScore ? kMinMaxNotFloatError : kMinMaxNotLexError);
  return good;
}

bool parse_range(Context& ctx, const RangeForm& form, RangeQuery* query) {
  query->by = form.by;
  query->reverse = form.reverse;
  if (!parse_range_options(ctx, form, query)) return false;
  if (query->limit != -1 && query->by == RangeBy::kRank) {
    ctx.error(kLimitByRankError);
    return false;
  }
  if (query->with_scores && query->by == RangeBy::kLex) {
    ctx.error(kWithscoresByLexError);
    return false;
  }
  return parse_range_limits(ctx, form.first, query);
}

// Ranks start to stop, negative ones from the end, as what they name of n elements.
RankSpan rank_span(int64_t start, int64_t stop, size_t n) {
  const auto length = static_cast<int64_t>(n);
  if (start < 0) start = std::max<int64_t>(start + length, 0);
  if (stop < 0) stop += length;
  stop = std::min(stop, length - 1);
  if (start > stop || start >= length) return {};
  return {static_cast<size_t>(start), static_cast<size_t>(stop - start) + 1};
}

RankSpan find_span(const Zset& zset, const RangeQuery& query) {
  switch (query.by) {
    case RangeBy::kRank:
      return rank_span(query.start, query.stop, zset.size());
    case RangeBy::kScore:
      return zset.span(query.scores);
    case RangeBy::kLex:
      return zset.span(query.members);
  }
  return {};
}

ZsetWalk find_walk(const Zset& zset, const RangeQuery& query) {
  RankSpan span = find_span(zset, query);
  if (query.by == RangeBy::kRank) {
    size_t from = query.reverse && span.count > 0 ? zset.size() - 1 - span.first : span.first;
    return {from, span.count, query.reverse};
  }
  if (query.offset < 0 || static_cast<uint64_t>(query.offset) >= span.count) return {};
  const auto skipped = static_cast<size_t>(query.offset);
  size_t count = span.count - skipped;
  if (query.limit >= 0) count = std::min<size_t>(count, static_cast<size_t>(query.limit));
  const size_t from = query.reverse ? span.first + span.count - 1 - skipped : span.first + skipped;
  return {from, count, query.reverse};
}

void reply_range(Context& ctx, const RangeForm& form) {
  RangeQuery query;
  if (!parse_range(ctx, form, &query)) return;
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(form.first), &zset)) return;
  if (zset == nullptr) return ctx.reply().empty_array();
  reply_walk(ctx.reply(), *zset, find_walk(*zset, query), query.with_scores);
}

constexpr RangeForm kFreeForm{};
constexpr RangeForm fixed_form(RangeBy by, bool reverse) {
  return {.fixed = true, .by = by, .reverse = reverse};
}
constexpr RangeForm kStoreForm{.first = 2, .store = true};

}  // namespace

void cmd_zrange(Context& ctx) {
  reply_range(ctx, kFreeForm);
}
void cmd_zrevrange(Context& ctx) {
  reply_range(ctx, fixed_form(RangeBy::kRank, true));
}
void cmd_zrangebyscore(Context& ctx) {
  reply_range(ctx, fixed_form(RangeBy::kScore, false));
}
void cmd_zrevrangebyscore(Context& ctx) {
  reply_range(ctx, fixed_form(RangeBy::kScore, true));
}
void cmd_zrangebylex(Context& ctx) {
  reply_range(ctx, fixed_form(RangeBy::kLex, false));
}
void cmd_zrevrangebylex(Context& ctx) {
  reply_range(ctx, fixed_form(RangeBy::kLex, true));
}

void cmd_zrangestore(Context& ctx) {
  RangeQuery query;
  if (!parse_range(ctx, kStoreForm, &query)) return;
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(2), &zset)) return;
  ZsetBuilder result;
  if (zset != nullptr) {
    walk_zset(*zset, find_walk(*zset, query),
              [&](std::string_view member, double score) { result.add(member, score); });
  }
  const size_t count = result.size();
  ctx.store(ctx.arg(1), result.finish(zset_limits(ctx.config())), kEventZset, "zrangestore");
  ctx.reply().integer(static_cast<int64_t>(count));
}

void cmd_zcount(Context& ctx) {
  ScoreRange range;
  if (!parse_score_range(ctx.arg(2), ctx.arg(3), &range)) return ctx.error(kMinMaxNotFloatError);
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  ctx.reply().integer(zset == nullptr ? 0 : static_cast<int64_t>(zset->span(range).count));
}

void cmd_zlexcount(Context& ctx) {
  LexRange range;
  if (!parse_lex_range(ctx.arg(2), ctx.arg(3), &range)) return ctx.error(kMinMaxNotLexError);
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  ctx.reply().integer(zset == nullptr ? 0 : static_cast<int64_t>(zset->span(range).count));
}

namespace {

void remove_range(Context& ctx, RangeBy by, std::string_view event) {
  RangeQuery query;
  query.by = by;
  if (!parse_range_limits(ctx, 1, &query)) return;
  auto zset = ctx.edit<Zset>(ctx.arg(1));
  if (zset.wrong_type()) return;
  if (!zset.exists()) return ctx.reply().zero();
  const RankSpan span = find_span(*zset, query);
  zset->remove_span(span);
  if (span.count > 0) zset.changed(span.count, kEventZset, event);
  ctx.reply().integer(static_cast<int64_t>(span.count));
}

// Small sets are not worth a look at the arguments.
uint64_t cost_of_range(Context& ctx, const RangeForm& form) {
  const Zset* zset = ctx.peek_as<Zset>(ctx.arg(form.first));
  if (zset == nullptr || zset->size() < kSlowLaneCost) return 1;
  RangeQuery query;
  // The common form, ZRANGE key start stop, without asking for its parse errors, which would be replied.
  if (ctx.argc() == form.first + 3 && parse_int64(ctx.arg(form.first + 1), &query.start) &&
      parse_int64(ctx.arg(form.first + 2), &query.stop) && form.by == RangeBy::kRank) {
    return rank_span(query.start, query.stop, zset->size()).count;
  }
  // With options: whatever they say, LIMIT bounds the work.
  for (size_t i = form.first + 3; i + 2 < ctx.argc(); ++i) {
    int64_t limit = 0;
    if (!equals_ignore_case(ctx.arg(i), "limit") || !parse_int64(ctx.arg(i + 2), &limit) || limit < 0) continue;
    return std::min<uint64_t>(static_cast<uint64_t>(limit), zset->size());
  }
  std::string_view min = ctx.arg(form.first + 1);
  std::string_view max = ctx.arg(form.first + 2);
  uint64_t most = 0;
  for (bool swapped : {false, true}) {
    if (swapped) std::swap(min, max);
    if (parse_score_range(min, max, &query.scores)) most = std::max<uint64_t>(most, zset->span(query.scores).count);
    if (parse_lex_range(min, max, &query.members)) most = std::max<uint64_t>(most, zset->span(query.members).count);
    if (parse_int64(min, &query.start) && parse_int64(max, &query.stop)) {
      most = std::max<uint64_t>(most, rank_span(query.start, query.stop, zset->size()).count);
    }
  }
  return most;
}

}  // namespace

void cmd_zremrangebyrank(Context& ctx) {
  remove_range(ctx, RangeBy::kRank, "zremrangebyrank");
}
void cmd_zremrangebyscore(Context& ctx) {
  remove_range(ctx, RangeBy::kScore, "zremrangebyscore");
}
void cmd_zremrangebylex(Context& ctx) {
  remove_range(ctx, RangeBy::kLex, "zremrangebylex");
}

uint64_t cost_of_zrange(Context& ctx) {
  return cost_of_range(ctx, kFreeForm);
}
uint64_t cost_of_zrangestore(Context& ctx) {
  return cost_of_range(ctx, kStoreForm);
}
uint64_t cost_of_zremrange(Context& ctx) {
  return cost_of_range(ctx, kFreeForm);
}

}  // namespace synap
