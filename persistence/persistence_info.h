// INFO's persistence section.
#pragma once

namespace synap {

struct Server;
class InfoWriter;

void info_persistence(Server& server, InfoWriter& info);

}  // namespace synap
