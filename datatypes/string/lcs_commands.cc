// LCS.
#include "datatypes/string/lcs.h"
#include "datatypes/string/string_commands.h"
#include "server/base/text.h"
#include "server/command/context.h"

namespace synap {

namespace {

struct LcsOptions {
  bool length = false;
  bool runs = false;
  bool run_lengths = false;
  int64_t shortest_run = 0;
};

bool parse_options(Context& ctx, LcsOptions* options) {
  for (size_t i = 3; i < ctx.argc(); ++i) {
    const std::string_view option = ctx.arg(i);
    if (equals_ignore_case(option, "idx")) {
      options->runs = true;
    } else if (equals_ignore_case(option, "len")) {
      options->length = true;
    } else if (equals_ignore_case(option, "withmatchlen")) {
      options->run_lengths = true;
    } else if (equals_ignore_case(option, "minmatchlen") && i + 1 < ctx.argc()) {
      if (!ctx.parse(ctx.arg(++i), &options->shortest_run)) return false;
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  if (options->length && options->runs) {
    ctx.error("ERR If you want both the length and indexes, please just use IDX.");
    return false;
  }
  return true;
}

// Redis's table has 4 bytes for each pair of places; ours is far smaller, but the limit is part of the answer.
bool check_sizes(Context& ctx, size_t a, size_t b) {
  if (a >= UINT32_MAX - 1 || b >= UINT32_MAX - 1) {
    ctx.error("ERR String too long for LCS");
    return false;
  }
  if ((a + 1) * (b + 1) > static_cast<uint64_t>(ctx.config().proto_max_bulk_len) / sizeof(uint32_t)) {
    ctx.error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    return false;
  }
  return true;
}

void reply_range(Reply& reply, size_t begin, size_t length) {
  reply.array(2);
  reply.integer(static_cast<int64_t>(begin));
  reply.integer(static_cast<int64_t>(begin + length - 1));
}

void reply_runs(Reply& reply, const Lcs& found, const LcsOptions& options) {
  reply.map(2);
  reply.bulk("matches");
  const size_t mark = reply.deferred_begin();
  size_t count = 0;
  for (const LcsRun& run : found.runs) {
    if (static_cast<int64_t>(run.length) < options.shortest_run) continue;
    ++count;
    reply.array(options.run_lengths ? 3 : 2);
    reply_range(reply, run.a_begin, run.length);
    reply_range(reply, run.b_begin, run.length);
    if (options.run_lengths) reply.integer(static_cast<int64_t>(run.length));
  }
  reply.deferred_end_array(mark, count);
  reply.bulk("len");
  reply.integer(static_cast<int64_t>(found.text.size()));
}

void cmd_lcs(Context& ctx) {
  StringRef a;
  StringRef b;
  for (const auto& [index, value] : {std::pair{1, &a}, std::pair{2, &b}}) {
    const Entry* entry = ctx.lookup(ctx.arg(static_cast<size_t>(index)));
    if (entry == nullptr) continue;
    if (entry->type() != ValueType::kString) return ctx.error("ERR The specified keys must contain string values");
    Context::open_string(*entry, value);
  }
  LcsOptions options;
  if (!parse_options(ctx, &options) || !check_sizes(ctx, a.view().size(), b.view().size())) return;
  if (options.length) return ctx.reply().integer(static_cast<int64_t>(lcs_length(a.view(), b.view())));
  const Lcs found = lcs(a.view(), b.view());
  options.runs ? reply_runs(ctx.reply(), found, options) : ctx.reply().bulk(found.text);
}

uint64_t lcs_cost(Context& ctx) {
  uint64_t cost = 1;
  for (const size_t index : {1, 2}) {
    const Entry* entry = ctx.peek(ctx.arg(index));
    if (entry == nullptr || entry->type() != ValueType::kString) return 0;
    StringRef value;
    Context::open_string(*entry, &value);
    cost *= value.view().size();
  }
  return cost / 16;
}

constexpr Command kRows[] = {
    {.name = "lcs", .handler = cmd_lcs, .arity = -3, .flags = kReadonly, .categories = kCatString,
     .key_specs = {key_range(1, 2, 1, kKeyRO | kKeyAccess)}, .cost = lcs_cost},
};

}  // namespace

const CommandFamily kLcsCommands = kRows;

}  // namespace synap
