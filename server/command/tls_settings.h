// What the tls-* directives say, as TlsContext takes it.
#pragma once

#include "server/command/config.h"
#include "server/net/tls_context.h"

namespace synap {

TlsSettings tls_settings(const Config& config);

}  // namespace synap
