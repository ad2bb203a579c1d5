// Every table of options, in the order in which CONFIG REWRITE appends lines.
#include "server/options_list.h"

#include <array>

namespace synap {

std::span<const std::span<const Option>> option_tables() {
  static const std::array<std::span<const Option>, 4> kTables = {kNetworkOptions, kProcessOptions, kDataOptions,
                                                                 kDurabilityOptions};
  return kTables;
}

}  // namespace synap
