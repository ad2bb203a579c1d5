// One client as CLIENT LIST and CLIENT INFO show it, and the attributes that clients give themselves.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/command/command.h"
#include "server/command/session.h"

namespace synap {

enum class ClientKind { kNormal, kMaster, kReplica, kPubsub };

ClientKind client_kind(const SharedSession& client);
std::optional<ClientKind> client_kind_by_name(std::string_view name);

// Appends the client's line, "\n" included. `running`: the command it runs right now, if that is known to the caller.
void append_client_line(const SharedSession& client, int64_t now_ms, const Command* running, std::string* out);

// Names, library names and versions must not break the format of the list: printable, no spaces.
bool is_valid_client_attribute(std::string_view value);

}  // namespace synap
