// CommandTable: every command by name. Built once from the families that server/command_list.cc names, checked for
// contradictions, constant afterwards. Also: the keys of a call, found through its row.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/command/command.h"
#include "server/base/shared_bytes.h"

namespace synap {

class CommandTable {
 public:
  // The rows must outlive the table. rename-command: (old name, new name or "" to remove). Aborts on a wrong table.
  explicit CommandTable(std::span<const CommandFamily> families,
                        std::span<const std::pair<std::string, std::string>> renames = {});
  CommandTable(const CommandTable&) = delete;
  CommandTable& operator=(const CommandTable&) = delete;

  // By the name alone, in any case; subcommands are not looked at. Null when unknown.
  const Command* find(std::string_view name) const;
  // By a full name as COMMAND and ACL spell it: "get", "config|get".
  const Command* find_full(std::string_view full_name) const;
  // By the full name it was declared under, whatever rename-command made of that: what ACL rules go by. Null when it is
  // unknown, and also, with *removed, when rename-command took it away.
  const Command* find_declared(std::string_view full_name, bool* removed) const;
  // The row of a call: the subcommand's where the command is a container that has it, the container's otherwise.
  const Command* find_call(ArgViews args) const;

  // Top-level commands in the order of their names, as they were declared (renamed ones under their new name).
  const std::vector<const Command*>& all() const { return sorted_; }
  // Every row has an index below size(): for per-thread statistics and ACL bitmaps.
  size_t size() const { return rows_.size(); }
  size_t index_of(const Command* command) const { return static_cast<size_t>(command - rows_.data()); }
  const Command& at(size_t index) const { return rows_[index]; }

 private:
  void remember_declared(const Command& row, const Command* added);
  size_t add(const Command& row, std::string name, const Command* container);
  void check(const Command& row) const;

  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const;
  };
  struct NameEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };

  std::vector<Command> rows_;       // copies with full_name, implied categories and flags filled in
  std::deque<std::string> names_;   // what full names view
  std::unordered_map<std::string, const Command*, NameHash, NameEqual> by_name_;  // lower case; "config|get" too
  std::unordered_map<std::string, const Command*, NameHash, NameEqual> renamed_;  // by declared names; null: removed
  std::vector<const Command*> sorted_;
};

// Categories that follow from flags, as Redis derives them: @write, @read, @fast or @slow, @admin with @dangerous, ….
uint64_t implied_categories(const Command& command);
// Bit for a category's name ("string", "fast", …), 0 if there is none; and back.
uint64_t category_bit(std::string_view name);
std::span<const std::string_view> category_names();

// The keys of a call, in the order of their specs. False: the arguments make no sense for the row (the handler will say
// so), or, with kKeyIncomplete specs, not all keys could be found (they are in *keys as far as known).
bool find_keys(const Command& command, ArgViews args, std::vector<KeyRef>* keys);

}  // namespace synap
