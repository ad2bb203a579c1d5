// COMMAND DOCS: hashes, geospatial indexes, streams. Rows and their notation are described in command_docs.h.
#include "server/admin/command_docs.h"

namespace synap {

constexpr CommandDoc kHashDocs[] = {
    {"hdel", "2.0.0", "O(N) where N is the number of fields to be removed", "Removes fields.", "key#0 field*"},
    {"hexists", "2.0.0", "O(1)", "Tells whether a hash has a field.", "key#0 field"},
    {"hexpire", "7.4.0", "O(N) where N is the number of fields", "Makes fields expire after some seconds.",
     "key#0 seconds:int condition(nx=NX|xx=XX|gt=GT|lt=LT)? fields(numfields:int field*)=FIELDS"},
    {"hexpireat", "7.4.0", "O(N) where N is the number of fields", "Makes fields expire at a Unix time in seconds.",
     "key#0 unix-time-seconds:time condition(nx=NX|xx=XX|gt=GT|lt=LT)? fields(numfields:int field*)=FIELDS"},
    {"hexpiretime", "7.4.0", "O(N) where N is the number of fields",
     "Returns when fields expire, as Unix times in seconds.", "key#0 fields(numfields:int field*)=FIELDS"},
    {"hget", "2.0.0", "O(1)", "Returns the value of a field.", "key#0 field"},
    {"hgetall", "2.0.0", "O(N) where N is the size of the hash", "Returns all fields and values.", "key#0"},
    {"hgetdel", "8.0.0", "O(N) where N is the number of fields", "Returns the values of fields and removes them.",
     "key#0 fields(numfields:int field*)=FIELDS"},
    {"hgetex", "8.0.0", "O(N) where N is the number of fields",
     "Returns the values of fields and changes or removes their expiry.",
     "key#0 "
     "expiration(seconds:int=EX|milliseconds:int=PX|unix-time-seconds:time=EXAT|unix-time-milliseconds:time=PXAT|"
     "persist=PERSIST)? fields(numfields:int field*)=FIELDS"},
    {"hincrby", "2.0.0", "O(1)", "Adds to the integer a field holds; a missing field counts as 0.",
     "key#0 field increment:int"},
    {"hincrbyfloat", "2.6.0", "O(1)", "Adds a floating point number to the number a field holds.",
     "key#0 field increment:double"},
    {"hkeys", "2.0.0", "O(N) where N is the size of the hash", "Returns all fields.", "key#0"},
    {"hlen", "2.0.0", "O(1)", "Returns how many fields a hash has.", "key#0"},
    {"hmget", "2.0.0", "O(N) where N is the number of fields being requested", "Returns the values of several fields.",
     "key#0 field*"},
    {"hmset", "2.0.0", "O(N) where N is the number of fields being set", "Sets several fields.",
     "key#0 field_value(field value)*", "4.0.0", "`HSET` with multiple field-value pairs"},
    {"hpersist", "7.4.0", "O(N) where N is the number of fields", "Removes the expiry of fields.",
     "key#0 fields(numfields:int field*)=FIELDS"},
    {"hpexpire", "7.4.0", "O(N) where N is the number of fields", "Makes fields expire after some milliseconds.",
     "key#0 milliseconds:int condition(nx=NX|xx=XX|gt=GT|lt=LT)? fields(numfields:int field*)=FIELDS"},
    {"hpexpireat", "7.4.0", "O(N) where N is the number of fields",
     "Makes fields expire at a Unix time in milliseconds.",
     "key#0 unix-time-milliseconds:time condition(nx=NX|xx=XX|gt=GT|lt=LT)? fields(numfields:int field*)=FIELDS"},
    {"hpexpiretime", "7.4.0", "O(N) where N is the number of fields",
     "Returns when fields expire, as Unix times in milliseconds.", "key#0 fields(numfields:int field*)=FIELDS"},
    {"hpttl", "7.4.0", "O(N) where N is the number of fields", "Returns how many milliseconds fields have left.",
     "key#0 fields(numfields:int field*)=FIELDS"},
    {"hrandfield", "6.2.0", "O(N) where N is the number of fields returned", "Returns random fields.",
     "key#0 options(count:int withvalues=WITHVALUES?)?"},
    {"hscan", "2.8.0",
     "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back "
     "to 0. N is the number of elements inside the collection",
     "Walks the fields and values of a hash step by step.",
     "key#0 cursor:int pattern:pattern=MATCH? count:int=COUNT? novalues=NOVALUES?@7.4.0"},
    {"hset", "2.0.0",
     "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with "
     "multiple field/value pairs",
     "Sets fields, creating the hash if needed.", "key#0 field_value(field value)*"},
    {"hsetex", "8.0.0", "O(N) where N is the number of fields", "Sets fields and their expiry.",
     "key#0 condition(fnx=FNX|fxx=FXX)? "
     "expiration(seconds:int=EX|milliseconds:int=PX|unix-time-seconds:time=EXAT|unix-time-milliseconds:time=PXAT|"
     "keepttl=KEEPTTL)? fields(numfields:int data(field value)*)=FIELDS"},
    {"hsetnx", "2.0.0", "O(1)", "Sets a field only if it does not exist.", "key#0 field value"},
    {"hstrlen", "3.2.0", "O(1)", "Returns how many bytes the value of a field has.", "key#0 field"},
    {"httl", "7.4.0", "O(N) where N is the number of fields", "Returns how many seconds fields have left.",
     "key#0 fields(numfields:int field*)=FIELDS"},
    {"hvals", "2.0.0", "O(N) where N is the size of the hash", "Returns all values.", "key#0"},
};

constexpr CommandDoc kGeoDocs[] = {
    {"geoadd", "3.2.0", "O(log(N)) for each item added, where N is the number of elements in the sorted set",
     "Adds places to a geospatial index or moves them.",
     "key#0 condition(nx=NX|xx=XX)?@6.2.0 change=CH?@6.2.0 longitude_latitude_member(longitude:double latitude:double "
     "member)*"},
    {"geodist", "3.2.0", "O(log(N))", "Returns the distance between two places.",
     "key#0 member1 member2 unit(m=M|km=KM|ft=FT|mi=MI)?"},
    {"geohash", "3.2.0", "O(log(N)) for each member requested, where N is the number of elements in the sorted set",
     "Returns the geohash texts of places.", "key#0 member*"},
    {"geopos", "3.2.0", "O(N) where N is the number of members requested", "Returns the coordinates of places.",
     "key#0 member*"},
    {"georadius", "3.2.0",
     "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center "
     "and radius and M is the number of items inside the index",
     "Finds places within a radius of a point and can store them.",
     "key#0 longitude:double latitude:double radius:double unit(m=M|km=KM|ft=FT|mi=MI) withcoord=WITHCOORD? "
     "withdist=WITHDIST? withhash=WITHHASH? count(count:int=COUNT any=ANY?@6.2.0)? order(asc=ASC|desc=DESC)? "
     "key#1=STORE? key#2=STOREDIST?",
     "6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"},
    {"georadius_ro", "3.2.10",
     "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center "
     "and radius and M is the number of items inside the index",
     "Finds places within a radius of a point.",
     "key#0 longitude:double latitude:double radius:double unit(m=M|km=KM|ft=FT|mi=MI) withcoord=WITHCOORD? "
     "withdist=WITHDIST? withhash=WITHHASH? count(count:int=COUNT any=ANY?@6.2.0)? order(asc=ASC|desc=DESC)?",
     "6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument"},
    {"georadiusbymember", "3.2.0",
     "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center "
     "and radius and M is the number of items inside the index",
     "Finds places within a radius of another place and can store them.",
     "key#0 member radius:double unit(m=M|km=KM|ft=FT|mi=MI) withcoord=WITHCOORD? withdist=WITHDIST? "
     "withhash=WITHHASH? count(count:int=COUNT any=ANY?)? order(asc=ASC|desc=DESC)? key#1=STORE? key#2=STOREDIST?",
     "6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"},
    {"georadiusbymember_ro", "3.2.10",
     "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center "
     "and radius and M is the number of items inside the index",
     "Finds places within a radius of another place.",
     "key#0 member radius:double unit(m=M|km=KM|ft=FT|mi=MI) withcoord=WITHCOORD? withdist=WITHDIST? "
     "withhash=WITHHASH? count(count:int=COUNT any=ANY?)? order(asc=ASC|desc=DESC)?",
     "6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"},
    {"geosearch", "6.2.0",
     "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as "
     "the filter and M is the number of items inside the shape",
     "Finds places inside a circle, a box or a polygon.",
     "key#0 from(member:str=FROMMEMBER|longitude_latitude(longitude:double latitude:double)=FROMLONLAT) "
     "by(circle(radius:double=BYRADIUS unit(m=M|km=KM|ft=FT|mi=MI))|polygon(numvertices:int=BYPOLYGON "
     "vertex(longitude:double latitude:double)*)|box(width:double=BYBOX height:double unit(m=M|km=KM|ft=FT|mi=MI))) "
     "order(asc=ASC|desc=DESC)? count(count:int=COUNT any=ANY?)? withcoord=WITHCOORD? withdist=WITHDIST? "
     "withhash=WITHHASH?"},
    {"geosearchstore", "6.2.0",
     "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as "
     "the filter and M is the number of items inside the shape",
     "Stores the places inside a circle, a box or a polygon.",
     "destination#0 source#1 from(member:str=FROMMEMBER|longitude_latitude(longitude:double "
     "latitude:double)=FROMLONLAT) by(circle(radius:double=BYRADIUS "
     "unit(m=M|km=KM|ft=FT|mi=MI))|polygon(numvertices:int=BYPOLYGON vertex(longitude:double "
     "latitude:double)*)|box(width:double=BYBOX height:double unit(m=M|km=KM|ft=FT|mi=MI))) order(asc=ASC|desc=DESC)? "
     "count(count:int=COUNT any=ANY?)? storedist=STOREDIST?"},
};

constexpr CommandDoc kStreamDocs[] = {
    {"xack", "5.0.0", "O(1) for each message ID processed", "Acknowledges messages for a consumer group.",
     "key#0 group id*"},
    {"xackdel", "8.2.0", "O(1) for each message",
     "Acknowledges messages for a consumer group and deletes them from the stream.",
     "key#0 group condition(keepref=KEEPREF|delref=DELREF|acked=ACKED)? ids(numids:int id*)=IDS"},
    {"xadd", "5.0.0", "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted",
     "Appends a message, creating the stream if needed.",
     "key#0 nomkstream=NOMKSTREAM?@6.2.0 condition(keepref=KEEPREF|delref=DELREF|acked=ACKED)?@8.2.0 trim(strategy(maxlen=MAXLEN|minid=MINID@6.2.0) "
     "operator(equal='='|approximately='~')? threshold count:int=LIMIT?@6.2.0)? id_or_auto(auto_id='*'|id) "
     "field_value(field value)*"},
    {"xautoclaim", "6.2.0", "O(1) if COUNT is small", "Takes over messages that other consumers left pending for long.",
     "key#0 group consumer min-idle-time start count:int=COUNT? justid=JUSTID?"},
    {"xclaim", "5.0.0", "O(log N) with N being the number of messages in the PEL of the consumer group",
     "Takes over given messages that are pending.",
     "key#0 group consumer min-idle-time id* ms:int=IDLE? unix-time-milliseconds:time=TIME? count:int=RETRYCOUNT? "
     "force=FORCE? justid=JUSTID? id:str=LASTID?"},
    {"xdel", "5.0.0", "O(1) for each single item to delete in the stream, regardless of the stream size",
     "Deletes messages.", "key#0 id*"},
    {"xdelex", "8.2.0", "O(1) for each message deleted, whatever the size of the stream",
     "Deletes messages and decides what becomes of consumer groups' references to them.",
     "key#0 condition(keepref=KEEPREF|delref=DELREF|acked=ACKED)? ids(numids:int id*)=IDS"},
    {"xgroup", "5.0.0", "Depends on subcommand", "A container for consumer group commands.", ""},
    {"xgroup|create", "5.0.0", "O(1)", "Creates a consumer group.",
     "key#0 groupname id(id|new_id='$') mkstream=MKSTREAM? entries_read:int=ENTRIESREAD?"},
    {"xgroup|createconsumer", "6.2.0", "O(1)", "Creates a consumer in a group.", "key#0 groupname consumername"},
    {"xgroup|delconsumer", "5.0.0", "O(1)", "Deletes a consumer and what it had pending.",
     "key#0 groupname consumername"},
    {"xgroup|destroy", "5.0.0", "O(N) where N is the number of entries in the group's pending entries list (PEL)",
     "Deletes a consumer group.", "key#0 groupname"},
    {"xgroup|help", "5.0.0", "O(1)", "Lists the subcommands.", ""},
    {"xgroup|setid", "5.0.0", "O(1)", "Sets the last message a consumer group was delivered.",
     "key#0 groupname id(id|new_id='$') entries_read:int=ENTRIESREAD?"},
    {"xinfo", "5.0.0", "Depends on subcommand", "A container for stream inspection commands.", ""},
    {"xinfo|consumers", "5.0.0", "O(1)", "Lists the consumers of a group.", "key#0 groupname"},
    {"xinfo|groups", "5.0.0", "O(1)", "Lists the consumer groups of a stream.", "key#0"},
    {"xinfo|help", "5.0.0", "O(1)", "Lists the subcommands.", ""},
    {"xinfo|stream", "5.0.0", "O(1)", "Describes a stream.", "key#0 full(count:int=COUNT?)=FULL?"},
    {"xlen", "5.0.0", "O(1)", "Returns how many messages a stream has.", "key#0"},
    {"xpending", "5.0.0",
     "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is "
     "O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command "
     "returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) "
     "time for iterating every consumer",
     "Shows what a consumer group was delivered and has not acknowledged.",
     "key#0 group filters(min-idle-time:int=IDLE?@6.2.0 start end count:int consumer?)?"},
    {"xrange", "5.0.0",
     "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 "
     "elements with COUNT), you can consider it O(1)",
     "Returns the messages in a range of ids.", "key#0 start end count:int=COUNT?"},
    {"xread", "5.0.0",
     "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with "
     "a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M "
     "clients blocked on the stream getting new data",
     "Reads the messages after given ids from one or several streams, waiting for some if wanted.",
     "count:int=COUNT? milliseconds:int=BLOCK? streams(key#0* id*)=STREAMS"},
    {"xreadgroup", "5.0.0",
     "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always "
     "asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP "
     "blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data",
     "Reads messages as a consumer of a group, waiting for some if wanted.",
     "group_consumer(group consumer)=GROUP count:int=COUNT? milliseconds:int=BLOCK? noack=NOACK? streams(key#0* "
     "id*)=STREAMS"},
    {"xrevrange", "5.0.0",
     "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 "
     "elements with COUNT), you can consider it O(1)",
     "Returns the messages in a range of ids, newest first.", "key#0 end start count:int=COUNT?"},
    {"xsetid", "5.0.0", "O(1)", "Sets the last id of a stream and its counters.",
     "key#0 last-id entries_added:int=ENTRIESADDED?@7.0.0 max_deleted_entry_id:str=MAXDELETEDID?@7.0.0"},
    {"xtrim", "5.0.0",
     "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are "
     "organized in macro nodes containing multiple entries that can be released with a single deallocation",
     "Deletes the oldest messages of a stream.",
     "key#0 trim(strategy(maxlen=MAXLEN|minid=MINID@6.2.0) operator(equal='='|approximately='~')? threshold "
     "count:int=LIMIT?@6.2.0 condition(keepref=KEEPREF|delref=DELREF|acked=ACKED)?@8.2.0)"},
};

constexpr CommandDocGroup kRecordsDocGroups[] = {
    {"hash", kHashDocs},
    {"geo", kGeoDocs},
    {"stream", kStreamDocs},
};
const std::span<const CommandDocGroup> kRecordsCommandDocs = kRecordsDocGroups;

}  // namespace synap
