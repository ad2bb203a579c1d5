// The tables of options, one per theme: server/options_<theme>.cc.
#pragma once

#include <span>

#include "server/command/options.h"

namespace synap {

extern const std::span<const Option> kNetworkOptions;
extern const std::span<const Option> kProcessOptions;
extern const std::span<const Option> kDataOptions;
extern const std::span<const Option> kDurabilityOptions;

}  // namespace synap
