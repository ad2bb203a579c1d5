#include "server/command/acl.h"

#include <algorithm>
#include <utility>

#include "protocol/errors.h"
#include "server/base/glob.h"
#include "server/base/text.h"
#include "server/command/acl_log.h"
#include "server/command/acl_store.h"
#include "server/command/command_table.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

bool has_unrestricted_selector(const UserRules& rules) {
  return std::any_of(rules.selectors.begin(), rules.selectors.end(),
                     [](const AclSelector& selector) { return selector.unrestricted(); });
}

bool matches(const KeyPattern& allowed, std::string_view key) {
  if (!allowed.is_prefix) return glob_match(allowed.pattern, key);
  return key.starts_with(std::string_view(allowed.pattern).substr(0, allowed.pattern.size() - 1));
}

uint8_t access_of(uint32_t key_flags) {
  uint8_t access = 0;
  if ((key_flags & kKeyAccess) != 0) access |= KeyPattern::kReads;
  if ((key_flags & (kKeyInsert | kKeyDelete | kKeyUpdate)) != 0) access |= KeyPattern::kWrites;
  return access;
}

bool may_touch(const AclSelector& selector, std::string_view key, uint32_t key_flags) {
  if (selector.all_keys) return true;
  const uint8_t access = access_of(key_flags);
  return std::any_of(selector.keys.begin(), selector.keys.end(), [&](const KeyPattern& allowed) {
    return (allowed.access & access) == access && matches(allowed, key);
  });
}

bool may_touch_all(const AclSelector& selector, uint32_t key_flags) {
  if (selector.all_keys) return true;
  const uint8_t access = access_of(key_flags);
  return std::any_of(selector.keys.begin(), selector.keys.end(), [&](const KeyPattern& allowed) {
    return (allowed.access & access) == access && allowed.pattern == "*";
  });
}

bool may_use_channel(const AclSelector& selector, std::string_view channel, bool is_pattern) {
  if (selector.all_channels) return true;
  return std::any_of(selector.channels.begin(), selector.channels.end(), [&](const std::string& allowed) {
    return is_pattern ? allowed == channel : glob_match(allowed, channel);
  });
}

// One call, as all selectors of a user look at it: its keys are found once, when first asked for.
class Call {
 public:
  Call(const CommandTable& commands, const Command& command, ArgViews args)
      : command_(command), args_(args), index_(commands.index_of(&command)) {}

  AclVerdict check(const AclSelector& selector) {
    if (!may_run(selector)) return {AclDenial::kCommand, 0};
    if (!selector.all_keys) {
      const size_t denied = is_one_key() ? check_one_key(selector) : check_keys(selector);
      if (denied != 0) return {AclDenial::kKey, denied};
    }
    return selector.all_channels ? AclVerdict() : check_channels(selector);
  }

 private:
  bool may_run(const AclSelector& selector) const {
    if (selector.all_commands || command_.has(kNoAuth) || selector.commands[index_]) return true;
    const auto first_args = selector.first_args.find(index_);
    if (first_args == selector.first_args.end() || args_.size() < 2) return false;
    return std::any_of(first_args->second.begin(), first_args->second.end(),
                       [&](const std::string& allowed) { return equals_ignore_case(allowed, args_[1]); });
  }

  // Most commands: one key, the first argument.
  bool is_one_key() const {
    const KeySpec& first = command_.key_specs[0];
    return command_.keys == nullptr && first.begin == KeySpec::Begin::kIndex && first.find == KeySpec::Find::kRange &&
           first.index == 1 && first.last == 0 && (first.flags & (kKeyNotKey | kKeyIncomplete)) == 0 &&
           command_.key_specs[1].begin == KeySpec::Begin::kNone;
  }
  // The position of the first key that is denied; 0: none is.
  size_t check_one_key(const AclSelector& selector) const {
    return may_touch(selector, args_[1], command_.key_specs[0].flags) ? 0 : 1;
  }
  size_t check_keys(const AclSelector& selector) {
    for (const KeyRef& key : keys()) {
      if (!may_touch(selector, args_[key.position], key.flags)) return key.position;
    }
    return 0;
  }

  AclVerdict check_channels(const AclSelector& selector) const {
    if (!command_.has(kChannelPublished | kChannelsSubscribed | kPatternsSubscribed)) return {};
    const size_t end = command_.has(kChannelPublished) ? std::min<size_t>(2, args_.size()) : args_.size();
    for (size_t i = 1; i < end; ++i) {
      if (!may_use_channel(selector, args_[i], command_.has(kPatternsSubscribed))) return {AclDenial::kChannel, i};
    }
    return {};
  }

  // Arguments that make no sense name no keys: the handler will refuse them.
  const std::vector<KeyRef>& keys() {
    if (std::exchange(found_, true)) return keys_;
    const bool makes_sense = find_keys(command_, args_, &keys_);
    const bool incomplete = std::any_of(command_.key_specs.begin(), command_.key_specs.end(),
                                        [](const KeySpec& spec) { return (spec.flags & kKeyIncomplete) != 0; });
    if (!makes_sense && !incomplete) keys_.clear();
    std::erase_if(keys_, [](const KeyRef& key) { return (key.flags & kKeyNotKey) != 0; });
    return keys_;
  }

  const Command& command_;
  const ArgViews args_;
  const size_t index_;
  std::vector<KeyRef> keys_;
  bool found_ = false;
};

std::shared_ptr<const User> current_user(Server& server, const Session& session) {
  return session.user->is_replaced() ? server.acl->current(*session.user) : session.user;
}

std::string check_and_log(Server& server, const Session& session, const Command& command, ArgViews args,
                          AclContext context) {
  std::shared_ptr<const User> newer;
  const User* user = session.user.get();
  if (user->is_replaced()) {
    newer = server.acl->current(*user);
    user = newer.get();
  }
  if (user == nullptr) return std::string(kNoAuthError);  // deleted meanwhile; its connections are being closed
  const AclVerdict verdict = acl_verdict(*user, *server.commands, command, args);
  if (verdict.denial == AclDenial::kNone) return {};
  AclEvent event;
  event.denial = verdict.denial;
  event.context = context;
  event.user = user->name;
  event.object = verdict.denial == AclDenial::kCommand ? command.display_name() : args[verdict.position];
  // Commands of EXEC and scripts are not the client's: it runs EXEC, EVAL.
  event.running = context == AclContext::kTopLevel || session.has(kSessionMulti) ? &command : nullptr;
  server.acl->log().add(event, *session.shared, server.config->current());
  return acl_denial_text(verdict, *user, command);
}

}  // namespace

KeyPattern::KeyPattern(std::string_view glob, uint8_t access_bits)
    : pattern(glob),
      access(access_bits),
      is_prefix(glob.size() > 1 && glob.find_first_of("*?[\\") == glob.size() - 1 && glob.ends_with('*')) {}

User::User(std::string user_name, uint64_t user_identity, UserRules user_rules)
    : name(std::move(user_name)),
      identity(user_identity),
      rules(std::move(user_rules)),
      must_check_(!has_unrestricted_selector(rules)) {}

AclVerdict acl_verdict(const User& user, const CommandTable& commands, const Command& command, ArgViews args) {
  // One denial is told: that of the command if no selector allows it, else that of the last key or channel.
  AclVerdict worst{AclDenial::kCommand, 0};
  Call call(commands, command, args);
  for (const AclSelector& selector : user.rules.selectors) {
    const AclVerdict verdict = call.check(selector);
    if (verdict.denial == AclDenial::kNone) return verdict;
    if (verdict.denial > worst.denial || (verdict.denial == worst.denial && verdict.position > worst.position)) {
      worst = verdict;
    }
  }
  return worst;
}

bool acl_may_touch_all_keys(Server& server, const Session& session, const Command& command, ArgViews args,
                            uint32_t key_flags) {
  if (session.user == nullptr || session.user->unrestricted()) return true;
  const std::shared_ptr<const User> user = current_user(server, session);
  if (user == nullptr) return false;
  Call call(*server.commands, command, args);
  return std::any_of(user->rules.selectors.begin(), user->rules.selectors.end(), [&](const AclSelector& selector) {
    return call.check(selector).denial == AclDenial::kNone && may_touch_all(selector, key_flags);
  });
}

bool acl_may_use_channel(const User& user, std::string_view channel, bool is_pattern) {
  return std::any_of(user.rules.selectors.begin(), user.rules.selectors.end(),
                     [&](const AclSelector& selector) { return may_use_channel(selector, channel, is_pattern); });
}

std::string acl_denial_text(const AclVerdict& verdict, const User& user, const Command& command,
                            const std::string_view* object) {
  const std::string who = "User " + user.name + " has no permissions to ";
  if (verdict.denial == AclDenial::kCommand)
    return who + "run the '" + std::string(command.display_name()) + "' command";
  const std::string_view what = verdict.denial == AclDenial::kKey ? "key" : "channel";
  if (object != nullptr) return who + "access the '" + std::string(*object) + "' " + std::string(what);
  return "No permissions to access a " + std::string(what);
}

std::string acl_check(Server& server, const Session& session, const Command& command, ArgViews args,
                      AclContext context) {
  const bool in_multi = context == AclContext::kTopLevel && session.has(kSessionMulti);
  std::string denied = check_and_log(server, session, command, args, in_multi ? AclContext::kMulti : context);
  if (denied.empty() || denied == kNoAuthError) return denied;
  return "NOPERM " + denied;
}

bool acl_allows(Server& server, const Session& session, const Command& command, ArgViews args) {
  if (session.user == nullptr || session.user->unrestricted()) return true;
  const std::shared_ptr<const User> user = current_user(server, session);
  return user != nullptr && acl_verdict(*user, *server.commands, command, args).denial == AclDenial::kNone;
}

std::string acl_check_queued(Server& server, const Session& session, const Command& command, ArgViews args) {
  if (session.user == nullptr || session.user->unrestricted()) return {};
  const std::string denied = check_and_log(server, session, command, args, AclContext::kMulti);
  if (denied.empty() || denied == kNoAuthError) return denied;
  std::string_view reason = "no permission to execute the command or subcommand";
  if (denied.ends_with(" key")) reason = "no permission to touch the specified keys";
  if (denied.ends_with(" channel"))
    reason = "no permission to access one of the channels used as arguments to the command";
  return "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This "
         "command is no longer allowed for the following reason: " +
         std::string(reason);
}

void acl_refresh(Server& server, Session& session) {
  if (session.user == nullptr) {
    // A password may no longer be needed.
    const std::shared_ptr<const User> user = server.acl->default_user();
    if (user->rules.enabled && user->rules.no_password) acl_become(session, user);
    return;
  }
  if (!session.user->is_replaced()) return;
  const std::shared_ptr<const User> current = server.acl->current(*session.user);
  if (current != nullptr) session.user = current;  // else it was deleted, and every check says so
}

void acl_become(Session& session, std::shared_ptr<const User> user) {
  const bool known = user != nullptr;
  known ? session.set(kSessionAuthenticated) : session.clear(kSessionAuthenticated);
  session.shared->user_identity.store(known ? user->identity : 0, std::memory_order_relaxed);
  {
    LockGuard guard(session.shared->mutex);
    session.shared->user_name = known ? user->name : AclStore::kDefaultName;
  }
  session.user = std::move(user);
}

}  // namespace synap
