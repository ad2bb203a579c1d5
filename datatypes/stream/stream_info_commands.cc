// XINFO: what a stream, its groups and their consumers are made of.
#include <algorithm>
#include <string_view>

#include "datatypes/stream/stream_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/help_reply.h"

namespace synap {

namespace {

void pair(Reply& reply, std::string_view name, int64_t value) {
  reply.bulk(name);
  reply.integer(value);
}

void pair(Reply& reply, std::string_view name, const StreamId& id) {
  reply.bulk(name);
  reply_id(reply, id);
}

void pair(Reply& reply, std::string_view name, size_t count) {
  pair(reply, name, static_cast<int64_t>(count));
}

// The stream, or null: an error was replied.
const Stream* stream_or_reply(Context& ctx) {
  const Stream* stream;
  if (!ctx.read(ctx.arg(2), &stream)) return nullptr;
  if (stream == nullptr) ctx.error(kNoSuchKeyError);
  return stream;
}

// "entries-read" and "lag", each null when unknown.
void reply_progress(Reply& reply, const Stream& stream, const ConsumerGroup& group) {
  reply.bulk("entries-read");
  if (group.entries_read == ConsumerGroup::kEntriesReadUnknown) {
    reply.null();
  } else {
    reply.integer(group.entries_read);
  }
  reply.bulk("lag");
  if (const auto lag = stream.group_lag(group)) {
    reply.integer(*lag);
  } else {
    reply.null();
  }
}

void reply_common(Reply& reply, const Stream& stream) {
  pair(reply, "length", stream.length());
  pair(reply, "radix-tree-keys", stream.blocks().size());
  pair(reply, "radix-tree-nodes", stream.radix_tree_nodes());
  pair(reply, "last-generated-id", stream.last_id());
  pair(reply, "max-deleted-entry-id", stream.max_deleted_id());
  pair(reply, "entries-added", stream.entries_added());
  pair(reply, "recorded-first-entry-id", stream.first_id());
}

void reply_edge_entry(Reply& reply, const Stream& stream, StreamCursor::Direction direction) {
  StreamCursor cursor(stream, StreamId::min(), StreamId::max(), direction);
  if (!cursor.next()) return reply.null();
  reply_entry(reply, cursor.entry());
}

void reply_stream(Reply& reply, const Stream& stream) {
  reply.map(10);
  reply_common(reply, stream);
  pair(reply, "groups", stream.groups().size());
  reply.bulk("first-entry");
  reply_edge_entry(reply, stream, StreamCursor::Direction::kForward);
  reply.bulk("last-entry");
  reply_edge_entry(reply, stream, StreamCursor::Direction::kReverse);
}

// reply_record(id) for at most `count_max` (0: all) of a pending list, as an array.
template <class T, class ReplyRecord>
void reply_pending(Reply& reply, const IdChunks<T>& pending, uint64_t count_max, ReplyRecord reply_record) {
  const size_t count = count_max == 0 ? pending.size() : std::min<size_t>(pending.size(), count_max);
  reply.bulk("pending");
  reply.array(count);
  auto at = pending.begin();
  for (size_t i = 0; i < count; ++i, at = pending.next(at)) reply_record(pending[at].id);
}

void reply_full_consumer(Reply& reply, const ConsumerGroup& group, const StreamConsumer& consumer, uint64_t count_max) {
  reply.map(5);
  reply.bulk("name");
  reply.bulk(consumer.name);
  pair(reply, "seen-time", consumer.seen_time_ms);
  pair(reply, "active-time", consumer.active_time_ms);
  pair(reply, "pel-count", consumer.pending.size());
  reply_pending(reply, consumer.pending, count_max, [&](const StreamId& id) {
    const PendingEntry& pending = *group.find_pending(id);
    reply.array(3);
    reply_id(reply, id);
    reply.integer(pending.delivery_time_ms);
    reply.integer(static_cast<int64_t>(pending.delivery_count));
  });
}

void reply_full_group(Reply& reply, const Stream& stream, const Stream::Groups::value_type& named, uint64_t count_max) {
  const ConsumerGroup& group = named.second;
  reply.map(7);
  reply.bulk("name");
  reply.bulk(named.first);
  pair(reply, "last-delivered-id", group.last_id);
  reply_progress(reply, stream, group);
  pair(reply, "pel-count", group.pending().size());
  reply_pending(reply, group.pending(), count_max, [&](const StreamId& id) {
    const PendingEntry& pending = *group.find_pending(id);
    reply.array(4);
    reply_id(reply, id);
    reply.bulk(pending.consumer->name);
    reply.integer(pending.delivery_time_ms);
    reply.integer(static_cast<int64_t>(pending.delivery_count));
  });
  reply.bulk("consumers");
  reply.array(group.consumers().size());
  for (const auto& [name, consumer] : group.consumers()) reply_full_consumer(reply, group, consumer, count_max);
}

void reply_full_stream(Reply& reply, const Stream& stream, uint64_t count_max) {
  reply.map(9);
  reply_common(reply, stream);
  reply.bulk("entries");
  reply_range(reply, stream, {}, count_max);
  reply.bulk("groups");
  reply.array(stream.groups().size());
  for (const auto& named : stream.groups()) reply_full_group(reply, stream, named, count_max);
}

constexpr int64_t kFullCountDefault = 10;

enum class Detail { kSummary, kFull, kWrong };
// [FULL [COUNT n]]; `count` is the text of n, if given.
Detail parse_detail(Context& ctx, std::string_view* count) {
  if (ctx.argc() == 3) return Detail::kSummary;
  if ((ctx.argc() != 4 && ctx.argc() != 6) || !equals_ignore_case(ctx.arg(3), "full")) return Detail::kWrong;
  if (ctx.argc() == 4) return Detail::kFull;
  if (!equals_ignore_case(ctx.arg(4), "count")) return Detail::kWrong;
  *count = ctx.arg(5);
  return Detail::kFull;
}

}  // namespace

void cmd_xinfo_stream(Context& ctx) {
  const Stream* stream = stream_or_reply(ctx);
  if (stream == nullptr) return;
  std::string_view count_text;
  const Detail detail = parse_detail(ctx, &count_text);
  if (detail == Detail::kWrong) {
    return reply_subcommand_error(ctx);
  }
  int64_t count = kFullCountDefault;
  if (!count_text.empty() && !ctx.parse(count_text, &count)) return;
  if (count < 0) count = kFullCountDefault;
  if (detail == Detail::kSummary) return reply_stream(ctx.reply(), *stream);
  reply_full_stream(ctx.reply(), *stream, static_cast<uint64_t>(count));
}

void cmd_xinfo_groups(Context& ctx) {
  const Stream* stream = stream_or_reply(ctx);
  if (stream == nullptr) return;
  Reply& reply = ctx.reply();
  reply.array(stream->groups().size());
  for (const auto& [name, group] : stream->groups()) {
    reply.map(6);
    reply.bulk("name");
    reply.bulk(name);
    pair(reply, "consumers", group.consumers().size());
    pair(reply, "pending", group.pending().size());
    pair(reply, "last-delivered-id", group.last_id);
    reply_progress(reply, *stream, group);
  }
}

void cmd_xinfo_consumers(Context& ctx) {
  const Stream* stream = stream_or_reply(ctx);
  if (stream == nullptr) return;
  const ConsumerGroup* group = stream->find_group(ctx.arg(3));
  if (group == nullptr) return reply_no_group_of_key(ctx, ctx.arg(2), ctx.arg(3));
  Reply& reply = ctx.reply();
  reply.array(group->consumers().size());
  for (const auto& [name, consumer] : group->consumers()) {
    const bool never_active = consumer.active_time_ms == StreamConsumer::kNeverActive;
    reply.map(4);
    reply.bulk("name");
    reply.bulk(name);
    pair(reply, "pending", consumer.pending.size());
    pair(reply, "idle", std::max<int64_t>(ctx.now_ms() - consumer.seen_time_ms, 0));
    pair(reply, "inactive", never_active ? StreamConsumer::kNeverActive : ctx.now_ms() - consumer.active_time_ms);
  }
}

void cmd_xinfo_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "CONSUMERS <key> <groupname>",
      "    Show consumers of <groupname>.",
      "GROUPS <key>",
      "    Show the stream consumer groups.",
      "STREAM <key> [FULL [COUNT <count>]",
      "    Show information about the stream.",
  };
  reply_help(ctx, kLines);
}

uint64_t cost_of_xinfo_stream(Context& ctx) {
  constexpr uint64_t kNodesPerCost = 16;
  const Stream* stream = ctx.peek_as<Stream>(ctx.arg(2));
  if (stream == nullptr) return 0;
  uint64_t cost = stream->blocks().size() / kNodesPerCost;
  std::string_view count_text;
  if (parse_detail(ctx, &count_text) != Detail::kFull) return cost;
  int64_t count = kFullCountDefault;
  if (!count_text.empty() && !parse_int64(count_text, &count)) return 0;
  if (count < 0) count = kFullCountDefault;
  const auto shown = [&](uint64_t all) { return count == 0 ? all : std::min(all, static_cast<uint64_t>(count)); };
  cost += cost_of_entries(*stream, {}, static_cast<uint64_t>(count));
  for (const auto& [name, group] : stream->groups()) {
    cost += 2 * shown(group.pending().size()) + group.consumers().size();
  }
  return cost;
}

}  // namespace synap
