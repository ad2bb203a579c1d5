// INFO's replication section.
#pragma once

namespace synap {

struct Server;
class InfoWriter;

void info_replication(Server& server, InfoWriter& info);

}  // namespace synap
