// XGROUP: making, moving and removing consumer groups and consumers.
#include <string_view>

#include "datatypes/stream/stream_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/help_reply.h"

namespace synap {

namespace {

constexpr std::string_view kNoKeyError =
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically.";
constexpr std::string_view kGroupExistsError = "BUSYGROUP Consumer Group name already exists";
constexpr std::string_view kEntriesReadError = "ERR value for ENTRIESREAD must be positive or -1";

// Options may not be repeated: one MKSTREAM and one ENTRIESREAD.
constexpr size_t kCreateArgumentsMax = 8;
constexpr size_t kSetIdArgumentsMax = 7;

struct GroupOptions {
  bool make_stream = false;
  int64_t entries_read = ConsumerGroup::kEntriesReadUnknown;
};

// What follows XGROUP CREATE's and SETID's id.
bool parse_options(Context& ctx, bool is_create, GroupOptions* options) {
  for (size_t i = 5; i < ctx.argc(); ++i) {
    if (is_create && equals_ignore_case(ctx.arg(i), "mkstream")) {
      options->make_stream = true;
    } else if (equals_ignore_case(ctx.arg(i), "entriesread") && i + 1 < ctx.argc()) {
      if (!ctx.parse(ctx.arg(++i), &options->entries_read)) return false;
      if (options->entries_read < 0 && options->entries_read != ConsumerGroup::kEntriesReadUnknown) {
        ctx.error(kEntriesReadError);
        return false;
      }
    } else {
      reply_subcommand_error(ctx);
      return false;
    }
  }
  return true;
}

// The group of the call, or null: an error was replied.
ConsumerGroup* group_of_call(Context& ctx, Edit<Stream>& stream) {
  if (stream.wrong_type()) return nullptr;
  if (!stream.exists()) return ctx.error(kNoKeyError), nullptr;
  ConsumerGroup* group = stream->find_group(ctx.arg(3));
  if (group == nullptr) reply_no_group_of_key(ctx, ctx.arg(2), ctx.arg(3));
  return group;
}

}  // namespace

StreamConsumer* consumer_for(Context& ctx, std::string_view key, ConsumerGroup& group, std::string_view name,
                             bool* created) {
  StreamConsumer* consumer = group.find_consumer(name);
  *created = consumer == nullptr;
  if (*created) {
    consumer = group.create_consumer(name, ctx.now_ms());
    ctx.changed(key, 1, kEventStream, "xgroup-createconsumer");
  }
  return consumer;
}

void effect_group_position(Context& ctx, std::string_view key, std::string_view group_name,
                           const ConsumerGroup& group) {
  const StreamIdText last_id(group.last_id);
  const std::string entries_read = to_text(group.entries_read);
  ctx.effect({"XGROUP", "SETID", key, group_name, last_id.view(), "ENTRIESREAD", entries_read});
}

void cmd_xgroup_create(Context& ctx) {
  GroupOptions options;
  if (!parse_options(ctx, true, &options)) return;
  auto stream = ctx.edit<Stream>(ctx.arg(2));
  if (stream.wrong_type()) return;
  if (!stream.exists() && !options.make_stream) return ctx.error(kNoKeyError);
  if (ctx.argc() > kCreateArgumentsMax) return reply_subcommand_error(ctx);
  StreamId id;
  if (ctx.arg(4) == "$") {
    if (stream.exists()) id = stream->last_id();
  } else if (!parse_id_argument(ctx, ctx.arg(4), &id)) {
    return;
  }
  const bool is_new_key = !stream.exists();
  if (stream.create_if_absent().create_group(ctx.arg(3), id, options.entries_read) == nullptr) {
    return ctx.error(kGroupExistsError);
  }
  if (is_new_key) {
    stream.changed(1, kEventStream, "xgroup-create");
  } else {
    ctx.changed(ctx.arg(2), 1, kEventStream, "xgroup-create");
  }
  ctx.reply().ok();
}

void cmd_xgroup_setid(Context& ctx) {
  GroupOptions options;
  if (!parse_options(ctx, false, &options)) return;
  auto stream = ctx.edit<Stream>(ctx.arg(2));
  ConsumerGroup* group = group_of_call(ctx, stream);
  if (group == nullptr) return;
  if (ctx.argc() > kSetIdArgumentsMax) return reply_subcommand_error(ctx);
  StreamId id;
  if (ctx.arg(4) == "$") {
    id = stream->last_id();
  } else if (ctx.arg(4) == "+") {
    id = StreamId::max();
  } else if (ctx.arg(4) != "-" && !parse_id_argument(ctx, ctx.arg(4), &id)) {
    return;
  }
  group->last_id = id;
  group->entries_read = options.entries_read;
  ctx.changed(ctx.arg(2), 1, kEventStream, "xgroup-setid");
  ctx.reply().ok();
}

void cmd_xgroup_destroy(Context& ctx) {
  auto stream = ctx.edit<Stream>(ctx.arg(2));
  if (stream.wrong_type()) return;
  if (!stream.exists()) return ctx.error(kNoKeyError);
  const bool destroyed = stream->destroy_group(ctx.arg(3));
  // Clients that wait for the group must learn that it is gone.
  if (destroyed) stream.changed(1, kEventStream, "xgroup-destroy");
  ctx.reply().integer(destroyed ? 1 : 0);
}

void cmd_xgroup_createconsumer(Context& ctx) {
  auto stream = ctx.edit<Stream>(ctx.arg(2));
  ConsumerGroup* group = group_of_call(ctx, stream);
  if (group == nullptr) return;
  bool created;
  consumer_for(ctx, ctx.arg(2), *group, ctx.arg(4), &created);
  ctx.reply().integer(created ? 1 : 0);
}

void cmd_xgroup_delconsumer(Context& ctx) {
  auto stream = ctx.edit<Stream>(ctx.arg(2));
  ConsumerGroup* group = group_of_call(ctx, stream);
  if (group == nullptr) return;
  size_t pending = 0;
  if (group->find_consumer(ctx.arg(4)) != nullptr) {
    pending = group->delete_consumer(ctx.arg(4));
    ctx.changed(ctx.arg(2), 1, kEventStream, "xgroup-delconsumer");
  }
  ctx.reply().integer(static_cast<int64_t>(pending));
}

void cmd_xgroup_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "CREATE <key> <groupname> <id|$> [option]",
      "    Create a new consumer group. Options are:",
      "    * MKSTREAM",
      "      Create the empty stream if it does not exist.",
      "    * ENTRIESREAD entries_read",
      "      Set the group's entries_read counter (internal use).",
      "CREATECONSUMER <key> <groupname> <consumer>",
      "    Create a new consumer in the specified group.",
      "DELCONSUMER <key> <groupname> <consumer>",
      "    Remove the specified consumer.",
      "DESTROY <key> <groupname>",
      "    Remove the specified group.",
      "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
      "    Set the current group ID and entries_read counter.",
  };
  reply_help(ctx, kLines);
}

uint64_t cost_of_xgroup_destroy(Context& ctx) {
  const Stream* stream = ctx.peek_as<Stream>(ctx.arg(2));
  const ConsumerGroup* group = stream == nullptr ? nullptr : stream->find_group(ctx.arg(3));
  return group == nullptr ? 0 : group->pending().size() + group->consumers().size();
}

}  // namespace synap
