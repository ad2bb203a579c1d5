// SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP.
#include "datatypes/bitmap/bitmap_commands.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "datatypes/bitmap/bitmap.h"
#include "protocol/errors.h"
#include "server/base/number.h"
#include "server/base/shared_bytes.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

constexpr std::string_view kBitOffsetError = "ERR bit offset is not an integer or out of range";
constexpr std::string_view kBitValueError = "ERR bit is not an integer or out of range";
constexpr std::string_view kBitArgumentError = "ERR The bit argument must be 1 or 0.";
constexpr std::string_view kBitopNotError = "ERR BITOP NOT must be called with a single source key.";

// Bytes that pass in the time of one element of the slow lane's measure.
constexpr uint64_t kBytesPerCost = 1024;

bool to_offset(std::string_view text, uint32_t multiplier, int64_t bytes_max, uint64_t* offset) {
  int64_t number;
  if (!parse_int64(text, &number) || __builtin_mul_overflow(number, int64_t{multiplier}, &number)) return false;
  if (number < 0 || number / 8 >= bytes_max) return false;
  *offset = static_cast<uint64_t>(number);
  return true;
}

void cmd_setbit(Context& ctx) {
  uint64_t offset;
  if (!parse_bit_offset(ctx, ctx.arg(2), {}, &offset)) return;
  int64_t value;
  if (!ctx.parse_range(ctx.arg(3), 0, 1, &value, kBitValueError)) return;

  auto string = ctx.edit_string(ctx.arg(1));
  if (string.wrong_type()) return;
  const size_t size_before = string.view().size();
  const bool grows = !string.exists() || offset / 8 >= size_before;
  char* bytes = string.resize(std::max<size_t>(size_before, offset / 8 + 1));
  const bool old = bit_set(bytes, offset, value != 0);
  if (grows || old != (value != 0)) string.changed(1, kEventString, "setbit");
  ctx.reply().integer(old ? 1 : 0);
}

void cmd_getbit(Context& ctx) {
  uint64_t offset;
  if (!parse_bit_offset(ctx, ctx.arg(2), {}, &offset)) return;
  StringRef string;
  if (!ctx.read_string(ctx.arg(1), &string)) return;
  ctx.reply().integer(bit_get(string.view(), offset) ? 1 : 0);
}

// The "start end BYTE|BIT" of BITCOUNT and BITPOS, as given.
struct RangeArguments {
  int64_t start = 0;
  int64_t end = -1;
  bool has_end = false;
  bool in_bits = false;
};

// The order in which Redis looks at the arguments shows in its errors.
enum class RangeOrder { kEndThenUnit, kUnitThenEnd };

bool parse_range_arguments(Context& ctx, size_t first, RangeOrder order, RangeArguments* range) {
  const size_t count = ctx.argc() - first;
  if (count > 3) {
    ctx.syntax_error();
    return false;
  }
  range->has_end = count >= 2;
  const auto parse_end = [&] { return !range->has_end || ctx.parse(ctx.arg(first + 1), &range->end); };
  if (count >= 1 && !ctx.parse(ctx.arg(first), &range->start)) return false;
  if (order == RangeOrder::kEndThenUnit && !parse_end()) return false;
  if (count == 3) {
    range->in_bits = equals_ignore_case(ctx.arg(first + 2), "bit");
    if (!range->in_bits && !equals_ignore_case(ctx.arg(first + 2), "byte")) {
      ctx.syntax_error();
      return false;
    }
  }
  return order == RangeOrder::kEndThenUnit || parse_end();
}

// First and last bit, both inside the string. Nothing: empty.
std::optional<std::pair<uint64_t, uint64_t>> resolve_range(const RangeArguments& range, size_t bytes) {
  const int64_t unit = range.in_bits ? 1 : 8;
  const int64_t length = static_cast<int64_t>(bytes) * (8 / unit);
  const auto resolve = [&](int64_t index) { return std::max<int64_t>(index < 0 ? length + index : index, 0); };
  const int64_t start = resolve(range.start);
  const int64_t end = std::min(resolve(range.end), length - 1);
  if (start > end) return std::nullopt;
  return std::pair{static_cast<uint64_t>(start * unit), static_cast<uint64_t>(end * unit + unit - 1)};
}

void cmd_bitcount(Context& ctx) {
  RangeArguments range;
  if (!parse_range_arguments(ctx, 2, RangeOrder::kEndThenUnit, &range)) return;
  StringRef string;
  if (!ctx.read_string(ctx.arg(1), &string)) return;
  const bool reversed = range.start < 0 && range.end < 0 && range.start > range.end;
  const auto bits = resolve_range(range, string.view().size());
  if (reversed || !bits) return ctx.reply().zero();
  ctx.reply().integer(static_cast<int64_t>(bit_count(string.view(), bits->first, bits->second)));
}

void cmd_bitpos(Context& ctx) {
  int64_t value;
  if (!ctx.parse(ctx.arg(2), &value)) return;
  if (value != 0 && value != 1) return ctx.error(kBitArgumentError);
  RangeArguments range;
  if (!parse_range_arguments(ctx, 3, RangeOrder::kUnitThenEnd, &range)) return;
  StringRef string;
  if (!ctx.read_string(ctx.arg(1), &string)) return;
  if (!string.exists()) return ctx.reply().integer(value == 1 ? -1 : 0);
  const auto bits = resolve_range(range, string.view().size());
  if (!bits) return ctx.reply().integer(-1);
  const auto found = bit_position(string.view(), value == 1, bits->first, bits->second);
  if (found) return ctx.reply().integer(static_cast<int64_t>(*found));
  // Without an explicit end the string goes on with zeros.
  const bool zeros_follow = value == 0 && !range.has_end;
  ctx.reply().integer(zeros_follow ? static_cast<int64_t>(bits->second) + 1 : -1);
}

bool parse_operation(std::string_view name, BitOperation* operation) {
  constexpr std::pair<std::string_view, BitOperation> kNames[] = {
      {"and", BitOperation::kAnd},     {"or", BitOperation::kOr},     {"xor", BitOperation::kXor},
      {"not", BitOperation::kNot},     {"diff", BitOperation::kDiff}, {"diff1", BitOperation::kDiff1},
      {"andor", BitOperation::kAndOr}, {"one", BitOperation::kOne},
  };
  for (const auto& [known, meaning] : kNames) {
    if (!equals_ignore_case(name, known)) continue;
    *operation = meaning;
    return true;
  }
  return false;
}

bool needs_two_sources(BitOperation operation) {
  return operation == BitOperation::kDiff || operation == BitOperation::kDiff1 || operation == BitOperation::kAndOr;
}

void cmd_bitop(Context& ctx) {
  BitOperation operation;
  if (!parse_operation(ctx.arg(1), &operation)) return ctx.syntax_error();
  const ArgViews keys = ctx.args().subspan(3);
  if (operation == BitOperation::kNot && keys.size() != 1) return ctx.error(kBitopNotError);
  if (needs_two_sources(operation) && keys.size() < 2) {
    return ctx.reply().error({"ERR BITOP ", to_upper(ctx.arg(1)), " must be called with at least two source keys."});
  }

  std::vector<StringRef> strings(keys.size());
  std::vector<std::string_view> sources;
  size_t size = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!ctx.read_string(keys[i], &strings[i])) return;
    sources.push_back(strings[i].view());
    size = std::max(size, sources.back().size());
  }
  const std::string_view target = ctx.arg(2);
  if (size == 0) {
    if (!ctx.begin_write()) return;
    if (ctx.remove(target)) ctx.changed(target, 1, kEventGeneric, "del");
    return ctx.reply().zero();
  }
  SharedBytes result = SharedBytes::allocate(size);
  result.resize(size);
  bit_combine(operation, sources, result.data(), size);
  if (!ctx.begin_write()) return;
  ctx.set_string(target, result.view(), kNoExpiry, &result);
  ctx.edit_string(target).resize(size);  // a bitmap is never an integer or embstr
  ctx.changed(target, 1, kEventString, "set");
  ctx.reply().integer(static_cast<int64_t>(size));
}

uint64_t string_bytes(Context& ctx, std::string_view key) {
  const Entry* entry = ctx.peek(key);
  return entry == nullptr || entry->type() != ValueType::kString ? 0 : string_length(entry);
}

uint64_t cost_of_scan(Context& ctx) {
  return string_bytes(ctx, ctx.arg(1)) / kBytesPerCost;
}

uint64_t cost_of_bitop(Context& ctx) {
  uint64_t bytes = 0;
  for (size_t i = 3; i < ctx.argc(); ++i) bytes += string_bytes(ctx, ctx.arg(i));
  return bytes / kBytesPerCost;
}

uint64_t cost_of_setbit(Context& ctx) {
  constexpr size_t kCheapDigits = 7;  // no offset of so few digits makes a string grow for long
  uint64_t offset;
  if (ctx.arg(2).size() <= kCheapDigits) return 0;
  if (!to_offset(ctx.arg(2), 1, ctx.config().proto_max_bulk_len, &offset)) return 0;
  return cost_of_growth(ctx, ctx.arg(1), offset / 8 + 1);
}

constexpr uint32_t kReads = kKeyRO | kKeyAccess;
constexpr uint32_t kUpdates = kKeyRW | kKeyAccess | kKeyUpdate;

constexpr Command bitmap_row(std::string_view name, Handler handler, int arity, uint64_t flags, KeySpec keys,
                             CostFunction cost = nullptr) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = flags,
          .categories = kCatBitmap,
          .key_specs = {keys},
          .cost = cost};
}

constexpr Command bitfield_row() {
  Command row =
      bitmap_row("bitfield", cmd_bitfield, -2, kWrite | kDenyOom, one_key(kUpdates | kKeyVariable), cost_of_bitfield);
  row.keys = keys_of_bitfield;
  return row;
}

constexpr Command bitop_row() {
  Command row =
      bitmap_row("bitop", cmd_bitop, -4, kWrite | kDenyOom | kWritesLast, key_range(2, 2, 1, kKeyOW | kKeyUpdate), cost_of_bitop);
  row.key_specs[1] = key_range(3, -1, 1, kReads);
  return row;
}

constexpr Command kRows[] = {
    bitmap_row("bitcount", cmd_bitcount, -2, kReadonly, one_key(kReads), cost_of_scan),
    bitfield_row(),
    bitmap_row("bitfield_ro", cmd_bitfield_ro, -2, kReadonly | kFast, one_key(kReads)),
    bitop_row(),
    bitmap_row("bitpos", cmd_bitpos, -3, kReadonly, one_key(kReads), cost_of_scan),
    bitmap_row("getbit", cmd_getbit, 3, kReadonly | kFast, one_key(kReads)),
    bitmap_row("setbit", cmd_setbit, 4, kWrite | kDenyOom, one_key(kUpdates), cost_of_setbit),
};

}  // namespace

const CommandFamily kBitmapCommands = kRows;

bool parse_bit_offset(Context& ctx, std::string_view text, BitOffsetRules rules, uint64_t* offset) {
  uint32_t multiplier = 1;
  if (rules.field_bits > 0 && text.starts_with('#')) {
    text.remove_prefix(1);
    multiplier = rules.field_bits;
  }
  // What a master accepted was within its own limit.
  const int64_t bytes_max = ctx.session().has(kSessionMaster) ? INT64_MAX : ctx.config().proto_max_bulk_len;
  if (to_offset(text, multiplier, bytes_max, offset)) return true;
  ctx.error(kBitOffsetError);
  return false;
}

uint64_t cost_of_growth(Context& ctx, std::string_view key, uint64_t size) {
  if (size <= kSlowLaneCost * kBytesPerCost) return 0;
  const uint64_t now = string_bytes(ctx, key);
  return size > now ? (size - now) / kBytesPerCost : 0;
}

}  // namespace synap
