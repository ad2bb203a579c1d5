// The ACL file: one "user <name> <rules …>" per line, empty lines allowed, comments not.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "server/command/acl_rules.h"

namespace synap {

// Reads all users of the text. Returns what is wrong with it, in one line naming `path`; empty if nothing is.
std::string parse_acl_file(const AclRuleScope& scope, const std::string& path, std::string_view text,
                           std::map<std::string, UserRules>* users);

}  // namespace synap
