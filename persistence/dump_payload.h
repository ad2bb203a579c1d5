// The form in which DUMP, RESTORE and MIGRATE hand a value on: type, value, RDB version and checksum.
#pragma once

#include <string>
#include <string_view>

#include "server/keyspace/entry.h"

namespace synap {

std::string dump_payload(const Entry& entry);
// Whether the payload ends in a version that is known and the right checksum.
bool has_valid_dump_footer(std::string_view payload, bool skip_checksum);

}  // namespace synap
