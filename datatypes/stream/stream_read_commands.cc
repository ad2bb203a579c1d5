// XREAD and XREADGROUP: entries after an id from several streams, with waiting; a group's new entries and a consumer's
// history. XREADGROUP is journaled as what it did: an XCLAIM for each entry handed out, then the group's new position.
#include <algorithm>
#include <string>
#include <vector>

#include "datatypes/stream/stream_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr std::string_view kGroupOptionError =
    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
constexpr std::string_view kNoackOptionError =
    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";
constexpr std::string_view kMissingGroupError = "ERR Missing GROUP option for XREADGROUP";
constexpr std::string_view kNewIdError =
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.";
constexpr std::string_view kMeaninglessIdEnd =
    " ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a "
    "proper ID, or use the > ID to get new messages. The ";
constexpr std::string_view kMeaninglessIdLast = " ID would just return an empty result set.";

struct ReadArguments {
  bool for_group = false;
  std::string_view group;
  std::string_view consumer;
  bool no_ack = false;
  bool blocks = false;
  int64_t timeout_ms = 0;
  uint64_t count = 0;  // 0: no limit
  size_t keys_index = 0;
  size_t key_count = 0;

  size_t key_index(size_t i) const { return keys_index + i; }
  size_t id_index(size_t i) const { return keys_index + key_count + i; }
};

// Where to read on in each stream.
struct ReadPosition {
  StreamId after;         // entries above this id
  bool only_new = false;  // ">"
};

// The STREAMS word stands at `index`.
bool parse_keys(Context& ctx, size_t index, ReadArguments* read) {
  read->keys_index = index + 1;
  const size_t words = ctx.argc() - read->keys_index;
  if (words % 2 != 0) {
    ctx.reply().error({"ERR Unbalanced '", ctx.command().display_name(),
                       "' list of streams: for each stream key an ID or '", read->for_group ? ">" : "$",
                       "' must be specified."});
    return false;
  }
  read->key_count = words / 2;
  return true;
}

bool parse_read(Context& ctx, ReadArguments* read) {
  for (size_t i = 1; i < ctx.argc() && read->keys_index == 0; ++i) {
    const std::string_view option = ctx.arg(i);
    const size_t left = ctx.argc() - i - 1;
    if (left >= 1 && equals_ignore_case(option, "block")) {
      if (!ctx.parse_timeout_ms(ctx.arg(++i), &read->timeout_ms)) return false;
      read->blocks = true;
    } else if (left >= 1 && equals_ignore_case(option, "count")) {
      int64_t count;
      if (!ctx.parse(ctx.arg(++i), &count)) return false;
      read->count = static_cast<uint64_t>(std::max<int64_t>(count, 0));
    } else if (left >= 1 && equals_ignore_case(option, "streams")) {
      if (!parse_keys(ctx, i, read)) return false;
    } else if (left >= 2 && equals_ignore_case(option, "group")) {
      if (!read->for_group) return ctx.error(kGroupOptionError), false;
      read->group = ctx.arg(i + 1);
      read->consumer = ctx.arg(i + 2);
      i += 2;
    } else if (equals_ignore_case(option, "noack")) {
      if (!read->for_group) return ctx.error(kNoackOptionError), false;
      read->no_ack = true;
    } else {
      return ctx.syntax_error(), false;
    }
  }
  if (read->keys_index == 0) return ctx.syntax_error(), false;
  if (read->for_group && read->group.data() == nullptr) return ctx.error(kMissingGroupError), false;
  return true;
}

// The id argument of one stream, which may be absent (null).
bool parse_position(Context& ctx, const ReadArguments& read, std::string_view text, const Stream* stream,
                    ReadPosition* position) {
  if (text == "$" || text == "+") {
    if (read.for_group) {
      const std::string name = "ERR The " + std::string(text);
      ctx.reply().error({name, kMeaninglessIdEnd, text, kMeaninglessIdLast});
      return false;
    }
    position->after = stream == nullptr ? StreamId::min() : stream->last_id();
    if (text == "+" && stream != nullptr && !position->after.decrement()) {
      ctx.error("ERR the stream last element ID is 0-0");
      return false;
    }
    return true;
  }
  if (text == ">") {
    if (!read.for_group) return ctx.error(kNewIdError), false;
    position->only_new = true;
    return true;
  }
  return parse_id_argument(ctx, text, &position->after);
}

// One key of the reply: in RESP2 an element [key, entries], in RESP3 a pair of a map.
void begin_stream(Reply& reply, std::string_view key) {
  if (!reply.resp3()) reply.array(2);
  reply.bulk(key);
}

void block_on_streams(Context& ctx, const ReadArguments& read, const std::vector<ReadPosition>& positions) {
  // "$" means now, not when the client is served.
  for (size_t i = 0; i < read.key_count; ++i) {
    if (ctx.arg(read.id_index(i)) == "$") ctx.pin_argument(read.id_index(i), positions[i].after.to_text());
  }
  BlockRequest request;
  const ArgViews keys = ctx.args().subspan(read.keys_index, read.key_count);
  request.keys.assign(keys.begin(), keys.end());
  request.type = ValueType::kStream;
  request.timeout_ms = read.timeout_ms;
  request.wake_on_delete = read.for_group;
  ctx.block(std::move(request));
}

// Nothing to read: waits if asked to.
void reply_nothing(Context& ctx, const ReadArguments& read, const std::vector<ReadPosition>& positions) {
  if (read.blocks) return block_on_streams(ctx, read, positions);
  ctx.reply().null_array();
}

// --- XREADGROUP for one stream.

class GroupReader {
 public:
  GroupReader(Context& ctx, const ReadArguments& read, std::string_view key, Edit<Stream>& stream)
      : ctx_(ctx), read_(read), key_(key), stream_(*stream), group_(*stream_.find_group(read.group)) {}

  // False, and nothing replied: no new entries.
  bool serve(const ReadPosition& position) {
    open_consumer();
    if (!position.only_new) {
      reply_history(position.after);
    } else if (!reply_new()) {
      return false;
    }
    ctx_.changed(key_, 1, 0, {});
    return true;
  }

 private:
  void open_consumer() {
    bool created;
    consumer_ = consumer_for(ctx_, key_, group_, read_.consumer, &created);
    // Without acknowledgements no XCLAIM would tell a replica of this consumer.
    if (created && read_.no_ack) ctx_.effect({"XGROUP", "CREATECONSUMER", key_, read_.group, read_.consumer});
    consumer_->seen_time_ms = ctx_.now_ms();
  }

  // False, and nothing replied: there are none.
  bool reply_new() {
    if (stream_.last_id() <= group_.last_id) return false;
    StreamId start = group_.last_id;
    start.increment();
    StreamCursor cursor(stream_, start, StreamId::max());
    if (!cursor.next()) return false;
    Reply& reply = ctx_.reply();
    begin_stream(reply, key_);
    const size_t mark = reply.deferred_begin();
    size_t count = 0;
    do {
      const StreamId id = cursor.entry().id;
      stream_.advance_group(&group_, id);
      reply_entry(reply, cursor.entry());
      ++count;
      if (read_.no_ack) continue;
      group_.deliver(id, consumer_, ctx_.now_ms());
      consumer_->active_time_ms = ctx_.now_ms();
      if (ctx_.journaling()) effect_claim(ctx_, key_, read_.group, group_, *group_.find_pending(id));
    } while ((read_.count == 0 || count < read_.count) && cursor.next());
    reply.deferred_end_array(mark, count);
    if (ctx_.journaling()) effect_group_position(ctx_, key_, read_.group, group_);
    return true;
  }

  // Entries delivered before and not acknowledged. A deleted one is told by a null.
  void reply_history(StreamId after) {
    Reply& reply = ctx_.reply();
    begin_stream(reply, key_);
    const size_t mark = reply.deferred_begin();
    size_t count = 0;
    const IdChunks<PendingId>& mine = consumer_->pending;
    auto at = after.increment() ? mine.lower_bound(after) : mine.end();
    for (; at != mine.end() && (read_.count == 0 || count < read_.count); at = mine.next(at), ++count) {
      const StreamId id = mine[at].id;
      if (reply_entry_of(reply, stream_, id)) {
        group_.redeliver(id, ctx_.now_ms());
      } else {
        reply.array(2);
        reply_id(reply, id);
        reply.null_array();
      }
    }
    reply.deferred_end_array(mark, count);
  }

  Context& ctx_;
  const ReadArguments& read_;
  std::string_view key_;
  Stream& stream_;
  ConsumerGroup& group_;
  StreamConsumer* consumer_ = nullptr;
};

// Where the keys begin, as parse_read walks the options: a group or a consumer may be called STREAMS. 0: they make no sense.
size_t keys_index_of(ArgViews args) {
  size_t i = 1;
  while (i + 1 < args.size() && !equals_ignore_case(args[i], "streams")) {
    if (equals_ignore_case(args[i], "group")) {
      i += 3;
    } else if (equals_ignore_case(args[i], "block") || equals_ignore_case(args[i], "count")) {
      i += 2;
    } else if (equals_ignore_case(args[i], "noack")) {
      i += 1;
    } else {
      return 0;
    }
  }
  return i + 1 < args.size() ? i + 1 : 0;
}

// Of a call that makes no sense COMMAND GETKEYS tells what Redis's key specification finds, behind argument `from`.
bool append_keys(ArgViews args, size_t from, std::vector<KeyRef>* keys) {
  size_t first = keys_index_of(args);
  for (size_t i = from; first == 0 && i + 1 < args.size(); ++i) {
    if (equals_ignore_case(args[i], "streams")) first = i + 1;
  }
  const size_t count = first == 0 ? 0 : (args.size() - first) / 2;
  for (size_t i = 0; i < count; ++i) keys->push_back({first + i, kKeyRO | kKeyAccess});
  return true;
}

}  // namespace

void cmd_xread(Context& ctx) {
  ReadArguments read;
  if (!parse_read(ctx, &read)) return;
  std::vector<const Stream*> streams(read.key_count);
  std::vector<ReadPosition> positions(read.key_count);
  for (size_t i = 0; i < read.key_count; ++i) {
    if (!ctx.read(ctx.arg(read.key_index(i)), &streams[i])) return;
    if (!parse_position(ctx, read, ctx.arg(read.id_index(i)), streams[i], &positions[i])) return;
  }

  Reply& reply = ctx.reply();
  const size_t mark = reply.deferred_begin();
  size_t served = 0;
  for (size_t i = 0; i < read.key_count; ++i) {
    StreamId last;
    if (streams[i] == nullptr || !streams[i]->last_entry_id(&last) || last <= positions[i].after) continue;
    StreamId start = positions[i].after;
    start.increment();
    ++served;
    begin_stream(reply, ctx.arg(read.key_index(i)));
    reply_range(reply, *streams[i], {start, StreamId::max()}, read.count);
  }
  if (served == 0) return reply_nothing(ctx, read, positions);
  reply.resp3() ? reply.deferred_end_map(mark, served) : reply.deferred_end_array(mark, served);
}

void cmd_xreadgroup(Context& ctx) {
  ReadArguments read;
  read.for_group = true;
  if (!parse_read(ctx, &read)) return;
  std::vector<ReadPosition> positions(read.key_count);
  for (size_t i = 0; i < read.key_count; ++i) {
    const std::string_view key = ctx.arg(read.key_index(i));
    const Stream* stream;
    if (!ctx.read(key, &stream)) return;
    if (stream == nullptr || stream->find_group(read.group) == nullptr) {
      return ctx.reply().error({"NOGROUP No such key '", quoted(key), "' or consumer group '", quoted(read.group),
                                "' in XREADGROUP with GROUP option"});
    }
    if (!parse_position(ctx, read, ctx.arg(read.id_index(i)), stream, &positions[i])) return;
  }

  ctx.no_effect();
  Reply& reply = ctx.reply();
  const size_t mark = reply.deferred_begin();
  size_t served = 0;
  for (size_t i = 0; i < read.key_count; ++i) {
    const std::string_view key = ctx.arg(read.key_index(i));
    auto stream = ctx.edit<Stream>(key);
    served += GroupReader(ctx, read, key, stream).serve(positions[i]) ? 1 : 0;
  }
  if (served == 0) return reply_nothing(ctx, read, positions);
  reply.resp3() ? reply.deferred_end_map(mark, served) : reply.deferred_end_array(mark, served);
}

bool keys_of_xread(ArgViews args, std::vector<KeyRef>* keys) {
  return append_keys(args, 1, keys);
}

bool keys_of_xreadgroup(ArgViews args, std::vector<KeyRef>* keys) {
  return append_keys(args, 4, keys);
}

uint64_t cost_of_xread(Context& ctx) {
  // Without parsing everything: the entries behind each id, within COUNT.
  const size_t first = keys_index_of(ctx.args());
  if (first == 0) return 0;
  uint64_t count_max = 0;
  for (size_t i = 1; i + 1 < first; ++i) {
    int64_t number;
    if (equals_ignore_case(ctx.arg(i), "count") && parse_int64(ctx.arg(i + 1), &number) && number > 0) {
      count_max = static_cast<uint64_t>(number);
    }
  }
  const size_t key_count = (ctx.argc() - first) / 2;
  if (are_few_entries(count_max, key_count)) return 0;
  uint64_t cost = 0;
  for (size_t i = first; i < first + key_count; ++i) {
    const Stream* stream = ctx.peek_as<Stream>(ctx.arg(i));
    if (stream == nullptr) continue;
    StreamId start;
    const std::string_view text = ctx.arg(i + key_count);
    if (text == "$" || text == "+") continue;
    const ConsumerGroup* group = text == ">" ? stream->find_group(ctx.arg(2)) : nullptr;
    if (group != nullptr) {
      start = group->last_id;
    } else if (!parse_stream_id(text, 0, &start)) {
      continue;
    }
    cost += cost_of_entries(*stream, {start, StreamId::max()}, count_max);
  }
  return cost;
}

}  // namespace synap
