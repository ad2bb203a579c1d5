#include "server/admin/command_docs.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "server/command/command_table.h"
#include "server/command_list.h"

namespace synap {
namespace {

// The tree back as notation, to compare.
std::string spell(const std::vector<DocArgument>& arguments, char separator = ' ') {
  std::string text;
  for (const DocArgument& argument : arguments) {
    if (!text.empty()) text += separator;
    text += std::string(argument.name) + "/" + std::string(argument.type);
    if (argument.key_spec >= 0) text += "#" + std::to_string(argument.key_spec);
    if (!argument.children.empty()) {
      text += "(" + spell(argument.children, argument.type == "oneof" ? '|' : ' ') + ")";
    }
    if (argument.token.has_value()) text += "=" + std::string(*argument.token);
    if (argument.flags != 0) text += "f" + std::to_string(argument.flags);
    if (!argument.since.empty()) text += "@" + std::string(argument.since);
    if (!argument.deprecated_since.empty()) text += "!" + std::string(argument.deprecated_since);
  }
  return text;
}

std::string parsed(std::string_view notation) {
  const auto arguments = parse_doc_arguments(notation);
  return arguments.has_value() ? spell(*arguments) : "wrong";
}

}  // namespace

TEST_CASE("argument notation") {
  CHECK(parsed("") == "");
  CHECK(parsed("key#0 value") == "key/key#0 value/string");
  CHECK(parsed("key#12* n:int=COUNT?@6.2.0") == "key/key#12f2 n/integer=COUNTf1@6.2.0");
  CHECK(parsed("a(x=X|y:time=Y|z(p q:double))?") ==
        "a/oneof(x/pure-token=X|y/unix-time=Y|z/block(p/string q/double))f1");
  CHECK(parsed("a(|x) b(x)=B p:str=PREFIX?*+") == "a/oneof(x/string) b/block(x/string)=B p/string=PREFIXf7");
  CHECK(parsed("op(eq='='|near='~'|none='')") == "op/oneof(eq/pure-token==|near/pure-token=~|none/pure-token=)");
  CHECK(parsed("old!2.8.12") == "old/string!2.8.12");
  for (const char* wrong : {"key#x", "a(", "a(b", "a(b|c d)", "a:what", "a=", "a='x", "a  b", ")", "a b)", " a"}) {
    CHECK(parsed(wrong) == "wrong");
  }
}

TEST_CASE("every row is complete, unique and can be parsed") {
  std::set<std::string_view> names;
  for_each_command_doc([&](const CommandDocGroup& group, const CommandDoc& doc) {
    CAPTURE(doc.name);
    CHECK(names.insert(doc.name).second);
    CHECK(!group.name.empty());
    CHECK(!doc.since.empty());
    CHECK(doc.summary.size() > 10);
    CHECK(doc.summary.back() == '.');
    CHECK(parse_doc_arguments(doc.arguments).has_value());
    const size_t bar = doc.name.find('|');
    if (bar != std::string_view::npos) CHECK(find_command_doc(doc.name.substr(0, bar)).group == &group);
  });
  CHECK(names.size() > 300);
}

TEST_CASE("rows are found by name") {
  const FoundDoc get = find_command_doc("get");
  REQUIRE(get.doc != nullptr);
  CHECK(get.group->name == "string");
  CHECK(find_command_doc("client|kill").doc != nullptr);
  CHECK(find_command_doc("nosuch").doc == nullptr);
}

// Documented ahead of their family's arrival in command_list.cc: these may be there or not, all others must be.
// Delete the names of a family when it has come.
constexpr std::string_view kAhead =
    " "
    "bgrewriteaof bgsave copy "
    "dbsize del dump eval eval_ro evalsha evalsha_ro exists expire expireat expiretime fcall fcall_ro "
    "flushall flushdb function function|delete function|dump function|flush function|help function|kill "
    "function|list function|load function|restore function|stats keys lastsave lcs move object "
    "object|encoding object|freq object|help object|idletime object|refcount persist pexpire pexpireat "
    "pexpiretime psubscribe pttl publish pubsub pubsub|channels pubsub|help pubsub|numpat pubsub|numsub "
    "pubsub|shardchannels pubsub|shardnumsub punsubscribe randomkey rename renamenx restore save scan "
    "script script|debug script|exists script|flush script|help script|kill script|load script|show sort "
    "sort_ro spublish ssubscribe subscribe sunsubscribe swapdb touch ttl type unlink unsubscribe wait "
    "waitaof ";

TEST_CASE("commands and documentation cover each other") {
  const CommandTable table(command_families());
  std::string undocumented;
  for (size_t i = 0; i < table.size(); ++i) {
    const std::string_view name = table.at(i).display_name();
    if (find_command_doc(name).doc == nullptr) undocumented += std::string(name) + " ";
  }
  CHECK(undocumented == "");
  std::string without_command;
  for_each_command_doc([&](const CommandDocGroup&, const CommandDoc& doc) {
    const bool ahead = kAhead.find(" " + std::string(doc.name) + " ") != std::string_view::npos;
    if (!ahead && table.find_full(doc.name) == nullptr) without_command += std::string(doc.name) + " ";
  });
  CHECK(without_command == "");
}

}  // namespace synap
