// The arguments of SCAN, SSCAN, HSCAN and ZSCAN after the key: cursor and options, with Redis's errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/base/glob.h"
#include "server/base/number.h"
#include "server/command/context.h"

namespace synap {

enum class ScanTarget { kKeys, kSet, kHash, kZset };

struct ScanArguments {
  size_t count = 10;
  bool has_pattern = false;  // "*" counts as none
  std::string_view pattern;
  bool names_only = false;     // NOVALUES, NOSCORES
  std::string_view type_name;  // TYPE; empty: any

  bool matches(std::string_view name) const { return !has_pattern || glob_match(pattern, name); }
};

// False: the error was replied.
bool parse_scan_cursor(Context& ctx, std::string_view text, uint64_t* cursor);
// Options from argument `first` on.
bool parse_scan_options(Context& ctx, size_t first, ScanTarget target, ScanArguments* scan);
// The reply of a missing key: cursor 0 and nothing.
void reply_empty_scan(Context& ctx);
void reply_scan_cursor(Context& ctx, uint64_t cursor);

}  // namespace synap
