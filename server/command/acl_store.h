// AclStore: the users, by name. Readers get immutable versions; a change publishes new versions all at once or not at
// all. Also the ACL file, the users of the configuration file, and the log of denials.
// It never touches a client: what a change means for connections is ACL's commands' business.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/base/sync.h"
#include "server/command/acl.h"
#include "server/command/acl_log.h"
#include "server/command/acl_rules.h"
#include "server/command/config_store.h"

namespace synap {

struct UserLine;  // server/command/config_file.h

class AclStore {
 public:
  static constexpr std::string_view kDefaultName = "default";

  using UserPointer = std::shared_ptr<const User>;
  // One version gave way to another: before is null for a new user, after for a deleted one.
  struct Change {
    UserPointer before, after;
  };

  AclStore(const CommandTable* commands, const ConfigStore* config);
  AclStore(const AclStore&) = delete;
  AclStore& operator=(const AclStore&) = delete;

  UserPointer find(std::string_view name) const;
  UserPointer default_user() const { return find(kDefaultName); }
  // In the order of their names.
  std::vector<UserPointer> all() const;
  // The version in force of a user that was replaced; null: it was deleted.
  UserPointer current(const User& user) const;
  // The user, if the password is right and the user is on.
  UserPointer authenticate(std::string_view name, std::string_view password) const;

  // ACL SETUSER. The detail of a failure is the reply without its code; nothing has changed then.
  Status set_user(std::string_view name, std::span<const std::string_view> rules, Change* change);
  // The deleted version; null: there was none. The default user stays.
  UserPointer delete_user(std::string_view name);
  // requirepass; empty: none is needed.
  void set_default_password(std::string_view password);

  // The "user" lines of the configuration file, at start, before other threads. kSyntax: the detail is the block for
  // standard error; otherwise it is for the log.
  Status load_configured(std::span<const UserLine> lines);
  // ACL LOAD. On a failure nothing has changed and the detail says all that is wrong with the file.
  Status load_file(const std::string& path, std::vector<Change>* changes);
  // ACL SAVE.
  Status save_file(const std::string& path) const;
  // "name on nopass …" of each user, for the configuration file and ACL LIST.
  std::vector<std::string> describe_all() const;

  AclLog& log() { return log_; }
  const AclLog& log() const { return log_; }

 private:
  using Users = std::map<std::string, UserPointer, std::less<>>;

  AclRuleScope scope() const;
  UserPointer publish(std::string_view name, UserRules rules) REQUIRES(mutex_);
  Status check_line(const UserLine& line, std::span<const UserLine> earlier) const;

  const CommandTable& commands_;
  const ConfigStore& config_;
  AclLog log_;
  mutable Mutex mutex_{LockRank::kAcl};
  Users users_ GUARDED_BY(mutex_);
  uint64_t next_identity_ GUARDED_BY(mutex_) = 1;
};

}  // namespace synap
