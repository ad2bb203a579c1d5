// What the sorted-set command files, and geo's, share: limits, ways to reply, the way to add.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "datatypes/zset/zset.h"
#include "server/command/context.h"

namespace synap {

extern const CommandFamily kZsetCommands;

ZsetLimits zset_limits(const Config& config);

// Elements one after the other from a rank on, upwards or downwards.
struct ZsetWalk {
  size_t from = 0;
  size_t count = 0;
  bool reverse = false;
};

template <class Visit>
void walk_zset(const Zset& zset, ZsetWalk walk, Visit visit) {
  zset.walk(walk.from, walk.count, walk.reverse, visit);
}

// The head of a reply of n elements: with scores one flat array in RESP2, an array of pairs in RESP3.
void begin_elements(Reply& reply, size_t n, bool with_scores);
void reply_element(Reply& reply, std::string_view member, double score, bool with_scores);
void reply_walk(Reply& reply, const Zset& zset, ZsetWalk walk, bool with_scores);

struct ScoredMember {
  double score;
  std::string_view member;
};
// ZADD after its arguments were parsed. `reply_changed` is CH. Whether anything changed.
bool add_elements(Context& ctx, std::span<const ScoredMember> elements, ZsetAdd options, bool reply_changed);

// One step for each argument: ZADD, ZREM, GEOADD, GEOPOS, ….
inline uint64_t cost_of_arguments(Context& ctx) {
  return ctx.argc();
}

// zset_range_commands.cc
void cmd_zrange(Context& ctx);
void cmd_zrevrange(Context& ctx);
void cmd_zrangebyscore(Context& ctx);
void cmd_zrevrangebyscore(Context& ctx);
void cmd_zrangebylex(Context& ctx);
void cmd_zrevrangebylex(Context& ctx);
void cmd_zrangestore(Context& ctx);
void cmd_zcount(Context& ctx);
void cmd_zlexcount(Context& ctx);
void cmd_zremrangebyrank(Context& ctx);
void cmd_zremrangebyscore(Context& ctx);
void cmd_zremrangebylex(Context& ctx);
uint64_t cost_of_zrange(Context& ctx);
uint64_t cost_of_zrangestore(Context& ctx);
uint64_t cost_of_zremrange(Context& ctx);

// zset_algebra_commands.cc
void cmd_zunion(Context& ctx);
void cmd_zinter(Context& ctx);
void cmd_zdiff(Context& ctx);
void cmd_zintercard(Context& ctx);
void cmd_zunionstore(Context& ctx);
void cmd_zinterstore(Context& ctx);
void cmd_zdiffstore(Context& ctx);
uint64_t cost_of_algebra(Context& ctx);
uint64_t cost_of_algebra_store(Context& ctx);

// zset_pop_commands.cc
void cmd_zpopmin(Context& ctx);
void cmd_zpopmax(Context& ctx);
void cmd_zmpop(Context& ctx);
void cmd_bzpopmin(Context& ctx);
void cmd_bzpopmax(Context& ctx);
void cmd_bzmpop(Context& ctx);
uint64_t cost_of_zpop(Context& ctx);
uint64_t cost_of_zmpop(Context& ctx);
uint64_t cost_of_bzmpop(Context& ctx);

}  // namespace synap
