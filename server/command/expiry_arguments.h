// Expiry times as arguments: EX/PX/EXAT/PXAT of SET and GETEX, and those of the EXPIRE family.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/command/context.h"

namespace synap {

enum class ExpiryUnit : uint8_t { kSeconds, kMilliseconds };

// The absolute unix time in ms that `text` means, relative to now unless `absolute`. False: the error was replied:
// not an integer, or out of range ("invalid expire time in 'x' command"). Zero and negative times are refused unless
// `allow_past`.
bool parse_expiry(Context& ctx, std::string_view text, ExpiryUnit unit, bool absolute, bool allow_past,
                  int64_t* expiry_ms);

}  // namespace synap
