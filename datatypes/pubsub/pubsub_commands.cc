// SUBSCRIBE and its kin, PUBLISH, PUBSUB.
#include "datatypes/pubsub/pubsub_commands.h"

#include "datatypes/pubsub/pubsub.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

// What the confirmations of one kind are called, and the subscriptions that they count.
struct Words {
  std::string_view subscribe, unsubscribe;
};

Words words_of(PubSubKind kind) {
  switch (kind) {
    case PubSubKind::kPattern:
      return {"psubscribe", "punsubscribe"};
    case PubSubKind::kShardChannel:
      return {"ssubscribe", "sunsubscribe"};
    default:
      return {"subscribe", "unsubscribe"};
  }
}

int64_t counted(const Session& session, PubSubKind kind) {
  const SharedSession& shared = *session.shared;
  if (kind == PubSubKind::kShardChannel) return shared.shard_channels.load(std::memory_order_relaxed);
  return int64_t{shared.channels.load(std::memory_order_relaxed)} + shared.patterns.load(std::memory_order_relaxed);
}

void write_confirmation(Reply& reply, std::string_view word, const std::string_view* name, int64_t count) {
  reply.push(3);
  reply.bulk(word);
  name == nullptr ? reply.null() : reply.bulk(*name);
  reply.integer(count);
}

// A confirmation is a push, not a reply: CLIENT REPLY OFF does not hold it back.
void confirm(Context& ctx, std::string_view word, const std::string_view* name, PubSubKind kind) {
  const Session& session = ctx.session();
  const int64_t count = counted(session, kind);
  if (!session.has(kSessionReplyOff | kSessionReplySkip)) return write_confirmation(ctx.reply(), word, name, count);
  OutputBuffer buffer;
  Reply push(&buffer, session.resp);
  write_confirmation(push, word, name, count);
  ctx.server().clients->post(session.id(), [text = buffer.to_string()](ClientPort& port) { port.deliver(text); });
}

template <PubSubKind kKind>
void cmd_subscribe(Context& ctx) {
  // Inside a script nobody could read the messages; inside EXEC they follow its reply.
  if (ctx.session().has(kSessionDenyBlocking) && !ctx.session().has(kSessionMulti)) {
    return ctx.error("ERR " + to_upper(words_of(kKind).subscribe) + " isn't allowed for a DENY BLOCKING client");
  }
  for (const std::string_view name : ctx.args().subspan(1)) {
    ctx.server().pubsub->subscribe(kKind, ctx.session(), name);
    confirm(ctx, words_of(kKind).subscribe, &name, kKind);
  }
}

template <PubSubKind kKind>
void cmd_unsubscribe(Context& ctx) {
  const std::string_view word = words_of(kKind).unsubscribe;
  std::vector<std::string> all;
  if (ctx.argc() == 1) all = ctx.server().pubsub->subscriptions(kKind, ctx.session());
  std::vector<std::string_view> names(all.begin(), all.end());
  if (ctx.argc() > 1) names.assign(ctx.args().begin() + 1, ctx.args().end());
  for (const std::string_view name : names) {
    ctx.server().pubsub->unsubscribe(kKind, ctx.session(), name);
    confirm(ctx, word, &name, kKind);
  }
  if (names.empty()) confirm(ctx, word, nullptr, kKind);
}

void cmd_publish(Context& ctx) {
  ctx.reply().integer(static_cast<int64_t>(ctx.server().pubsub->publish(ctx.arg(1), ctx.arg(2))));
}

void cmd_spublish(Context& ctx) {
  ctx.reply().integer(static_cast<int64_t>(ctx.server().pubsub->publish_to_shard(ctx.arg(1), ctx.arg(2))));
}

template <PubSubKind kKind>
void cmd_names(Context& ctx) {
  if (ctx.argc() > 3) {
    return ctx.reply().error({"ERR unknown subcommand or wrong number of arguments for '", ctx.arg(1), "'. Try PUBSUB HELP."});
  }
  std::string_view pattern;
  if (ctx.argc() == 3) pattern = ctx.arg(2);
  const std::vector<std::string> names = ctx.server().pubsub->names(kKind, ctx.argc() == 3 ? &pattern : nullptr);
  ctx.reply().array(names.size());
  for (const std::string& name : names) ctx.reply().bulk(name);
}

template <PubSubKind kKind>
void cmd_subscriber_counts(Context& ctx) {
  ctx.reply().array((ctx.argc() - 2) * 2);
  for (const std::string_view name : ctx.args().subspan(2)) {
    ctx.reply().bulk(name);
    ctx.reply().integer(static_cast<int64_t>(ctx.server().pubsub->subscribers(kKind, name)));
  }
}

void cmd_pubsub_numpat(Context& ctx) {
  ctx.reply().integer(static_cast<int64_t>(ctx.server().pubsub->count(PubSubKind::kPattern)));
}

void cmd_pubsub_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "CHANNELS [<pattern>]",
      "    Return the currently active channels matching a <pattern> (default: '*').",
      "NUMPAT",
      "    Return number of subscriptions to patterns.",
      "NUMSUB [<channel> ...]",
      "    Return the number of subscribers for the specified channels, excluding",
      "    pattern subscriptions(default: no channels).",
      "SHARDCHANNELS [<pattern>]",
      "    Return the currently active shard level channels matching a <pattern> (default: '*').",
      "SHARDNUMSUB [<shardchannel> ...]",
      "    Return the number of subscribers for the specified shard level channel(s)",
  };
  reply_help(ctx, kLines);
}

constexpr uint64_t kPubsubFlags = kPubsub | kLoading | kStale;
constexpr uint64_t kListenerFlags = kPubsubFlags | kNoScript | kPubsubInResp2;

constexpr Command kPubsubSubcommands[] = {
    {.name = "channels", .handler = cmd_names<PubSubKind::kChannel>, .arity = -2, .flags = kPubsubFlags},
    {.name = "help", .handler = cmd_pubsub_help, .arity = 2, .flags = kLoading | kStale},
    {.name = "numpat", .handler = cmd_pubsub_numpat, .arity = 2, .flags = kPubsubFlags},
    {.name = "numsub", .handler = cmd_subscriber_counts<PubSubKind::kChannel>, .arity = -2, .flags = kPubsubFlags},
    {.name = "shardchannels", .handler = cmd_names<PubSubKind::kShardChannel>, .arity = -2, .flags = kPubsubFlags},
    {.name = "shardnumsub", .handler = cmd_subscriber_counts<PubSubKind::kShardChannel>, .arity = -2,
     .flags = kPubsubFlags},
};

constexpr KeySpec kShardChannelSpec = key_range(1, -1, 1, kKeyNotKey);

constexpr Command kRows[] = {
    {.name = "publish", .handler = cmd_publish, .arity = 3, .flags = kPubsubFlags | kFast | kMayReplicate | kChannelPublished},
    {.name = "spublish", .handler = cmd_spublish, .arity = 3, .flags = kPubsubFlags | kFast | kMayReplicate | kChannelPublished,
     .key_specs = {key_range(1, 1, 1, kKeyNotKey)}},
    {.name = "subscribe", .handler = cmd_subscribe<PubSubKind::kChannel>, .arity = -2,
     .flags = kListenerFlags | kChannelsSubscribed},
    {.name = "psubscribe", .handler = cmd_subscribe<PubSubKind::kPattern>, .arity = -2,
     .flags = kListenerFlags | kPatternsSubscribed},
    {.name = "ssubscribe", .handler = cmd_subscribe<PubSubKind::kShardChannel>, .arity = -2,
     .flags = kListenerFlags | kChannelsSubscribed, .key_specs = {kShardChannelSpec}},
    {.name = "unsubscribe", .handler = cmd_unsubscribe<PubSubKind::kChannel>, .arity = -1, .flags = kListenerFlags},
    {.name = "punsubscribe", .handler = cmd_unsubscribe<PubSubKind::kPattern>, .arity = -1, .flags = kListenerFlags},
    {.name = "sunsubscribe", .handler = cmd_unsubscribe<PubSubKind::kShardChannel>, .arity = -1, .flags = kListenerFlags,
     .key_specs = {kShardChannelSpec}},
    {.name = "pubsub", .arity = -2, .subcommands = kPubsubSubcommands},
};

}  // namespace

const CommandFamily kPubSubCommands = kRows;

}  // namespace synap
