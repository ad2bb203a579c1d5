// Commands on one or some keys, whatever their type.
#include "datatypes/key/key_commands.h"

#include <climits>
#include <utility>

#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

// And UNLINK, which differs only in how it is journaled.
void cmd_del(Context& ctx) {
  int64_t removed = 0;
  for (size_t i = 1; i < ctx.argc(); ++i) {
    if (!ctx.remove(ctx.arg(i))) continue;
    ctx.changed(ctx.arg(i), 1, kEventGeneric, "del");
    ++removed;
  }
  ctx.reply().integer(removed);
}

void count_keys(Context& ctx, Context::Touch touch) {
  int64_t found = 0;
  for (size_t i = 1; i < ctx.argc(); ++i) found += ctx.lookup(ctx.arg(i), touch) != nullptr ? 1 : 0;
  ctx.reply().integer(found);
}
void cmd_exists(Context& ctx) { count_keys(ctx, Context::Touch::kNever); }
void cmd_touch(Context& ctx) { count_keys(ctx, Context::Touch::kAlways); }

void cmd_type(Context& ctx) {
  const Entry* entry = ctx.lookup(ctx.arg(1), Context::Touch::kNever);
  ctx.reply().simple(entry == nullptr ? "none" : type_ops(entry).name);
}

// The entry under another name; the old one's memory is freed, its value moves.
Entry* renamed(Entry* entry, std::string_view key) {
  Entry::Parts parts = entry->parts();
  parts.key = key;
  Entry* fresh = Entry::make(parts);
  Entry::free_memory(entry);
  return fresh;
}

// False: replied already.
bool rename(Context& ctx, bool only_if_absent) {
  const std::string_view from = ctx.arg(1);
  const std::string_view to = ctx.arg(2);
  if (ctx.lookup(from) == nullptr) {
    ctx.error(kNoSuchKeyError);
    return false;
  }
  if (from == to) {
    only_if_absent ? ctx.reply().zero() : ctx.reply().ok();
    return false;
  }
  if (only_if_absent && ctx.lookup(to) != nullptr) {
    ctx.reply().zero();
    return false;
  }
  ctx.remove(to);
  ctx.put_entry(ctx.db(), renamed(ctx.take(from), to));
  ctx.changed(from, 1, kEventGeneric, "rename_from");
  ctx.notify(kEventGeneric, "rename_to", to);
  return true;
}
void cmd_rename(Context& ctx) {
  if (rename(ctx, false)) ctx.reply().ok();
}
void cmd_renamenx(Context& ctx) {
  if (rename(ctx, true)) ctx.reply().one();
}

// A keyspace event in another database than the session's.
void notify_in(Context& ctx, int db, std::string_view event, std::string_view key) {
  if ((ctx.config().notify_keyspace_events & kEventGeneric) == 0) return;
  ctx.environment().observer->keyspace_event(db, kEventGeneric, event, key);
}

bool parse_db(Context& ctx, std::string_view text, int* db) {
  int64_t value;
  if (!ctx.parse(text, &value)) return false;
  if (value < INT_MIN || value > INT_MAX) {
    ctx.error("ERR value is out of range, value must between -2147483648 and 2147483647");
    return false;
  }
  if (value < 0 || value >= ctx.keyspace().databases()) {
    ctx.error(kDbOutOfRangeError);
    return false;
  }
  *db = static_cast<int>(value);
  return true;
}

// A live entry of another database; one past its expiry is deleted, as any look at it does, and counts as absent.
Entry* find_in(Context& ctx, int db, std::string_view key) {
  const uint64_t hash = ctx.hash_of(key);
  DbSlice& slice = ctx.keyspace().slice(db, hash);
  Entry* entry = slice.find(hash, key);
  if (entry == nullptr || !ctx.is_expired(*entry)) return entry;
  const int own_db = std::exchange(ctx.session().db, db);  // what is journaled and told of it is of that database
  ctx.remove(key);
  ctx.session().db = own_db;
  if (slice.find(hash, key) != nullptr) dispose_entry(slice.take(hash, key));  // a replica does not expire by itself
  return nullptr;
}

void cmd_copy(Context& ctx) {
  bool replace = false;
  int db = ctx.db();
  for (size_t i = 3; i < ctx.argc(); ++i) {
    if (equals_ignore_case(ctx.arg(i), "replace")) {
      replace = true;
    } else if (equals_ignore_case(ctx.arg(i), "db") && i + 1 < ctx.argc()) {
      if (!parse_db(ctx, ctx.arg(++i), &db)) return;
    } else {
      return ctx.syntax_error();
    }
  }
  const std::string_view from = ctx.arg(1);
  const std::string_view to = ctx.arg(2);
  if (db == ctx.db() && from == to) return ctx.error(kSameObjectError);
  const Entry* source = ctx.lookup(from);
  if (source == nullptr) return ctx.reply().zero();
  const uint64_t hash = ctx.hash_of(to);
  DbSlice& target = ctx.keyspace().slice(db, hash);
  const Entry* old = target.find(hash, to);
  if (old != nullptr && !replace && !ctx.is_expired(*old)) return ctx.reply().zero();
  Entry::Parts parts = source->parts();
  parts.key = to;
  if (!source->is_inline()) parts.word = type_ops(source).copy(source);
  Entry* copy = Entry::make(parts);
  if (!ctx.begin_write()) return free_entry(copy);
  if (find_in(ctx, db, to) != nullptr) dispose_entry(target.take(hash, to));
  ctx.put_entry(db, copy);
  ctx.changed(to, 1, 0, {});
  notify_in(ctx, db, "copy_to", to);
  ctx.reply().one();
}

void cmd_move(Context& ctx) {
  int db;
  int64_t value;
  if (!parse_int64(ctx.arg(2), &value)) return ctx.error(kNotIntegerError);
  if (!parse_db(ctx, ctx.arg(2), &db)) return;
  if (db == ctx.db()) return ctx.error(kSameObjectError);
  const std::string_view key = ctx.arg(1);
  if (ctx.lookup(key) == nullptr || find_in(ctx, db, key) != nullptr) return ctx.reply().zero();
  ctx.put_entry(db, ctx.take(key));
  ctx.changed(key, 1, kEventGeneric, "move_from");
  notify_in(ctx, db, "move_to", key);
  ctx.reply().one();
}

uint64_t argument_cost(Context& ctx) { return ctx.argc() / 2; }

uint64_t copy_cost(Context& ctx) {
  const Entry* entry = ctx.peek(ctx.arg(1));
  return entry == nullptr ? 0 : type_ops(entry).length(entry);
}

constexpr uint32_t kDeletedKey = kKeyRM | kKeyDelete;

constexpr Command kRows[] = {
    {.name = "del", .handler = cmd_del, .arity = -2, .flags = kWrite, .categories = kCatKeyspace,
     .key_specs = {key_range(1, -1, 1, kDeletedKey)}, .cost = argument_cost,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "unlink", .handler = cmd_del, .arity = -2, .flags = kWrite | kFast, .categories = kCatKeyspace,
     .key_specs = {key_range(1, -1, 1, kDeletedKey)}, .cost = argument_cost,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "exists", .handler = cmd_exists, .arity = -2, .flags = kReadonly | kFast, .categories = kCatKeyspace,
     .key_specs = {key_range(1, -1, 1, kKeyRO)}, .cost = argument_cost,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "touch", .handler = cmd_touch, .arity = -2, .flags = kReadonly | kFast, .categories = kCatKeyspace,
     .key_specs = {key_range(1, -1, 1, kKeyRO)}, .cost = argument_cost,
     .tips = {"request_policy:multi_shard", "response_policy:agg_sum"}},
    {.name = "type", .handler = cmd_type, .arity = 2, .flags = kReadonly | kFast, .categories = kCatKeyspace,
     .key_specs = {one_key(kKeyRO)}},
    {.name = "rename", .handler = cmd_rename, .arity = 3, .flags = kWrite, .categories = kCatKeyspace,
     .key_specs = {one_key(kKeyRW | kKeyAccess | kKeyDelete), key_range(2, 2, 1, kKeyOW | kKeyUpdate)}},
    {.name = "renamenx", .handler = cmd_renamenx, .arity = 3, .flags = kWrite | kFast, .categories = kCatKeyspace,
     .key_specs = {one_key(kKeyRW | kKeyAccess | kKeyDelete), key_range(2, 2, 1, kKeyOW | kKeyInsert)}},
    {.name = "copy", .handler = cmd_copy, .arity = -3, .flags = kWrite | kDenyOom | kWritesLast,
     .categories = kCatKeyspace,
     .key_specs = {one_key(kKeyRO | kKeyAccess), key_range(2, 2, 1, kKeyOW | kKeyUpdate)}, .cost = copy_cost},
    {.name = "move", .handler = cmd_move, .arity = 3, .flags = kWrite | kFast, .categories = kCatKeyspace,
     .key_specs = {one_key(kKeyRW | kKeyAccess | kKeyUpdate)}},
};

}  // namespace

const CommandFamily kKeyCommands = kRows;

}  // namespace synap
