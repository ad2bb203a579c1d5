// COMMAND: what the server tells about its commands, all of it out of their rows.
#include <algorithm>
#include <string_view>
#include <vector>

#include "server/admin/command_reply.h"
#include "server/admin/connection_commands.h"
#include "server/base/glob.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

void reply_all_infos(Context& ctx) {
  const std::vector<const Command*>& all = ctx.server().commands->all();
  ctx.reply().array(all.size());
  for (const Command* command : all) reply_command_info(ctx.reply(), *command);
}

void cmd_command(Context& ctx) {
  reply_all_infos(ctx);
}

void cmd_command_count(Context& ctx) {
  ctx.reply().integer(static_cast<int64_t>(ctx.server().commands->all().size()));
}

void cmd_command_info(Context& ctx) {
  if (ctx.argc() == 2) return reply_all_infos(ctx);
  ctx.reply().array(ctx.argc() - 2);
  for (const std::string_view name : ctx.args().subspan(2)) {
    const Command* command = ctx.server().commands->find_full(name);
    command == nullptr ? ctx.reply().null() : reply_command_info(ctx.reply(), *command);
  }
}

void cmd_command_docs(Context& ctx) {
  Reply& reply = ctx.reply();
  const size_t mark = reply.deferred_begin();
  size_t count = 0;
  const auto add = [&](const Command* command) {
    if (command == nullptr) return;
    reply.bulk(command->display_name());
    reply_command_docs(reply, *command);
    ++count;
  };
  if (ctx.argc() == 2) {
    for (const Command* command : ctx.server().commands->all()) add(command);
  } else {
    for (const std::string_view name : ctx.args().subspan(2)) add(ctx.server().commands->find_full(name));
  }
  reply.deferred_end_map(mark, count);
}

// Which commands COMMAND LIST shows.
struct ListFilter {
  enum class Kind { kNone, kModule, kCategory, kPattern } kind = Kind::kNone;
  std::string_view value;

  bool matches(const Command& command) const {
    switch (kind) {
      case Kind::kNone:
        return true;
      case Kind::kModule:
        return false;  // there are none
      case Kind::kCategory:
        return (command.categories & category_bit(to_lower(value))) != 0;
      case Kind::kPattern:
        return glob_match(value, command.display_name(), true);
    }
    return false;
  }
};

bool parse_list_filter(Context& ctx, ListFilter* filter) {
  if (ctx.argc() == 2) return true;
  const bool well_formed = ctx.argc() == 5 && equals_ignore_case(ctx.arg(2), "filterby");
  const std::string_view kind = well_formed ? ctx.arg(3) : std::string_view();
  if (equals_ignore_case(kind, "module")) {
    filter->kind = ListFilter::Kind::kModule;
  } else if (equals_ignore_case(kind, "aclcat")) {
    filter->kind = ListFilter::Kind::kCategory;
  } else if (equals_ignore_case(kind, "pattern")) {
    filter->kind = ListFilter::Kind::kPattern;
  } else {
    ctx.syntax_error();
    return false;
  }
  filter->value = ctx.arg(4);
  return true;
}

void cmd_command_list(Context& ctx) {
  ListFilter filter;
  if (!parse_list_filter(ctx, &filter)) return;
  Reply& reply = ctx.reply();
  const size_t mark = reply.deferred_begin();
  size_t count = 0;
  const auto add = [&](const Command& command) {
    if (!filter.matches(command)) return;
    reply.bulk(command.display_name());
    ++count;
  };
  for (const Command* command : ctx.server().commands->all()) {
    add(*command);
    for (const Command& subcommand : command->subcommands) add(subcommand);
  }
  reply.deferred_end_array(mark, count);
}

bool declares_keys(const Command& command) {
  return command.keys != nullptr ||
         std::any_of(command.key_specs.begin(), command.key_specs.end(), [](const KeySpec& spec) {
           return spec.begin != KeySpec::Begin::kNone && (spec.flags & kKeyNotKey) == 0;
         });
}

// The keys of the call that starts at argument 2. False: the error was replied.
bool keys_of_call(Context& ctx, std::vector<KeyRef>* keys) {
  const ArgViews call = ctx.args().subspan(2);
  const Command* command = ctx.server().commands->find_call(call);
  if (command == nullptr || (!command->subcommands.empty() && call.size() > 1)) {
    ctx.error(kInvalidCommandError);
    return false;
  }
  if (!declares_keys(*command)) {
    ctx.error(kNoKeyArgumentsError);
    return false;
  }
  const int count = static_cast<int>(call.size());
  if (command->arity > 0 ? command->arity != count : count < -command->arity) {
    ctx.error(kInvalidCommandArityError);
    return false;
  }
  const bool found = find_keys(*command, call, keys);
  std::erase_if(*keys, [](const KeyRef& key) { return (key.flags & kKeyNotKey) != 0; });
  const bool incomplete = std::any_of(command->key_specs.begin(), command->key_specs.end(),
                                      [](const KeySpec& spec) { return (spec.flags & kKeyIncomplete) != 0; });
  if (!found && !incomplete) keys->clear();
  if (keys->empty() && !command->has(kNoMandatoryKeys)) {
    ctx.error(kInvalidCommandArgsError);
    return false;
  }
  return true;
}

void cmd_command_getkeys(Context& ctx) {
  std::vector<KeyRef> keys;
  if (!keys_of_call(ctx, &keys)) return;
  ctx.reply().array(keys.size());
  for (const KeyRef& key : keys) ctx.reply().bulk(ctx.arg(key.position + 2));
}

void cmd_command_getkeysandflags(Context& ctx) {
  std::vector<KeyRef> keys;
  if (!keys_of_call(ctx, &keys)) return;
  ctx.reply().array(keys.size());
  for (const KeyRef& key : keys) {
    ctx.reply().array(2);
    ctx.reply().bulk(ctx.arg(key.position + 2));
    reply_key_flags(ctx.reply(), key.flags);
  }
}

void cmd_command_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "(no subcommand)",
      "    Describe every command.",
      "COUNT",
      "    Return how many commands there are.",
      "DOCS [<command-name> ...]",
      "    Document the given commands, or all of them.",
      "GETKEYS <full-command>",
      "    Return the keys of a call.",
      "GETKEYSANDFLAGS <full-command>",
      "    Return the keys of a call and what it does with each.",
      "INFO [<command-name> ...]",
      "    Describe the given commands, or all of them.",
      "LIST [FILTERBY (MODULE <module>|ACLCAT <category>|PATTERN <pattern>)]",
      "    List the names of the commands.",
  };
  reply_help(ctx, kLines);
}

constexpr uint64_t kFlags = kLoading | kStale;
constexpr std::array<std::string_view, 3> kAnyOrder = {"nondeterministic_output_order"};

constexpr Command kSubcommands[] = {
    {.name = "count", .handler = cmd_command_count, .arity = 2, .flags = kFlags, .categories = kCatConnection},
    {.name = "docs",
     .handler = cmd_command_docs,
     .arity = -2,
     .flags = kFlags,
     .categories = kCatConnection,
     .tips = kAnyOrder},
    {.name = "getkeys", .handler = cmd_command_getkeys, .arity = -3, .flags = kFlags, .categories = kCatConnection},
    {.name = "getkeysandflags",
     .handler = cmd_command_getkeysandflags,
     .arity = -3,
     .flags = kFlags,
     .categories = kCatConnection},
    {.name = "help", .handler = cmd_command_help, .arity = 2, .flags = kFlags, .categories = kCatConnection},
    {.name = "info",
     .handler = cmd_command_info,
     .arity = -2,
     .flags = kFlags,
     .categories = kCatConnection,
     .tips = kAnyOrder},
    {.name = "list",
     .handler = cmd_command_list,
     .arity = -2,
     .flags = kFlags,
     .categories = kCatConnection,
     .tips = kAnyOrder},
};

constexpr Command kRows[] = {
    {.name = "command",
     .handler = cmd_command,
     .arity = -1,
     .flags = kFlags,
     .categories = kCatConnection,
     .subcommands = kSubcommands,
     .tips = kAnyOrder},
};

}  // namespace

const CommandFamily kCommandCommands = kRows;

}  // namespace synap
