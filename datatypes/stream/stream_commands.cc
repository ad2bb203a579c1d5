// The table of the stream commands; XDEL, XDELEX, XLEN, XRANGE, XREVRANGE, XSETID; the shared replies.
#include "datatypes/stream/stream_commands.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr std::string_view kRangeStartError = "ERR invalid start ID for the interval";
constexpr std::string_view kRangeEndError = "ERR invalid end ID for the interval";
constexpr std::string_view kIdCountError = "ERR Number of IDs must be a positive integer";
constexpr std::string_view kIdCountMismatchError = "ERR The `numids` parameter must match the number of arguments";

// Elements of the slow lane's measure that an entry of a few fields takes.
constexpr uint64_t kCostPerEntry = 3;

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
  int64_t count = 0;
  if (ctx.argc() == 6 && !parse_int64(ctx.arg(5), &count)) return 0;
  const auto count_max = static_cast<uint64_t>(std::max<int64_t>(count, 0));
  if (are_few_entries(count_max)) return 0;
  const Stream* stream = ctx.peek_as<Stream>(ctx.arg(1));
  if (stream == nullptr) return 0;
  StreamRange range;
  bool exclusive;
  if (!parse_stream_range_edge(ctx.arg(reverse ? 3 : 2), 0, &range.start, &exclusive) ||
      !parse_stream_range_edge(ctx.arg(reverse ? 2 : 3), UINT64_MAX, &range.end, &exclusive)) {
    return 0;
  }
  return cost_of_entries(*stream, range, count_max);
}
uint64_t cost_of_xrange(Context& ctx) {
  return cost_of_range(ctx, false);
}
uint64_t cost_of_xrevrange(Context& ctx) {
  return cost_of_range(ctx, true);
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

constexpr Command reading(std::string_view name, Handler handler, int arity, uint64_t flags, int options_at,
                          KeyFunction keys) {
  Command row = stream_row(name, handler, arity, flags | kBlocking, keyword_keys("STREAMS", options_at, kReads, -1, 2),
                           cost_of_xread);
  row.keys = keys;
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
    {.name = "xgroup", .arity = -2, .subcommands = kXgroup},
    {.name = "xinfo", .arity = -2, .subcommands = kXinfo},
    stream_row("xlen", cmd_xlen, 2, kReadonly | kFast, one_key(kKeyRO)),
    varying(stream_row("xpending", cmd_xpending, -3, kReadonly, one_key(kReads), cost_of_xpending)),
    stream_row("xrange", cmd_xrange, -4, kReadonly, one_key(kReads), cost_of_xrange),
    reading("xread", cmd_xread, -4, kReadonly, 1, keys_of_xread),
    reading("xreadgroup", cmd_xreadgroup, -7, kWrite, 4, keys_of_xreadgroup),
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

bool are_few_entries(uint64_t count_max, size_t streams) {
  return count_max != 0 && count_max <= kSlowLaneCost / kCostPerEntry / std::max<size_t>(streams, 1);
}

uint64_t cost_of_entries(const Stream& stream, const StreamRange& range, uint64_t count_max) {
  const uint64_t count = stream.estimate_count(range.start, range.end);
  return (count_max == 0 ? count : std::min(count, count_max)) * kCostPerEntry;
}

void reply_no_group(Context& ctx, std::string_view key, std::string_view group) {
  ctx.reply().error({"NOGROUP No such key '", quoted(key), "' or consumer group '", quoted(group), "'"});
}

void reply_no_group_of_key(Context& ctx, std::string_view key, std::string_view group) {
  ctx.reply().error({"NOGROUP No such consumer group '", quoted(group), "' for key name '", quoted(key), "'"});
}

void reply_subcommand_error(Context& ctx) {
  constexpr size_t kQuotedBytesMax = 128;
  ctx.reply().error({kUnknownSubcommandArityBegin, quoted(ctx.arg(1)).substr(0, kQuotedBytesMax),
                     kUnknownSubcommandMiddle, to_upper(ctx.arg(0)), kUnknownSubcommandEnd});
}

bool parse_references(std::string_view option, StreamReferences* references) {
  if (equals_ignore_case(option, "keepref")) {
    *references = StreamReferences::kKeep;
  } else if (equals_ignore_case(option, "delref")) {
    *references = StreamReferences::kDelete;
  } else if (equals_ignore_case(option, "acked")) {
    *references = StreamReferences::kOnlyAcknowledged;
  } else {
    return false;
  }
  return true;
}

bool parse_deletion(Context& ctx, size_t first, StreamDeletion* deletion) {
  bool has_ids = false;
  for (size_t i = first; i < ctx.argc(); ++i) {
    const std::string_view option = ctx.arg(i);
    if (parse_references(option, &deletion->references)) continue;
    if (!has_ids && i + 1 < ctx.argc() && equals_ignore_case(option, "ids")) {
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
