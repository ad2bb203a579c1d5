// COMMAND DOCS: strings, bitmaps, HyperLogLogs. Rows and their notation are described in command_docs.h.
#include "server/admin/command_docs.h"

namespace synap {

constexpr CommandDoc kStringDocs[] = {
    {"append", "2.0.0",
     "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value "
     "is of any size, since the dynamic string library used by Redis will double the free space available on every "
     "reallocation",
     "Adds bytes to the end of a string, creating it if the key is missing.", "key#0 value"},
    {"decr", "1.0.0", "O(1)", "Lowers the integer a key holds by one; a missing key counts as 0.", "key#0"},
    {"decrby", "1.0.0", "O(1)", "Lowers the integer a key holds by a given amount; a missing key counts as 0.",
     "key#0 decrement:int"},
    {"get", "1.0.0", "O(1)", "Returns the string a key holds.", "key#0"},
    {"getdel", "6.2.0", "O(1)", "Returns a string and deletes its key.", "key#0"},
    {"getex", "6.2.0", "O(1)", "Returns a string and changes or removes its expiry.",
     "key#0 "
     "expiration(seconds:int=EX|milliseconds:int=PX|unix-time-seconds:time=EXAT|unix-time-milliseconds:time=PXAT|"
     "persist=PERSIST)?"},
    {"getrange", "2.4.0",
     "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned "
     "length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for "
     "small strings",
     "Returns the bytes of a string between two offsets.", "key#0 start:int end:int"},
    {"getset", "1.0.0", "O(1)", "Stores a string and returns the one it replaced.", "key#0 value", "6.2.0",
     "`SET` with the `!GET` argument"},
    {"incr", "1.0.0", "O(1)", "Raises the integer a key holds by one; a missing key counts as 0.", "key#0"},
    {"incrby", "1.0.0", "O(1)", "Raises the integer a key holds by a given amount; a missing key counts as 0.",
     "key#0 increment:int"},
    {"incrbyfloat", "2.6.0", "O(1)", "Adds a floating point number to the number a key holds.",
     "key#0 increment:double"},
    {"lcs", "7.0.0", "O(N*M) where N and M are the lengths of s1 and s2, respectively",
     "Finds the longest common subsequence of two strings.",
     "key1#0 key2#0 len=LEN? idx=IDX? len:int=MINMATCHLEN? withmatchlen=WITHMATCHLEN?"},
    {"mget", "1.0.0", "O(N) where N is the number of keys to retrieve", "Returns the strings of several keys at once.",
     "key#0*"},
    {"mset", "1.0.1", "O(N) where N is the number of keys to set", "Stores several strings at once.",
     "key_value(key#0 value)*"},
    {"msetnx", "1.0.1", "O(N) where N is the number of keys to set",
     "Stores several strings at once, but only if none of the keys exists.", "key_value(key#0 value)*"},
    {"psetex", "2.6.0", "O(1)", "Stores a string that expires after some milliseconds.",
     "key#0 milliseconds:int value"},
    {"set", "1.0.0", "O(1)", "Stores a string, whatever the key held before.",
     "key#0 value condition(nx=NX|xx=XX|ifeq-value:str=IFEQ@8.4.0)?@2.6.12 get=GET?@6.2.0 "
     "expiration(seconds:int=EX@2.6.12|milliseconds:int=PX@2.6.12|unix-time-seconds:time=EXAT@6.2.0|unix-time-"
     "milliseconds:time=PXAT@6.2.0|keepttl=KEEPTTL@6.0.0)?"},
    {"setex", "2.0.0", "O(1)", "Stores a string that expires after some seconds.", "key#0 seconds:int value"},
    {"setnx", "1.0.0", "O(1)", "Stores a string only if its key does not exist.", "key#0 value"},
    {"setrange", "2.2.0",
     "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the "
     "amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument",
     "Overwrites part of a string from an offset on, padding with zero bytes.", "key#0 offset:int value"},
    {"strlen", "2.2.0", "O(1)", "Returns how many bytes a string has.", "key#0"},
    {"substr", "1.0.0",
     "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned "
     "length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for "
     "small strings",
     "Returns the bytes of a string between two offsets.", "key#0 start:int end:int", "2.0.0", "`GETRANGE`"},
};

constexpr CommandDoc kBitmapDocs[] = {
    {"bitcount", "2.6.0", "O(N)", "Counts the bits that are 1.",
     "key#0 index(start:int end:int index_unit(byte=BYTE|bit=BIT)?@7.0.0)?"},
    {"bitfield", "3.2.0", "O(1) for each subcommand specified",
     "Reads and changes integers of any width inside a string.",
     "key#0 operation(encoding_offset(encoding "
     "offset:int)=GET|write(wrap_sat_fail(wrap=WRAP|sat=SAT|fail=FAIL)=OVERFLOW? "
     "write_operation(encoding_offset_value(encoding offset:int value:int)=SET|encoding_offset_increment(encoding "
     "offset:int increment:int)=INCRBY)))?*"},
    {"bitfield_ro", "6.0.0", "O(1) for each subcommand specified", "Reads integers of any width inside a string.",
     "key#0 encoding_offset(encoding offset:int)=GET?*+"},
    {"bitop", "2.6.0", "O(N)", "Combines strings bit by bit and stores the result.",
     "operation(and=AND|or=OR|xor=XOR|not=NOT|diff=DIFF@8.2.0|diff1=DIFF1@8.2.0|andor=ANDOR@8.2.0|one=ONE@8.2.0) "
     "destkey#0 key#1*"},
    {"bitpos", "2.8.7", "O(N)", "Finds the first bit that is 0 or 1.",
     "key#0 bit:int index(start:int end_index(end:int index_unit(byte=BYTE|bit=BIT)?@7.0.0)?)?"},
    {"getbit", "2.2.0", "O(1)", "Returns one bit of a string.", "key#0 offset:int"},
    {"setbit", "2.2.0", "O(1)", "Changes one bit of a string and returns what it was.", "key#0 offset:int value:int"},
};

constexpr CommandDoc kHyperloglogDocs[] = {
    {"pfadd", "2.8.9", "O(1) to add every element", "Adds elements to a HyperLogLog.", "key#0 element?*"},
    {"pfcount", "2.8.9",
     "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of "
     "keys, and much bigger constant times, when called with multiple keys",
     "Estimates how many distinct elements one or several HyperLogLogs have seen.", "key#0*"},
    {"pfdebug", "2.8.9", "N/A", "Shows the inside of a HyperLogLog.", "subcommand key#0", "", "", true},
    {"pfmerge", "2.8.9", "O(N) to merge N HyperLogLogs, but with high constant times", "Merges HyperLogLogs into one.",
     "destkey#0 sourcekey#1*"},
    {"pfselftest", "2.8.9", "N/A", "Runs the built-in test of HyperLogLogs.", "", "", "", true},
};

constexpr CommandDocGroup kStringsDocGroups[] = {
    {"string", kStringDocs},
    {"bitmap", kBitmapDocs},
    {"hyperloglog", kHyperloglogDocs},
};
const std::span<const CommandDocGroup> kStringsCommandDocs = kStringsDocGroups;

}  // namespace synap
