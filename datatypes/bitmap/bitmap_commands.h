// The bitmap commands' table.
#pragma once

#include "server/command/command.h"

namespace synap {

extern const CommandFamily kBitmapCommands;

// bitfield_commands.cc
void cmd_bitfield(Context& ctx);
void cmd_bitfield_ro(Context& ctx);
uint64_t cost_of_bitfield(Context& ctx);
// The key is only read when every operation is a GET.
bool keys_of_bitfield(ArgViews args, std::vector<KeyRef>* keys);

// "ERR bit offset is not an integer or out of range", or true.
struct BitOffsetRules {
  uint32_t field_bits = 0;  // "#n" means n times as many bits; 0: not allowed
};
bool parse_bit_offset(Context& ctx, std::string_view text, BitOffsetRules rules, uint64_t* offset);
// The slow lane's cost of growing a string to this many bytes.
uint64_t cost_of_growth(Context& ctx, std::string_view key, uint64_t size);

}  // namespace synap
