// Rows as COMMAND INFO's arrays and COMMAND DOCS' maps, in Redis's order of fields.
#include "server/admin/command_reply.h"

#include <algorithm>
#include <climits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/admin/command_docs.h"
#include "server/command/command_table.h"

namespace synap {

namespace {

using FlagName = std::pair<uint64_t, std::string_view>;

// In Redis's order. Other flags are nobody's business.
constexpr FlagName kCommandFlagNames[] = {
    {kWrite, "write"},
    {kReadonly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubsub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kAsking, "asking"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

constexpr FlagName kKeyFlagNames[] = {
    {kKeyRO, "RO"},
    {kKeyRW, "RW"},
    {kKeyOW, "OW"},
    {kKeyRM, "RM"},
    {kKeyAccess, "access"},
    {kKeyUpdate, "update"},
    {kKeyInsert, "insert"},
    {kKeyDelete, "delete"},
    {kKeyNotKey, "not_key"},
    {kKeyIncomplete, "incomplete"},
    {kKeyVariable, "variable_flags"},
};

constexpr FlagName kArgumentFlagNames[] = {
    {DocArgument::kOptional, "optional"},
    {DocArgument::kMultiple, "multiple"},
    {DocArgument::kMultipleToken, "multiple_token"},
};

void reply_flags(Reply& reply, std::span<const FlagName> names, uint64_t flags) {
  const auto is_set = [flags](const FlagName& name) { return (flags & name.first) != 0; };
  reply.set(static_cast<size_t>(std::count_if(names.begin(), names.end(), is_set)));
  for (const FlagName& name : names) {
    if (is_set(name)) reply.simple(name.second);
  }
}

size_t key_spec_count(const Command& command) {
  return static_cast<size_t>(std::count_if(command.key_specs.begin(), command.key_specs.end(),
                                           [](const KeySpec& spec) { return spec.begin != KeySpec::Begin::kNone; }));
}

// First key, last key and step as COMMAND has given them since before key specs, and whether they miss some keys.
struct KeyRange {
  int first = 0;
  int last = 0;
  int step = 0;
  bool movable = false;
};

KeyRange key_range_of(const Command& command) {
  const size_t count = key_spec_count(command);
  const auto is_range = [](const KeySpec& spec) {
    return spec.begin == KeySpec::Begin::kIndex && spec.find == KeySpec::Find::kRange;
  };
  const auto last_of = [](const KeySpec& spec) { return spec.last >= 0 ? spec.index + spec.last : spec.last; };
  KeyRange range;
  if (count == 0) return range;
  if (count == 1 && is_range(command.key_specs[0])) {
    const KeySpec& spec = command.key_specs[0];
    return {spec.index, last_of(spec), spec.step, (spec.flags & kKeyIncomplete) != 0};
  }
  // Several specs are one range if they are plain and follow each other. A negative last counts as the largest.
  for (size_t i = 0; i < count; ++i) {
    const KeySpec& spec = command.key_specs[i];
    const bool fits = is_range(spec) && spec.step == 1 && (range.last == 0 || range.last == spec.index - 1);
    if (!fits || (spec.flags & kKeyIncomplete) != 0) range.movable = true;
    if (!fits) continue;
    if (range.first == 0) range.first = spec.index;
    range.last = static_cast<int>(std::max(static_cast<unsigned>(range.last), static_cast<unsigned>(last_of(spec))));
    range.step = 1;
  }
  return range;
}

void reply_pair(Reply& reply, std::string_view name, std::string_view value) {
  reply.bulk(name);
  reply.bulk(value);
}

void reply_pair(Reply& reply, std::string_view name, int64_t value) {
  reply.bulk(name);
  reply.integer(value);
}

// "type" and "spec", the latter with n pairs that the caller writes.
void reply_spec_head(Reply& reply, std::string_view type, size_t pairs) {
  reply.map(2);
  reply_pair(reply, "type", type);
  reply.bulk("spec");
  reply.map(pairs);
}

void reply_key_spec(Reply& reply, const KeySpec& spec) {
  reply.map(3);
  reply.bulk("flags");
  reply_key_flags(reply, spec.flags);
  reply.bulk("begin_search");
  switch (spec.begin) {
    case KeySpec::Begin::kIndex:
      reply_spec_head(reply, "index", 1);
      reply_pair(reply, "index", spec.index);
      break;
    case KeySpec::Begin::kKeyword:
      reply_spec_head(reply, "keyword", 2);
      reply_pair(reply, "keyword", spec.keyword);
      reply_pair(reply, "startfrom", spec.index);
      break;
    case KeySpec::Begin::kNone:
    case KeySpec::Begin::kUnknown:
      reply_spec_head(reply, "unknown", 0);
      break;
  }
  reply.bulk("find_keys");
  switch (spec.find) {
    case KeySpec::Find::kRange:
      reply_spec_head(reply, "range", 3);
      reply_pair(reply, "lastkey", spec.last);
      reply_pair(reply, "keystep", spec.step);
      reply_pair(reply, "limit", spec.limit);
      break;
    case KeySpec::Find::kKeyNumber:
      reply_spec_head(reply, "keynum", 3);
      reply_pair(reply, "keynumidx", spec.number_index);
      reply_pair(reply, "firstkey", spec.first);
      reply_pair(reply, "keystep", spec.step);
      break;
    case KeySpec::Find::kUnknown:
      reply_spec_head(reply, "unknown", 0);
      break;
  }
}

void reply_categories(Reply& reply, uint64_t categories) {
  const std::span<const std::string_view> names = category_names();
  const size_t mark = reply.deferred_begin();
  size_t count = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if ((categories >> i & 1) == 0) continue;
    reply.simple("@" + std::string(names[i]));
    ++count;
  }
  reply.deferred_end_set(mark, count);
}

void reply_arguments(Reply& reply, const std::vector<DocArgument>& arguments) {
  reply.array(arguments.size());
  for (const DocArgument& argument : arguments) {
    const bool leaf = argument.children.empty();
    const size_t mark = reply.deferred_begin();
    size_t pairs = 3;
    const auto optional_pair = [&](std::string_view name, std::string_view value) {
      if (value.empty()) return;
      reply_pair(reply, name, value);
      ++pairs;
    };
    reply_pair(reply, "name", argument.name);
    reply_pair(reply, "type", argument.type);
    if (leaf) reply_pair(reply, "display_text", argument.name);
    if (argument.key_spec >= 0) {
      reply_pair(reply, "key_spec_index", argument.key_spec);
      ++pairs;
    }
    if (argument.token.has_value()) {
      reply_pair(reply, "token", *argument.token);
      ++pairs;
    }
    optional_pair("since", argument.since);
    optional_pair("deprecated_since", argument.deprecated_since);
    if (argument.flags != 0) {
      reply.bulk("flags");
      reply_flags(reply, kArgumentFlagNames, static_cast<uint64_t>(argument.flags));
      ++pairs;
    }
    if (!leaf) {
      reply.bulk("arguments");
      reply_arguments(reply, argument.children);
    }
    reply.deferred_end_map(mark, pairs);
  }
}

}  // namespace

void reply_key_flags(Reply& reply, uint32_t flags) {
  reply_flags(reply, kKeyFlagNames, flags);
}

void reply_command_info(Reply& reply, const Command& command) {
  const KeyRange range = key_range_of(command);
  reply.array(10);
  reply.bulk(command.display_name());
  reply.integer(command.arity);
  reply_flags(reply, kCommandFlagNames, command.flags | (range.movable ? uint64_t{kMovableKeys} : 0));
  reply.integer(range.first);
  reply.integer(range.last);
  reply.integer(range.step);
  reply_categories(reply, command.categories);
  const auto tips_end = std::find(command.tips.begin(), command.tips.end(), std::string_view());
  reply.set(static_cast<size_t>(tips_end - command.tips.begin()));
  for (auto tip = command.tips.begin(); tip != tips_end; ++tip) reply.bulk(*tip);
  const size_t specs = key_spec_count(command);
  reply.set(specs);
  for (size_t i = 0; i < specs; ++i) reply_key_spec(reply, command.key_specs[i]);
  if (command.subcommands.empty()) return reply.empty_set();
  reply.array(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) reply_command_info(reply, subcommand);
}

void reply_command_docs(Reply& reply, const Command& command) {
  const FoundDoc found = find_command_doc(command.display_name());
  const size_t mark = reply.deferred_begin();
  size_t pairs = 0;
  const auto optional_pair = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    reply_pair(reply, name, value);
    ++pairs;
  };
  if (found.doc != nullptr) {
    const CommandDoc& doc = *found.doc;
    optional_pair("summary", doc.summary);
    optional_pair("since", doc.since);
    optional_pair("group", found.group->name);
    optional_pair("complexity", doc.complexity);
    const bool deprecated = !doc.deprecated_since.empty();
    if (deprecated || doc.internal) {
      reply.bulk("doc_flags");
      reply.set(1);
      reply.simple(deprecated ? "deprecated" : "syscmd");
      ++pairs;
    }
    optional_pair("deprecated_since", doc.deprecated_since);
    optional_pair("replaced_by", doc.replaced_by);
    const auto arguments = parse_doc_arguments(doc.arguments);
    if (arguments.has_value() && !arguments->empty()) {
      reply.bulk("arguments");
      reply_arguments(reply, *arguments);
      ++pairs;
    }
  }
  if (!command.subcommands.empty()) {
    reply.bulk("subcommands");
    reply.map(command.subcommands.size());
    for (const Command& subcommand : command.subcommands) {
      reply.bulk(subcommand.display_name());
      reply_command_docs(reply, subcommand);
    }
    ++pairs;
  }
  reply.deferred_end_map(mark, pairs);
}

}  // namespace synap
