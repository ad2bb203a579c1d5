#include "server/command/acl_file.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace synap {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text, std::string_view what) {
  const size_t first = text.find_first_not_of(what);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(what) - first + 1);
}

std::vector<std::string_view> split_at_spaces(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const size_t end = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, end));
    if (end == line.size()) return words;
    line.remove_prefix(end + 1);
  }
}

// A rule may hold a password, so only unknown commands are quoted, and one other error is told per line.
std::string read_rules(const AclRuleScope& scope, const std::string& where, std::span<const std::string_view> words,
                       UserRules* rules) {
  const auto joined = join_selectors(words);
  if (!joined.has_value()) return where + ": Unmatched parenthesis in selector definition.";
  std::string errors;
  bool told = false;
  for (const std::string& word : *joined) {
    const std::string_view rule = trimmed(word, "\t\r\n");
    const AclRuleError error = apply_acl_rule(scope, rule, rules);
    if (error == AclRuleError::kNone) continue;
    const std::string why(acl_rule_error_text(error));
    if (error == AclRuleError::kUnknownCommand) {
      errors += where + ": Error in applying operation '" + std::string(rule) + "': " + why + ". ";
    } else if (!told) {
      errors += where + ": " + why + ". ";
      told = true;
    }
  }
  return errors;
}

std::string read_line(const AclRuleScope& scope, const std::string& path, size_t number, std::string_view line,
                      std::map<std::string, UserRules>* users) {
  const std::string where = path + ":" + std::to_string(number);
  const std::vector<std::string_view> words = split_at_spaces(line);
  if (words[0] != "user" || words.size() < 2) {
    return where + " should start with user keyword followed by the username. ";
  }
  const std::string name(words[1]);
  if (has_spaces_or_nulls(name)) return "'" + where + ": username '" + name + "' contains invalid characters. ";
  const auto [user, fresh] = users->emplace(name, new_user_rules(scope));
  if (!fresh) return "WARNING: Duplicate user '" + name + "' found on line " + std::to_string(number) + ". ";
  return read_rules(scope, where, std::span(words).subspan(2), &user->second);
}

}  // namespace

std::string parse_acl_file(const AclRuleScope& scope, const std::string& path, std::string_view text,
                           std::map<std::string, UserRules>* users) {
  std::string errors;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end), kBlanks);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty()) errors += read_line(scope, path, number, line, users);
  }
  return errors;
}

}  // namespace synap
