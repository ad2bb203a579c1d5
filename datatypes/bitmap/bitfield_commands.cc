// BITFIELD and BITFIELD_RO: a list of reads and writes of small integers inside one string.
#include <algorithm>
#include <vector>

#include "datatypes/bitmap/bitmap.h"
#include "datatypes/bitmap/bitmap_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/context.h"

namespace synap {

namespace {

constexpr std::string_view kBitfieldTypeError =
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
constexpr std::string_view kBitfieldOverflowError = "ERR Invalid OVERFLOW type specified";
constexpr std::string_view kBitfieldReadonlyError = "ERR BITFIELD_RO only supports the GET subcommand";

struct FieldOperation {
  enum class Kind { kGet, kSet, kIncrement };
  Kind kind;
  BitfieldType type;
  BitfieldOverflow overflow;
  uint64_t offset;
  int64_t operand = 0;
};

struct FieldOperations {
  std::vector<FieldOperation> list;
  uint64_t bytes_written = 0;  // the string's size that all writes need; 0: no write
};

bool parse_type(std::string_view text, BitfieldType* type) {
  if (text.empty() || (text.front() != 'i' && text.front() != 'u')) return false;
  type->is_signed = text.front() == 'i';
  int64_t bits;
  if (!parse_int64(text.substr(1), &bits) || bits < 1 || bits > (type->is_signed ? 64 : 63)) return false;
  type->bits = static_cast<uint32_t>(bits);
  return true;
}

bool parse_overflow(std::string_view text, BitfieldOverflow* overflow) {
  if (equals_ignore_case(text, "wrap")) {
    *overflow = BitfieldOverflow::kWrap;
  } else if (equals_ignore_case(text, "sat")) {
    *overflow = BitfieldOverflow::kSaturate;
  } else if (equals_ignore_case(text, "fail")) {
    *overflow = BitfieldOverflow::kFail;
  } else {
    return false;
  }
  return true;
}

// Type, offset and operand of the operation whose word stands at `index`.
bool parse_operands(Context& ctx, size_t index, FieldOperation* operation) {
  if (!parse_type(ctx.arg(index + 1), &operation->type)) {
    ctx.error(kBitfieldTypeError);
    return false;
  }
  if (!parse_bit_offset(ctx, ctx.arg(index + 2), {operation->type.bits}, &operation->offset)) return false;
  return operation->kind == FieldOperation::Kind::kGet || ctx.parse(ctx.arg(index + 3), &operation->operand);
}

// False: the error was replied.
bool parse_operations(Context& ctx, FieldOperations* operations) {
  using Kind = FieldOperation::Kind;
  BitfieldOverflow overflow = BitfieldOverflow::kWrap;
  for (size_t i = 2; i < ctx.argc();) {
    const std::string_view word = ctx.arg(i);
    const size_t left = ctx.argc() - i - 1;
    if (equals_ignore_case(word, "overflow") && left >= 1) {
      if (!parse_overflow(ctx.arg(i + 1), &overflow)) {
        ctx.error(kBitfieldOverflowError);
        return false;
      }
      i += 2;
      continue;
    }
    FieldOperation operation{};
    operation.overflow = overflow;
    if (equals_ignore_case(word, "get") && left >= 2) {
      operation.kind = Kind::kGet;
    } else if (equals_ignore_case(word, "set") && left >= 3) {
      operation.kind = Kind::kSet;
    } else if (equals_ignore_case(word, "incrby") && left >= 3) {
      operation.kind = Kind::kIncrement;
    } else {
      ctx.syntax_error();
      return false;
    }
    if (!parse_operands(ctx, i, &operation)) return false;
    const bool reads = operation.kind == Kind::kGet;
    if (!reads) {
      operations->bytes_written =
          std::max(operations->bytes_written, (operation.offset + operation.type.bits - 1) / 8 + 1);
    }
    operations->list.push_back(operation);
    i += reads ? 3 : 4;
  }
  return true;
}

void reply_reads(Context& ctx, const FieldOperations& operations) {
  StringRef string;
  if (!ctx.read_string(ctx.arg(1), &string)) return;
  ctx.reply().array(operations.list.size());
  for (const FieldOperation& operation : operations.list) {
    ctx.reply().integer(bitfield_get(string.view(), operation.offset, operation.type));
  }
}

// Returns whether the field was written.
bool write_field(Context& ctx, char* bytes, const FieldOperation& operation, int64_t old) {
  const bool sets = operation.kind == FieldOperation::Kind::kSet;
  const auto value =
      bitfield_add(operation.type, operation.overflow, sets ? operation.operand : old, sets ? 0 : operation.operand);
  if (!value) {
    ctx.reply().null();
    return false;
  }
  bitfield_set(bytes, operation.offset, operation.type, *value);
  ctx.reply().integer(sets ? old : *value);
  return *value != old;
}

}  // namespace

void cmd_bitfield(Context& ctx) {
  FieldOperations operations;
  if (!parse_operations(ctx, &operations)) return;
  if (operations.bytes_written == 0) return reply_reads(ctx, operations);

  auto string = ctx.edit_string(ctx.arg(1));
  if (string.wrong_type()) return;
  const size_t size_before = string.view().size();
  const size_t size = std::max<size_t>(size_before, operations.bytes_written);
  const bool grows = !string.exists() || size > size_before;
  char* bytes = string.resize(size);
  uint64_t changes = 0;
  ctx.reply().array(operations.list.size());
  for (const FieldOperation& operation : operations.list) {
    const int64_t old = bitfield_get({bytes, size}, operation.offset, operation.type);
    if (operation.kind == FieldOperation::Kind::kGet) {
      ctx.reply().integer(old);
    } else if (write_field(ctx, bytes, operation, old)) {
      ++changes;
    }
  }
  if (grows) changes = std::max<uint64_t>(changes, 1);
  if (changes > 0) string.changed(changes, kEventString, "setbit");
}

void cmd_bitfield_ro(Context& ctx) {
  FieldOperations operations;
  if (!parse_operations(ctx, &operations)) return;
  if (operations.bytes_written > 0) return ctx.error(kBitfieldReadonlyError);
  reply_reads(ctx, operations);
}

bool keys_of_bitfield(ArgViews args, std::vector<KeyRef>* keys) {
  bool only_reads = true;
  for (size_t i = 2; i < args.size() && only_reads;) {
    const size_t left = args.size() - i - 1;
    if (left >= 2 && equals_ignore_case(args[i], "get")) {
      i += 3;
    } else if (left >= 1 && equals_ignore_case(args[i], "overflow")) {
      i += 2;
    } else {
      only_reads = false;
    }
  }
  keys->push_back({1, only_reads ? kKeyRO | kKeyAccess : kKeyRW | kKeyAccess | kKeyUpdate});
  return true;
}

uint64_t cost_of_bitfield(Context& ctx) {
  // Offsets stand two words behind the operation's; a "#n" counts in fields of at most 64 bits.
  uint64_t size = 0;
  for (size_t i = 4; i < ctx.argc(); ++i) {
    if (!equals_ignore_case(ctx.arg(i - 2), "set") && !equals_ignore_case(ctx.arg(i - 2), "incrby")) continue;
    const bool in_fields = ctx.arg(i).starts_with('#');
    int64_t offset;
    if (!parse_int64(ctx.arg(i).substr(in_fields ? 1 : 0), &offset) || offset < 0) continue;
    size = std::max(size, static_cast<uint64_t>(offset) / (in_fields ? 1 : 8));
  }
  return cost_of_growth(ctx, ctx.arg(1),
                        std::min<uint64_t>(size, static_cast<uint64_t>(ctx.config().proto_max_bulk_len)));
}

}  // namespace synap
