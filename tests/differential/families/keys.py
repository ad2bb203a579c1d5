"""Keys of every type: names, expiry, copies, databases, scans."""

ATOMS = {
    "key": ["str", "num", "list", "set", "ints", "zset", "hash", "stream", "k1", "k2", "k3", "nokey"],
    # Nobody else touches these: with equal weights the order of the rest is that of the table.
    "seq": ["plain", "sequence", "nolist"],
    "db": lambda r: r.choice(["0", "0", "1", "2", "9", "15", "16", "-1", "abc"]),
    "type": ["string", "list", "set", "zset", "hash", "stream", "STRING", "nosuch"],
    "bigcount": ["100000", "100000", "0", "abc", "-1"],
}
SETUP = """
exact  MSET str text num 42 k1 one plain text
exact  RPUSH sequence d a c b
exact  RPUSH list a b c d
exact  SADD set a b c
exact  SADD ints 1 2 3
exact  ZADD zset 1 a 2 b 3 c
exact  HSET hash f v g w
exact  XADD stream 1-1 f v
"""
TABLE = """
2* exact  DEL <{key}>+
exact  UNLINK <{key}>+
exact  EXISTS <{key}>+
exact  TOUCH <{key}>+
2* exact  EXPIRE {key} {seconds} [(NX|XX|GT|LT)] [(NX|XX|GT|LT)]
exact  PEXPIRE {key} {millis} [(NX|XX|GT|LT)]
exact  EXPIREAT {key} {when} [(NX|XX|GT|LT)]
exact  PEXPIREAT {key} {whenms} [(NX|XX|GT|LT)]
near   TTL {key}
near   PTTL {key}
near   EXPIRETIME {key}
near   PEXPIRETIME {key}
exact  PERSIST {key}
exact  TYPE {key}
2* exact  RENAME {key} {key}
2* exact  RENAMENX {key} {key}
2* exact  COPY {key} {key} [DB {db}] [REPLACE]
exact  MOVE {key} {db}
set    KEYS {pattern}
set+deep    SCAN 0 COUNT {bigcount} [MATCH {pattern}] [TYPE {type}]
exact  OBJECT ENCODING {key}
near   OBJECT REFCOUNT k1
idle   OBJECT IDLETIME {key}
exact  OBJECT FREQ {key}
exact  DBSIZE
exact  FLUSHDB [(SYNC|ASYNC)]
exact  SWAPDB {db} {db}
exact  SELECT {db} ; exact DBSIZE ; set KEYS * ; exact SELECT 0
exact  SET {key} {value}
exact  RPUSH {key} <{member}>+
exact  SADD {key} <{member}>+
exact  HSET {key} {member} {value}
exact  ZADD {key} {score} {member}
exact  XADD {key} 5-5 f v
exact  SORT {seq} [BY (w_*|nosort)] [LIMIT {index} {index}] <GET (w_*|#)>+ [(ASC|DESC)] [ALPHA]
exact  DEL ints ; exact SADD ints 5 3 9 1 ; exact SORT ints [LIMIT {index} {count}] [(ASC|DESC)] [STORE k3]
exact  DEL list ; exact RPUSH list 3 1 2 ; exact (SORT|SORT_RO) list [BY w_*] [GET w_*] [GET #] [(ASC|DESC)] [ALPHA]
exact  SORT_RO {key} [LIMIT {index} {index}] [ALPHA] [STORE k3]
exact  SET (w_1|w_2|w_3) {int}
exact  OBJECT HELP
shape  RANDOMKEY
shape  DUMP {key}
exact  RESTORE {key} {count} {value} [REPLACE] [ABSTTL] [IDLETIME {int}] [FREQ {int}]
"""
