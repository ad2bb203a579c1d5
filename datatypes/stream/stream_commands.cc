// The table of the stream commands; XADD, XDEL, XDELEX, XLEN, XRANGE, XREVRANGE, XSETID, XTRIM; the shared replies.
#include "datatypes/stream/stream_commands.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr std::string_view kStreamIdError = "ERR Invalid stream ID specified as stream command argument";
constexpr std::string_view kRangeStartError = "ERR invalid start ID for the interval";
constexpr std::string_view kRangeEndError = "ERR invalid end ID for the interval";
constexpr std::string_view kTwoTrimsError =
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
constexpr std::string_view kMaxlenError = "ERR The MAXLEN argument must be >= 0.";
constexpr std::string_view kLimitError = "ERR The LIMIT argument must be >= 0.";
constexpr std::string_view kLimitWithoutTrimError =
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
constexpr std::string_view kXtrimWithoutTrimError = "ERR syntax error, XTRIM must be called with a trimming strategy";
constexpr std::string_view kLimitWithoutTildeError =
    "ERR syntax error, LIMIT cannot be used without the special ~ option";
constexpr std::string_view kZeroIdError = "ERR The ID specified in XADD must be greater than 0-0";
constexpr std::string_view kIdsExhaustedError =
    "ERR The stream has exhausted the last possible ID, unable to add more items";
constexpr std::string_view kSmallIdError =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";
constexpr std::string_view kTooLargeError = "ERR Elements are too large to be stored";
constexpr std::string_view kIdCountError = "ERR Number of IDs must be a positive integer";
constexpr std::string_view kIdCountMismatchError = "ERR The `numids` parameter must match the number of arguments";

// Elements of the slow lane's measure that an entry of a few fields takes.
constexpr uint64_t kCostPerEntry = 3;
constexpr uint64_t kCostPerBlock = 2;

StreamBlockLimits block_limits(const Config& config) {
  return {.bytes_max = static_cast<size_t>(config.stream_node_max_bytes),
          .entries_max = static_cast<size_t>(config.stream_node_max_entries)};
}

// --- XADD's and XTRIM's options.

struct TrimArguments {
  StreamTrim trim;
  size_t threshold_index = 0;  // of the length or id; what stands before it may be "~"
  size_t limit_index = 0;      // of the word LIMIT, 0 when absent
};

// [=|~] threshold, behind the MAXLEN or MINID at *index, which is moved onto the threshold.
bool parse_threshold(Context& ctx, bool is_maxlen, size_t* index, TrimArguments* arguments) {
  StreamTrim& trim = arguments->trim;
  if (trim.strategy != StreamTrim::Strategy::kNone) {
    ctx.error(kTwoTrimsError);
    return false;
  }
  size_t at = *index + 1;
  if (at + 1 < ctx.argc() && (ctx.arg(at) == "~" || ctx.arg(at) == "=")) {
    trim.approximate = ctx.arg(at) == "~";
    ++at;
  }
  if (is_maxlen) {
    int64_t length_max;
    if (!ctx.parse(ctx.arg(at), &length_max)) return false;
    if (length_max < 0) {
      ctx.error(kMaxlenError);
      return false;
    }
    trim.length_max = static_cast<uint64_t>(length_max);
    trim.strategy = StreamTrim::Strategy::kMaxLen;
  } else {
    if (!parse_id_argument(ctx, ctx.arg(at), &trim.id_min)) return false;
    trim.strategy = StreamTrim::Strategy::kMinId;
  }
  arguments->threshold_index = *index = at;
  return true;
}

// The option at *index, if it is one of those that XADD and XTRIM share; *index moves onto its last argument.
// False: an error was replied.
bool parse_trim_option(Context& ctx, size_t* index, TrimArguments* arguments, bool* recognized) {
  const std::string_view option = ctx.arg(*index);
  const bool has_value = *index + 1 < ctx.argc();
  *recognized = true;
  if (has_value && equals_ignore_case(option, "maxlen")) return parse_threshold(ctx, true, index, arguments);
  if (has_value && equals_ignore_case(option, "minid")) return parse_threshold(ctx, false, index, arguments);
  if (has_value && equals_ignore_case(option, "limit")) {
    int64_t limit;
    if (!ctx.parse(ctx.arg(*index + 1), &limit)) return false;
    if (limit < 0) {
      ctx.error(kLimitError);
      return false;
    }
    arguments->trim.limit = static_cast<uint64_t>(limit);
    arguments->limit_index = (*index)++;
    return true;
  }
  *recognized = false;
  return true;
}

// LIMIT's rules, once all options are known.
bool settle_limit(Context& ctx, TrimArguments* arguments) {
  constexpr uint64_t kBlocksByDefault = 100;
  constexpr uint64_t kLimitWithoutBlockSize = 10000;
  constexpr uint64_t kLimitMax = 1000000;
  StreamTrim& trim = arguments->trim;
  if (trim.limit > 0 && trim.strategy == StreamTrim::Strategy::kNone) {
    ctx.error(kLimitWithoutTrimError);
    return false;
  }
  if (ctx.session().has(kSessionMaster)) {
    trim.limit = 0;  // the master has decided how much
    return true;
  }
  if (arguments->limit_index != 0) {
    if (!trim.approximate) ctx.error(kLimitWithoutTildeError);
    return trim.approximate;
  }
  if (!trim.approximate) return true;
  trim.limit = kBlocksByDefault * static_cast<uint64_t>(std::max<int64_t>(ctx.config().stream_node_max_entries, 0));
  if (trim.limit == 0) trim.limit = kLimitWithoutBlockSize;
  trim.limit = std::min(trim.limit, kLimitMax);
  return true;
}

// The command as it is journaled after an approximate trim: with the exact threshold it came to, and without LIMIT.
// `changes` are arguments replaced besides.
void effect_exact_trim(Context& ctx, const Stream& stream, const TrimArguments& arguments, size_t id_index,
                       std::string_view id_text) {
  if (!ctx.journaling()) return ctx.no_effect();
  std::vector<std::string_view> args(ctx.args().begin(), ctx.args().end());
  std::string threshold;
  if (id_index != 0) args[id_index] = id_text;
  if (arguments.trim.approximate) {
    threshold = arguments.trim.strategy == StreamTrim::Strategy::kMaxLen ? to_text(stream.length())
                                                                         : stream.first_recorded_id().to_text();
    args[arguments.threshold_index - 1] = "=";
    args[arguments.threshold_index] = threshold;
    if (const size_t limit = arguments.limit_index; limit != 0) {
      args.erase(args.begin() + static_cast<ptrdiff_t>(limit), args.begin() + static_cast<ptrdiff_t>(limit) + 2);
    }
  }
  ctx.effect(args);
}

// --- XADD.

struct AddArguments {
  TrimArguments trim;
  StreamIdRequest id;
  size_t id_index = 0;
  bool no_create = false;  // NOMKSTREAM
};

bool parse_id_request(Context& ctx, std::string_view text, StreamIdRequest* request) {
  using Kind = StreamIdRequest::Kind;
  bool auto_seq = false;
  if (text == "*") {
    request->kind = Kind::kAuto;
    return true;
  }
  if (!parse_stream_id_or_auto_seq(text, &request->id, &auto_seq)) {
    ctx.error(kStreamIdError);
    return false;
  }
  request->kind = auto_seq ? Kind::kAutoSeq : Kind::kExplicit;
  return true;
}

bool parse_add(Context& ctx, AddArguments* add) {
  size_t i = 2;
  for (; i < ctx.argc(); ++i) {
    bool recognized = false;
    if (ctx.arg(i) != "*" && !parse_trim_option(ctx, &i, &add->trim, &recognized)) return false;
    if (recognized) continue;
    if (!equals_ignore_case(ctx.arg(i), "nomkstream")) break;
    add->no_create = true;
  }
  add->id_index = i;
  if (i < ctx.argc() && !parse_id_request(ctx, ctx.arg(i), &add->id)) return false;
  if (!settle_limit(ctx, &add->trim)) return false;
  const size_t fields_begin = i + 1;
  if (fields_begin + 2 > ctx.argc() || (ctx.argc() - fields_begin) % 2 != 0) {
    ctx.arity_error();
    return false;
  }
  if (add->id.kind == StreamIdRequest::Kind::kExplicit && add->id.id.is_zero()) {
    ctx.error(kZeroIdError);
    return false;
  }
  return true;
}

void cmd_xadd(Context& ctx) {
  AddArguments add;
  if (!parse_add(ctx, &add)) return;
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  if (!stream.exists() && add.no_create) return ctx.reply().null();

  const Stream empty;
  const Stream& before = stream.exists() ? *stream : empty;
  if (before.last_id() == StreamId::max()) return ctx.error(kIdsExhaustedError);
  const Result<StreamId> id = before.next_id(add.id, ctx.now_ms());
  if (!id.ok()) return ctx.error(kSmallIdError);
  const ArgViews fields = ctx.args().subspan(add.id_index + 1);
  if (!Stream::fits(fields)) return ctx.error(kTooLargeError);
  stream.create_if_absent().append(*id, fields, block_limits(ctx.config()));

  const StreamIdText id_text(*id);
  ctx.reply().bulk(id_text.view());
  stream.changed(1, kEventStream, "xadd");
  if (stream->trim(add.trim.trim) > 0) ctx.notify(kEventStream, "xtrim", ctx.arg(1));
  if (add.id.kind != StreamIdRequest::Kind::kExplicit || add.trim.trim.approximate) {
    effect_exact_trim(ctx, *stream, add.trim, add.id_index, id_text.view());
  }
}

void cmd_xtrim(Context& ctx) {
  TrimArguments arguments;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    bool recognized;
    if (!parse_trim_option(ctx, &i, &arguments, &recognized)) return;
    if (!recognized) return ctx.syntax_error();
  }
  if (arguments.trim.limit > 0 && arguments.trim.strategy == StreamTrim::Strategy::kNone) {
    return ctx.error(kLimitWithoutTrimError);
  }
  if (arguments.trim.strategy == StreamTrim::Strategy::kNone) return ctx.error(kXtrimWithoutTrimError);
  if (!settle_limit(ctx, &arguments)) return;

  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  const uint64_t removed = stream.exists() ? stream->trim(arguments.trim) : 0;
  if (removed > 0) {
    stream.changed(removed, kEventStream, "xtrim");
    if (arguments.trim.approximate) effect_exact_trim(ctx, *stream, arguments, 0, {});
  }
  ctx.reply().integer(static_cast<int64_t>(removed));
}

// --- Deleting.

void cmd_xdel(Context& ctx) {
  std::vector<StreamId> ids;
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  if (!stream.exists()) return ctx.reply().zero();
  if (!parse_id_arguments(ctx, 2, ctx.argc() - 2, &ids)) return;
  uint64_t deleted = 0;
  for (const StreamId& id : ids) deleted += stream->erase(id) ? 1 : 0;
  if (deleted > 0) stream.changed(deleted, kEventStream, "xdel");
  ctx.reply().integer(static_cast<int64_t>(deleted));
}

void cmd_xdelex(Context& ctx) {
  StreamDeletion deletion;
  if (!parse_deletion(ctx, 2, &deletion)) return;
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  Reply& reply = ctx.reply();
  reply.array(deletion.ids.size());
  uint64_t deleted = 0;
  uint64_t changes = 0;
  for (const StreamId& id : deletion.ids) {
    if (!stream.exists()) {
      reply.integer(kDeletionNoId);
      continue;
    }
    if (deletion.references == StreamReferences::kOnlyAcknowledged && stream->referenced_by_groups(id)) {
      reply.integer(kDeletionStillReferenced);
      continue;
    }
    const bool forgotten = deletion.references == StreamReferences::kDelete && stream->forget_references(id);
    const bool erased = stream->erase(id);
    deleted += erased ? 1 : 0;
    changes += erased || forgotten ? 1 : 0;
    reply.integer(erased ? kDeletionDone : kDeletionNoId);
  }
  if (deleted > 0) {
    stream.changed(changes, kEventStream, "xdel");
  } else if (changes > 0) {
    ctx.changed(ctx.arg(1), changes, 0, {});
  }
}

// --- Reading a range.

// COUNT and nothing else, from argument `first` on.
bool parse_count(Context& ctx, size_t first, bool* has_count, uint64_t* count) {
  for (size_t i = first; i < ctx.argc(); i += 2) {
    int64_t number;
    if (i + 1 >= ctx.argc() || !equals_ignore_case(ctx.arg(i), "count")) {
      ctx.syntax_error();
      return false;
    }
    if (!ctx.parse(ctx.arg(i + 1), &number)) return false;
    *has_count = true;
    *count = static_cast<uint64_t>(std::max<int64_t>(number, 0));
  }
  return true;
}

void range_command(Context& ctx, StreamCursor::Direction direction) {
  const bool reverse = direction == StreamCursor::Direction::kReverse;
  StreamRange range;
  if (!parse_range_start(ctx, ctx.arg(reverse ? 3 : 2), &range.start)) return;
  if (!parse_range_end(ctx, ctx.arg(reverse ? 2 : 3), &range.end)) return;
  bool has_count = false;
  uint64_t count = 0;
  if (!parse_count(ctx, 4, &has_count, &count)) return;
  const Stream* stream;
  if (!ctx.read(ctx.arg(1), &stream)) return;
  if (stream == nullptr) return ctx.reply().empty_array();
  if (has_count && count == 0) return ctx.reply().null_array();
  reply_range(ctx.reply(), *stream, range, count, direction);
}

void cmd_xrange(Context& ctx) {
  range_command(ctx, StreamCursor::Direction::kForward);
}
void cmd_xrevrange(Context& ctx) {
  range_command(ctx, StreamCursor::Direction::kReverse);
}

void cmd_xlen(Context& ctx) {
  const Stream* stream;
  if (!ctx.read(ctx.arg(1), &stream)) return;
  ctx.reply().integer(stream == nullptr ? 0 : static_cast<int64_t>(stream->length()));
}

// --- XSETID.

struct SetIdArguments {
  StreamId id;
  int64_t entries_added = -1;
  StreamId max_deleted_id;
};

bool parse_setid(Context& ctx, SetIdArguments* arguments) {
  if (!parse_id_argument(ctx, ctx.arg(2), &arguments->id)) return false;
  for (size_t i = 3; i < ctx.argc(); i += 2) {
    const std::string_view option = ctx.arg(i);
    const bool has_value = i + 1 < ctx.argc();
    if (has_value && equals_ignore_case(option, "entriesadded")) {
      if (!ctx.parse(ctx.arg(i + 1), &arguments->entries_added)) return false;
      if (arguments->entries_added < 0) {
        ctx.error("ERR entries_added must be positive");
        return false;
      }
    } else if (has_value && equals_ignore_case(option, "maxdeletedid")) {
      if (!parse_id_argument(ctx, ctx.arg(i + 1), &arguments->max_deleted_id)) return false;
      if (arguments->id < arguments->max_deleted_id) {
        ctx.error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
        return false;
      }
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

void cmd_xsetid(Context& ctx) {
  SetIdArguments arguments;
  if (!parse_setid(ctx, &arguments)) return;
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  if (!stream.exists()) return ctx.error(kNoSuchKeyError);
  if (arguments.id < stream->max_deleted_id()) {
    return ctx.error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  }
  StreamId last;
  if (stream->last_entry_id(&last)) {
    if (arguments.id < last) {
      return ctx.error("ERR The ID specified in XSETID is smaller than the target stream top item");
    }
    if (arguments.entries_added != -1 && stream->length() > static_cast<uint64_t>(arguments.entries_added)) {
      return ctx.error("ERR The entries_added specified in XSETID is smaller than the target stream length");
    }
  }
  stream->set_last_id(arguments.id);
  if (arguments.entries_added != -1) stream->set_entries_added(static_cast<uint64_t>(arguments.entries_added));
  if (!arguments.max_deleted_id.is_zero()) stream->set_max_deleted_id(arguments.max_deleted_id);
  stream.changed(1, kEventStream, "xsetid");
  ctx.reply().ok();
}

// --- Costs for the slow lane. Arguments that make no sense cost nothing: the handler will say so.

uint64_t cost_of_range(Context& ctx, bool reverse) {
  const Stream* stream = ctx.peek_as<Stream>(ctx.arg(1));
  if (stream == nullptr) return 0;
  StreamRange range;
  bool exclusive;
  if (!parse_stream_range_edge(ctx.arg(reverse ? 3 : 2), 0, &range.start, &exclusive) ||
      !parse_stream_range_edge(ctx.arg(reverse ? 2 : 3), UINT64_MAX, &range.end, &exclusive)) {
    return 0;
  }
  int64_t count = 0;
  if (ctx.argc() == 6 && !parse_int64(ctx.arg(5), &count)) return 0;
  return cost_of_entries(*stream, range, static_cast<uint64_t>(std::max<int64_t>(count, 0)));
}
uint64_t cost_of_xrange(Context& ctx) {
  return cost_of_range(ctx, false);
}
uint64_t cost_of_xrevrange(Context& ctx) {
  return cost_of_range(ctx, true);
}

// Trimming frees blocks; how many is not known before, so all but the first few count when there are very many.
uint64_t cost_of_trim(Context& ctx) {
  const Stream* stream = ctx.peek_as<Stream>(ctx.arg(1));
  if (stream == nullptr || stream->blocks().size() < kSlowLaneCost / kCostPerBlock) return 0;
  for (size_t i = 2; i + 1 < ctx.argc(); ++i) {
    const bool is_maxlen = equals_ignore_case(ctx.arg(i), "maxlen");
    if (!is_maxlen && !equals_ignore_case(ctx.arg(i), "minid")) continue;
    const bool marked = ctx.arg(i + 1) == "~" || ctx.arg(i + 1) == "=";
    if (ctx.arg(i + 1) == "~" || i + (marked ? 2 : 1) >= ctx.argc()) return 0;
    const std::string_view threshold = ctx.arg(i + (marked ? 2 : 1));
    uint64_t removed = 0;
    int64_t length_max;
    StreamId id_min;
    if (is_maxlen && parse_int64(threshold, &length_max) && length_max >= 0) {
      removed = stream->length() - std::min(stream->length(), static_cast<uint64_t>(length_max));
    } else if (!is_maxlen && parse_stream_id(threshold, 0, &id_min)) {
      removed = stream->estimate_count(StreamId::min(), id_min);
    }
    return removed / (stream->length() / stream->blocks().size() + 1) * kCostPerBlock;
  }
  return 0;
}

// --- The table.

constexpr uint32_t kReads = kKeyRO | kKeyAccess;
constexpr uint32_t kUpdates = kKeyRW | kKeyUpdate;
constexpr uint32_t kDeletes = kKeyRW | kKeyDelete;
constexpr uint32_t kInserts = kKeyRW | kKeyInsert;

constexpr Command stream_row(std::string_view name, Handler handler, int arity, uint64_t flags, KeySpec keys,
                             CostFunction cost = nullptr) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = flags,
          .categories = kCatStream,
          .key_specs = {keys},
          .cost = cost};
}

constexpr Command help_row(Handler handler) {
  return {.name = "help", .handler = handler, .arity = 2, .flags = kLoading | kStale, .categories = kCatStream};
}

constexpr Command varying(Command row) {
  row.tips = {"nondeterministic_output"};
  return row;
}

constexpr KeySpec second_key(uint32_t flags) {
  return key_range(2, 2, 1, flags);
}

constexpr Command kXgroup[] = {
    stream_row("create", cmd_xgroup_create, -5, kWrite | kDenyOom, second_key(kInserts)),
    stream_row("createconsumer", cmd_xgroup_createconsumer, 5, kWrite | kDenyOom, second_key(kInserts)),
    stream_row("delconsumer", cmd_xgroup_delconsumer, 5, kWrite, second_key(kDeletes), cost_of_xgroup_destroy),
    stream_row("destroy", cmd_xgroup_destroy, 4, kWrite, second_key(kDeletes), cost_of_xgroup_destroy),
    help_row(cmd_xgroup_help),
    stream_row("setid", cmd_xgroup_setid, -5, kWrite, second_key(kUpdates)),
};

constexpr Command kXinfo[] = {
    varying(stream_row("consumers", cmd_xinfo_consumers, 4, kReadonly, second_key(kReads))),
    stream_row("groups", cmd_xinfo_groups, 3, kReadonly, second_key(kReads)),
    help_row(cmd_xinfo_help),
    stream_row("stream", cmd_xinfo_stream, -3, kReadonly, second_key(kReads), cost_of_xinfo_stream),
};

constexpr Command kRows[] = {
    stream_row("xack", cmd_xack, -4, kWrite | kFast, one_key(kUpdates)),
    stream_row("xackdel", cmd_xackdel, -6, kWrite | kFast, one_key(kDeletes)),
    varying(stream_row("xadd", cmd_xadd, -5, kWrite | kDenyOom | kFast, one_key(kUpdates), cost_of_trim)),
    varying(stream_row("xautoclaim", cmd_xautoclaim, -6, kWrite | kFast, one_key(kDeletes), cost_of_xautoclaim)),
    varying(stream_row("xclaim", cmd_xclaim, -6, kWrite | kFast, one_key(kUpdates))),
    stream_row("xdel", cmd_xdel, -3, kWrite | kFast, one_key(kDeletes)),
    stream_row("xdelex", cmd_xdelex, -5, kWrite | kFast, one_key(kDeletes)),
    {.name = "xgroup", .arity = -2, .categories = kCatStream, .subcommands = kXgroup},
    {.name = "xinfo", .arity = -2, .categories = kCatStream, .subcommands = kXinfo},
    stream_row("xlen", cmd_xlen, 2, kReadonly | kFast, one_key(kKeyRO)),
    varying(stream_row("xpending", cmd_xpending, -3, kReadonly, one_key(kReads), cost_of_xpending)),
    stream_row("xrange", cmd_xrange, -4, kReadonly, one_key(kReads), cost_of_xrange),
    stream_row("xread", cmd_xread, -4, kReadonly | kBlocking, keyword_keys("STREAMS", 1, kReads, -1, 2), cost_of_xread),
    stream_row("xreadgroup", cmd_xreadgroup, -7, kWrite | kBlocking, keyword_keys("STREAMS", 4, kReads, -1, 2),
               cost_of_xread),
    stream_row("xrevrange", cmd_xrevrange, -4, kReadonly, one_key(kReads), cost_of_xrevrange),
    stream_row("xsetid", cmd_xsetid, -3, kWrite | kDenyOom | kFast, one_key(kUpdates)),
    varying(stream_row("xtrim", cmd_xtrim, -4, kWrite, one_key(kDeletes), cost_of_trim)),
};

}  // namespace

const CommandFamily kStreamCommands = kRows;

// --- Shared.

bool parse_id_argument(Context& ctx, std::string_view text, StreamId* id, uint64_t missing_seq) {
  if (parse_stream_id(text, missing_seq, id)) return true;
  ctx.error(kStreamIdError);
  return false;
}

bool parse_id_arguments(Context& ctx, size_t first, size_t count, std::vector<StreamId>* ids) {
  ids->resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (!parse_id_argument(ctx, ctx.arg(first + i), &(*ids)[i])) return false;
  }
  return true;
}

bool parse_range_start(Context& ctx, std::string_view text, StreamId* start) {
  bool exclusive;
  if (!parse_stream_range_edge(text, 0, start, &exclusive)) {
    ctx.error(kStreamIdError);
    return false;
  }
  if (!exclusive || start->increment()) return true;
  ctx.error(kRangeStartError);
  return false;
}

bool parse_range_end(Context& ctx, std::string_view text, StreamId* end) {
  bool exclusive;
  if (!parse_stream_range_edge(text, UINT64_MAX, end, &exclusive)) {
    ctx.error(kStreamIdError);
    return false;
  }
  if (!exclusive || end->decrement()) return true;
  ctx.error(kRangeEndError);
  return false;
}

void reply_entry(Reply& reply, StreamEntry& entry) {
  reply.array(2);
  reply_id(reply, entry.id);
  reply.array(static_cast<size_t>(entry.field_count) * 2);
  for (int64_t i = 0; i < entry.field_count; ++i) {
    std::string_view field, value;
    entry.next_field(&field, &value);
    reply.bulk(field);
    reply.bulk(value);
  }
}

bool reply_entry_of(Reply& reply, const Stream& stream, const StreamId& id) {
  StreamCursor cursor(stream, id, id);
  if (!cursor.next()) return false;
  reply_entry(reply, cursor.entry());
  return true;
}

void reply_range(Reply& reply, const Stream& stream, const StreamRange& range, uint64_t count_max,
                 StreamCursor::Direction direction) {
  const size_t mark = reply.deferred_begin();
  size_t count = 0;
  StreamCursor cursor(stream, range.start, range.end, direction);
  while ((count_max == 0 || count < count_max) && cursor.next()) {
    reply_entry(reply, cursor.entry());
    ++count;
  }
  reply.deferred_end_array(mark, count);
}

uint64_t cost_of_entries(const Stream& stream, const StreamRange& range, uint64_t count_max) {
  const uint64_t count = stream.estimate_count(range.start, range.end);
  return (count_max == 0 ? count : std::min(count, count_max)) * kCostPerEntry;
}

void reply_no_group(Context& ctx, std::string_view key, std::string_view group) {
  ctx.reply().error({"NOGROUP No such key '", key, "' or consumer group '", group, "'"});
}

void reply_no_group_of_key(Context& ctx, std::string_view key, std::string_view group) {
  ctx.reply().error({"NOGROUP No such consumer group '", group, "' for key name '", key, "'"});
}

bool parse_deletion(Context& ctx, size_t first, StreamDeletion* deletion) {
  bool has_ids = false;
  for (size_t i = first; i < ctx.argc(); ++i) {
    const std::string_view option = ctx.arg(i);
    if (equals_ignore_case(option, "keepref")) {
      deletion->references = StreamReferences::kKeep;
    } else if (equals_ignore_case(option, "delref")) {
      deletion->references = StreamReferences::kDelete;
    } else if (equals_ignore_case(option, "acked")) {
      deletion->references = StreamReferences::kOnlyAcknowledged;
    } else if (!has_ids && i + 1 < ctx.argc() && equals_ignore_case(option, "ids")) {
      int64_t count;
      if (!ctx.parse_range(ctx.arg(i + 1), 1, INT64_MAX, &count, kIdCountError)) return false;
      if (static_cast<uint64_t>(count) > ctx.argc() - i - 2) {
        ctx.error(kIdCountMismatchError);
        return false;
      }
      if (!parse_id_arguments(ctx, i + 2, static_cast<size_t>(count), &deletion->ids)) return false;
      has_ids = true;
      i += static_cast<size_t>(count) + 1;
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  if (!has_ids) ctx.syntax_error();
  return has_ids;
}

}  // namespace synap
