// See protected_action.h.
#include "server/command/protected_action.h"

namespace synap {

bool is_local(const Session& session) {
  if (session.has(kSessionUnixSocket)) return true;
  const SharedSession& shared = *session.shared;
  LockGuard guard(shared.mutex);
  const std::string& peer = shared.peer;
  return peer.starts_with("127.") || peer.starts_with("[::1]:") || peer.starts_with("::1:");
}

bool is_allowed(ProtectedAction setting, const Session& session) {
  return setting == ProtectedAction::kYes || (setting == ProtectedAction::kLocal && is_local(session));
}

}  // namespace synap
