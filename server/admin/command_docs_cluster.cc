// COMMAND DOCS: commands of cluster mode, and modules. Rows and their notation are described in command_docs.h.
#include "server/admin/command_docs.h"

namespace synap {

constexpr CommandDoc kClusterDocs[] = {
    {"cluster", "3.0.0", "Depends on subcommand", "A container for commands of cluster mode.", ""},
    {"cluster|addslots", "3.0.0", "O(N) where N is the total number of hash slot arguments",
     "Makes a node serve hash slots.", "slot:int*"},
    {"cluster|addslotsrange", "7.0.0",
     "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
     "Makes a node serve ranges of hash slots.", "range(start-slot:int end-slot:int)*"},
    {"cluster|bumpepoch", "3.0.0", "O(1)", "Advances the epoch of the cluster's configuration.", ""},
    {"cluster|count-failure-reports", "3.0.0", "O(N) where N is the number of failure reports",
     "Returns how many nodes report that a node has failed.", "node-id"},
    {"cluster|countkeysinslot", "3.0.0", "O(1)", "Returns how many keys a hash slot holds.", "slot:int"},
    {"cluster|delslots", "3.0.0", "O(N) where N is the total number of hash slot arguments",
     "Stops a node serving hash slots.", "slot:int*"},
    {"cluster|delslotsrange", "7.0.0",
     "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
     "Stops a node serving ranges of hash slots.", "range(start-slot:int end-slot:int)*"},
    {"cluster|failover", "3.0.0", "O(1)", "Makes a replica take over from its master.",
     "options(force=FORCE|takeover=TAKEOVER)?"},
    {"cluster|flushslots", "3.0.0", "O(1)", "Stops a node serving all its hash slots.", ""},
    {"cluster|forget", "3.0.0", "O(1)", "Removes a node from what a node knows of the cluster.", "node-id"},
    {"cluster|getkeysinslot", "3.0.0", "O(N) where N is the number of requested keys", "Returns keys of a hash slot.",
     "slot:int count:int"},
    {"cluster|help", "5.0.0", "O(1)", "Lists the subcommands.", ""},
    {"cluster|info", "3.0.0", "O(1)", "Describes the state of the cluster.", ""},
    {"cluster|keyslot", "3.0.0", "O(N) where N is the number of bytes in the key", "Returns the hash slot of a key.", "key"},
    {"cluster|links", "7.0.0", "O(N) where N is the total number of Cluster nodes",
     "Describes the connections between nodes.", ""},
    {"cluster|meet", "3.0.0", "O(1)", "Makes a node known to another.", "ip port:int cluster-bus-port:int?@4.0.0"},
    {"cluster|myid", "3.0.0", "O(1)", "Returns the id of the node.", ""},
    {"cluster|myshardid", "7.2.0", "O(1)", "Returns the id of the node's shard.", ""},
    {"cluster|nodes", "3.0.0", "O(N) where N is the total number of Cluster nodes", "Describes the nodes of the cluster.", ""},
    {"cluster|replicas", "5.0.0", "O(N) where N is the number of replicas.", "Describes the replicas of a master.", "node-id"},
    {"cluster|replicate", "3.0.0", "O(1)", "Makes a node the replica of a master.", "node-id"},
    {"cluster|reset", "3.0.0",
     "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.",
     "Makes a node forget the cluster.", "reset-type(hard=HARD|soft=SOFT)?"},
    {"cluster|saveconfig", "3.0.0", "O(1)", "Writes the node's configuration to disk.", ""},
    {"cluster|set-config-epoch", "3.0.0", "O(1)", "Sets the epoch of a new node's configuration.", "config-epoch:int"},
    {"cluster|setslot", "3.0.0", "O(1)", "Binds a hash slot to a node.",
     "slot:int subcommand(importing=IMPORTING|migrating=MIGRATING|node=NODE|stable=STABLE)"},
    {"cluster|shards", "7.0.0", "O(N) where N is the total number of cluster nodes", "Describes the shards of the cluster.",
     ""},
    {"cluster|slaves", "3.0.0", "O(N) where N is the number of replicas.", "Describes the replicas of a master.", "node-id",
     "5.0.0", "`CLUSTER REPLICAS`"},
    {"cluster|slots", "3.0.0", "O(N) where N is the total number of Cluster nodes", "Says which nodes serve which hash slots.",
     "", "7.0.0", "`CLUSTER SHARDS`"},
};

constexpr CommandDoc kModuleDocs[] = {
    {"module", "4.0.0", "Depends on subcommand", "A container for module commands.", ""},
    {"module|help", "5.0.0", "O(1)", "Lists the subcommands.", ""},
    {"module|list", "4.0.0", "O(N) where N is the number of loaded modules.", "Returns the loaded modules.", ""},
    {"module|load", "4.0.0", "O(1)", "Loads a module.", "path arg?*"},
    {"module|loadex", "7.0.0", "O(1)", "Loads a module with settings of its own.",
     "path configs(name value)=CONFIG?*+ args=ARGS?*"},
    {"module|unload", "4.0.0", "O(1)", "Unloads a module.", "name"},
};

constexpr CommandDocGroup kGroups[] = {
    {"cluster", kClusterDocs},
    {"server", kModuleDocs},
};

const std::span<const CommandDocGroup> kClusterCommandDocs = kGroups;

}  // namespace synap
