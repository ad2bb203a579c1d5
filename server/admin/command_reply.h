// How COMMAND INFO and COMMAND DOCS describe one row.
#pragma once

#include "protocol/reply.h"
#include "server/command/command.h"

namespace synap {

void reply_command_info(Reply& reply, const Command& command);
void reply_command_docs(Reply& reply, const Command& command);
void reply_key_flags(Reply& reply, uint32_t flags);

}  // namespace synap
