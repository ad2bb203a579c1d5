#include "server/admission.h"

#include "protocol/errors.h"
#include "scripting/scripting.h"

namespace synap {

namespace {

bool is_exempt(const Session& session) { return session.has(kSessionMaster); }

}  // namespace

Admission examine(const Server& server, const Session& session, const Command& command, uint32_t hit,
                  std::string* error) {
  const auto reject = [error](std::string_view text) {
    *error = text;
    return Admission::kReject;
  };
  if ((hit & (kStateLoading | kStateAsyncLoading)) != 0) return reject(kLoadingError);
  if ((hit & kStateBusyScript) != 0) return reject(server.scripting->busy_error());
  if ((hit & kStateReplica) != 0 && command.has(kWrite) && !is_exempt(session)) return reject(kReadOnlyError);
  if ((hit & kStateStale) != 0 && !is_exempt(session)) return reject(kMasterDownError);
  if ((hit & kStateDiskError) != 0 && !is_exempt(session)) return reject(server.disk_error());
  if ((hit & kStateOutOfMemory) != 0 && !is_exempt(session)) return reject(kOutOfMemoryError);
  if ((hit & (kStatePausedAll | kStatePausedWrites | kStateJournalFull)) != 0 && !session.has(kSessionReplica | kSessionMaster)) {
    return Admission::kPostpone;
  }
  return Admission::kRun;
}

}  // namespace synap
