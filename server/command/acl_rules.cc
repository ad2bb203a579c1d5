#include "server/command/acl_rules.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "server/base/log.h"
#include "server/base/quoted_args.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr size_t kHashDigits = 64;

bool is_password_hash(std::string_view text) {
  return text.size() == kHashDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// --- Commands.

// Whatever follows no longer matters: the same rule before, and rules for subcommands of the whole command.
void remember_command_rule(AclSelector* selector, std::string_view name, bool allow) {
  const std::string rule = to_lower(name);
  std::erase_if(selector->command_rules, [&](const std::string& old) {
    const std::string_view body = std::string_view(old).substr(1);
    return body == rule || (body.starts_with(rule) && body[rule.size()] == '|');
  });
  selector->command_rules.push_back((allow ? '+' : '-') + rule);
}

void set_command(const CommandTable& commands, const Command& command, bool allow, AclSelector* selector) {
  const auto set_bit = [&](const Command& row) { selector->commands[commands.index_of(&row)] = allow; };
  if (!allow) selector->all_commands = false;
  set_bit(command);
  selector->first_args.erase(commands.index_of(&command));
  for (const Command& sub : command.subcommands) set_bit(sub);
}

void set_all_commands(const CommandTable& commands, bool allow, AclSelector* selector) {
  selector->commands.assign(commands.size(), allow);
  selector->all_commands = selector->future_commands = allow;
  selector->command_rules.clear();
  selector->first_args.clear();
}

AclRuleError set_category(const CommandTable& commands, std::string_view name, bool allow, AclSelector* selector) {
  const uint64_t bit = category_bit(name);
  if (bit == 0) return AclRuleError::kUnknownCommand;
  remember_command_rule(selector, "@" + std::string(name), allow);
  for (const Command* command : commands.all()) {
    if ((command->categories & bit) != 0) set_command(commands, *command, allow, selector);
    for (const Command& sub : command->subcommands) {
      if ((sub.categories & bit) != 0) set_command(commands, sub, allow, selector);
    }
  }
  return AclRuleError::kNone;
}

// "+select|0": a command without subcommands, allowed with this first argument alone.
AclRuleError allow_first_arg(const CommandTable& commands, const Command& command, std::string_view arg,
                             AclSelector* selector) {
  log_warning(
      "Deprecation warning: Allowing a first arg of an otherwise blocked command is a misuse of ACL and may get "
      "disabled in the future (offender: +%.*s|%.*s)",
      static_cast<int>(command.name.size()), command.name.data(), static_cast<int>(arg.size()), arg.data());
  std::vector<std::string>& allowed = selector->first_args[commands.index_of(&command)];
  const bool known = std::any_of(allowed.begin(), allowed.end(),
                                 [&](const std::string& other) { return equals_ignore_case(other, arg); });
  if (!known) allowed.emplace_back(arg);
  return AclRuleError::kNone;
}

// A rule for a command that rename-command took away: kept, for the file that it will be written to.
AclRuleError remember_removed(std::string_view name, bool allow, AclSelector* selector) {
  remember_command_rule(selector, name, allow);
  return AclRuleError::kNone;
}

AclRuleError allow_subcommand(const CommandTable& commands, std::string_view name, AclSelector* selector) {
  const size_t bar = name.rfind('|');
  const std::string_view sub = name.substr(bar + 1);
  bool removed = false;
  const Command* command = commands.find_declared(name.substr(0, bar), &removed);
  if (removed && !sub.empty()) return remember_removed(name, true, selector);
  if (command == nullptr) return AclRuleError::kUnknownCommand;
  if (!command->full_name.empty()) return AclRuleError::kFirstArgOfSubcommand;
  if (sub.empty()) return AclRuleError::kSyntax;
  if (command->subcommands.empty()) {
    allow_first_arg(commands, *command, sub, selector);
  } else {
    const Command* row = commands.find_declared(name, &removed);
    if (row == nullptr) return AclRuleError::kUnknownCommand;
    set_command(commands, *row, true, selector);
  }
  remember_command_rule(selector, name, true);
  return AclRuleError::kNone;
}

AclRuleError apply_command_rule(const CommandTable& commands, std::string_view rule, AclSelector* selector) {
  const bool allow = rule[0] == '+';
  const std::string_view name = rule.substr(1);
  if (name.starts_with('@')) return set_category(commands, name.substr(1), allow, selector);
  if (allow && name.find('|') != std::string_view::npos) return allow_subcommand(commands, name, selector);
  bool removed = false;
  const Command* command = commands.find_declared(name, &removed);
  if (removed) return remember_removed(name, allow, selector);
  if (command == nullptr) return AclRuleError::kUnknownCommand;
  set_command(commands, *command, allow, selector);
  remember_command_rule(selector, name, allow);
  return AclRuleError::kNone;
}

// --- Keys and channels.

AclRuleError add_key_pattern(std::string_view rule, AclSelector* selector) {
  if (selector->all_keys) return AclRuleError::kAfterAllKeys;
  uint8_t access = KeyPattern::kReads | KeyPattern::kWrites;
  size_t begin = 1;
  if (rule[0] == '%') {
    access = 0;
    for (; begin < rule.size() && rule[begin] != '~'; ++begin) {
      const char letter = to_upper(rule[begin]);
      const uint8_t bit = letter == 'R' ? KeyPattern::kReads : letter == 'W' ? KeyPattern::kWrites : 0;
      if (bit == 0 || (access & bit) != 0) return AclRuleError::kSyntax;
      access |= bit;
    }
    if (access == 0) return AclRuleError::kSyntax;
    begin = std::min(begin + 1, rule.size());
  }
  const std::string_view pattern = rule.substr(begin);
  if (has_spaces_or_nulls(pattern)) return AclRuleError::kSyntax;
  for (KeyPattern& known : selector->keys) {
    if (known.pattern != pattern) continue;
    known.access |= access;
    return AclRuleError::kNone;
  }
  selector->keys.emplace_back(pattern, access);
  return AclRuleError::kNone;
}

AclRuleError add_channel(std::string_view pattern, AclSelector* selector) {
  if (selector->all_channels) return AclRuleError::kAfterAllChannels;
  if (has_spaces_or_nulls(pattern)) return AclRuleError::kSyntax;
  const std::string name(pattern);
  if (std::find(selector->channels.begin(), selector->channels.end(), name) == selector->channels.end()) {
    selector->channels.push_back(name);
  }
  return AclRuleError::kNone;
}

// --- Selectors.

AclSelector new_selector(const AclRuleScope& scope) {
  AclSelector selector;
  set_all_commands(scope.commands, false, &selector);
  selector.all_channels = scope.all_channels_by_default;
  return selector;
}

AclRuleError apply_selector_rule(const AclRuleScope& scope, std::string_view rule, AclSelector* selector) {
  const auto is = [&](std::string_view word) { return equals_ignore_case(rule, word); };
  if (is("allkeys") || is("~*") || is("resetkeys")) {
    selector->all_keys = !is("resetkeys");
    selector->keys.clear();
  } else if (is("allchannels") || is("&*") || is("resetchannels")) {
    selector->all_channels = !is("resetchannels");
    selector->channels.clear();
  } else if (is("allcommands") || is("+@all") || is("nocommands") || is("-@all")) {
    set_all_commands(scope.commands, is("allcommands") || is("+@all"), selector);
  } else if (rule[0] == '~' || rule[0] == '%') {
    return add_key_pattern(rule, selector);
  } else if (rule[0] == '&') {
    return add_channel(rule.substr(1), selector);
  } else if (rule[0] == '+' || rule[0] == '-') {
    return apply_command_rule(scope.commands, rule, selector);
  } else {
    return AclRuleError::kSyntax;
  }
  return AclRuleError::kNone;
}

AclRuleError add_selector(const AclRuleScope& scope, std::string_view text, UserRules* rules) {
  AclSelector selector = new_selector(scope);
  const auto words = split_quoted_args(text.substr(1, text.size() - 2));
  if (!words.has_value()) return AclRuleError::kSyntax;
  for (const std::string& word : *words) {
    const AclRuleError error = word.empty() ? AclRuleError::kSyntax : apply_selector_rule(scope, word, &selector);
    if (error != AclRuleError::kNone) return error;
  }
  rules->selectors.push_back(std::move(selector));
  return AclRuleError::kNone;
}

// --- Passwords.

AclRuleError change_password(std::string_view rule, UserRules* rules) {
  const bool is_hash = rule[0] == '#' || rule[0] == '!';
  if (is_hash && !is_password_hash(rule.substr(1))) return AclRuleError::kBadHash;
  const std::string hash = is_hash ? std::string(rule.substr(1)) : hash_password(rule.substr(1));
  const auto known = std::find(rules->passwords.begin(), rules->passwords.end(), hash);
  if (rule[0] == '>' || rule[0] == '#') {
    if (known == rules->passwords.end()) rules->passwords.push_back(hash);
    rules->no_password = false;
    return AclRuleError::kNone;
  }
  if (known == rules->passwords.end()) return AclRuleError::kNoSuchPassword;
  rules->passwords.erase(known);
  return AclRuleError::kNone;
}

std::string describe_selector(const AclSelector& selector) {
  std::string text = describe_keys(selector);
  if (!text.empty()) text += ' ';
  if (!selector.all_channels) text += "resetchannels ";
  const std::string channels = describe_channels(selector);
  text += channels;
  if (!channels.empty()) text += ' ';
  return text + describe_commands(selector);
}

void append_word(std::string* text, std::string_view word) {
  if (!text->empty()) *text += ' ';
  *text += word;
}

}  // namespace

std::string_view acl_rule_error_text(AclRuleError error) {
  switch (error) {
    case AclRuleError::kNone:
      return {};
    case AclRuleError::kUnknownCommand:
      return "Unknown command or category name in ACL";
    case AclRuleError::kSyntax:
      return "Syntax error";
    case AclRuleError::kAfterAllKeys:
      return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
             "Try "
             "'resetkeys' to start with an empty list of patterns";
    case AclRuleError::kAfterAllChannels:
      return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any "
             "effect. "
             "Try 'resetchannels' to start with an empty list of channels";
    case AclRuleError::kNoSuchPassword:
      return "The password you are trying to remove from the user does not exist";
    case AclRuleError::kBadHash:
      return "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    case AclRuleError::kFirstArgOfSubcommand:
      return "Allowing first-arg of a subcommand is not supported";
  }
  return {};
}

UserRules new_user_rules(const AclRuleScope& scope) {
  UserRules rules;
  rules.selectors.push_back(new_selector(scope));
  return rules;
}

UserRules default_user_rules(const AclRuleScope& scope) {
  UserRules rules = new_user_rules(scope);
  rules.enabled = rules.no_password = true;
  AclSelector& root = rules.selectors.front();
  root.all_keys = root.all_channels = true;
  set_all_commands(scope.commands, true, &root);
  return rules;
}

AclRuleError apply_acl_rule(const AclRuleScope& scope, std::string_view rule, UserRules* rules) {
  const auto is = [&](std::string_view word) { return equals_ignore_case(rule, word); };
  if (rule.empty()) return AclRuleError::kNone;
  if (is("on") || is("off")) {
    rules->enabled = is("on");
  } else if (is("skip-sanitize-payload") || is("sanitize-payload")) {
    rules->sanitize_payload = is("sanitize-payload");
  } else if (is("nopass") || is("resetpass")) {
    rules->no_password = is("nopass");
    rules->passwords.clear();
  } else if (rule[0] == '>' || rule[0] == '#' || rule[0] == '<' || rule[0] == '!') {
    return change_password(rule, rules);
  } else if (rule.size() >= 2 && rule.front() == '(' && rule.back() == ')') {
    return add_selector(scope, rule, rules);
  } else if (is("clearselectors")) {
    rules->selectors.resize(1);
  } else if (is("reset")) {
    *rules = new_user_rules(scope);
  } else {
    return apply_selector_rule(scope, rule, &rules->selectors.front());
  }
  return AclRuleError::kNone;
}

std::optional<std::vector<std::string>> join_selectors(std::span<const std::string_view> words,
                                                       std::string_view* unmatched) {
  std::vector<std::string> joined;
  const std::string_view* open = nullptr;
  for (const std::string_view& word : words) {
    if (open != nullptr) {
      joined.back() += ' ';
      joined.back() += word;
      if (word.ends_with(')')) open = nullptr;
      continue;
    }
    joined.emplace_back(word);
    if (word.starts_with('(') && !word.ends_with(')')) open = &word;
  }
  if (open == nullptr) return joined;
  if (unmatched != nullptr) *unmatched = *open;
  return std::nullopt;
}

std::string describe_commands(const AclSelector& selector) {
  std::string text = selector.future_commands ? "+@all" : "-@all";
  for (const std::string& rule : selector.command_rules) append_word(&text, rule);
  return text;
}

std::string describe_keys(const AclSelector& selector) {
  if (selector.all_keys) return "~*";
  std::string text;
  for (const KeyPattern& key : selector.keys) {
    const bool both = key.access == (KeyPattern::kReads | KeyPattern::kWrites);
    append_word(&text, both ? "~" : key.access == KeyPattern::kReads ? "%R~" : "%W~");
    text += key.pattern;
  }
  return text;
}

std::string describe_channels(const AclSelector& selector) {
  if (selector.all_channels) return "&*";
  std::string text;
  for (const std::string& channel : selector.channels) {
    append_word(&text, "&");
    text += channel;
  }
  return text;
}

std::vector<std::string_view> user_flags(const UserRules& rules) {
  std::vector<std::string_view> flags = {rules.enabled ? "on" : "off"};
  if (rules.no_password) flags.push_back("nopass");
  flags.push_back(rules.sanitize_payload ? "sanitize-payload" : "skip-sanitize-payload");
  return flags;
}

std::string describe_user(const UserRules& rules) {
  std::string text;
  for (const std::string_view flag : user_flags(rules)) append_word(&text, flag);
  for (const std::string& password : rules.passwords) append_word(&text, "#" + password);
  append_word(&text, describe_selector(rules.selectors.front()));
  for (size_t i = 1; i < rules.selectors.size(); ++i) {
    append_word(&text, "(" + describe_selector(rules.selectors[i]) + ")");
  }
  return text;
}

bool has_spaces_or_nulls(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return c == '\0' || std::isspace(static_cast<unsigned char>(c)) != 0; });
}

std::string hash_password(std::string_view password) {
  static constexpr char kDigits[] = "0123456789abcdef";
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(password.data()), password.size(), digest);
  std::string text;
  text.reserve(kHashDigits);
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool password_matches(const UserRules& rules, std::string_view password) {
  if (rules.no_password) return true;
  const std::string hash = hash_password(password);
  return std::any_of(rules.passwords.begin(), rules.passwords.end(), [&](const std::string& known) {
    return CRYPTO_memcmp(known.data(), hash.data(), kHashDigits) == 0;
  });
}

}  // namespace synap
