// Who a session is: AUTH, HELLO AUTH and RESET come here, and nothing else decides it.
#pragma once

#include <string_view>

#include "server/command/context.h"

namespace synap {

// True when the default user takes any password, so that AUTH with a password alone is a mistake.
bool default_user_has_no_password(Context& ctx);

bool user_exists(Context& ctx, std::string_view name);

// Makes the session that user's; otherwise replies WRONGPASS, remembers it in the ACL log, and changes nothing else.
bool authenticate(Context& ctx, std::string_view user, std::string_view password);

// What a new connection starts with: the default user, if that one needs no password.
void authenticate_by_default(Server& server, Session& session);

}  // namespace synap
