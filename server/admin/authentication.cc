// Until users have rules of their own there is one, `default`, whose password is `requirepass`.
#include "server/admin/authentication.h"

#include <memory>
#include <string>

#include "protocol/errors.h"
#include "server/command/acl.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

constexpr std::string_view kDefaultUser = "default";

// Takes the same time wherever the first difference is, so that a password cannot be guessed byte by byte.
bool equal_in_constant_time(std::string_view given, std::string_view expected) {
  unsigned difference = given.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < given.size() && !expected.empty(); ++i) {
    difference |= static_cast<unsigned>(given[i] ^ expected[i % expected.size()]);
  }
  return difference == 0;
}

void become_default(Session& session) {
  session.user = std::make_shared<const User>();
  session.set(kSessionAuthenticated);
  LockGuard guard(session.shared->mutex);
  session.shared->user_name = kDefaultUser;
}

}  // namespace

bool default_user_has_no_password(const Context& ctx) {
  return ctx.config().requirepass.empty();
}

bool user_exists(const Context&, std::string_view name) {
  return name == kDefaultUser;
}

bool authenticate(Context& ctx, std::string_view user, std::string_view password) {
  const bool known = user_exists(ctx, user);
  const bool right = default_user_has_no_password(ctx) || equal_in_constant_time(password, ctx.config().requirepass);
  if (!known || !right) {
    ctx.error(kWrongPassError);
    return false;
  }
  become_default(ctx.session());
  return true;
}

void authenticate_by_default(Context& ctx) {
  Session& session = ctx.session();
  if (default_user_has_no_password(ctx)) return become_default(session);
  session.user = nullptr;
  session.clear(kSessionAuthenticated);
  LockGuard guard(session.shared->mutex);
  session.shared->user_name = kDefaultUser;
}

}  // namespace synap
