// The language of ACL rules: reading one into a user that is being built, and writing a user down so that the same
// rules read back make the same user. Knows no users but the one it is given.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/command/acl.h"
#include "server/command/command_table.h"

namespace synap {

// What rules depend on besides themselves.
struct AclRuleScope {
  const CommandTable& commands;
  bool all_channels_by_default;  // acl-pubsub-default
};

enum class AclRuleError : uint8_t {
  kNone,
  kUnknownCommand,  // or category
  kSyntax,
  kAfterAllKeys,
  kAfterAllChannels,
  kNoSuchPassword,
  kBadHash,
  kFirstArgOfSubcommand,
};
std::string_view acl_rule_error_text(AclRuleError error);

// A user without any right, switched off.
UserRules new_user_rules(const AclRuleScope& scope);
// What a server without ACL rules has.
UserRules default_user_rules(const AclRuleScope& scope);

// Reads one rule. On an error the rules are unchanged, but for a selector list that was refused halfway.
AclRuleError apply_acl_rule(const AclRuleScope& scope, std::string_view rule, UserRules* rules);

// Joins selectors that were written as several words: "(~a*", "+get)". Nothing when one is never closed; then
// *unmatched is the word it begins with.
std::optional<std::vector<std::string>> join_selectors(std::span<const std::string_view> words,
                                                       std::string_view* unmatched = nullptr);

// "on nopass sanitize-payload ~* &* +@all": what follows the name in ACL LIST.
std::string describe_user(const UserRules& rules);
std::string describe_commands(const AclSelector& selector);  // "-@all +get"
std::string describe_keys(const AclSelector& selector);      // "~a* %R~b*"
std::string describe_channels(const AclSelector& selector);  // "&news"
// "on", "nopass", …, in Redis's order.
std::vector<std::string_view> user_flags(const UserRules& rules);

bool has_spaces_or_nulls(std::string_view text);

// SHA-256 in lower-case hexadecimal digits.
std::string hash_password(std::string_view password);
// Takes the same time whatever the difference.
bool password_matches(const UserRules& rules, std::string_view password);

}  // namespace synap
