// Commands on the expiry of hash fields: HEXPIRE and its kin (Redis 7.4), HGETEX, HSETEX and HGETDEL (Redis 8).
// Times are journaled as absolute milliseconds, in commands that Redis 7.4 knows.
#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datatypes/hash/hash_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

// Redis's bound on a field's expiry.
constexpr int64_t kFieldExpiryMaxMs = (int64_t{1} << 46) - 1;

// Replies of the HEXPIRE, HTTL and HPERSIST families, per field.
constexpr int64_t kNoSuchField = -2;
constexpr int64_t kNoTtl = -1;
constexpr int64_t kConditionNotMet = 0;
constexpr int64_t kDone = 1;
constexpr int64_t kDeleted = 2;

enum class TimeUnit { kSeconds, kMilliseconds };
struct TimeKind {
  TimeUnit unit;
  bool relative;  // to now; otherwise since 1970
};
constexpr TimeKind kEx{TimeUnit::kSeconds, true};
constexpr TimeKind kPx{TimeUnit::kMilliseconds, true};
constexpr TimeKind kExat{TimeUnit::kSeconds, false};
constexpr TimeKind kPxat{TimeUnit::kMilliseconds, false};

enum class ExpireCondition { kNone, kNx, kXx, kGt, kLt };

// A time argument as absolute milliseconds. False: the error was replied.
bool parse_expiry(Context& ctx, std::string_view text, TimeKind kind, int64_t* expiry_ms) {
  int64_t time;
  if (!ctx.parse(text, &time)) return false;
  if (time < 0) {
    ctx.error(kFieldExpireNegativeError);
    return false;
  }
  const int64_t base_ms = kind.relative ? ctx.now_ms() : 0;
  const int64_t scale = kind.unit == TimeUnit::kSeconds ? 1000 : 1;
  if (time > kFieldExpiryMaxMs / scale || time * scale > kFieldExpiryMaxMs - base_ms) {
    ctx.reply().error({kExpireErrorBegin, ctx.command().display_name(), kExpireErrorEnd});
    return false;
  }
  *expiry_ms = time * scale + base_ms;
  return true;
}

// "FIELDS count field …" from argument `at` to the end. False: the error was replied.
bool parse_fields(Context& ctx, size_t at, std::string_view count_error, ArgViews* fields) {
  if (at >= ctx.argc() || !equals_ignore_case(ctx.arg(at), "fields")) {
    ctx.error(kFieldsMissingError);
    return false;
  }
  if (at + 1 >= ctx.argc()) {
    ctx.arity_error();
    return false;
  }
  int64_t count;
  if (!ctx.parse_range(ctx.arg(at + 1), 1, INT64_MAX, &count, count_error)) return false;
  *fields = ctx.args().subspan(at + 2);
  if (static_cast<size_t>(count) == fields->size()) return true;
  ctx.error(kFieldCountMismatchError);
  return false;
}

void reply_for_all(Context& ctx, size_t count, int64_t value) {
  ctx.reply().array(count);
  for (; count > 0; --count) ctx.reply().integer(value);
}

// What one command did to fields' expiry, for its effects and events.
struct FieldChanges {
  std::vector<std::string_view> set;      // have the new expiry
  std::vector<std::string_view> deleted;  // the new expiry had passed
};

// A time that has passed deletes at once, except on a replica, whose master sends the deletion.
bool has_passed(const Context& ctx, int64_t expiry_ms) {
  return expiry_ms <= write_clock_ms(ctx);
}

void expire_or_delete(Context& ctx, Edit<Hash>& hash, std::string_view field, int64_t expiry_ms,
                      FieldChanges* changes) {
  if (has_passed(ctx, expiry_ms)) {
    hash->remove(field);
    ctx.environment().stats->count(ctx.environment().stats->expired_fields);
    changes->deleted.push_back(field);
  } else {
    hash->set_expiry(field, expiry_ms);
    changes->set.push_back(field);
  }
}

void journal_deletions(Context& ctx, std::string_view key, std::span<const std::string_view> fields) {
  for (const std::string_view field : fields) ctx.effect({"HDEL", key, field});
}

// {command, before…, "FIELDS", count, fields…}
void journal_fields(Context& ctx, std::vector<std::string_view> before, std::span<const std::string_view> fields) {
  const std::string count = to_text(fields.size());
  before.emplace_back("FIELDS");
  before.emplace_back(count);
  before.insert(before.end(), fields.begin(), fields.end());
  ctx.effect(before);
}

void journal_expiry(Context& ctx, std::string_view key, int64_t expiry_ms, std::string_view condition,
                    std::span<const std::string_view> fields) {
  const std::string time = to_text(expiry_ms);
  std::vector<std::string_view> before{"HPEXPIREAT", key, time};
  if (!condition.empty()) before.push_back(condition);
  journal_fields(ctx, std::move(before), fields);
}

ExpireCondition parse_condition(std::string_view text) {
  if (equals_ignore_case(text, "nx")) return ExpireCondition::kNx;
  if (equals_ignore_case(text, "xx")) return ExpireCondition::kXx;
  if (equals_ignore_case(text, "gt")) return ExpireCondition::kGt;
  if (equals_ignore_case(text, "lt")) return ExpireCondition::kLt;
  return ExpireCondition::kNone;
}

// No TTL counts as infinite: LT holds, GT does not.
bool condition_met(ExpireCondition condition, int64_t old_ms, int64_t new_ms) {
  const bool has_ttl = old_ms != kNoFieldExpiry;
  switch (condition) {
    case ExpireCondition::kNx:
      return !has_ttl;
    case ExpireCondition::kXx:
      return has_ttl;
    case ExpireCondition::kGt:
      return has_ttl && new_ms > old_ms;
    case ExpireCondition::kLt:
      return !has_ttl || new_ms < old_ms;
    case ExpireCondition::kNone:
      break;
  }
  return true;
}

void expire_fields(Context& ctx, TimeKind kind) {
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  int64_t expiry_ms;
  if (!parse_expiry(ctx, ctx.arg(2), kind, &expiry_ms)) return;
  const ExpireCondition condition = parse_condition(ctx.arg(3));
  const bool conditional = condition != ExpireCondition::kNone;
  ArgViews fields;
  if (!parse_fields(ctx, conditional ? 4 : 3, kFieldCountZeroError, &fields)) return;
  if (!hash.exists()) return reply_for_all(ctx, fields.size(), kNoSuchField);

  FieldChanges changes;
  ctx.reply().array(fields.size());
  for (const std::string_view field : fields) {
    HashValue old;
    if (!hash->get(field, write_clock_ms(ctx), &old)) {
      ctx.reply().integer(kNoSuchField);
    } else if (!condition_met(condition, old.expiry_ms, expiry_ms)) {
      ctx.reply().integer(kConditionNotMet);
    } else {
      expire_or_delete(ctx, hash, field, expiry_ms, &changes);
      ctx.reply().integer(has_passed(ctx, expiry_ms) ? kDeleted : kDone);
    }
  }
  if (changes.set.empty() && changes.deleted.empty()) return;
  journal_deletions(ctx, hash.key(), changes.deleted);
  if (!changes.set.empty()) {
    journal_expiry(ctx, hash.key(), expiry_ms, conditional ? ctx.arg(3) : std::string_view(), changes.set);
  }
  hash.changed(changes.set.size() + changes.deleted.size(), kEventHash, changes.deleted.empty() ? "hexpire" : "hdel");
}

void cmd_hexpire(Context& ctx) {
  expire_fields(ctx, kEx);
}
void cmd_hpexpire(Context& ctx) {
  expire_fields(ctx, kPx);
}
void cmd_hexpireat(Context& ctx) {
  expire_fields(ctx, kExat);
}
void cmd_hpexpireat(Context& ctx) {
  expire_fields(ctx, kPxat);
}

void reply_expiry_times(Context& ctx, TimeKind kind) {
  const Hash* hash;
  if (!ctx.read(ctx.arg(1), &hash)) return;
  ArgViews fields;
  if (!parse_fields(ctx, 2, kFieldCountPositiveError, &fields)) return;
  if (hash == nullptr) return reply_for_all(ctx, fields.size(), kNoSuchField);
  const int64_t base_ms = kind.relative ? ctx.now_ms() : 0;
  ctx.reply().array(fields.size());
  for (const std::string_view field : fields) {
    HashValue value;
    if (!hash->get(field, ctx.now_ms(), &value)) {
      ctx.reply().integer(kNoSuchField);
    } else if (value.expiry_ms == kNoFieldExpiry) {
      ctx.reply().integer(kNoTtl);
    } else {
      const int64_t ms = value.expiry_ms - base_ms;
      ctx.reply().integer(kind.unit == TimeUnit::kSeconds ? (ms + 999) / 1000 : ms);
    }
  }
}

void cmd_httl(Context& ctx) {
  reply_expiry_times(ctx, kEx);
}
void cmd_hpttl(Context& ctx) {
  reply_expiry_times(ctx, kPx);
}
void cmd_hexpiretime(Context& ctx) {
  reply_expiry_times(ctx, kExat);
}
void cmd_hpexpiretime(Context& ctx) {
  reply_expiry_times(ctx, kPxat);
}

void cmd_hpersist(Context& ctx) {
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  ArgViews fields;
  if (!parse_fields(ctx, 2, kFieldCountPositiveError, &fields)) return;
  if (!hash.exists()) return reply_for_all(ctx, fields.size(), kNoSuchField);
  bool changed = false;
  ctx.reply().array(fields.size());
  for (const std::string_view field : fields) {
    HashValue value;
    if (!hash->get(field, write_clock_ms(ctx), &value)) {
      ctx.reply().integer(kNoSuchField);
    } else if (value.expiry_ms == kNoFieldExpiry) {
      ctx.reply().integer(kNoTtl);
    } else {
      hash->set_expiry(field, kNoFieldExpiry);
      changed = true;
      ctx.reply().integer(kDone);
    }
  }
  if (changed) hash.changed(1, kEventHash, "hpersist");
}

void cmd_hgetdel(Context& ctx) {
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  ArgViews fields;
  if (!parse_fields(ctx, 2, kFieldCountPositiveError, &fields)) return;
  ctx.reply().array(fields.size());
  std::vector<std::string_view> deleted;
  for (const std::string_view field : fields) {
    drop_due_field(ctx, hash, field);
    HashValue value;
    if (!hash.exists() || !hash->get(field, 0, &value)) {
      ctx.reply().null();
      continue;
    }
    ctx.reply().bulk(value.text);
    hash->remove(field);
    deleted.push_back(field);
  }
  if (deleted.empty()) return;
  std::vector<std::string_view> effect{"HDEL", hash.key()};
  effect.insert(effect.end(), deleted.begin(), deleted.end());
  ctx.effect(effect);
  hash.changed(deleted.size(), kEventHash, "hdel");
}

std::optional<TimeKind> time_option(std::string_view text) {
  if (equals_ignore_case(text, "ex")) return kEx;
  if (equals_ignore_case(text, "px")) return kPx;
  if (equals_ignore_case(text, "exat")) return kExat;
  if (equals_ignore_case(text, "pxat")) return kPxat;
  return std::nullopt;
}

struct GetexArguments {
  std::optional<int64_t> expiry_ms;
  bool persist = false;
  ArgViews fields;
};

bool parse_getex(Context& ctx, GetexArguments* getex) {
  const std::optional<TimeKind> kind = time_option(ctx.arg(2));
  getex->persist = equals_ignore_case(ctx.arg(2), "persist");
  const size_t fields_at = kind ? 4 : getex->persist ? 3 : 2;
  if ((kind || getex->persist) && fields_at < ctx.argc() &&
      (time_option(ctx.arg(fields_at)) || equals_ignore_case(ctx.arg(fields_at), "persist"))) {
    ctx.error(kGetexOneExpiryError);
    return false;
  }
  if (!parse_fields(ctx, fields_at, kFieldCountPositiveError, &getex->fields)) return false;
  if (!kind) return true;
  int64_t expiry_ms;
  if (!parse_expiry(ctx, ctx.arg(3), *kind, &expiry_ms)) return false;
  getex->expiry_ms = expiry_ms;
  return true;
}

void cmd_hgetex(Context& ctx) {
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  GetexArguments getex;
  if (!parse_getex(ctx, &getex)) return;
  ctx.reply().array(getex.fields.size());
  FieldChanges changes;
  for (const std::string_view field : getex.fields) {
    drop_due_field(ctx, hash, field);
    HashValue value;
    if (!hash.exists() || !hash->get(field, 0, &value)) {
      ctx.reply().null();
      continue;
    }
    ctx.reply().bulk(value.text);
    if (getex.expiry_ms) {
      expire_or_delete(ctx, hash, field, *getex.expiry_ms, &changes);
    } else if (getex.persist && value.expiry_ms != kNoFieldExpiry) {
      hash->set_expiry(field, kNoFieldExpiry);
      changes.set.push_back(field);
    }
  }
  if (changes.set.empty() && changes.deleted.empty()) return;
  journal_deletions(ctx, hash.key(), changes.deleted);
  if (!changes.set.empty() && getex.persist) {
    journal_fields(ctx, {"HPERSIST", hash.key()}, changes.set);
  } else if (!changes.set.empty()) {
    journal_expiry(ctx, hash.key(), *getex.expiry_ms, {}, changes.set);
  }
  const std::string_view event = getex.persist ? "hpersist" : changes.deleted.empty() ? "hexpire" : "hdel";
  hash.changed(changes.set.size() + changes.deleted.size(), kEventHash, event);
}

struct SetexArguments {
  bool if_none = false;  // FNX: only if none of the fields exists
  bool if_all = false;   // FXX: only if all of them exist
  bool keep_ttl = false;
  std::optional<int64_t> expiry_ms;
  ArgViews pairs;
};

// FIELDS at argument `at`, which must be followed by exactly its pairs to the end.
bool parse_pairs(Context& ctx, size_t at, ArgViews* pairs) {
  if (at + 2 >= ctx.argc()) {
    ctx.arity_error();
    return false;
  }
  int64_t count;
  if (!ctx.parse_range(ctx.arg(at + 1), 1, INT32_MAX, &count, kFieldCountInvalidError)) return false;
  *pairs = ctx.args().subspan(at + 2);
  if (pairs->size() == static_cast<size_t>(count) * 2) return true;
  ctx.arity_error();
  return false;
}

bool parse_setex(Context& ctx, SetexArguments* setex) {
  const auto fail = [&](std::string_view error) {
    ctx.error(error);
    return false;
  };
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const std::string_view option = ctx.arg(i);
    const std::optional<TimeKind> kind = time_option(option);
    if (equals_ignore_case(option, "fields")) return parse_pairs(ctx, i, &setex->pairs);
    if (equals_ignore_case(option, "fnx") || equals_ignore_case(option, "fxx")) {
      if (setex->if_none || setex->if_all) return fail(kSetexOneConditionError);
      (equals_ignore_case(option, "fnx") ? setex->if_none : setex->if_all) = true;
    } else if (kind || equals_ignore_case(option, "keepttl")) {
      if (setex->keep_ttl || setex->expiry_ms) return fail(kSetexOneExpiryError);
      if (!kind) {
        setex->keep_ttl = true;
        continue;
      }
      if (i + 1 >= ctx.argc()) return fail(kMissingExpireError);
      int64_t expiry_ms;
      if (!parse_expiry(ctx, ctx.arg(++i), *kind, &expiry_ms)) return false;
      setex->expiry_ms = expiry_ms;
    } else {
      ctx.reply().error({kUnknownArgumentBegin, option});
      return false;
    }
  }
  return fail(kMissingFieldsError);
}

bool fields_allow(const Edit<Hash>& hash, const SetexArguments& setex) {
  for (size_t i = 0; i < setex.pairs.size(); i += 2) {
    const bool present = hash.exists() && hash->contains(setex.pairs[i], 0);
    if ((setex.if_none && present) || (setex.if_all && !present)) return false;
  }
  return true;
}

// HSET and HPEXPIREAT say what HSETEX did to anybody who knows Redis 7.4. HSET clears TTLs, so kept ones are set again.
void journal_setex(Context& ctx, const Hash& hash, const SetexArguments& setex) {
  const std::string_view key = ctx.arg(1);
  std::vector<std::string_view> effect{"HSET", key};
  effect.insert(effect.end(), setex.pairs.begin(), setex.pairs.end());
  ctx.effect(effect);
  std::vector<std::string_view> fields;
  for (size_t i = 0; i < setex.pairs.size(); i += 2) fields.push_back(setex.pairs[i]);
  if (setex.expiry_ms) journal_expiry(ctx, key, *setex.expiry_ms, {}, fields);
  if (!setex.keep_ttl) return;
  for (const std::string_view& field : fields) {
    HashValue value;
    if (!hash.get(field, 0, &value) || value.expiry_ms == kNoFieldExpiry) continue;
    journal_expiry(ctx, key, value.expiry_ms, {}, std::span(&field, 1));
  }
}

// The expiry lies in the past: the fields are set and gone at once.
void delete_set_fields(Context& ctx, Edit<Hash>& hash, const SetexArguments& setex) {
  if (!hash.exists()) return;
  std::vector<std::string_view> deleted;
  for (size_t i = 0; i < setex.pairs.size(); i += 2) {
    if (hash->remove(setex.pairs[i])) deleted.push_back(setex.pairs[i]);
  }
  if (deleted.empty()) return;
  journal_deletions(ctx, hash.key(), deleted);
  hash.changed(deleted.size(), kEventHash, "hset");
  hash.changed(0, kEventHash, "hdel");
}

void cmd_hsetex(Context& ctx) {
  SetexArguments setex;
  if (!parse_setex(ctx, &setex)) return;
  auto hash = ctx.edit<Hash>(ctx.arg(1));
  if (hash.wrong_type()) return;
  for (size_t i = 0; i < setex.pairs.size(); i += 2) drop_due_field(ctx, hash, setex.pairs[i]);
  if (!fields_allow(hash, setex)) return ctx.reply().zero();
  ctx.reply().one();
  if (setex.expiry_ms && has_passed(ctx, *setex.expiry_ms)) return delete_set_fields(ctx, hash, setex);

  Hash& value = hash.create_if_absent();
  const Hash::Expiry expiry = setex.keep_ttl ? Hash::Expiry::kKeep : Hash::Expiry::kClear;
  for (size_t i = 0; i < setex.pairs.size(); i += 2) {
    value.set(setex.pairs[i], setex.pairs[i + 1], hash_limits(ctx), expiry);
    if (setex.expiry_ms) value.set_expiry(setex.pairs[i], *setex.expiry_ms);
  }
  journal_setex(ctx, value, setex);
  hash.changed(setex.pairs.size() / 2, kEventHash, "hset");
  if (setex.expiry_ms) hash.changed(0, kEventHash, "hexpire");
}

constexpr uint64_t kRead = kReadonly | kFast;
constexpr uint64_t kChange = kWrite | kDenyOom | kFast;
constexpr KeySpec kReadKey = one_key(kKeyRO | kKeyAccess);
constexpr KeySpec kUpdateKey = one_key(kKeyRW | kKeyUpdate);
constexpr std::string_view kAnyOutput = "nondeterministic_output";

constexpr Command kRows[] = {
    {"hexpire", cmd_hexpire, -6, kChange, kCatHash, {kUpdateKey}},
    {"hpexpire", cmd_hpexpire, -6, kChange, kCatHash, {kUpdateKey}},
    {"hexpireat", cmd_hexpireat, -6, kChange, kCatHash, {kUpdateKey}},
    {"hpexpireat", cmd_hpexpireat, -6, kChange, kCatHash, {kUpdateKey}},
    {"httl", cmd_httl, -5, kRead, kCatHash, {kReadKey}, {}, nullptr, nullptr, {kAnyOutput}},
    {"hpttl", cmd_hpttl, -5, kRead, kCatHash, {kReadKey}, {}, nullptr, nullptr, {kAnyOutput}},
    {"hexpiretime", cmd_hexpiretime, -5, kRead, kCatHash, {kReadKey}},
    {"hpexpiretime", cmd_hpexpiretime, -5, kRead, kCatHash, {kReadKey}},
    {"hpersist", cmd_hpersist, -5, kWrite | kFast, kCatHash, {kUpdateKey}},
    {"hgetdel", cmd_hgetdel, -5, kWrite | kFast, kCatHash, {one_key(kKeyRW | kKeyAccess | kKeyDelete)}},
    {"hgetex", cmd_hgetex, -5, kWrite | kFast, kCatHash, {one_key(kKeyRW | kKeyAccess | kKeyUpdate)}},
    {"hsetex", cmd_hsetex, -6, kChange, kCatHash, {kUpdateKey}},
};

}  // namespace

const CommandFamily kHashTtlCommands = kRows;

}  // namespace synap
