// COMMAND DOCS: keys of any type, transactions, pub/sub, scripts. Rows and their notation are described in
// command_docs.h.
#include "server/admin/command_docs.h"

namespace synap {

constexpr CommandDoc kGenericDocs[] = {
    {"copy", "6.2.0", "O(N) worst case for collections, where N is the number of nested items. O(1) for string values",
     "Copies the value of a key to another key.", "source#0 destination#1 destination-db:int=DB? replace=REPLACE?"},
    {"del", "1.0.0",
     "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, "
     "the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or "
     "hash. Removing a single key that holds a string value is O(1)",
     "Deletes keys.", "key#0*"},
    {"dump", "2.6.0",
     "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing "
     "the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is "
     "small, so simply O(1)",
     "Returns a value in serialized form.", "key#0"},
    {"exists", "1.0.0", "O(N) where N is the number of keys to check", "Counts how many of the given keys exist.",
     "key#0*"},
    {"expire", "1.0.0", "O(1)", "Makes a key expire after some seconds.",
     "key#0 seconds:int condition(nx=NX|xx=XX|gt=GT|lt=LT)?@7.0.0"},
    {"expireat", "1.2.0", "O(1)", "Makes a key expire at a Unix time in seconds.",
     "key#0 unix-time-seconds:time condition(nx=NX|xx=XX|gt=GT|lt=LT)?@7.0.0"},
    {"expiretime", "7.0.0", "O(1)", "Returns when a key expires, as a Unix time in seconds.", "key#0"},
    {"keys", "1.0.0",
     "O(N) with N being the number of keys in the database, under the assumption that the key names in the database "
     "and the given pattern have limited length",
     "Returns the names of all keys that match a pattern.", "pattern:pattern"},
    {"migrate", "2.6.0",
     "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target instance. See the "
     "pages of these commands for time complexity. Also an O(N) data transfer between the two instances is performed",
     "Moves keys to another server.",
     "host port:int key_or_empty_string(key#0|empty_string='') destination-db:int timeout:int copy=COPY?@3.0.0 "
     "replace=REPLACE?@3.0.0 authentication(password:str=AUTH?@4.0.7|username_password(username "
     "password)=AUTH2?@6.0.0)? key#1=KEYS?*@3.0.6"},
    {"move", "1.0.0", "O(1)", "Moves a key to another database.", "key#0 db:int"},
    {"object", "2.2.3", "Depends on subcommand", "A container for commands that look inside a value.", ""},
    {"object|encoding", "2.2.3", "O(1)", "Returns how a value is represented in memory.", "key#0"},
    {"object|freq", "4.0.0", "O(1)", "Returns how often a value is used, on a logarithmic scale.", "key#0"},
    {"object|help", "6.2.0", "O(1)", "Lists the subcommands.", ""},
    {"object|idletime", "2.2.3", "O(1)", "Returns how many seconds ago a value was last used.", "key#0"},
    {"object|refcount", "2.2.3", "O(1)", "Returns the reference count of a value.", "key#0"},
    {"persist", "2.2.0", "O(1)", "Removes the expiry of a key.", "key#0"},
    {"pexpire", "2.6.0", "O(1)", "Makes a key expire after some milliseconds.",
     "key#0 milliseconds:int condition(nx=NX|xx=XX|gt=GT|lt=LT)?@7.0.0"},
    {"pexpireat", "2.6.0", "O(1)", "Makes a key expire at a Unix time in milliseconds.",
     "key#0 unix-time-milliseconds:time condition(nx=NX|xx=XX|gt=GT|lt=LT)?@7.0.0"},
    {"pexpiretime", "7.0.0", "O(1)", "Returns when a key expires, as a Unix time in milliseconds.", "key#0"},
    {"pttl", "2.6.0", "O(1)", "Returns how many milliseconds a key has left.", "key#0"},
    {"randomkey", "1.0.0", "O(1)", "Returns the name of a random key.", ""},
    {"rename", "1.0.0", "O(1)", "Gives a key another name, replacing what that name held.", "key#0 newkey#1"},
    {"renamenx", "1.0.0", "O(1)", "Gives a key another name that is not in use.", "key#0 newkey#1"},
    {"restore", "2.6.0",
     "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of "
     "Redis objects composing the value and M their average size. For small string values the time complexity is thus "
     "O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) "
     "because inserting values into sorted sets is O(log(N))",
     "Creates a key from its serialized form.",
     "key#0 ttl:int serialized-value replace=REPLACE?@3.0.0 absttl=ABSTTL?@5.0.0 seconds:int=IDLETIME?@5.0.0 "
     "frequency:int=FREQ?@5.0.0"},
    {"restore-asking", "3.0.0",
     "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of "
     "Redis objects composing the value and M their average size. For small string values the time complexity is thus "
     "O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) "
     "because inserting values into sorted sets is O(log(N))",
     "Creates a key from its serialized form, as RESTORE does. For cluster migration.",
     "key#0 ttl:int serialized-value replace=REPLACE?@3.0.0 absttl=ABSTTL?@5.0.0 seconds:int=IDLETIME?@5.0.0 "
     "frequency:int=FREQ?@5.0.0"},
    {"scan", "2.8.0",
     "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back "
     "to 0. N is the number of elements inside the collection",
     "Walks the names of the keys in a database step by step.",
     "cursor:int pattern:pattern=MATCH? count:int=COUNT? type:str=TYPE?@6.0.0"},
    {"sort", "1.0.0",
     "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned "
     "elements. When the elements are not sorted, complexity is O(N)",
     "Sorts the elements of a list, set or sorted set and can store the result.",
     "key#0 pattern:pattern=BY? offset_count(offset:int count:int)=LIMIT? pattern:pattern=GET?*+ "
     "order(asc=ASC|desc=DESC)? sorting=ALPHA? destination#2=STORE?"},
    {"sort_ro", "7.0.0",
     "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned "
     "elements. When the elements are not sorted, complexity is O(N)",
     "Sorts the elements of a list, set or sorted set.",
     "key#0 pattern:pattern=BY? offset_count(offset:int count:int)=LIMIT? pattern:pattern=GET?*+ "
     "order(asc=ASC|desc=DESC)? sorting=ALPHA?"},
    {"touch", "3.2.1", "O(N) where N is the number of keys that will be touched",
     "Counts the keys that exist and marks them as just used.", "key#0*"},
    {"ttl", "1.0.0", "O(1)", "Returns how many seconds a key has left.", "key#0"},
    {"type", "1.0.0", "O(1)", "Returns the type of the value a key holds.", "key#0"},
    {"unlink", "4.0.0",
     "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order "
     "to reclaim memory, where N is the number of allocations the deleted objects where composed of",
     "Deletes keys and frees their memory in the background.", "key#0*"},
    {"wait", "3.0.0", "O(1)", "Waits until enough replicas have received this client's writes.",
     "numreplicas:int timeout:int"},
    {"waitaof", "7.2.0", "O(1)", "Waits until this client's writes are on the disk here and on enough replicas.",
     "numlocal:int numreplicas:int timeout:int"},
};

constexpr CommandDoc kTransactionDocs[] = {
    {"discard", "2.0.0", "O(N), when N is the number of queued commands", "Drops the queued commands of a transaction.",
     ""},
    {"exec", "1.2.0", "Depends on commands in the transaction", "Runs the queued commands of a transaction.", ""},
    {"multi", "1.2.0", "O(1)", "Begins a transaction.", ""},
    {"unwatch", "2.2.0", "O(1)", "Forgets all watched keys.", ""},
    {"watch", "2.2.0", "O(1) for every key", "Watches keys: the next transaction runs only if none of them changed.",
     "key#0*"},
};

constexpr CommandDoc kPubsubDocs[] = {
    {"psubscribe", "2.0.0", "O(N) where N is the number of patterns the client is already subscribed to",
     "Listens to the channels that match patterns.", "pattern(pattern:pattern)*"},
    {"publish", "2.0.0",
     "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of "
     "subscribed patterns (by any client)",
     "Sends a message to a channel.", "channel message"},
    {"pubsub", "2.8.0", "Depends on subcommand", "A container for commands that look at channels.", ""},
    {"pubsub|channels", "2.8.0",
     "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short "
     "channels and patterns)",
     "Lists the channels that have subscribers.", "pattern:pattern?"},
    {"pubsub|help", "6.2.0", "O(1)", "Lists the subcommands.", ""},
    {"pubsub|numpat", "2.8.0", "O(1)", "Counts the patterns that clients are subscribed to.", ""},
    {"pubsub|numsub", "2.8.0", "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
     "Counts the subscribers of channels.", "channel?*"},
    {"pubsub|shardchannels", "7.0.0",
     "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively "
     "short shard channels)",
     "Lists the shard channels that have subscribers.", "pattern:pattern?"},
    {"pubsub|shardnumsub", "7.0.0",
     "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
     "Counts the subscribers of shard channels.", "shardchannel?*"},
    {"punsubscribe", "2.0.0",
     "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns "
     "subscribed in the system (by any client)",
     "Stops listening to channels that match patterns.", "pattern:pattern?*"},
    {"spublish", "7.0.0", "O(N) where N is the number of clients subscribed to the receiving shard channel",
     "Sends a message to a shard channel.", "shardchannel message"},
    {"ssubscribe", "7.0.0", "O(N) where N is the number of shard channels to subscribe to",
     "Listens to shard channels.", "shardchannel*"},
    {"subscribe", "2.0.0", "O(N) where N is the number of channels to subscribe to", "Listens to channels.",
     "channel*"},
    {"sunsubscribe", "7.0.0", "O(N) where N is the number of clients already subscribed to a shard channel",
     "Stops listening to shard channels.", "shardchannel?*"},
    {"unsubscribe", "2.0.0", "O(N) where N is the number of clients already subscribed to a channel",
     "Stops listening to channels.", "channel?*"},
};

constexpr CommandDoc kScriptingDocs[] = {
    {"eval", "2.6.0", "Depends on the script that is executed", "Runs a Lua script.",
     "script numkeys:int key#0?* arg?*"},
    {"eval_ro", "7.0.0", "Depends on the script that is executed", "Runs a Lua script that only reads.",
     "script numkeys:int key#0?* arg?*"},
    {"evalsha", "2.6.0", "Depends on the script that is executed", "Runs a cached Lua script by its SHA1.",
     "sha1 numkeys:int key#0?* arg?*"},
    {"evalsha_ro", "7.0.0", "Depends on the script that is executed",
     "Runs a cached Lua script that only reads by its SHA1.", "sha1 numkeys:int key#0?* arg?*"},
    {"fcall", "7.0.0", "Depends on the function that is executed", "Calls a function.",
     "function numkeys:int key#0?* arg?*"},
    {"fcall_ro", "7.0.0", "Depends on the function that is executed", "Calls a function that only reads.",
     "function numkeys:int key#0?* arg?*"},
    {"function", "7.0.0", "Depends on subcommand", "A container for function commands.", ""},
    {"function|delete", "7.0.0", "O(1)", "Deletes a library and its functions.", "library-name"},
    {"function|dump", "7.0.0", "O(N) where N is the number of functions", "Returns all libraries in serialized form.",
     ""},
    {"function|flush", "7.0.0", "O(N) where N is the number of functions deleted", "Deletes all libraries.",
     "async(async=ASYNC|sync=SYNC)?"},
    {"function|help", "7.0.0", "O(1)", "Lists the subcommands.", ""},
    {"function|kill", "7.0.0", "O(1)", "Stops the function that is running.", ""},
    {"function|list", "7.0.0", "O(N) where N is the number of functions", "Describes libraries and their functions.",
     "library-name-pattern:str=LIBRARYNAME? withcode=WITHCODE?"},
    {"function|load", "7.0.0", "O(1) (considering compilation time is redundant)", "Creates a library.",
     "replace=REPLACE? function-code"},
    {"function|restore", "7.0.0", "O(N) where N is the number of functions on the payload",
     "Creates libraries from their serialized form.",
     "serialized-value policy(flush=FLUSH|append=APPEND|replace=REPLACE)?"},
    {"function|stats", "7.0.0", "O(1)", "Describes the function that is running and the engines.", ""},
    {"script", "2.6.0", "Depends on subcommand", "A container for Lua script commands.", ""},
    {"script|debug", "3.2.0", "O(1)", "Chooses how the next script of this connection is debugged.",
     "mode(yes=YES|sync=SYNC|no=NO)"},
    {"script|exists", "2.6.0",
     "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation)",
     "Tells which scripts are cached.", "sha1*"},
    {"script|flush", "2.6.0", "O(N) with N being the number of scripts in cache", "Empties the script cache.",
     "async(async=ASYNC|sync=SYNC)?@6.2.0"},
    {"script|help", "5.0.0", "O(1)", "Lists the subcommands.", ""},
    {"script|kill", "2.6.0", "O(1)", "Stops the script that is running.", ""},
    {"script|load", "2.6.0", "O(N) with N being the length in bytes of the script body",
     "Caches a script and returns its SHA1.", "script"},
    {"script|show", "8.0.0", "O(1)", "Returns the text of a cached script.", "sha1"},
};

constexpr CommandDocGroup kKeysDocGroups[] = {
    {"generic", kGenericDocs},
    {"transactions", kTransactionDocs},
    {"pubsub", kPubsubDocs},
    {"scripting", kScriptingDocs},
};
const std::span<const CommandDocGroup> kKeysCommandDocs = kKeysDocGroups;

}  // namespace synap
