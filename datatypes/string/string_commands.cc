// Strings as whole values: SET and its kin, GET and its kin, MSET, MGET. The worked example of a family: parse
// everything, look up, change, reply.
#include "datatypes/string/string_commands.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/keyspace/type_ops.h"
#include "server/command/expiry_arguments.h"

namespace synap {

namespace {

// Replies the value, or null; a big one is shared with the reply, not copied.
void reply_string(Context& ctx, const StringRef& value) {
  if (!value.exists()) {
    ctx.reply().null();
  } else if (value.block() != nullptr) {
    ctx.reply().bulk_shared(SharedBytes::share_of(value.block()));
  } else {
    ctx.reply().bulk(value.view());
  }
}

bool check_length(Context& ctx, size_t size) {
  if (static_cast<int64_t>(size) <= ctx.config().proto_max_bulk_len) return true;
  ctx.error(kStringTooLongError);
  return false;
}

struct SetOptions {
  bool if_absent = false;
  bool if_present = false;
  bool get = false;
  bool keep_expiry = false;
  std::optional<std::string_view> if_equal;
  int64_t expiry_ms = kNoExpiry;
};

// One of EX PX EXAT PXAT with its argument. False: not one of them.
struct ExpiryWord {
  ExpiryUnit unit;
  bool absolute;
  bool operator==(const ExpiryWord&) const = default;
};
std::optional<ExpiryWord> expiry_word(std::string_view word) {
  if (equals_ignore_case(word, "ex")) return ExpiryWord{ExpiryUnit::kSeconds, false};
  if (equals_ignore_case(word, "px")) return ExpiryWord{ExpiryUnit::kMilliseconds, false};
  if (equals_ignore_case(word, "exat")) return ExpiryWord{ExpiryUnit::kSeconds, true};
  if (equals_ignore_case(word, "pxat")) return ExpiryWord{ExpiryUnit::kMilliseconds, true};
  return std::nullopt;
}

// An expiry as given: the same word may be repeated, then the last counts; different ones exclude each other.
struct GivenExpiry {
  std::optional<ExpiryWord> word;
  std::string_view text;

  // Takes the word at *i and its argument; false: it is no such word, or has no place here.
  bool take(Context& ctx, size_t* i) {
    const auto found = expiry_word(ctx.arg(*i));
    if (!found || *i + 1 >= ctx.argc() || (word && *word != *found)) return false;
    word = found;
    text = ctx.arg(++*i);
    return true;
  }
  // False: the error was replied.
  bool parse(Context& ctx, int64_t* expiry_ms) const {
    return !word || parse_expiry(ctx, text, word->unit, word->absolute, false, expiry_ms);
  }
};

// A condition may be repeated, too, but they exclude each other.
bool take_condition(Context& ctx, size_t* i, SetOptions* options) {
  const std::string_view word = ctx.arg(*i);
  if (equals_ignore_case(word, "nx") && !options->if_present && !options->if_equal) {
    options->if_absent = true;
  } else if (equals_ignore_case(word, "xx") && !options->if_absent && !options->if_equal) {
    options->if_present = true;
  } else if (equals_ignore_case(word, "ifeq") && !options->if_absent && !options->if_present && *i + 1 < ctx.argc()) {
    options->if_equal = ctx.arg(++*i);
  } else {
    return false;
  }
  return true;
}

bool parse_set_options(Context& ctx, SetOptions* options) {
  GivenExpiry expiry;
  for (size_t i = 3; i < ctx.argc(); ++i) {
    if (equals_ignore_case(ctx.arg(i), "get")) {
      options->get = true;
    } else if (equals_ignore_case(ctx.arg(i), "keepttl") && !expiry.word) {
      options->keep_expiry = true;
    } else if (!take_condition(ctx, &i, options) && (options->keep_expiry || !expiry.take(ctx, &i))) {
      ctx.syntax_error();
      return false;
    }
  }
  return expiry.parse(ctx, &options->expiry_ms);
}

// The effect of a SET with a relative time or options that only concern the reply.
void journal_set(Context& ctx, const SetOptions& options) {
  if (!ctx.journaling()) return;
  if (options.expiry_ms != kNoExpiry) {
    ctx.effect({"SET", ctx.arg(1), ctx.arg(2), "PXAT", to_text(options.expiry_ms)});
  } else if (options.get || options.if_equal.has_value()) {
    options.keep_expiry ? ctx.effect({"SET", ctx.arg(1), ctx.arg(2), "KEEPTTL"})
                        : ctx.effect({"SET", ctx.arg(1), ctx.arg(2)});
  }
}

// Without GET (or IFEQ, which tells as much) the old value is not read.
bool keys_of_set(ArgViews args, std::vector<KeyRef>* keys) {
  const bool reads = std::any_of(args.begin() + 3, args.end(), [](std::string_view word) {
    return equals_ignore_case(word, "get") || equals_ignore_case(word, "ifeq");
  });
  keys->push_back({1, reads ? kKeyRW | kKeyAccess | kKeyUpdate : kKeyOW | kKeyUpdate});
  return true;
}

void cmd_set(Context& ctx) {
  if (ctx.argc() == 3) {  // most calls
    ctx.set_string(ctx.arg(1), ctx.arg(2), kNoExpiry, ctx.owned_arg(2));
    ctx.changed(ctx.arg(1), 1, kEventString, "set");
    return ctx.reply().ok();
  }
  SetOptions options;
  if (!parse_set_options(ctx, &options)) return;
  const Entry* old = ctx.lookup(ctx.arg(1));
  const bool needs_string = options.get || options.if_equal.has_value();
  if (old != nullptr && needs_string && old->type() != ValueType::kString) return ctx.wrong_type();
  StringRef old_value;
  if (old != nullptr && needs_string) Context::open_string(*old, &old_value);
  const bool refused = (options.if_absent && old != nullptr) || (options.if_present && old == nullptr) ||
                       (options.if_equal.has_value() && (old == nullptr || old_value.view() != *options.if_equal));
  if (options.get) reply_string(ctx, old_value);
  if (refused) {
    ctx.no_effect();
    if (!options.get) ctx.reply().null();
    return;
  }
  const int64_t expiry_ms = options.keep_expiry && old != nullptr ? old->expiry_ms() : options.expiry_ms;
  ctx.set_string(ctx.arg(1), ctx.arg(2), expiry_ms, ctx.owned_arg(2));
  ctx.changed(ctx.arg(1), 1, kEventString, "set");
  if (options.expiry_ms != kNoExpiry) ctx.notify(kEventGeneric, "expire", ctx.arg(1));
  journal_set(ctx, options);
  if (!options.get) ctx.reply().ok();
}

void cmd_setnx(Context& ctx) {
  if (ctx.lookup(ctx.arg(1)) != nullptr) return ctx.reply().zero();
  ctx.set_string(ctx.arg(1), ctx.arg(2), kNoExpiry, ctx.owned_arg(2));
  ctx.changed(ctx.arg(1), 1, kEventString, "set");
  ctx.reply().one();
}

void set_with_expiry(Context& ctx, ExpiryUnit unit) {
  SetOptions options;
  if (!parse_expiry(ctx, ctx.arg(2), unit, false, false, &options.expiry_ms)) return;
  ctx.set_string(ctx.arg(1), ctx.arg(3), options.expiry_ms, ctx.owned_arg(3));
  ctx.changed(ctx.arg(1), 1, kEventString, "set");
  ctx.notify(kEventGeneric, "expire", ctx.arg(1));
  if (ctx.journaling()) ctx.effect({"SET", ctx.arg(1), ctx.arg(3), "PXAT", to_text(options.expiry_ms)});
  ctx.reply().ok();
}
void cmd_setex(Context& ctx) { set_with_expiry(ctx, ExpiryUnit::kSeconds); }
void cmd_psetex(Context& ctx) { set_with_expiry(ctx, ExpiryUnit::kMilliseconds); }

void cmd_get(Context& ctx) {
  StringRef value;
  if (!ctx.read_string(ctx.arg(1), &value)) return;
  reply_string(ctx, value);
}

void cmd_getset(Context& ctx) {
  StringRef old;
  if (!ctx.read_string(ctx.arg(1), &old)) return;
  reply_string(ctx, old);
  ctx.set_string(ctx.arg(1), ctx.arg(2), kNoExpiry, ctx.owned_arg(2));
  ctx.changed(ctx.arg(1), 1, kEventString, "set");
  ctx.effect({"SET", ctx.arg(1), ctx.arg(2)});
}

void cmd_getdel(Context& ctx) {
  StringRef value;
  if (!ctx.read_string(ctx.arg(1), &value)) return;
  reply_string(ctx, value);
  if (!value.exists()) return;
  ctx.remove(ctx.arg(1));
  ctx.changed(ctx.arg(1), 1, kEventGeneric, "del");
  ctx.effect({"DEL", ctx.arg(1)});
}

// GETEX without an option only reads, and journals nothing.
void cmd_getex(Context& ctx) {
  bool persist = false;
  int64_t expiry_ms = kNoExpiry;
  GivenExpiry expiry;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    if (equals_ignore_case(ctx.arg(i), "persist") && !expiry.word) {
      persist = true;
    } else if (persist || !expiry.take(ctx, &i)) {
      return ctx.syntax_error();
    }
  }
  StringRef value;
  if (!ctx.read_string(ctx.arg(1), &value)) return;
  if (!value.exists()) return ctx.reply().null();
  if (!expiry.parse(ctx, &expiry_ms)) return;
  reply_string(ctx, value);
  const std::string_view key = ctx.arg(1);
  if (expiry.word && expiry_ms <= ctx.now_ms()) {
    ctx.remove(key);
    ctx.changed(key, 1, kEventGeneric, "del");
    ctx.effect({"DEL", key});
  } else if (expiry.word) {
    ctx.set_expiry(key, expiry_ms);
    ctx.changed(key, 1, kEventGeneric, "expire");
    if (ctx.journaling()) ctx.effect({"PEXPIREAT", key, to_text(expiry_ms)});
  } else if (persist && ctx.peek(key)->has_expiry()) {
    ctx.set_expiry(key, kNoExpiry);
    ctx.changed(key, 1, kEventGeneric, "persist");
    ctx.effect({"PERSIST", key});
  }
}

void cmd_mget(Context& ctx) {
  ctx.reply().array(ctx.argc() - 1);
  for (size_t i = 1; i < ctx.argc(); ++i) {
    const Entry* entry = ctx.lookup(ctx.arg(i));
    StringRef value;
    if (entry != nullptr && entry->type() == ValueType::kString) ctx.open_value(*entry, &value);
    reply_string(ctx, value);
  }
}

void set_pairs(Context& ctx) {
  for (size_t i = 1; i < ctx.argc(); i += 2) {
    // Shared, for the same key may come again, and the effect still names this value.
    SharedBytes* owned = ctx.owned_arg(i + 1);
    SharedBytes block = owned == nullptr ? SharedBytes() : owned->share();
    ctx.set_string(ctx.arg(i), ctx.arg(i + 1), kNoExpiry, &block);
    ctx.changed(ctx.arg(i), 1, kEventString, "set");
  }
}

void cmd_mset(Context& ctx) {
  if (ctx.argc() % 2 == 0) return ctx.arity_error();
  set_pairs(ctx);
  ctx.reply().ok();
}

void cmd_msetnx(Context& ctx) {
  if (ctx.argc() % 2 == 0) return ctx.arity_error();
  for (size_t i = 1; i < ctx.argc(); i += 2) {
    if (ctx.lookup(ctx.arg(i)) != nullptr) return ctx.reply().zero();
  }
  set_pairs(ctx);
  ctx.reply().one();
}

void cmd_append(Context& ctx) {
  auto string = ctx.edit_string(ctx.arg(1));
  if (string.wrong_type()) return;
  const size_t old_size = string.view().size();
  const std::string_view tail = ctx.arg(2);
  if (!string.exists()) {
    string.assign(tail);
  } else {
    if (!check_length(ctx, old_size + tail.size())) return;
    char* bytes = string.resize(old_size + tail.size());
    if (!tail.empty()) std::memcpy(bytes + old_size, tail.data(), tail.size());
  }
  string.changed(1, kEventString, "append");
  ctx.reply().integer(static_cast<int64_t>(old_size + tail.size()));
}

void cmd_strlen(Context& ctx) {
  const Entry* entry = ctx.lookup(ctx.arg(1));
  if (entry == nullptr) return ctx.reply().zero();
  if (entry->type() != ValueType::kString) return ctx.wrong_type();
  ctx.reply().integer(static_cast<int64_t>(string_length(entry)));
}

void cmd_getrange(Context& ctx) {
  int64_t start;
  int64_t end;
  if (!ctx.parse(ctx.arg(2), &start) || !ctx.parse(ctx.arg(3), &end)) return;
  StringRef value;
  if (!ctx.read_string(ctx.arg(1), &value)) return;
  const auto size = static_cast<int64_t>(value.view().size());
  if (start < 0 && end < 0 && start > end) return ctx.reply().empty_bulk();
  if (start < 0) start = std::max<int64_t>(start + size, 0);
  if (end < 0) end = std::max<int64_t>(end + size, 0);
  end = std::min(end, size - 1);
  if (size == 0 || start > end) return ctx.reply().empty_bulk();
  const std::string_view part = value.view().substr(static_cast<size_t>(start), static_cast<size_t>(end - start + 1));
  if (value.block() != nullptr) return ctx.reply().bulk_shared(SharedBytes::share_of(value.block()), part);
  ctx.reply().bulk(part);
}

void cmd_setrange(Context& ctx) {
  int64_t offset;
  if (!ctx.parse(ctx.arg(2), &offset)) return;
  if (offset < 0) return ctx.error(kOffsetOutOfRangeError);
  auto string = ctx.edit_string(ctx.arg(1));
  if (string.wrong_type()) return;
  const std::string_view part = ctx.arg(3);
  const size_t old_size = string.view().size();
  if (part.empty()) return ctx.reply().integer(static_cast<int64_t>(old_size));
  if (offset > ctx.config().proto_max_bulk_len) return ctx.error(kStringTooLongError);
  const size_t end = static_cast<size_t>(offset) + part.size();
  if (!check_length(ctx, end)) return;
  char* bytes = string.resize(std::max(end, old_size));
  std::memcpy(bytes + offset, part.data(), part.size());
  string.changed(1, kEventString, "setrange");
  ctx.reply().integer(static_cast<int64_t>(std::max(end, old_size)));
}

// --- Numbers.

void increment(Context& ctx, int64_t by) {
  auto string = ctx.edit_string(ctx.arg(1));
  if (string.wrong_type()) return;
  int64_t value = 0;
  if (string.is_integer()) {
    value = string.integer();
  } else if (string.exists() && !parse_int64(string.view(), &value)) {
    return ctx.error(kNotIntegerError);
  }
  if (__builtin_add_overflow(value, by, &value)) return ctx.error(kIncrementOverflowError);
  string.assign_integer(value);
  string.changed(1, kEventString, "incrby");
  ctx.reply().integer(value);
}

void cmd_incr(Context& ctx) { increment(ctx, 1); }
void cmd_decr(Context& ctx) { increment(ctx, -1); }
void cmd_incrby(Context& ctx) {
  int64_t by;
  if (ctx.parse(ctx.arg(2), &by)) increment(ctx, by);
}
void cmd_decrby(Context& ctx) {
  int64_t by;
  if (!ctx.parse(ctx.arg(2), &by)) return;
  if (by == INT64_MIN) return ctx.error(kDecrementOverflowError);
  increment(ctx, -by);
}

void cmd_incrbyfloat(Context& ctx) {
  auto string = ctx.edit_string(ctx.arg(1));
  if (string.wrong_type()) return;
  long double value = 0;
  if (string.exists() && !parse_long_double(string.view(), &value)) return ctx.error(kNotFloatError);
  long double by;
  if (!parse_long_double(ctx.arg(2), &by)) return ctx.error(kNotFloatError);
  value += by;
  if (std::isnan(value) || std::isinf(value)) return ctx.error(kIncrementNanError);
  char text[kLongDoubleCharsMax];
  const std::string_view digits(text, format_long_double(text, value));
  string.assign(digits);
  string.changed(1, kEventString, "incrbyfloat");
  ctx.effect({"SET", ctx.arg(1), digits, "KEEPTTL"});
  ctx.reply().bulk(digits);
}

uint64_t argument_cost(Context& ctx) { return ctx.argc() / 2; }

constexpr uint32_t kReadKey = kKeyRO | kKeyAccess;
constexpr uint32_t kUpdateKey = kKeyRW | kKeyUpdate;
constexpr uint32_t kOverwriteKey = kKeyOW | kKeyUpdate;
constexpr uint32_t kReadUpdateKey = kKeyRW | kKeyAccess | kKeyUpdate;

constexpr Command kRows[] = {
    {.name = "append", .handler = cmd_append, .arity = 3, .flags = kWrite | kDenyOom | kFast, .categories = kCatString,
     .key_specs = {one_key(kKeyRW | kKeyInsert)}},
    {.name = "decr", .handler = cmd_decr, .arity = 2, .flags = kWrite | kDenyOom | kFast, .categories = kCatString,
     .key_specs = {one_key(kReadUpdateKey)}},
    {.name = "decrby", .handler = cmd_decrby, .arity = 3, .flags = kWrite | kDenyOom | kFast, .categories = kCatString,
     .key_specs = {one_key(kReadUpdateKey)}},
    {.name = "get", .handler = cmd_get, .arity = 2, .flags = kReadonly | kFast, .categories = kCatString,
     .key_specs = {one_key(kReadKey)}},
    {.name = "getdel", .handler = cmd_getdel, .arity = 2, .flags = kWrite | kFast, .categories = kCatString,
     .key_specs = {one_key(kKeyRW | kKeyAccess | kKeyDelete)}},
    {.name = "getex", .handler = cmd_getex, .arity = -2, .flags = kWrite | kFast, .categories = kCatString,
     .key_specs = {one_key(kReadUpdateKey)}},
    {.name = "getrange", .handler = cmd_getrange, .arity = 4, .flags = kReadonly, .categories = kCatString,
     .key_specs = {one_key(kReadKey)}},
    {.name = "getset", .handler = cmd_getset, .arity = 3, .flags = kWrite | kDenyOom | kFast, .categories = kCatString,
     .key_specs = {one_key(kReadUpdateKey)}},
    {.name = "incr", .handler = cmd_incr, .arity = 2, .flags = kWrite | kDenyOom | kFast, .categories = kCatString,
     .key_specs = {one_key(kReadUpdateKey)}},
    {.name = "incrby", .handler = cmd_incrby, .arity = 3, .flags = kWrite | kDenyOom | kFast, .categories = kCatString,
     .key_specs = {one_key(kReadUpdateKey)}},
    {.name = "incrbyfloat", .handler = cmd_incrbyfloat, .arity = 3, .flags = kWrite | kDenyOom | kFast,
     .categories = kCatString, .key_specs = {one_key(kReadUpdateKey)}},
    {.name = "mget", .handler = cmd_mget, .arity = -2, .flags = kReadonly | kFast, .categories = kCatString,
     .key_specs = {key_range(1, -1, 1, kReadKey)}, .cost = argument_cost,
     .tips = {"request_policy:multi_shard"}},
    {.name = "mset", .handler = cmd_mset, .arity = -3, .flags = kWrite | kDenyOom, .categories = kCatString,
     .key_specs = {key_range(1, -1, 2, kOverwriteKey)}, .cost = argument_cost,
     .tips = {"request_policy:multi_shard", "response_policy:all_succeeded"}},
    {.name = "msetnx", .handler = cmd_msetnx, .arity = -3, .flags = kWrite | kDenyOom, .categories = kCatString,
     .key_specs = {key_range(1, -1, 2, kKeyOW | kKeyInsert)}, .cost = argument_cost},
    {.name = "psetex", .handler = cmd_psetex, .arity = 4, .flags = kWrite | kDenyOom, .categories = kCatString,
     .key_specs = {one_key(kOverwriteKey)}},
    {.name = "set", .handler = cmd_set, .arity = -3, .flags = kWrite | kDenyOom, .categories = kCatString,
     .key_specs = {one_key(kKeyRW | kKeyAccess | kKeyUpdate | kKeyVariable)}, .keys = keys_of_set},
    {.name = "setex", .handler = cmd_setex, .arity = 4, .flags = kWrite | kDenyOom, .categories = kCatString,
     .key_specs = {one_key(kOverwriteKey)}},
    {.name = "setnx", .handler = cmd_setnx, .arity = 3, .flags = kWrite | kDenyOom | kFast, .categories = kCatString,
     .key_specs = {one_key(kKeyOW | kKeyInsert)}},
    {.name = "setrange", .handler = cmd_setrange, .arity = 4, .flags = kWrite | kDenyOom, .categories = kCatString,
     .key_specs = {one_key(kUpdateKey)}},
    {.name = "strlen", .handler = cmd_strlen, .arity = 2, .flags = kReadonly | kFast, .categories = kCatString,
     .key_specs = {one_key(kKeyRO)}},
    {.name = "substr", .handler = cmd_getrange, .arity = 4, .flags = kReadonly, .categories = kCatString,
     .key_specs = {one_key(kReadKey)}},
};

}  // namespace

const CommandFamily kStringCommands = kRows;

}  // namespace synap
