// PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST.
#include "datatypes/hyperloglog/hyperloglog_commands.h"

#include <cstring>
#include <optional>
#include <string>

#include "datatypes/hyperloglog/hyperloglog.h"
#include "server/base/text.h"
#include "server/command/context.h"

namespace synap {

namespace {

constexpr std::string_view kNotHllError = "WRONGTYPE Key is not a valid HyperLogLog string value.";
constexpr std::string_view kCorruptHllError = "INVALIDOBJ Corrupted HLL object detected";
constexpr std::string_view kNoHllKeyError = "ERR The specified key does not exist";
constexpr std::string_view kNotSparseError = "ERR HLL encoding is not sparse";

constexpr uint64_t kCostPerHll = 40;  // unpacking one takes about two microseconds
constexpr uint64_t kSelfTestCost = 1 << 24;

size_t sparse_bytes_max(Context& ctx) {
  return static_cast<size_t>(ctx.config().hll_sparse_max_bytes);
}

// False: something else is there, and the error was replied. An absent key is fine.
bool check_hll(Context& ctx, bool exists, std::string_view bytes) {
  if (!exists || hll_is_valid(bytes)) return true;
  ctx.error(kNotHllError);
  return false;
}

void store(StringEdit& string, std::string_view bytes) {
  std::memcpy(string.resize(bytes.size()), bytes.data(), bytes.size());
}

// How many elements changed it; nothing: corrupt, and `string`, which holds `old`, is as it was.
std::optional<uint64_t> add_elements(Context& ctx, StringEdit& string, std::string_view old, ArgViews elements) {
  uint64_t changes = 0;
  if (string.exists() && hll_encoding(old) == HllEncoding::kDense) {
    char* bytes = string.resize(old.size());
    for (const std::string_view element : elements) changes += hll_dense_add(bytes, element) ? 1 : 0;
    if (changes > 0) hll_invalidate(bytes);
    return changes;
  }
  std::string bytes = string.exists() ? std::string(old) : hll_create();
  for (const std::string_view element : elements) {
    const HllOutcome outcome = hll_sparse_add(&bytes, element, sparse_bytes_max(ctx));
    if (outcome == HllOutcome::kCorrupt) return std::nullopt;
    changes += outcome == HllOutcome::kChanged ? 1 : 0;
  }
  if (!string.exists()) ++changes;
  if (changes > 0) {
    hll_invalidate(bytes.data());
    store(string, bytes);
  }
  return changes;
}

void cmd_pfadd(Context& ctx) {
  auto string = ctx.edit_string(ctx.arg(1));
  if (string.wrong_type()) return;
  const std::string_view old = string.view();
  if (!check_hll(ctx, string.exists(), old)) return;
  const auto changes = add_elements(ctx, string, old, ctx.args().subspan(2));
  if (!changes) return ctx.error(kCorruptHllError);
  if (*changes > 0) string.changed(*changes, kEventString, "pfadd");
  ctx.reply().integer(*changes > 0 ? 1 : 0);
}

// Merges every key's registers. False: an error was replied.
bool merge_keys(Context& ctx, ArgViews keys, HllRegisters* registers, bool* any_dense) {
  for (const std::string_view key : keys) {
    StringRef string;
    if (!ctx.read_string(key, &string) || !check_hll(ctx, string.exists(), string.view())) return false;
    if (!string.exists()) continue;
    if (hll_encoding(string.view()) == HllEncoding::kDense) *any_dense = true;
    if (!hll_merge(string.view(), registers)) {
      ctx.error(kCorruptHllError);
      return false;
    }
  }
  return true;
}

void cmd_pfcount(Context& ctx) {
  if (ctx.argc() > 2) {
    HllRegisters registers;
    bool any_dense = false;
    if (!merge_keys(ctx, ctx.args().subspan(1), &registers, &any_dense)) return;
    return ctx.reply().integer(static_cast<int64_t>(hll_count(registers)));
  }
  const std::string_view key = ctx.arg(1);
  StringRef read;
  if (!ctx.read_string(key, &read) || !check_hll(ctx, read.exists(), read.view())) return;
  if (!read.exists()) return ctx.reply().zero();
  std::optional<uint64_t> count = hll_cached_count(read.view());
  if (!count) {
    count = hll_count(read.view());
    if (!count) return ctx.error(kCorruptHllError);
    // The row's key is read-write for this: the count is kept in the value, and replicas keep it too.
    if (ctx.covers(key, true)) {
      auto string = ctx.edit_string(key);
      hll_cache_count(string.resize(string.view().size()), *count);
      string.changed(1, 0, {});
    }
  }
  ctx.reply().integer(static_cast<int64_t>(*count));
}

void cmd_pfmerge(Context& ctx) {
  HllRegisters registers;
  bool any_dense = false;
  if (!merge_keys(ctx, ctx.args().subspan(1), &registers, &any_dense)) return;
  auto string = ctx.edit_string(ctx.arg(1));
  std::string bytes = string.exists() ? std::string(string.view()) : hll_create();
  if ((any_dense && !hll_make_dense(&bytes)) || !hll_raise(&bytes, registers, sparse_bytes_max(ctx))) {
    return ctx.error(kCorruptHllError);
  }
  store(string, bytes);
  string.changed(1, kEventString, "pfadd");
  ctx.reply().ok();
}

void debug_getreg(Context& ctx, StringEdit& string) {
  std::string bytes(string.view());
  if (hll_encoding(bytes) == HllEncoding::kSparse) {
    if (!hll_make_dense(&bytes)) return ctx.error(kCorruptHllError);
    store(string, bytes);
    string.changed(1, 0, {});
  }
  HllRegisters registers;
  hll_merge(bytes, &registers);
  ctx.reply().array(kHllRegisters);
  for (const uint8_t value : registers.values) ctx.reply().integer(value);
}

void debug_todense(Context& ctx, StringEdit& string) {
  std::string bytes(string.view());
  if (hll_encoding(bytes) == HllEncoding::kDense) return ctx.reply().zero();
  if (!hll_make_dense(&bytes)) return ctx.error(kCorruptHllError);
  store(string, bytes);
  string.changed(1, 0, {});
  ctx.reply().one();
}

void cmd_pfdebug(Context& ctx) {
  const std::string_view what = ctx.arg(1);
  auto string = ctx.edit_string(ctx.arg(2));
  if (string.wrong_type()) return;
  if (!string.exists()) return ctx.error(kNoHllKeyError);
  if (!check_hll(ctx, true, string.view())) return;
  const bool sparse = hll_encoding(string.view()) == HllEncoding::kSparse;
  if (equals_ignore_case(what, "getreg")) return debug_getreg(ctx, string);
  if (equals_ignore_case(what, "todense")) return debug_todense(ctx, string);
  if (equals_ignore_case(what, "encoding")) return ctx.reply().simple(sparse ? "sparse" : "dense");
  if (!equals_ignore_case(what, "decode")) return ctx.reply().error({"ERR Unknown PFDEBUG subcommand '", printed(what, what.size()), "'"});
  if (!sparse) return ctx.error(kNotSparseError);
  ctx.reply().bulk(hll_decode_sparse(string.view()));
}

void cmd_pfselftest(Context& ctx) {
  const std::string failure = hll_self_test(sparse_bytes_max(ctx));
  if (!failure.empty()) return ctx.reply().error({"ERR ", failure});
  ctx.reply().ok();
}

uint64_t cost_of_merge(Context& ctx) {
  return ctx.argc() * kCostPerHll;
}
uint64_t cost_of_pfselftest(Context&) {
  return kSelfTestCost;
}

constexpr Command hll_row(std::string_view name, Handler handler, int arity, uint64_t flags, KeySpec keys,
                          CostFunction cost = nullptr) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = flags,
          .categories = kCatHyperloglog,
          .key_specs = {keys},
          .cost = cost};
}

constexpr Command pfmerge_row() {
  Command row =
      hll_row("pfmerge", cmd_pfmerge, -2, kWrite | kDenyOom, one_key(kKeyRW | kKeyAccess | kKeyInsert), cost_of_merge);
  row.key_specs[1] = key_range(2, -1, 1, kKeyRO | kKeyAccess);
  return row;
}

constexpr Command kRows[] = {
    hll_row("pfadd", cmd_pfadd, -2, kWrite | kDenyOom | kFast, one_key(kKeyRW | kKeyInsert)),
    hll_row("pfcount", cmd_pfcount, -2, kReadonly | kMayReplicate, key_range(1, -1, 1, kKeyRW | kKeyAccess),
            cost_of_merge),
    hll_row("pfdebug", cmd_pfdebug, 3, kWrite | kDenyOom | kAdmin, key_range(2, 2, 1, kKeyRW | kKeyAccess)),
    pfmerge_row(),
    {.name = "pfselftest",
     .handler = cmd_pfselftest,
     .arity = 1,
     .flags = kAdmin,
     .categories = kCatHyperloglog,
     .cost = cost_of_pfselftest},
};

}  // namespace

const CommandFamily kHyperloglogCommands = kRows;

}  // namespace synap
