// Commands on hashes. Reads hide fields that are due; writes delete the due fields they meet.
#include "datatypes/hash/hash_commands.h"

#include <algorithm>
#include <cmath>

#include "server/base/number.h"
#include "server/base/random.h"
#include "server/base/text.h"
#include "server/command/scan_arguments.h"

namespace synap {

HashLimits hash_limits(const Context& ctx) {
  return {static_cast<size_t>(ctx.config().hash_max_listpack_entries),
          static_cast<size_t>(ctx.config().hash_max_listpack_value)};
}

int64_t write_clock_ms(const Context& ctx) {
  return ctx.environment().replica ? 0 : ctx.now_ms();
}

bool drop_due_field(Context& ctx, Edit<Hash>& hash, std::string_view field) {
  if (!hash.exists() || !hash->remove_if_due(field, write_clock_ms(ctx))) return false;
  ctx.environment().stats->count(ctx.environment().stats->expired_fields);
  ctx.effect({"HDEL", hash.key(), field});
  hash.changed(0, kEventHash, "hexpired");
  return true;
}

namespace {

// Sets the pairs from argument 2 on. Returns how many fields are new, or -1 when an error was replied.
int64_t set_pairs(Context& ctx) {
  if (ctx.argc() % 2 != 0) {
    ctx.arity_error();
    return -1;
  }
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return -1;
  Hash& value = hash.create_if_absent();
  const HashLimits limits = hash_limits(ctx);
  const size_t pairs = (ctx.argc() - 2) / 2;
  if (value.encoding() != HashEncoding::kTable) {
    size_t longest = 0;
    size_t total = 0;
    for (size_t i = 2; i < ctx.argc(); ++i) {
      longest = std::max(longest, ctx.arg(i).size());
      total += ctx.arg(i).size();
    }
    value.prepare(pairs, longest, total, limits);
  }
  const bool may_be_due = value.has_expiries();
  int64_t created = 0;
  for (size_t i = 2; i < ctx.argc(); i += 2) {
    if (may_be_due) value.remove_if_due(ctx.arg(i), write_clock_ms(ctx));
    created += value.set(ctx.arg(i), ctx.arg(i + 1), limits) ? 1 : 0;
  }
  hash.changed(pairs, kEventHash, "hset");
  return created;
}

void cmd_hset(Context& ctx) {
  const int64_t created = set_pairs(ctx);
  if (created >= 0) ctx.reply().integer(created);
}

void cmd_hmset(Context& ctx) {
  if (set_pairs(ctx) >= 0) ctx.reply().ok();
}

void cmd_hsetnx(Context& ctx) {
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  const bool dropped = drop_due_field(ctx, hash, ctx.arg(2));
  Hash& value = hash.create_if_absent();
  if (value.contains(ctx.arg(2), 0)) return ctx.reply().zero();
  value.set(ctx.arg(2), ctx.arg(3), hash_limits(ctx));
  if (dropped) ctx.effect(ctx.args());
  hash.changed(1, kEventHash, "hset");
  ctx.reply().one();
}

// Looks a field up for a read command. A due one is not there, and is deleted once the read is over.
bool look_up(Context& ctx, const Hash* hash, std::string_view field, HashValue* value) {
  if (hash == nullptr) return false;
  if (hash->get(field, ctx.now_ms(), value)) return true;
  if (value->expiry_ms != kNoFieldExpiry) ctx.saw_expired_field(ctx.arg(1), field);
  return false;
}

void cmd_hget(Context& ctx) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  HashValue value;
  if (!look_up(ctx, hash, ctx.arg(2), &value)) return ctx.reply().null();
  ctx.reply().bulk(value.text);
}

void cmd_hmget(Context& ctx) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  ctx.reply().array(ctx.argc() - 2);
  for (const std::string_view field : ctx.args().subspan(2)) {
    HashValue value;
    if (!look_up(ctx, hash, field, &value)) {
      ctx.reply().null();
    } else {
      ctx.reply().bulk(value.text);
    }
  }
}

void cmd_hdel(Context& ctx) {
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  if (!hash.exists()) return ctx.reply().zero();
  size_t deleted = 0;
  for (const std::string_view field : ctx.args().subspan(2)) deleted += hash->remove(field) ? 1 : 0;
  if (deleted > 0) hash.changed(deleted, kEventHash, "hdel");
  ctx.reply().integer(static_cast<int64_t>(deleted));
}

void cmd_hlen(Context& ctx) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  ctx.reply().integer(hash == nullptr ? 0 : static_cast<int64_t>(hash->length()));
}

void cmd_hstrlen(Context& ctx) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  HashValue value;
  if (!look_up(ctx, hash, ctx.arg(2), &value)) return ctx.reply().zero();
  ctx.reply().integer(static_cast<int64_t>(value.text.size()));
}

void cmd_hexists(Context& ctx) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  HashValue value;
  ctx.reply().integer(look_up(ctx, hash, ctx.arg(2), &value) ? 1 : 0);
}

void cmd_hgetall(Context& ctx) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  if (hash == nullptr) return ctx.reply().empty_map();
  Reply& reply = ctx.reply();
  reply.map(hash->live_length(ctx.now_ms()));
  hash->for_each(ctx.now_ms(), [&](const HashEntry& entry) {
    reply.bulk(entry.field);
    reply.bulk(entry.value);
  });
}

void cmd_hkeys(Context& ctx) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  if (hash == nullptr) return ctx.reply().empty_array();
  ctx.reply().array(hash->live_length(ctx.now_ms()));
  hash->for_each(ctx.now_ms(), [&](const HashEntry& entry) { ctx.reply().bulk(entry.field); });
}

void cmd_hvals(Context& ctx) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  if (hash == nullptr) return ctx.reply().empty_array();
  ctx.reply().array(hash->live_length(ctx.now_ms()));
  hash->for_each(ctx.now_ms(), [&](const HashEntry& entry) { ctx.reply().bulk(entry.value); });
}

void cmd_hincrby(Context& ctx) {
  int64_t by;
  if (!ctx.parse(ctx.arg(3), &by)) return;
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  const bool dropped = drop_due_field(ctx, hash, ctx.arg(2));
  const Result<int64_t> result =
      hash.create_if_absent().increment(ctx.arg(2), by, write_clock_ms(ctx), hash_limits(ctx));
  if (!result.ok()) {
    return ctx.error(result.code() == StatusCode::kOverflow ? kIncrementOverflowError : kHashNotIntegerError);
  }
  if (dropped) ctx.effect(ctx.args());
  hash.changed(1, kEventHash, "hincrby");
  ctx.reply().integer(*result);
}

void cmd_hincrbyfloat(Context& ctx) {
  long double by;
  if (!parse_long_double(ctx.arg(3), &by)) return ctx.error(kNotFloatError);
  if (std::isnan(by) || std::isinf(by)) return ctx.error(kValueNanError);
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  drop_due_field(ctx, hash, ctx.arg(2));
  Hash& value = hash.create_if_absent();
  const Result<std::string> result = value.increment_float(ctx.arg(2), by, write_clock_ms(ctx), hash_limits(ctx));
  if (!result.ok()) {
    return ctx.error(result.code() == StatusCode::kOverflow ? kIncrementNanError : kHashNotFloatError);
  }
  // Journaled as the final value, so that no other machine's arithmetic matters. HSET clears a TTL: it is set again.
  ctx.effect({"HSET", hash.key(), ctx.arg(2), *result});
  HashValue now;
  if (value.has_expiries() && value.get(ctx.arg(2), 0, &now) && now.expiry_ms != kNoFieldExpiry) {
    ctx.effect({"HPEXPIREAT", hash.key(), to_text(now.expiry_ms), "FIELDS", "1", ctx.arg(2)});
  }
  hash.changed(1, kEventHash, "hincrbyfloat");
  ctx.reply().bulk(*result);
}

void reply_random_fields(Context& ctx, const Hash& hash, int64_t count, bool with_values) {
  Reply& reply = ctx.reply();
  const size_t live = hash.live_length(ctx.now_ms());
  if (live == 0 || count == 0) return reply.empty_array();
  const bool repeats = count < 0;
  const size_t wanted = repeats ? size_t{0} - static_cast<size_t>(count) : std::min(static_cast<size_t>(count), live);
  const bool pairs = with_values && reply.resp3();
  reply.array(with_values && !pairs ? wanted * 2 : wanted);
  const auto visit = [&](const HashEntry& entry) {
    if (pairs) reply.array(2);
    reply.bulk(entry.field);
    if (with_values) reply.bulk(entry.value);
  };
  if (repeats) {
    hash.random_with_repeats(thread_random(), wanted, ctx.now_ms(), visit);
  } else {
    hash.random_distinct(thread_random(), wanted, ctx.now_ms(), visit);
  }
}

void cmd_hrandfield(Context& ctx) {
  int64_t count = 0;
  bool with_values = false;
  if (ctx.argc() >= 3) {
    if (!ctx.parse(ctx.arg(2), &count)) return;
    if (count == INT64_MIN) return ctx.error(kLongRangeError);
    with_values = ctx.argc() == 4 && equals_ignore_case(ctx.arg(3), "withvalues");
    if (ctx.argc() > 4 || (ctx.argc() == 4 && !with_values)) return ctx.syntax_error();
    if (with_values && (count < -(INT64_MAX / 2) || count > INT64_MAX / 2)) return ctx.error(kOutOfRangeError);
  }
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  if (hash != nullptr && hash->live_length(ctx.now_ms()) != hash->length()) ctx.saw_expired_fields(ctx.arg(1));
  if (ctx.argc() >= 3) {
    if (hash == nullptr) return ctx.reply().empty_array();
    return reply_random_fields(ctx, *hash, count, with_values);
  }
  if (hash == nullptr || hash->live_length(ctx.now_ms()) == 0) return ctx.reply().null();
  hash->random_with_repeats(thread_random(), 1, ctx.now_ms(),
                            [&](const HashEntry& entry) { ctx.reply().bulk(entry.field); });
}

void cmd_hscan(Context& ctx) {
  uint64_t cursor;
  if (!parse_scan_cursor(ctx, ctx.arg(2), &cursor)) return;
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  if (hash == nullptr) return reply_empty_scan(ctx);
  ScanArguments scan;
  if (!parse_scan_options(ctx, 3, ScanTarget::kHash, &scan)) return;
  // The cursor comes first in the reply but is known last: what was found waits.
  std::vector<std::string> found;
  cursor = hash->scan(cursor, scan.count, ctx.now_ms(), [&](const HashEntry& entry) {
    if (!scan.matches(entry.field)) return;
    found.emplace_back(entry.field);
    if (!scan.names_only) found.emplace_back(entry.value);
  });
  ctx.reply().array(2);
  reply_scan_cursor(ctx, cursor);
  ctx.reply().array(found.size());
  for (const std::string& text : found) ctx.reply().bulk(text);
}

// --- Costs, in fields visited.

uint64_t cost_arguments(Context& ctx) {
  return ctx.argc();
}

uint64_t cost_all_fields(Context& ctx) {
  const Hash* hash = ctx.peek_as<Hash>(ctx.arg(1));
  return hash == nullptr ? 0 : hash->length();
}

uint64_t cost_hrandfield(Context& ctx) {
  int64_t count;
  if (ctx.argc() < 3 || !parse_int64(ctx.arg(2), &count)) return 0;
  if (count < 0) return size_t{0} - static_cast<size_t>(count);
  return std::min<uint64_t>(static_cast<uint64_t>(count), kSlowLaneCost) * 3 > cost_all_fields(ctx)
             ? cost_all_fields(ctx)
             : static_cast<uint64_t>(count);
}

uint64_t cost_hscan(Context& ctx) {
  for (size_t i = 3; i + 1 < ctx.argc(); ++i) {
    int64_t count;
    if (equals_ignore_case(ctx.arg(i), "count") && parse_int64(ctx.arg(i + 1), &count)) {
      return std::min(static_cast<uint64_t>(std::max<int64_t>(count, 0)), cost_all_fields(ctx));
    }
  }
  return 0;
}

constexpr uint64_t kRead = kReadonly | kFast;
constexpr uint64_t kAdd = kWrite | kDenyOom | kFast;
constexpr KeySpec kReadKey = one_key(kKeyRO | kKeyAccess);
constexpr KeySpec kLookKey = one_key(kKeyRO);
constexpr KeySpec kUpdateKey = one_key(kKeyRW | kKeyUpdate);
constexpr KeySpec kIncrementKey = one_key(kKeyRW | kKeyAccess | kKeyUpdate);
constexpr std::string_view kAnyOutput = "nondeterministic_output";
constexpr std::string_view kAnyOrder = "nondeterministic_output_order";

constexpr Command kRows[] = {
    {"hset", cmd_hset, -4, kAdd, kCatHash, {kUpdateKey}, {}, cost_arguments},
    {"hsetnx", cmd_hsetnx, 4, kAdd, kCatHash, {one_key(kKeyRW | kKeyInsert)}},
    {"hmset", cmd_hmset, -4, kAdd, kCatHash, {kUpdateKey}, {}, cost_arguments},
    {"hget", cmd_hget, 3, kRead, kCatHash, {kReadKey}},
    {"hmget", cmd_hmget, -3, kRead, kCatHash, {kReadKey}, {}, cost_arguments},
    {"hdel", cmd_hdel, -3, kWrite | kFast, kCatHash, {one_key(kKeyRW | kKeyDelete)}, {}, cost_arguments},
    {"hlen", cmd_hlen, 2, kRead, kCatHash, {kLookKey}},
    {"hstrlen", cmd_hstrlen, 3, kRead, kCatHash, {kLookKey}},
    {"hexists", cmd_hexists, 3, kRead, kCatHash, {kLookKey}},
    {"hgetall", cmd_hgetall, 2, kReadonly, kCatHash, {kReadKey}, {}, cost_all_fields, nullptr, {kAnyOrder}},
    {"hkeys", cmd_hkeys, 2, kReadonly, kCatHash, {kReadKey}, {}, cost_all_fields, nullptr, {kAnyOrder}},
    {"hvals", cmd_hvals, 2, kReadonly, kCatHash, {kReadKey}, {}, cost_all_fields, nullptr, {kAnyOrder}},
    {"hincrby", cmd_hincrby, 4, kAdd, kCatHash, {kIncrementKey}},
    {"hincrbyfloat", cmd_hincrbyfloat, 4, kAdd, kCatHash, {kIncrementKey}},
    {"hrandfield", cmd_hrandfield, -2, kReadonly, kCatHash, {kReadKey}, {}, cost_hrandfield, nullptr, {kAnyOutput}},
    {"hscan", cmd_hscan, -3, kReadonly, kCatHash, {kReadKey}, {}, cost_hscan, nullptr, {kAnyOutput}},
};

}  // namespace

const CommandFamily kHashCommands = kRows;

}  // namespace synap
