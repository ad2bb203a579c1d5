#include "server/command_list.h"

#include <array>

#include "datatypes/bitmap/bitmap_commands.h"
#include "datatypes/geo/geo_commands.h"
#include "datatypes/hash/hash_commands.h"
#include "datatypes/hyperloglog/hyperloglog_commands.h"
#include "datatypes/key/key_commands.h"
#include "datatypes/list/list_commands.h"
#include "datatypes/pubsub/pubsub_commands.h"
#include "datatypes/set/set_commands.h"
#include "datatypes/stream/stream_commands.h"
#include "datatypes/string/string_commands.h"
#include "datatypes/zset/zset_commands.h"
#include "persistence/persistence_commands.h"
#include "scripting/script_commands.h"
#include "server/admin/config_commands.h"
#include "server/admin/connection_commands.h"
#include "server/admin/info_commands.h"
#include "server/admin/server_commands.h"
#include "server/admin/transaction_commands.h"

namespace synap {

namespace {

const std::array kFamilies = {
    kBitmapCommands,
    kGeoCommands,
    kHashCommands,
    kHashTtlCommands,
    kHyperloglogCommands,
    kKeyCommands,
    kKeyspaceCommands,
    kExpiryCommands,
    kObjectCommands,
    kSortCommands,
    kWaitCommands,
    kPubSubCommands,
    kDumpCommands,
    kMigrateCommands,
    kSnapshotCommands,
    kListCommands,
    kSetCommands,
    kSetAlgebraCommands,
    kStreamCommands,
    kStringCommands,
    kLcsCommands,
    kZsetCommands,
    kAclCommands,
    kConfigCommands,
    kConnectionCommands,
    kClientCommands,
    kCommandCommands,
    kTransactionCommands,
    kScriptCommands,
    kFunctionCommands,
    kInfoCommands,
    kServerCommands,
    kSlowlogCommands,
    kLatencyCommands,
    kMemoryCommands,
    kDebugCommands,
    kClusterCommands,
    kModuleCommands,
};

}  // namespace

std::span<const CommandFamily> command_families() { return kFamilies; }

}  // namespace synap
