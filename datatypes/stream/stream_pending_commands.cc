// XACK, XACKDEL, XPENDING, XCLAIM, XAUTOCLAIM: what happens to entries between delivery and acknowledgement.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "datatypes/stream/stream_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

// Pending entries that XAUTOCLAIM looks at for each one it may claim.
constexpr uint64_t kClaimAttemptsFactor = 10;

const ConsumerGroup* find_group_or_reply(Context& ctx, std::string_view key, std::string_view name) {
  const Stream* stream;
  if (!ctx.read(key, &stream)) return nullptr;
  const ConsumerGroup* group = stream == nullptr ? nullptr : stream->find_group(name);
  if (group == nullptr) reply_no_group(ctx, key, name);
  return group;
}

int64_t idle_ms(Context& ctx, const PendingEntry& pending) {
  return ctx.now_ms() - pending.delivery_time_ms;
}

}  // namespace

void effect_claim(Context& ctx, std::string_view key, std::string_view group_name, const ConsumerGroup& group,
                  const PendingEntry& pending) {
  if (!ctx.journaling()) return;
  const StreamIdText id(pending.id);
  const StreamIdText last_id(group.last_id);
  const std::string time = to_text(pending.delivery_time_ms);
  const std::string count = to_text(pending.delivery_count);
  ctx.effect({"XCLAIM", key, group_name, pending.consumer->name, "0", id.view(), "TIME", time, "RETRYCOUNT", count,
              "FORCE", "JUSTID", "LASTID", last_id.view()});
}

// --- XACK, XACKDEL.

void cmd_xack(Context& ctx) {
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  ConsumerGroup* group = stream.exists() ? stream->find_group(ctx.arg(2)) : nullptr;
  if (group == nullptr) return ctx.reply().zero();
  std::vector<StreamId> ids;
  if (!parse_id_arguments(ctx, 3, ctx.argc() - 3, &ids)) return;
  uint64_t acknowledged = 0;
  for (const StreamId& id : ids) acknowledged += group->acknowledge(id) ? 1 : 0;
  if (acknowledged > 0) ctx.changed(ctx.arg(1), acknowledged, 0, {});
  ctx.reply().integer(static_cast<int64_t>(acknowledged));
}

void cmd_xackdel(Context& ctx) {
  StreamDeletion deletion;
  if (!parse_deletion(ctx, 3, &deletion)) return;
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  ConsumerGroup* group = stream.exists() ? stream->find_group(ctx.arg(2)) : nullptr;
  Reply& reply = ctx.reply();
  reply.array(deletion.ids.size());
  uint64_t acknowledged = 0;
  uint64_t deleted = 0;
  for (const StreamId& id : deletion.ids) {
    if (group == nullptr || !group->acknowledge(id)) {
      reply.integer(kDeletionNoId);
      continue;
    }
    ++acknowledged;
    if (deletion.references == StreamReferences::kOnlyAcknowledged && stream->referenced_by_groups(id)) {
      reply.integer(kDeletionStillReferenced);
      continue;
    }
    if (deletion.references == StreamReferences::kDelete) stream->forget_references(id);
    deleted += stream->erase(id) ? 1 : 0;
    reply.integer(kDeletionDone);
  }
  if (deleted > 0) {
    stream.changed(acknowledged, kEventStream, "xdel");
  } else if (acknowledged > 0) {
    ctx.changed(ctx.arg(1), acknowledged, 0, {});
  }
}

// --- XPENDING.

namespace {

struct PendingQuery {
  int64_t min_idle_ms = 0;
  StreamRange range;
  uint64_t count = 0;
  std::optional<std::string_view> consumer;
};

bool parse_pending_query(Context& ctx, PendingQuery* query) {
  size_t at = 3;
  if (equals_ignore_case(ctx.arg(3), "idle")) {
    if (!ctx.parse(ctx.arg(4), &query->min_idle_ms)) return false;
    if (ctx.argc() < 8) return ctx.syntax_error(), false;
    at += 2;
  }
  int64_t count;
  if (!ctx.parse(ctx.arg(at + 2), &count)) return false;
  query->count = static_cast<uint64_t>(std::max<int64_t>(count, 0));
  if (!parse_range_start(ctx, ctx.arg(at), &query->range.start)) return false;
  if (!parse_range_end(ctx, ctx.arg(at + 1), &query->range.end)) return false;
  if (at + 3 < ctx.argc()) query->consumer = ctx.arg(at + 3);
  return true;
}

void reply_pending_summary(Context& ctx, const ConsumerGroup& group) {
  Reply& reply = ctx.reply();
  reply.array(4);
  reply.integer(static_cast<int64_t>(group.pending().size()));
  if (group.pending().empty()) {
    reply.null();
    reply.null();
    reply.null_array();
    return;
  }
  reply_id(reply, group.pending().front().id);
  reply_id(reply, group.pending().back().id);
  const size_t mark = reply.deferred_begin();
  size_t count = 0;
  for (const auto& [name, consumer] : group.consumers()) {
    if (consumer.pending.empty()) continue;
    reply.array(2);
    reply.bulk(name);
    reply.bulk_int(static_cast<int64_t>(consumer.pending.size()));
    ++count;
  }
  reply.deferred_end_array(mark, count);
}

// False: not idle for long enough, nothing replied.
bool reply_pending_entry(Context& ctx, const PendingQuery& query, const PendingEntry& pending) {
  const int64_t idle = idle_ms(ctx, pending);
  if (query.min_idle_ms != 0 && idle < query.min_idle_ms) return false;
  Reply& reply = ctx.reply();
  reply.array(4);
  reply_id(reply, pending.id);
  reply.bulk(pending.consumer->name);
  reply.integer(std::max<int64_t>(idle, 0));
  reply.integer(static_cast<int64_t>(pending.delivery_count));
  return true;
}

// visit(pending record) in the range, of all consumers or one, until it returns false.
template <class T, class Visit>
void walk_range(const IdChunks<T>& ids, const StreamRange& range, Visit visit) {
  for (auto at = ids.lower_bound(range.start); at != ids.end() && ids[at].id <= range.end; at = ids.next(at)) {
    if (!visit(ids[at])) return;
  }
}

void reply_pending_entries(Context& ctx, const ConsumerGroup& group, const PendingQuery& query) {
  const StreamConsumer* consumer = query.consumer ? group.find_consumer(*query.consumer) : nullptr;
  if (query.consumer && consumer == nullptr) return ctx.reply().empty_array();
  const size_t mark = ctx.reply().deferred_begin();
  size_t count = 0;
  const auto visit = [&](const PendingEntry& pending) {
    if (count == query.count) return false;
    count += reply_pending_entry(ctx, query, pending) ? 1 : 0;
    return true;
  };
  if (consumer == nullptr) {
    walk_range(group.pending(), query.range, visit);
  } else {
    walk_range(consumer->pending, query.range,
               [&](const PendingId& mine) { return visit(*group.find_pending(mine.id)); });
  }
  ctx.reply().deferred_end_array(mark, count);
}

}  // namespace

void cmd_xpending(Context& ctx) {
  const bool is_summary = ctx.argc() == 3;
  if (!is_summary && (ctx.argc() < 6 || ctx.argc() > 9)) return ctx.syntax_error();
  PendingQuery query;
  if (!is_summary && !parse_pending_query(ctx, &query)) return;
  const ConsumerGroup* group = find_group_or_reply(ctx, ctx.arg(1), ctx.arg(2));
  if (group == nullptr) return;
  is_summary ? reply_pending_summary(ctx, *group) : reply_pending_entries(ctx, *group, query);
}

// --- XCLAIM.

namespace {

struct ClaimOptions {
  int64_t min_idle_ms = 0;
  int64_t delivery_time_ms = -1;  // -1: now
  int64_t retry_count = -1;       // -1: one more, or as it was with JUSTID
  bool force = false;
  bool just_id = false;
  StreamId last_id;
  std::vector<StreamId> ids;
};

bool parse_claim_option(Context& ctx, size_t* index, ClaimOptions* options) {
  const std::string_view option = ctx.arg(*index);
  const bool has_value = *index + 1 < ctx.argc();
  if (equals_ignore_case(option, "force")) {
    options->force = true;
    return true;
  }
  if (equals_ignore_case(option, "justid")) {
    options->just_id = true;
    return true;
  }
  if (has_value && equals_ignore_case(option, "idle")) {
    int64_t idle;
    if (!ctx.parse(ctx.arg(++*index), &idle, "ERR Invalid IDLE option argument for XCLAIM")) return false;
    // Out of the clock's range either way means "now", as any time in the future does.
    if (__builtin_sub_overflow(ctx.now_ms(), idle, &options->delivery_time_ms)) options->delivery_time_ms = -1;
    return true;
  }
  if (has_value && equals_ignore_case(option, "time")) {
    return ctx.parse(ctx.arg(++*index), &options->delivery_time_ms, "ERR Invalid TIME option argument for XCLAIM");
  }
  if (has_value && equals_ignore_case(option, "retrycount")) {
    return ctx.parse(ctx.arg(++*index), &options->retry_count, "ERR Invalid RETRYCOUNT option argument for XCLAIM");
  }
  if (has_value && equals_ignore_case(option, "lastid")) {
    return parse_id_argument(ctx, ctx.arg(++*index), &options->last_id);
  }
  ctx.reply().error({"ERR Unrecognized XCLAIM option '", quoted(option), "'"});
  return false;
}

bool parse_claim(Context& ctx, ClaimOptions* options) {
  if (!ctx.parse(ctx.arg(4), &options->min_idle_ms, "ERR Invalid min-idle-time argument for XCLAIM")) return false;
  options->min_idle_ms = std::max<int64_t>(options->min_idle_ms, 0);
  // Ids come first; what is no id begins the options.
  size_t i = 5;
  for (StreamId id; i < ctx.argc() && parse_stream_id(ctx.arg(i), 0, &id); ++i) options->ids.push_back(id);
  for (; i < ctx.argc(); ++i) {
    if (!parse_claim_option(ctx, &i, options)) return false;
  }
  int64_t& time = options->delivery_time_ms;
  if (time < 0 || time > ctx.now_ms()) time = ctx.now_ms();
  return true;
}

// What XCLAIM and XAUTOCLAIM do to one entry, for a group and a consumer.
class Claimer {
 public:
  enum class Outcome { kPassed, kClaimed, kEntryDeleted };

  Claimer(Context& ctx, Stream& stream, ConsumerGroup& group, const ClaimOptions& options)
      : ctx_(ctx), stream_(stream), group_(group), options_(options) {
    bool created;
    consumer_ = consumer_for(ctx, key(), group, ctx.arg(3), &created);
    consumer_->seen_time_ms = ctx.now_ms();
  }

  // Replies a claimed entry. One that is pending but no longer in the stream leaves the pending list.
  Outcome claim(const StreamId& id) {
    const PendingEntry* pending = group_.find_pending(id);
    if (!stream_.contains(id)) {
      if (pending == nullptr) return Outcome::kPassed;
      effect_claim(ctx_, key(), group_name(), group_, *pending);
      group_.acknowledge(id);
      ctx_.changed(key(), 1, 0, {});
      return Outcome::kEntryDeleted;
    }
    if (pending == nullptr && !options_.force) return Outcome::kPassed;
    const bool too_fresh =
        pending != nullptr && options_.min_idle_ms != 0 && idle_ms(ctx_, *pending) < options_.min_idle_ms;
    if (too_fresh) return Outcome::kPassed;
    uint64_t count = pending == nullptr ? 1 : pending->delivery_count;
    if (options_.retry_count >= 0) {
      count = static_cast<uint64_t>(options_.retry_count);
    } else if (!options_.just_id) {
      ++count;
    }
    group_.assign(id, consumer_, options_.delivery_time_ms, count);
    consumer_->active_time_ms = ctx_.now_ms();
    options_.just_id ? reply_id(ctx_.reply(), id) : static_cast<void>(reply_entry_of(ctx_.reply(), stream_, id));
    effect_claim(ctx_, key(), group_name(), group_, *group_.find_pending(id));
    ctx_.changed(key(), 1, 0, {});
    return Outcome::kClaimed;
  }

 private:
  std::string_view key() const { return ctx_.arg(1); }
  std::string_view group_name() const { return ctx_.arg(2); }

  Context& ctx_;
  Stream& stream_;
  ConsumerGroup& group_;
  const ClaimOptions& options_;
  StreamConsumer* consumer_;
};

}  // namespace

void cmd_xclaim(Context& ctx) {
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  ConsumerGroup* group = stream.exists() ? stream->find_group(ctx.arg(2)) : nullptr;
  if (group == nullptr) return reply_no_group(ctx, ctx.arg(1), ctx.arg(2));
  ClaimOptions options;
  if (!parse_claim(ctx, &options)) return;

  ctx.no_effect();
  bool position_untold = options.last_id > group->last_id;
  if (position_untold) group->last_id = options.last_id;
  Claimer claimer(ctx, *stream, *group, options);
  Reply& reply = ctx.reply();
  const size_t mark = reply.deferred_begin();
  size_t count = 0;
  for (const StreamId& id : options.ids) {
    const Claimer::Outcome outcome = claimer.claim(id);
    if (outcome != Claimer::Outcome::kPassed) position_untold = false;  // each XCLAIM says LASTID
    if (outcome == Claimer::Outcome::kClaimed) ++count;
  }
  if (position_untold) {
    effect_group_position(ctx, ctx.arg(1), ctx.arg(2), *group);
    ctx.changed(ctx.arg(1), 1, 0, {});
  }
  reply.deferred_end_array(mark, count);
}

// --- XAUTOCLAIM.

namespace {

struct AutoclaimArguments {
  ClaimOptions claim;
  StreamId start;
  int64_t count = 100;
};

bool parse_autoclaim(Context& ctx, AutoclaimArguments* arguments) {
  constexpr int64_t kCountMax =
      INT64_MAX / static_cast<int64_t>(std::max<uint64_t>(sizeof(StreamId), kClaimAttemptsFactor));
  int64_t& min_idle = arguments->claim.min_idle_ms;
  if (!ctx.parse(ctx.arg(4), &min_idle, "ERR Invalid min-idle-time argument for XAUTOCLAIM")) return false;
  min_idle = std::max<int64_t>(min_idle, 0);
  if (!parse_range_start(ctx, ctx.arg(5), &arguments->start)) return false;
  for (size_t i = 6; i < ctx.argc(); ++i) {
    if (equals_ignore_case(ctx.arg(i), "count") && i + 1 < ctx.argc()) {
      if (!ctx.parse_range(ctx.arg(++i), 1, kCountMax, &arguments->count, "ERR COUNT must be > 0")) return false;
    } else if (equals_ignore_case(ctx.arg(i), "justid")) {
      arguments->claim.just_id = true;
    } else {
      return ctx.syntax_error(), false;
    }
  }
  arguments->claim.delivery_time_ms = ctx.now_ms();
  return true;
}

}  // namespace

void cmd_xautoclaim(Context& ctx) {
  AutoclaimArguments arguments;
  if (!parse_autoclaim(ctx, &arguments)) return;
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  ConsumerGroup* group = stream.exists() ? stream->find_group(ctx.arg(2)) : nullptr;
  if (group == nullptr) return reply_no_group(ctx, ctx.arg(1), ctx.arg(2));

  ctx.no_effect();
  Claimer claimer(ctx, *stream, *group, arguments.claim);
  Reply& reply = ctx.reply();
  reply.array(3);
  const size_t mark = reply.deferred_begin();
  const IdChunks<PendingEntry>& pending = group->pending();
  std::vector<StreamId> deleted;
  size_t claimed = 0;
  uint64_t attempts = static_cast<uint64_t>(arguments.count) * kClaimAttemptsFactor;
  auto at = pending.lower_bound(arguments.start);
  for (; attempts > 0 && claimed + deleted.size() < static_cast<uint64_t>(arguments.count) && at != pending.end();
       --attempts) {
    const StreamId id = pending[at].id;
    const Claimer::Outcome outcome = claimer.claim(id);
    if (outcome == Claimer::Outcome::kEntryDeleted) {
      deleted.push_back(id);
      at = pending.lower_bound(id);
      continue;
    }
    claimed += outcome == Claimer::Outcome::kClaimed ? 1 : 0;
    at = pending.next(at);
  }
  reply.deferred_end_array(mark, claimed);
  // The cursor is known only now but stands before the entries.
  const StreamIdText cursor(at == pending.end() ? StreamId() : pending[at].id);
  reply.buffer().insert(mark, "$" + to_text(cursor.view().size()) + "\r\n" + std::string(cursor.view()) + "\r\n");
  reply.array(deleted.size());
  for (const StreamId& id : deleted) reply_id(reply, id);
}

// --- Costs for the slow lane.

uint64_t cost_of_xpending(Context& ctx) {
  const Stream* stream = ctx.peek_as<Stream>(ctx.arg(1));
  const ConsumerGroup* group = stream == nullptr ? nullptr : stream->find_group(ctx.arg(2));
  if (group == nullptr) return 0;
  if (ctx.argc() == 3) return group->consumers().size();
  if (ctx.argc() < 6) return 0;
  const bool with_idle = equals_ignore_case(ctx.arg(3), "idle");  // passes over what is not idle for long enough
  int64_t count;
  if (with_idle || !parse_int64(ctx.arg(5), &count)) return group->pending().size();
  return std::min<uint64_t>(group->pending().size(), static_cast<uint64_t>(std::max<int64_t>(count, 0)));
}

uint64_t cost_of_xautoclaim(Context& ctx) {
  const Stream* stream = ctx.peek_as<Stream>(ctx.arg(1));
  const ConsumerGroup* group = stream == nullptr ? nullptr : stream->find_group(ctx.arg(2));
  if (group == nullptr) return 0;
  for (size_t i = 6; i + 1 < ctx.argc(); ++i) {
    int64_t count;
    if (!equals_ignore_case(ctx.arg(i), "count") || !parse_int64(ctx.arg(i + 1), &count)) continue;
    return std::min<uint64_t>(group->pending().size(), static_cast<uint64_t>(std::max<int64_t>(count, 0))) *
           kClaimAttemptsFactor;
  }
  return 0;
}

}  // namespace synap
