// Handlers of CLIENT's subcommands for client-side caching; the rows are CLIENT's.
#pragma once

namespace synap {

class Context;

void cmd_client_caching(Context& ctx);
void cmd_client_getredir(Context& ctx);
void cmd_client_tracking(Context& ctx);
void cmd_client_trackinginfo(Context& ctx);

}  // namespace synap
