#include "server/admin/authentication.h"

#include <string>

#include "protocol/errors.h"
#include "server/command/acl.h"
#include "server/command/acl_store.h"
#include "server/command/server_api.h"

namespace synap {

bool default_user_has_no_password(Context& ctx) {
  return ctx.server().acl->default_user()->rules.no_password;
}

bool user_exists(Context& ctx, std::string_view name) {
  return ctx.server().acl->find(name) != nullptr;
}

bool authenticate(Context& ctx, std::string_view user, std::string_view password) {
  AclStore& acl = *ctx.server().acl;
  AclStore::UserPointer found = acl.authenticate(user, password);
  if (found == nullptr) {
    AclEvent event;
    event.denial = AclDenial::kAuth;
    event.context = ctx.session().has(kSessionMulti) ? AclContext::kMulti : AclContext::kTopLevel;
    event.user = user;
    event.object = ctx.arg(0);
    event.running = &ctx.command();
    acl.log().add(event, *ctx.session().shared, ctx.config());
    ctx.error(kWrongPassError);
    return false;
  }
  acl_become(ctx.session(), std::move(found));
  return true;
}

void authenticate_by_default(Server& server, Session& session) {
  AclStore::UserPointer user = server.acl->default_user();
  const bool open = user->rules.enabled && user->rules.no_password;
  acl_become(session, open ? std::move(user) : nullptr);
}

}  // namespace synap
