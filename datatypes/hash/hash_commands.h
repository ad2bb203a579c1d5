// The hash family's rows, and what its two files of handlers share.
#pragma once

#include <string_view>

#include "datatypes/hash/hash.h"
#include "server/command/command.h"
#include "server/command/context.h"

namespace synap {

extern const CommandFamily kHashCommands;
extern const CommandFamily kHashTtlCommands;  // field expiry: HEXPIRE …, HGETEX HSETEX HGETDEL

HashLimits hash_limits(const Context& ctx);

// The time at which writes judge whether a field is due. A replica deletes nothing by itself: its master's writes mean
// the field as it stands.
int64_t write_clock_ms(const Context& ctx);

// Deletes the field if it is due, as a lookup in Redis does: event "hexpired", and HDEL as effect, so that a caller
// that goes on must journal itself (ctx.effect(ctx.args())). Returns whether it did.
bool drop_due_field(Context& ctx, Edit<Hash>& hash, std::string_view field);

}  // namespace synap
