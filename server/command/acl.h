// Users and what they may do. A User is immutable once published; ACL SETUSER makes a new one and swaps it in.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/command/command.h"
#include "server/command/session.h"

namespace synap {

struct Server;

struct User {
  std::string name = "default";
  bool enabled = true;
  bool no_password = true;
  std::string password;

  // May run every command on every key and channel: nothing needs checking.
  bool unrestricted() const { return true; }
};

// The error text if the session's user may not run this call, else empty. Counts and logs the denial.
std::string acl_check(Server& server, const Session& session, const Command& command, ArgViews args);

}  // namespace synap
