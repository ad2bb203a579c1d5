// The list commands that never wait, and the family's table. Redis's order of checks is kept: LINDEX and LSET look the
// key up before they parse the index, all others parse first.
#include "datatypes/list/list_commands.h"

#include <algorithm>

#include "protocol/errors.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr std::string_view kRankZeroError =
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from "
    "the end of the list";
constexpr std::string_view kCountNegativeError = "ERR COUNT can't be negative";
constexpr std::string_view kMaxlenNegativeError = "ERR MAXLEN can't be negative";

// An integer whose negation exists.
bool parse_symmetric(Context& ctx, std::string_view text, int64_t* value) {
  if (!ctx.parse(text, value)) return false;
  if (*value != INT64_MIN) return true;
  ctx.error(kLongRangeError);
  return false;
}

// The elements from `start` to `stop`, both inclusive and perhaps negative, of a list of that length.
struct Range {
  size_t start;
  size_t count;
};
Range resolve_range(int64_t start, int64_t stop, size_t length) {
  const auto total = static_cast<int64_t>(length);
  if (start < 0) start = std::max<int64_t>(start + total, 0);
  if (stop < 0) stop += total;
  if (start > stop || start >= total) return {0, 0};
  stop = std::min(stop, total - 1);
  return {static_cast<size_t>(start), static_cast<size_t>(stop - start) + 1};
}

// --- Costs, in elements of 50 ns. Comparing or skipping an element takes about a quarter of that; copying a big one
// to the reply more, with its bytes.

uint64_t scan_cost(Context& ctx) {
  const List* list = ctx.peek_as<List>(ctx.arg(1));
  return list == nullptr ? 0 : list->length() / 4;
}

uint64_t copy_cost(const List& list, size_t count) {
  return count / 2 + count * list.element_bytes_estimate() / 512;
}

uint64_t range_cost(Context& ctx) {
  const List* list = ctx.peek_as<List>(ctx.arg(1));
  int64_t start;
  int64_t stop;
  if (list == nullptr || !parse_int64(ctx.arg(2), &start) || !parse_int64(ctx.arg(3), &stop)) return 0;
  return copy_cost(*list, resolve_range(start, stop, list->length()).count);
}

uint64_t trim_cost(Context& ctx) {
  const List* list = ctx.peek_as<List>(ctx.arg(1));
  int64_t start;
  int64_t stop;
  if (list == nullptr || !parse_int64(ctx.arg(2), &start) || !parse_int64(ctx.arg(3), &stop)) return 0;
  // Whole nodes are freed, some 100 ns each.
  const size_t removed = list->length() - resolve_range(start, stop, list->length()).count;
  return removed * list->node_count() / std::max<size_t>(list->length(), 1) * 2;
}

uint64_t pop_cost(Context& ctx) {
  int64_t count;
  if (ctx.argc() < 3 || !parse_int64(ctx.arg(2), &count) || count <= 0) return 0;
  const List* list = ctx.peek_as<List>(ctx.arg(1));
  return list == nullptr ? 0 : copy_cost(*list, std::min(list->length(), static_cast<size_t>(count)));
}

void reply_range(Reply& reply, const List& list, Range range) {
  if (range.count == 0) return reply.empty_array();
  reply.array(range.count);
  ListpackValue element;
  List::Iterator it(list, static_cast<int64_t>(range.start));
  for (size_t i = 0; i < range.count && it.next(&element); ++i) reply_element(reply, element);
}

// --- Handlers.

void push(Context& ctx, List::End end, bool must_exist) {
  auto list = ctx.edit<List>(ctx.arg(1));
  if (list.wrong_type()) return;
  if (must_exist && !list.exists()) return ctx.reply().zero();
  const ArgViews elements = ctx.args().subspan(2);
  list.create_if_absent().push(end, elements, list_limits(ctx));
  list.changed(elements.size(), kEventList, push_event(end));
  ctx.reply().integer(static_cast<int64_t>(list->length()));
}

void cmd_lpush(Context& ctx) {
  push(ctx, List::End::kHead, false);
}
void cmd_rpush(Context& ctx) {
  push(ctx, List::End::kTail, false);
}
void cmd_lpushx(Context& ctx) {
  push(ctx, List::End::kHead, true);
}
void cmd_rpushx(Context& ctx) {
  push(ctx, List::End::kTail, true);
}

void pop(Context& ctx, List::End end) {
  if (ctx.argc() > 3) return ctx.arity_error();
  const bool has_count = ctx.argc() == 3;
  int64_t count = 0;
  if (has_count && !ctx.parse_range(ctx.arg(2), 0, INT64_MAX, &count, kMustBePositiveError)) return;
  auto list = ctx.edit<List>(ctx.arg(1));
  if (list.wrong_type()) return;
  if (!list.exists()) return has_count ? ctx.reply().null_array() : ctx.reply().null();
  if (has_count) {
    if (count == 0) return ctx.reply().empty_array();
    return pop_and_reply(ctx, list, end, static_cast<size_t>(count));
  }
  reply_element(ctx.reply(), list->peek(end));
  list->pop(end, 1, list_limits(ctx));
  list.changed(1, kEventList, pop_event(end));
}

void cmd_lpop(Context& ctx) {
  pop(ctx, List::End::kHead);
}
void cmd_rpop(Context& ctx) {
  pop(ctx, List::End::kTail);
}

void cmd_lmpop(Context& ctx) {
  MultiPop request;
  if (!parse_multi_pop(ctx, 1, &request)) return;
  for (const std::string_view key : request.keys) {
    auto list = ctx.edit<List>(key);
    if (list.wrong_type()) return;
    if (list.exists()) return pop_with_key(ctx, list, request.end, static_cast<size_t>(request.count));
  }
  ctx.reply().null_array();
}

void cmd_lrange(Context& ctx) {
  int64_t start;
  int64_t stop;
  if (!ctx.parse(ctx.arg(2), &start) || !ctx.parse(ctx.arg(3), &stop)) return;
  const List* list;
  if (!ctx.read(ctx.arg(1), &list)) return;
  if (list == nullptr) return ctx.reply().empty_array();
  reply_range(ctx.reply(), *list, resolve_range(start, stop, list->length()));
}

void cmd_llen(Context& ctx) {
  const List* list;
  if (!ctx.read(ctx.arg(1), &list)) return;
  ctx.reply().integer(list == nullptr ? 0 : static_cast<int64_t>(list->length()));
}

void cmd_lindex(Context& ctx) {
  const List* list;
  if (!ctx.read(ctx.arg(1), &list)) return;
  if (list == nullptr) return ctx.reply().null();
  int64_t index;
  if (!ctx.parse(ctx.arg(2), &index)) return;
  ListpackValue element;
  List::Iterator it(*list, index);
  if (!it.next(&element)) return ctx.reply().null();
  reply_element(ctx.reply(), element);
}

void cmd_lset(Context& ctx) {
  auto list = ctx.edit<List>(ctx.arg(1));
  if (list.wrong_type()) return;
  if (!list.exists()) return ctx.error(kNoSuchKeyError);
  int64_t index;
  if (!ctx.parse(ctx.arg(2), &index)) return;
  if (!list->set(index, ctx.arg(3), list_limits(ctx))) return ctx.error(kIndexOutOfRangeError);
  list.changed(1, kEventList, "lset");
  ctx.reply().ok();
}

void cmd_linsert(Context& ctx) {
  const bool after = equals_ignore_case(ctx.arg(2), "after");
  if (!after && !equals_ignore_case(ctx.arg(2), "before")) return ctx.syntax_error();
  auto list = ctx.edit<List>(ctx.arg(1));
  if (list.wrong_type()) return;
  if (!list.exists()) return ctx.reply().zero();
  if (!list->insert(ctx.arg(3), after, ctx.arg(4), list_limits(ctx))) return ctx.reply().integer(-1);
  list.changed(1, kEventList, "linsert");
  ctx.reply().integer(static_cast<int64_t>(list->length()));
}

void cmd_lrem(Context& ctx) {
  int64_t count;
  if (!parse_symmetric(ctx, ctx.arg(2), &count)) return;
  auto list = ctx.edit<List>(ctx.arg(1));
  if (list.wrong_type()) return;
  if (!list.exists()) return ctx.reply().zero();
  const size_t removed = list->remove(ctx.arg(3), count, list_limits(ctx));
  if (removed > 0) list.changed(removed, kEventList, "lrem");
  ctx.reply().integer(static_cast<int64_t>(removed));
}

void cmd_ltrim(Context& ctx) {
  int64_t start;
  int64_t stop;
  if (!ctx.parse(ctx.arg(2), &start) || !ctx.parse(ctx.arg(3), &stop)) return;
  auto list = ctx.edit<List>(ctx.arg(1));
  if (list.wrong_type()) return;
  if (!list.exists()) return ctx.reply().ok();
  const size_t length = list->length();
  const Range kept = resolve_range(start, stop, length);
  list->keep(kept.start, kept.count, list_limits(ctx));
  list.changed(length - kept.count, kEventList, "ltrim");
  ctx.reply().ok();
}

struct PositionOptions {
  int64_t rank = 1;
  int64_t count = -1;  // not given: one position, no array
  int64_t maxlen = 0;  // 0: all
};

bool parse_position_options(Context& ctx, PositionOptions* options) {
  for (size_t i = 3; i < ctx.argc(); i += 2) {
    const std::string_view name = ctx.arg(i);
    if (i + 1 == ctx.argc()) {
      ctx.syntax_error();
      return false;
    }
    const std::string_view value = ctx.arg(i + 1);
    if (equals_ignore_case(name, "rank")) {
      if (!parse_symmetric(ctx, value, &options->rank)) return false;
      if (options->rank == 0) {
        ctx.error(kRankZeroError);
        return false;
      }
    } else if (equals_ignore_case(name, "count")) {
      if (!ctx.parse_range(value, 0, INT64_MAX, &options->count, kCountNegativeError)) return false;
    } else if (equals_ignore_case(name, "maxlen")) {
      if (!ctx.parse_range(value, 0, INT64_MAX, &options->maxlen, kMaxlenNegativeError)) return false;
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

void cmd_lpos(Context& ctx) {
  PositionOptions options;
  if (!parse_position_options(ctx, &options)) return;
  const List* list;
  if (!ctx.read(ctx.arg(1), &list)) return;
  Reply& reply = ctx.reply();
  const bool wants_array = options.count >= 0;
  if (list == nullptr) return wants_array ? reply.empty_array() : reply.null();

  const bool forward = options.rank > 0;
  const int64_t rank = forward ? options.rank : -options.rank;
  const auto length = static_cast<int64_t>(list->length());
  const int64_t limit = options.maxlen == 0 ? length : std::min(options.maxlen, length);
  using Direction = List::Iterator::Direction;
  List::Iterator it(*list, forward ? 0 : -1, forward ? Direction::kForward : Direction::kBackward);
  ListpackMatcher wanted(ctx.arg(2));
  ListpackValue element;
  const size_t mark = reply.deferred_begin();
  size_t found = 0;
  int64_t matches = 0;
  for (int64_t i = 0; i < limit && it.next(&element); ++i) {
    if (!wanted.matches(element) || ++matches < rank) continue;
    reply.integer(forward ? i : length - i - 1);
    ++found;
    if (!wants_array || (options.count != 0 && static_cast<int64_t>(found) >= options.count)) break;
  }
  if (wants_array) {
    reply.deferred_end_array(mark, found);
  } else if (found == 0) {
    reply.null();
  }
}

void cmd_lmove(Context& ctx) {
  ListMove move{ctx.arg(1), ctx.arg(2), {}, {}};
  if (!parse_end(ctx, ctx.arg(3), &move.from) || !parse_end(ctx, ctx.arg(4), &move.to)) return;
  move_and_reply(ctx, move);
}

void cmd_rpoplpush(Context& ctx) {
  move_and_reply(ctx, {ctx.arg(1), ctx.arg(2), List::End::kTail, List::End::kHead});
}

constexpr uint32_t kReads = kKeyRO | kKeyAccess;
constexpr uint32_t kInserts = kKeyRW | kKeyInsert;
constexpr uint32_t kUpdates = kKeyRW | kKeyUpdate;
constexpr uint32_t kDeletes = kKeyRW | kKeyDelete;
constexpr uint32_t kPops = kKeyRW | kKeyAccess | kKeyDelete;

constexpr uint64_t kPushFlags = kWrite | kDenyOom | kFast;
constexpr uint64_t kMoveFlags = kWrite | kDenyOom;

constexpr Command row(std::string_view name, Handler handler, int arity, uint64_t flags, uint32_t key_flags,
                      CostFunction cost = nullptr) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = flags,
          .categories = kCatList,
          .key_specs = {one_key(key_flags)},
          .cost = cost};
}

constexpr Command row_with_keys(std::string_view name, Handler handler, int arity, uint64_t flags, KeySpec keys,
                                KeySpec more_keys = {}) {
  Command command = row(name, handler, arity, flags, 0);
  command.key_specs = {keys, more_keys};
  return command;
}

constexpr KeySpec kMoveSource = key_range(1, 1, 1, kPops);
constexpr KeySpec kMoveDestination = key_range(2, 2, 1, kInserts);

constexpr Command kRows[] = {
    row_with_keys("blmove", cmd_blmove, 6, kMoveFlags | kBlocking, kMoveSource, kMoveDestination),
    row_with_keys("blmpop", cmd_blmpop, -5, kWrite | kBlocking | kMovableKeys, counted_keys(2, kPops)),
    row_with_keys("blpop", cmd_blpop, -3, kWrite | kBlocking, key_range(1, -2, 1, kPops)),
    row_with_keys("brpop", cmd_brpop, -3, kWrite | kBlocking, key_range(1, -2, 1, kPops)),
    row_with_keys("brpoplpush", cmd_brpoplpush, 4, kMoveFlags | kBlocking, kMoveSource, kMoveDestination),
    row("lindex", cmd_lindex, 3, kReadonly, kReads),
    row("linsert", cmd_linsert, 5, kWrite | kDenyOom, kInserts, scan_cost),
    row("llen", cmd_llen, 2, kReadonly | kFast, kKeyRO),
    row_with_keys("lmove", cmd_lmove, 5, kMoveFlags, kMoveSource, kMoveDestination),
    row_with_keys("lmpop", cmd_lmpop, -4, kWrite | kMovableKeys, counted_keys(1, kPops)),
    row("lpop", cmd_lpop, -2, kWrite | kFast, kPops, pop_cost),
    row("lpos", cmd_lpos, -3, kReadonly, kReads, scan_cost),
    row("lpush", cmd_lpush, -3, kPushFlags, kInserts),
    row("lpushx", cmd_lpushx, -3, kPushFlags, kInserts),
    row("lrange", cmd_lrange, 4, kReadonly, kReads, range_cost),
    row("lrem", cmd_lrem, 4, kWrite, kDeletes, scan_cost),
    row("lset", cmd_lset, 4, kWrite | kDenyOom, kUpdates),
    row("ltrim", cmd_ltrim, 4, kWrite, kDeletes, trim_cost),
    row("rpop", cmd_rpop, -2, kWrite | kFast, kPops, pop_cost),
    row_with_keys("rpoplpush", cmd_rpoplpush, 3, kMoveFlags, kMoveSource, kMoveDestination),
    row("rpush", cmd_rpush, -3, kPushFlags, kInserts),
    row("rpushx", cmd_rpushx, -3, kPushFlags, kInserts),
};

}  // namespace

const CommandFamily kListCommands = kRows;

ListLimits list_limits(const Context& ctx) {
  return {.max_listpack_size = ctx.config().list_max_listpack_size,
          .compress_depth = static_cast<int>(ctx.config().list_compress_depth),
          .plain_threshold = static_cast<size_t>(ctx.config().list_packed_threshold)};
}

void reply_element(Reply& reply, const ListpackValue& element) {
  if (element.is_integer()) {
    reply.bulk_int(element.integer);
  } else {
    reply.bulk({element.data, element.size});
  }
}

bool parse_end(Context& ctx, std::string_view text, List::End* end) {
  const bool left = equals_ignore_case(text, "left");
  if (!left && !equals_ignore_case(text, "right")) {
    ctx.syntax_error();
    return false;
  }
  *end = left ? List::End::kHead : List::End::kTail;
  return true;
}

std::string_view push_event(List::End end) {
  return end == List::End::kHead ? "lpush" : "rpush";
}
std::string_view pop_event(List::End end) {
  return end == List::End::kHead ? "lpop" : "rpop";
}
std::string_view pop_command(List::End end) {
  return end == List::End::kHead ? "LPOP" : "RPOP";
}

void pop_and_reply(Context& ctx, Edit<List>& list, List::End end, size_t count) {
  count = std::min(count, list->length());
  const bool head = end == List::End::kHead;
  using Direction = List::Iterator::Direction;
  ctx.reply().array(count);
  {
    ListpackValue element;
    List::Iterator it(*list, head ? 0 : -1, head ? Direction::kForward : Direction::kBackward);
    for (size_t i = 0; i < count && it.next(&element); ++i) reply_element(ctx.reply(), element);
  }
  list->pop(end, count, list_limits(ctx));
  list.changed(count, kEventList, pop_event(end));
}

void pop_with_key(Context& ctx, Edit<List>& list, List::End end, size_t count) {
  const std::string popped = to_text(std::min(count, list->length()));
  ctx.reply().array(2);
  ctx.reply().bulk(list.key());
  pop_and_reply(ctx, list, end, count);
  ctx.effect({pop_command(end), list.key(), popped});
}

void move_and_reply(Context& ctx, const ListMove& move) {
  auto source = ctx.edit<List>(move.source);
  if (source.wrong_type()) return;
  if (!source.exists()) return ctx.reply().null();
  const ListLimits limits = list_limits(ctx);
  if (move.source == move.destination) {
    reply_element(ctx.reply(), source->peek(move.from));
    source->rotate(move.from, move.to, limits);
    source.changed(0, kEventList, push_event(move.to));
    return source.changed(1, kEventList, pop_event(move.from));
  }
  auto destination = ctx.edit<List>(move.destination);
  if (destination.wrong_type()) return;
  ListpackValue::Scratch scratch;
  const std::string_view element = source->peek(move.from).text(scratch);
  destination.create_if_absent().push(move.to, element, limits);
  destination.changed(0, kEventList, push_event(move.to));
  ctx.reply().bulk(element);
  source->pop(move.from, 1, limits);
  source.changed(1, kEventList, pop_event(move.from));
}

bool parse_multi_pop(Context& ctx, size_t index, MultiPop* pop) {
  int64_t key_count;
  if (!ctx.parse_range(ctx.arg(index), 1, INT64_MAX, &key_count, kNumkeysNotIntegerError)) return false;
  const size_t left = ctx.argc() - index - 1;
  if (static_cast<uint64_t>(key_count) >= left) {
    ctx.syntax_error();
    return false;
  }
  const auto keys = static_cast<size_t>(key_count);
  pop->keys = ctx.args().subspan(index + 1, keys);
  const size_t end_index = index + 1 + keys;
  if (!parse_end(ctx, ctx.arg(end_index), &pop->end)) return false;
  pop->count = 1;
  if (end_index + 1 == ctx.argc()) return true;
  const bool has_count = end_index + 2 < ctx.argc() && equals_ignore_case(ctx.arg(end_index + 1), "count");
  if (!has_count) {
    ctx.syntax_error();
    return false;
  }
  if (!ctx.parse_range(ctx.arg(end_index + 2), 1, INT64_MAX, &pop->count, kCountPositiveError)) return false;
  if (end_index + 3 == ctx.argc()) return true;
  ctx.syntax_error();
  return false;
}

}  // namespace synap
