// The documentation that COMMAND DOCS gives: one plain row per command and subcommand, in tables by group
// (command_docs_*.cc). Rows hold what the command's own row does not: words for people and the argument syntax.
//
// `arguments` is a notation of the argument tree, parsed only when somebody asks:
//   name            a string            name:int|double|pattern|time|str|key   another type
//   name#0          a key, found by the command's key spec 0
//   name=TOKEN      a bare token        name:int=TOKEN   a value after a token ('' quotes odd ones)
//   name(a b)       a block             name(a|b)        one of (a leading '|' marks a single choice)
//   ? optional      * may repeat        + repeats with its token     @7.0.0 since     !7.0.0 deprecated since
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace synap {

struct CommandDoc {
  std::string_view name;  // "get", "config|get"
  std::string_view since;
  std::string_view complexity;
  std::string_view summary;
  std::string_view arguments;
  std::string_view deprecated_since = {};
  std::string_view replaced_by = {};
  bool internal = false;  // "syscmd": meant for servers, not for applications
};

struct CommandDocGroup {
  std::string_view name;
  std::span<const CommandDoc> docs;
};

struct DocArgument {
  enum Flag { kOptional = 1, kMultiple = 2, kMultipleToken = 4 };

  std::string_view name;
  std::string_view type = "string";
  std::optional<std::string_view> token;
  std::string_view since;
  std::string_view deprecated_since;
  int key_spec = -1;
  int flags = 0;
  std::vector<DocArgument> children;
};

extern const std::span<const CommandDocGroup> kStringsCommandDocs;
extern const std::span<const CommandDocGroup> kCollectionsCommandDocs;
extern const std::span<const CommandDocGroup> kRecordsCommandDocs;
extern const std::span<const CommandDocGroup> kKeysCommandDocs;
extern const std::span<const CommandDocGroup> kServerCommandDocs;
extern const std::span<const CommandDocGroup> kClusterCommandDocs;

template <class Visit>
void for_each_command_doc(Visit visit) {
  for (const auto& groups :
       {kStringsCommandDocs, kCollectionsCommandDocs, kRecordsCommandDocs, kKeysCommandDocs, kServerCommandDocs,
        kClusterCommandDocs}) {
    for (const CommandDocGroup& group : groups) {
      for (const CommandDoc& doc : group.docs) visit(group, doc);
    }
  }
}

// A command's row and group by its full name in lower case; null when it has none.
struct FoundDoc {
  const CommandDocGroup* group = nullptr;
  const CommandDoc* doc = nullptr;
};
FoundDoc find_command_doc(std::string_view full_name);

// Nothing when the notation is wrong (a unit test sees to it that no row's is).
std::optional<std::vector<DocArgument>> parse_doc_arguments(std::string_view notation);

}  // namespace synap
