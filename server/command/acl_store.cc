#include "server/command/acl_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "server/base/log.h"
#include "server/base/replace_file.h"
#include "server/base/text.h"
#include "server/command/acl_file.h"
#include "server/command/config_file.h"

namespace synap {

namespace {

Status refuse(std::string detail) {
  return Status(StatusCode::kSyntax, std::move(detail));
}

}  // namespace

AclStore::AclStore(const CommandTable* commands, const ConfigStore* config) : commands_(*commands), config_(*config) {
  LockGuard guard(mutex_);
  publish(kDefaultName, default_user_rules(scope()));
}

AclRuleScope AclStore::scope() const {
  return {commands_, config_.current().acl_pubsub_default == PubsubDefault::kAllChannels};
}

AclStore::UserPointer AclStore::publish(std::string_view name, UserRules rules) {
  const auto it = users_.find(name);
  const bool known = it != users_.end();
  const uint64_t identity = known ? it->second->identity : next_identity_++;
  auto user = std::make_shared<const User>(std::string(name), identity, std::move(rules));
  if (known) it->second->mark_replaced();
  users_.insert_or_assign(std::string(name), user);
  return user;
}

AclStore::UserPointer AclStore::find(std::string_view name) const {
  LockGuard guard(mutex_);
  const auto it = users_.find(name);
  return it == users_.end() ? nullptr : it->second;
}

std::vector<AclStore::UserPointer> AclStore::all() const {
  LockGuard guard(mutex_);
  std::vector<UserPointer> users;
  for (const auto& [name, user] : users_) users.push_back(user);
  return users;
}

AclStore::UserPointer AclStore::current(const User& user) const {
  UserPointer found = find(user.name);
  return found != nullptr && found->identity == user.identity ? found : nullptr;
}

AclStore::UserPointer AclStore::authenticate(std::string_view name, std::string_view password) const {
  UserPointer user = find(name);
  if (user == nullptr || !user->rules.enabled || !password_matches(user->rules, password)) return nullptr;
  return user;
}

Status AclStore::set_user(std::string_view name, std::span<const std::string_view> rules, Change* change) {
  std::string_view unmatched;
  const auto joined = join_selectors(rules, &unmatched);
  if (!joined.has_value()) {
    return refuse("Unmatched parenthesis in acl selector starting at '" + std::string(unmatched) + "'.");
  }
  LockGuard guard(mutex_);
  const auto it = users_.find(name);
  change->before = it == users_.end() ? nullptr : it->second;
  UserRules next = change->before == nullptr ? new_user_rules(scope()) : change->before->rules;
  for (const std::string& rule : *joined) {
    const AclRuleError error = apply_acl_rule(scope(), rule, &next);
    if (error == AclRuleError::kNone) continue;
    return refuse("Error in ACL SETUSER modifier '" + std::string(printed(rule, rule.size())) + "': " + std::string(acl_rule_error_text(error)));
  }
  change->after = publish(name, std::move(next));
  return {};
}

AclStore::UserPointer AclStore::delete_user(std::string_view name) {
  SYNAP_ASSERT(name != kDefaultName);
  LockGuard guard(mutex_);
  const auto it = users_.find(name);
  if (it == users_.end()) return nullptr;
  UserPointer deleted = it->second;
  users_.erase(it);
  deleted->mark_replaced();
  return deleted;
}

void AclStore::set_default_password(std::string_view password) {
  LockGuard guard(mutex_);
  UserRules rules = users_.find(kDefaultName)->second->rules;
  rules.passwords.clear();
  rules.no_password = password.empty();
  if (!password.empty()) rules.passwords.push_back(hash_password(password));
  publish(kDefaultName, std::move(rules));
}

// --- The configuration file's users.

// What is wrong with a line whatever commands there are: refused like any other directive.
Status AclStore::check_line(const UserLine& line, std::span<const UserLine> earlier) const {
  const auto refuse_line = [&](std::string_view word, std::string_view why) {
    return refuse(
        fatal_config_error(&line.line, "Error in user declaration '" + std::string(word) + "': " + std::string(why)));
  };
  const std::string& name = line.words[1];
  const bool repeated =
      std::any_of(earlier.begin(), earlier.end(), [&](const UserLine& other) { return other.words[1] == name; });
  if (repeated) {
    return refuse_line(name, "Duplicate user found. A user can only be defined once in config files");
  }
  const std::vector<std::string_view> words(line.words.begin() + 2, line.words.end());
  std::string_view unmatched;
  const auto rules = join_selectors(words, &unmatched);
  if (!rules.has_value()) return refuse_line(unmatched, "Wrong format");
  UserRules scratch = new_user_rules(scope());
  for (const std::string& rule : *rules) {
    const AclRuleError error = apply_acl_rule(scope(), rule, &scratch);
    if (error == AclRuleError::kNone || error == AclRuleError::kUnknownCommand) continue;
    return refuse_line(rule, acl_rule_error_text(error));
  }
  return {};
}

Status AclStore::load_configured(std::span<const UserLine> lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    if (Status status = check_line(lines[i], lines.first(i)); !status.ok()) return status;
  }
  LockGuard guard(mutex_);
  for (const UserLine& line : lines) {
    const std::string& name = line.words[1];
    if (has_spaces_or_nulls(name)) return Status(StatusCode::kNotFound, "Spaces not allowed in ACL usernames");
    const std::vector<std::string_view> words(line.words.begin() + 2, line.words.end());
    UserRules rules = new_user_rules(scope());
    const auto joined = join_selectors(words);  // whole: check_line has seen them
    for (const std::string& rule : *joined) {
      const AclRuleError error = apply_acl_rule(scope(), rule, &rules);
      if (error == AclRuleError::kNone) continue;
      return Status(StatusCode::kNotFound, "Error loading ACL rule '" + rule + "' for the user named '" + name +
                                               "': " + std::string(acl_rule_error_text(error)));
    }
    if (!rules.enabled) {
      log_notice(
          "The user '%s' is disabled (there is no 'on' modifier in the user description). Make sure this is not a "
          "configuration error.",
          name.c_str());
    }
    publish(name, std::move(rules));
  }
  return {};
}

// --- The ACL file.

Status AclStore::load_file(const std::string& path, std::vector<Change>* changes) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) {
    return Status(StatusCode::kIoError, "Error loading ACLs, opening file '" + path + "': " + std::strerror(errno));
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  LockGuard guard(mutex_);
  std::map<std::string, UserRules> loaded;
  const std::string errors = parse_acl_file(scope(), path, text, &loaded);
  if (!errors.empty()) {
    return refuse(errors + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
  }
  const std::string default_name(kDefaultName);
  if (loaded.find(default_name) == loaded.end()) loaded.emplace(default_name, default_user_rules(scope()));
  for (auto it = users_.begin(); it != users_.end();) {
    if (loaded.find(it->first) != loaded.end()) {
      ++it;
      continue;
    }
    it->second->mark_replaced();
    changes->push_back({it->second, nullptr});
    it = users_.erase(it);
  }
  for (auto& [name, rules] : loaded) {
    const auto known = users_.find(name);
    UserPointer before = known == users_.end() ? nullptr : known->second;
    changes->push_back({before, publish(name, std::move(rules))});
  }
  return {};
}

Status AclStore::save_file(const std::string& path) const {
  std::string text;
  for (const std::string& user : describe_all()) text += "user " + user + "\n";
  return replace_file(path, text);
}

std::vector<std::string> AclStore::describe_all() const {
  std::vector<std::string> lines;
  for (const UserPointer& user : all()) lines.push_back(user->name + " " + describe_user(user->rules));
  return lines;
}

}  // namespace synap
