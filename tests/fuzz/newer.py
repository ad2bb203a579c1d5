"""Seeds for commands and options that Redis 7.0 does not know, so that the differential test cannot draw them.
The same templates as its families; there is no reference to compare with, only a server that must stay alive."""

ATOMS = {
    "key": ["s1", "h1", "h2", "l1", "z1", "set1", "x1", "x2", "b1", "b2", "g1", "str", "nokey"],
    "field": ["f1", "f2", "f3", "f4", "n"],
    "group": ["g", "g2"],
    "id": lambda r: r.choice(["*", "0", "$", ">", "-", "+", f"{r.randint(0, 9)}-{r.randint(0, 3)}"]),
    "ttl": lambda r: str(r.choice([1, 5, 100, 100000, 0, -1])),
    "fields": lambda r: str(r.choice([1, 1, 2, 2, 3, 0, -1])),
    "topic": ["t1", "t2"],
    "lua": ["return server.call('GET',KEYS[1])", "return redis.call('HGETALL',KEYS[1])", "#!lua flags=declared-keys\nreturn redis.call('GET',KEYS[1])",
            "return server.sha1hex('x')", "local t={} for i=1,1e6 do t[i]=i end return #t", "return cjson.encode({1,{2,{3}}})"],
}
SETUP = """
any  SET str text
any  HSET h1 f1 v f2 w n 5
any  XADD x1 1-1 a b
any  XGROUP CREATE x1 g 0
"""
TABLE = """
any  SET {key} {value} IFEQ {value}
any  (HEXPIRE|HPEXPIRE|HEXPIREAT|HPEXPIREAT) {key} {ttl} [(NX|XX|GT|LT)] FIELDS {fields} <{field}>+
any  (HTTL|HPTTL|HEXPIRETIME|HPEXPIRETIME|HPERSIST) {key} FIELDS {fields} <{field}>+
any  HGETEX {key} [(EX {ttl}|PX {ttl}|PERSIST)] FIELDS {fields} <{field}>+
any  HSETEX {key} [(FNX|FXX)] [(EX {ttl}|PX {ttl}|KEEPTTL)] FIELDS {fields} <{field} {value}>+
any  HGETDEL {key} FIELDS {fields} <{field}>+
any  HSCAN {key} 0 NOVALUES
any  (ZRANK|ZREVRANK) {key} {member} WITHSCORE
any  BITOP (DIFF|DIFF1|ANDOR|ONE) {key} <{key}>+
any  XADD {key} * {field} {value}
any  XREAD COUNT 2 STREAMS {key} (+|$|0)
any  XDELEX {key} [(KEEPREF|DELREF|ACKED)] IDS {fields} <{id}>+
any  XACKDEL {key} {group} [(KEEPREF|DELREF|ACKED)] IDS {fields} <{id}>+
any  XINFO STREAM {key} FULL
any  GEOSEARCH {key} BYPOLYGON 3 1 1 5 1 5 5 [WITHDIST] ASC
any  CLIENT SETINFO (LIB-NAME|LIB-VER|X) {word}
any  CLIENT NO-TOUCH (ON|OFF|X)
any  CLIENT KILL (MAXAGE 100000|USER u|ID 99999|LADDR x|SKIPME yes TYPE pubsub)
any  CLIENT LIST [ID <{int}>+] [USER default]
any  COMMAND DOCS {word}
any  COMMAND LIST FILTERBY (ACLCAT read|PATTERN x*|MODULE m)
any  LATENCY HISTOGRAM [get]
any  WAITAOF (0|1|x) 0 1
any  MEMORY USAGE {key} SAMPLES {int}
any  MEMORY (STATS|DOCTOR|MALLOC-STATS|PURGE)
any  INFO [({word}|all|everything|memory|keysizes)]
any  FUNCTION STATS
any  SCRIPT SHOW {word}
any  EVAL {lua} 1 {key}
any  OBJECT (FREQ|IDLETIME|ENCODING|REFCOUNT) {key}
any  DEBUG (OBJECT {key}|HTSTATS 0|HTSTATS-KEY {key}|LISTPACK {key}|DIGEST|DIGEST-VALUE {key}|STRINGMATCH-LEN 100 a*b|REPLYBUFFER PEAK-RESET-TIME 100|DICT-RESIZING 1|QUICKLIST-PACKED-THRESHOLD 10)
any  DEBUG RELOAD
any  SUBSCRIBE c ; any UNSUBSCRIBE
any  PSUBSCRIBE c* ; any PUNSUBSCRIBE
any  SSUBSCRIBE c ; any SUNSUBSCRIBE
any  BGSAVE
any  BGREWRITEAOF
any  SAVE
any  LASTSAVE
any  LOLWUT [VERSION {int}]
any  MONITOR ; any RESET
any  SLOWLOG GET {int}
any  COMMAND INFO {word}
any  COMMAND COUNT
any  ROLE
any  RANDOMKEY
any  SCAN {int} MATCH {pattern} COUNT {int} TYPE {word}
any  SWAPDB 0 1
any  FAILOVER ABORT
any  PFSELFTEST
any  FLUSHALL ASYNC
"""
