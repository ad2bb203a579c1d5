// A whole data set as the commands that make it: the base of an AOF with aof-use-rdb-preamble no.
// Thread: the caller owns the keyspace (a forked child, or nobody else runs yet).
#pragma once

#include "persistence/rdb_file.h"

namespace synap {

// Of the options, what concerns RDB alone does not count. `timestamp`: begin with a #TS annotation.
Status save_commands(const Keyspace& keyspace, const RdbSaveOptions& options, bool timestamp, ByteSink* sink,
                     RdbProgress* progress);

}  // namespace synap
