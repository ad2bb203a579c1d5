#include "server/command/command_table.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "server/base/assert.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr size_t kNameBytesMax = 64;

constexpr std::array<std::string_view, 21> kCategoryNames = {
    "keyspace", "read",  "write", "set",  "sortedset", "list",     "hash",      "string",     "bitmap",      "hyperloglog", "geo",
    "stream",   "pubsub", "admin", "fast", "slow",      "blocking", "dangerous", "connection", "transaction", "scripting"};

size_t row_count(const Command& row) {
  size_t count = 1;
  for (const Command& sub : row.subcommands) count += row_count(sub);
  return count;
}

void append_range(const KeySpec& spec, size_t first, size_t argc, std::vector<KeyRef>* keys) {
  size_t last;
  if (spec.last >= 0) {
    last = first + static_cast<size_t>(spec.last);
  } else if (spec.limit <= 1) {
    last = argc - static_cast<size_t>(-spec.last);
  } else {
    last = first + (argc - first) / static_cast<size_t>(spec.limit) - static_cast<size_t>(-spec.last);
  }
  for (size_t i = first; i <= last && i < argc; i += static_cast<size_t>(spec.step)) {
    keys->push_back(KeyRef{i, spec.flags});
  }
}

// Where the keys of a spec begin; 0 when they are not there.
size_t begin_of(const KeySpec& spec, ArgViews args) {
  if (spec.begin == KeySpec::Begin::kIndex) return static_cast<size_t>(spec.index);
  if (spec.index > 0) {
    for (size_t i = static_cast<size_t>(spec.index); i + 1 < args.size(); ++i) {
      if (equals_ignore_case(args[i], spec.keyword)) return i + 1;
    }
    return 0;
  }
  const auto from_end = static_cast<size_t>(-spec.index);
  for (size_t i = args.size() > from_end ? args.size() - from_end : 0; i > 0; --i) {
    if (equals_ignore_case(args[i], spec.keyword)) return i + 1 < args.size() ? i + 1 : 0;
  }
  return 0;
}

bool keys_in_first_spec(const Command& row) {
  const KeySpec& first = row.key_specs[0];
  // With variable flags the function knows better what is done with the keys, not where they are.
  const bool by_specs = row.keys == nullptr || (first.flags & kKeyVariable) != 0;
  return by_specs && first.begin == KeySpec::Begin::kIndex && first.find == KeySpec::Find::kRange && first.limit == 0 &&
         row.key_specs[1].begin == KeySpec::Begin::kNone;
}

}  // namespace

size_t CommandTable::NameHash::operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }

CommandTable::CommandTable(std::span<const CommandFamily> families,
                           std::span<const std::pair<std::string, std::string>> renames) {
  size_t rows = 0;
  for (const CommandFamily& family : families) {
    for (const Command& row : family) rows += row_count(row);
  }
  rows_.reserve(rows);  // their addresses are the commands' identities
  for (const CommandFamily& family : families) {
    for (const Command& row : family) {
      std::string name(row.name);
      for (const auto& [old_name, new_name] : renames) {
        if (equals_ignore_case(old_name, row.name)) name = to_lower(new_name);
      }
      const bool renamed = name != row.name;
      const Command* added = name.empty() ? nullptr : &rows_[add(row, std::move(name), nullptr)];
      if (added != nullptr) sorted_.push_back(added);
      if (renamed) remember_declared(row, added);
    }
  }
  std::sort(sorted_.begin(), sorted_.end(), [](const Command* a, const Command* b) { return a->name < b->name; });
}

void CommandTable::remember_declared(const Command& row, const Command* added) {
  renamed_.emplace(std::string(row.name), added);
  for (size_t i = 0; i < row.subcommands.size(); ++i) {
    const std::string name = std::string(row.name) + "|" + std::string(row.subcommands[i].name);
    renamed_.emplace(name, added == nullptr ? nullptr : &added->subcommands[i]);
  }
}

size_t CommandTable::add(const Command& row, std::string name, const Command* container) {
  check(row);
  const size_t index = rows_.size();
  rows_.push_back(row);
  Command& added = rows_.back();
  added.categories |= implied_categories(row);
  added.keys_in_first_spec = keys_in_first_spec(row);
  if (container != nullptr) {
    names_.push_back(std::string(container->name) + "|" + name);
    added.full_name = names_.back();
  }
  names_.push_back(std::move(name));
  added.name = names_.back();
  const bool fresh = by_name_.emplace(std::string(added.display_name()), &added).second;
  SYNAP_ASSERT(fresh);  // two commands of one name
  const size_t first = rows_.size();
  for (const Command& sub : row.subcommands) add(sub, std::string(sub.name), &rows_[index]);
  rows_[index].subcommands = std::span<const Command>(rows_.data() + first, row.subcommands.size());
  return index;
}

void CommandTable::check(const Command& row) const {
  SYNAP_ASSERT(!row.name.empty() && row.name.size() <= kNameBytesMax && row.arity != 0);
  SYNAP_ASSERT(row.handler != nullptr || !row.subcommands.empty());
  SYNAP_ASSERT(!(row.has(kWrite) && row.has(kReadonly)));
  for (const KeySpec& spec : row.key_specs) {
    if (spec.begin == KeySpec::Begin::kIndex) SYNAP_ASSERT(spec.index >= 1 && spec.step >= 1);
    if (spec.begin == KeySpec::Begin::kIndex && (spec.flags & kKeyNotKey) == 0) {
      SYNAP_ASSERT(std::abs(row.arity) > spec.index - 1);
    }
  }
}

const Command* CommandTable::find(std::string_view name) const {
  char lower[kNameBytesMax];
  if (name.size() > kNameBytesMax) return nullptr;
  std::transform(name.begin(), name.end(), lower,
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto it = by_name_.find(std::string_view(lower, name.size()));
  return it == by_name_.end() || !it->second->full_name.empty() ? nullptr : it->second;
}

const Command* CommandTable::find_full(std::string_view full_name) const {
  const auto it = by_name_.find(to_lower(full_name));
  return it == by_name_.end() ? nullptr : it->second;
}

const Command* CommandTable::find_declared(std::string_view full_name, bool* removed) const {
  const auto it = renamed_.find(to_lower(full_name));
  *removed = it != renamed_.end() && it->second == nullptr;
  return it == renamed_.end() ? find_full(full_name) : it->second;
}

const Command* CommandTable::find_call(ArgViews args) const {
  const Command* command = find(args[0]);
  if (command == nullptr || command->subcommands.empty() || args.size() < 2) return command;
  for (const Command& sub : command->subcommands) {
    if (equals_ignore_case(sub.name, args[1])) return &sub;
  }
  return command;
}

uint64_t implied_categories(const Command& command) {
  uint64_t categories = 0;
  if (command.has(kWrite)) categories |= kCatWrite;
  // Scripts are read-only or not by what they do, so they are neither.
  if (command.has(kReadonly) && (command.categories & kCatScripting) == 0) categories |= kCatRead;
  if (command.has(kAdmin)) categories |= kCatAdmin | kCatDangerous;
  if (command.has(kPubsub)) categories |= kCatPubsub;
  if (command.has(kBlocking)) categories |= kCatBlocking;
  categories |= command.has(kFast) ? kCatFast : kCatSlow;
  return categories;
}

uint64_t category_bit(std::string_view name) {
  for (size_t i = 0; i < kCategoryNames.size(); ++i) {
    if (equals_ignore_case(kCategoryNames[i], name)) return uint64_t{1} << i;
  }
  return 0;
}

std::span<const std::string_view> category_names() { return kCategoryNames; }

bool find_keys(const Command& command, ArgViews args, std::vector<KeyRef>* keys) {
  if (command.keys != nullptr) return command.keys(args, keys);
  bool complete = true;
  for (const KeySpec& spec : command.key_specs) {
    if (spec.begin == KeySpec::Begin::kNone) break;
    if (spec.begin == KeySpec::Begin::kUnknown || (spec.flags & kKeyIncomplete) != 0) complete = false;
    if (spec.begin == KeySpec::Begin::kUnknown) continue;
    if ((spec.flags & kKeyNotKey) != 0) continue;
    const size_t begin = begin_of(spec, args);
    if (begin == 0 || begin >= args.size()) continue;
    if (spec.find == KeySpec::Find::kRange) {
      append_range(spec, begin, args.size(), keys);
      continue;
    }
    const size_t number_at = begin + static_cast<size_t>(spec.number_index);
    int64_t count;
    if (number_at >= args.size() || !parse_int64(args[number_at], &count) || count < 0) return false;
    if (count == 0 && !command.has(kNoMandatoryKeys)) return false;
    const size_t first = begin + static_cast<size_t>(spec.first);
    if (static_cast<uint64_t>(count) > args.size() - std::min(first, args.size())) return false;
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      keys->push_back(KeyRef{first + i * static_cast<size_t>(spec.step), spec.flags});
    }
  }
  return complete;
}

}  // namespace synap
