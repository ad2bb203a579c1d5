// Expiry times of keys: set with conditions, read, removed.
#include <algorithm>

#include "datatypes/key/key_commands.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/expiry_arguments.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

struct ExpiryCondition {
  bool nx = false, xx = false, gt = false, lt = false;
};

bool parse_condition(Context& ctx, ExpiryCondition* condition) {
  for (size_t i = 3; i < ctx.argc(); ++i) {
    if (equals_ignore_case(ctx.arg(i), "nx")) {
      condition->nx = true;
    } else if (equals_ignore_case(ctx.arg(i), "xx")) {
      condition->xx = true;
    } else if (equals_ignore_case(ctx.arg(i), "gt")) {
      condition->gt = true;
    } else if (equals_ignore_case(ctx.arg(i), "lt")) {
      condition->lt = true;
    } else {
      ctx.error("ERR Unsupported option " + std::string(printed(ctx.arg(i), ctx.arg(i).size())));
      return false;
    }
  }
  if (condition->nx && (condition->xx || condition->gt || condition->lt)) {
    ctx.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (condition->gt && condition->lt) {
    ctx.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

// A key without expiry lives for ever: longer than any time.
bool allows(const ExpiryCondition& condition, int64_t current_ms, int64_t wanted_ms) {
  if (condition.nx && current_ms != kNoExpiry) return false;
  if (condition.xx && current_ms == kNoExpiry) return false;
  if (condition.gt && (current_ms == kNoExpiry || wanted_ms <= current_ms)) return false;
  if (condition.lt && current_ms != kNoExpiry && wanted_ms >= current_ms) return false;
  return true;
}

void expire(Context& ctx, ExpiryUnit unit, bool absolute) {
  ExpiryCondition condition;
  int64_t expiry_ms;
  if (!parse_condition(ctx, &condition)) return;
  if (!parse_expiry(ctx, ctx.arg(2), unit, absolute, true, &expiry_ms)) return;
  const std::string_view key = ctx.arg(1);
  const Entry* entry = ctx.lookup(key);
  if (entry == nullptr || !allows(condition, entry->expiry_ms(), expiry_ms)) return ctx.reply().zero();
  // On a replica, and while the AOF is loaded, nothing goes by itself: the deletion comes from the master or the file.
  const bool deletes = !ctx.environment().replica;
  if (expiry_ms <= ctx.now_ms() && deletes) {
    ctx.remove(key);
    ctx.changed(key, 1, kEventGeneric, "del");
    ctx.effect({ctx.config().lazyfree_lazy_expire ? "UNLINK" : "DEL", key});
    return ctx.reply().one();
  }
  ctx.set_expiry(key, std::max<int64_t>(expiry_ms, 0));
  ctx.changed(key, 1, kEventGeneric, "expire");
  if (ctx.journaling()) ctx.effect({"PEXPIREAT", key, std::to_string(expiry_ms)});
  ctx.reply().one();
}
void cmd_expire(Context& ctx) { expire(ctx, ExpiryUnit::kSeconds, false); }
void cmd_pexpire(Context& ctx) { expire(ctx, ExpiryUnit::kMilliseconds, false); }
void cmd_expireat(Context& ctx) { expire(ctx, ExpiryUnit::kSeconds, true); }
void cmd_pexpireat(Context& ctx) { expire(ctx, ExpiryUnit::kMilliseconds, true); }

// -2: no such key; -1: no expiry.
void reply_expiry(Context& ctx, bool in_seconds, bool absolute) {
  const Entry* entry = ctx.lookup(ctx.arg(1), Context::Touch::kNever);
  if (entry == nullptr) return ctx.reply().integer(-2);
  if (!entry->has_expiry()) return ctx.reply().integer(-1);
  const int64_t ms = absolute ? entry->expiry_ms() : std::max<int64_t>(entry->expiry_ms() - ctx.now_ms(), 0);
  ctx.reply().integer(in_seconds ? (ms + 500) / 1000 : ms);
}
void cmd_ttl(Context& ctx) { reply_expiry(ctx, true, false); }
void cmd_pttl(Context& ctx) { reply_expiry(ctx, false, false); }
void cmd_expiretime(Context& ctx) { reply_expiry(ctx, true, true); }
void cmd_pexpiretime(Context& ctx) { reply_expiry(ctx, false, true); }

void cmd_persist(Context& ctx) {
  const Entry* entry = ctx.lookup(ctx.arg(1));
  if (entry == nullptr || !entry->has_expiry()) return ctx.reply().zero();
  ctx.set_expiry(ctx.arg(1), kNoExpiry);
  ctx.changed(ctx.arg(1), 1, kEventGeneric, "persist");
  ctx.reply().one();
}

constexpr Command expire_row(std::string_view name, Handler handler) {
  return {.name = name, .handler = handler, .arity = -3, .flags = kWrite | kFast, .categories = kCatKeyspace,
          .key_specs = {one_key(kKeyRW | kKeyUpdate)}};
}
constexpr Command ttl_row(std::string_view name, Handler handler, bool changes_with_time) {
  return {.name = name, .handler = handler, .arity = 2, .flags = kReadonly | kFast, .categories = kCatKeyspace,
          .key_specs = {one_key(kKeyRO | kKeyAccess)},
          .tips = {changes_with_time ? std::string_view("nondeterministic_output") : std::string_view()}};
}

constexpr Command kRows[] = {
    expire_row("expire", cmd_expire),
    expire_row("pexpire", cmd_pexpire),
    expire_row("expireat", cmd_expireat),
    expire_row("pexpireat", cmd_pexpireat),
    ttl_row("ttl", cmd_ttl, true),
    ttl_row("pttl", cmd_pttl, true),
    ttl_row("expiretime", cmd_expiretime, false),
    ttl_row("pexpiretime", cmd_pexpiretime, false),
    {.name = "persist", .handler = cmd_persist, .arity = 2, .flags = kWrite | kFast, .categories = kCatKeyspace,
     .key_specs = {one_key(kKeyRW | kKeyUpdate)}},
};

}  // namespace

const CommandFamily kExpiryCommands = kRows;

}  // namespace synap
