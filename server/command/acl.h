// Users and what they may do. A User is immutable once published: ACL SETUSER makes a new one and marks the old one as
// replaced, so that sessions which still hold it notice at their next command. The unrestricted user that nobody has
// replaced (the default user of most servers) costs one test of a flag.
// Rules are parsed in acl_rules, kept in acl_store, denials remembered in acl_log.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/command/command.h"
#include "server/command/session.h"

namespace synap {

class CommandTable;
struct Server;

struct KeyPattern {
  static constexpr uint8_t kReads = 1;
  static constexpr uint8_t kWrites = 2;

  KeyPattern(std::string_view glob, uint8_t access_bits);

  std::string pattern;
  uint8_t access;
  bool is_prefix;  // "name*", as most are: needs no glob matching
};

// One set of permissions. A call must fit a single selector with all that it does.
struct AclSelector {
  bool all_keys = false;
  bool all_channels = false;
  bool all_commands = false;     // no command was ever taken away since +@all
  bool future_commands = false;  // the rules begin with +@all
  std::vector<KeyPattern> keys;
  std::vector<std::string> channels;
  std::vector<bool> commands;                             // by CommandTable::index_of
  std::map<size_t, std::vector<std::string>> first_args;  // of commands allowed only with these: +select|0
  std::vector<std::string> command_rules;                 // in order, after the leading +@all or -@all

  bool unrestricted() const { return all_keys && all_channels && all_commands; }
};

// What a user is, as ACL SETUSER builds it.
struct UserRules {
  bool enabled = false;
  bool no_password = false;
  bool sanitize_payload = true;
  std::vector<std::string> passwords;  // SHA-256, in hexadecimal digits
  std::vector<AclSelector> selectors;  // the first is the user's own, the others were given in parentheses
};

struct User {
  User(std::string user_name, uint64_t user_identity, UserRules user_rules);

  const std::string name;
  const uint64_t identity;  // the same in all versions of a user, never used again once it is deleted
  const UserRules rules;

  // May run every command on every key and channel, and is the version in force: nothing needs checking.
  bool unrestricted() const { return !must_check_.load(std::memory_order_relaxed); }
  // Another version is in force, or the user is gone: AclStore::current knows.
  bool is_replaced() const { return replaced_.load(std::memory_order_acquire); }

 private:
  friend class AclStore;
  void mark_replaced() const {
    replaced_.store(true, std::memory_order_release);
    must_check_.store(true, std::memory_order_release);
  }

  mutable std::atomic<bool> must_check_;
  mutable std::atomic<bool> replaced_{false};
};

enum class AclDenial : uint8_t { kNone, kCommand, kKey, kAuth, kChannel };

struct AclVerdict {
  AclDenial denial = AclDenial::kNone;
  size_t position = 0;  // of the key or channel that was denied
};

// Whether a user may run this call. Changes and remembers nothing.
AclVerdict acl_verdict(const User& user, const CommandTable& commands, const Command& command, ArgViews args);
// The same, and besides do that to every key there is (flags of KeyFlag): SORT's BY and GET.
bool acl_may_touch_all_keys(Server& server, const Session& session, const Command& command, ArgViews args,
                            uint32_t key_flags);
// A pattern (PSUBSCRIBE) must be allowed as it is written.
bool acl_may_use_channel(const User& user, std::string_view channel, bool is_pattern);

// What a denial says, without its code. With `object` the denied key or channel is named: only for who may ask.
std::string acl_denial_text(const AclVerdict& verdict, const User& user, const Command& command,
                            const std::string_view* object = nullptr);

// Where a call came from, for the log.
enum class AclContext : uint8_t { kTopLevel, kMulti, kScript };

// The error text if the session's user may not run this call, else empty. Counts and logs the denial.
std::string acl_check(Server& server, const Session& session, const Command& command, ArgViews args,
                      AclContext context = AclContext::kTopLevel);
// The same question, asked without trying: nothing is counted or logged.
bool acl_allows(Server& server, const Session& session, const Command& command, ArgViews args);
// For a command of EXEC, which was allowed when it was queued.
std::string acl_check_queued(Server& server, const Session& session, const Command& command, ArgViews args);
// Before a command, on the session's own thread: takes up the version of its user that is in force.
void acl_refresh(Server& server, Session& session);

// Makes the session that user's (null: nobody's). On its own thread.
void acl_become(Session& session, std::shared_ptr<const User> user);

}  // namespace synap
