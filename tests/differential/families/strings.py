"""Strings: SET's options, counters, ranges, LCS."""

ATOMS = {
    "key": ["s1", "s2", "s3", "s4", "s5", "s6", "n1", "n2", "f1", "list", "nokey"],
    "num": ["n1", "n2", "n3", "s1"],
    "flt": ["f1", "f2", "n1"],
    "offset": lambda r: str(r.randint(0, 80)) if r.random() < 0.9 else r.choice(["-1", "536870912", "abc", "1099511627776"]),
}
SETUP = """
exact  RPUSH list a b c
exact  SADD aset 1 2 3
exact  MSET s1 hello s2 12345 n1 10 f1 1.5 s3 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
"""
TABLE = """
6* exact  SET {key} {value} [(NX|XX)] [GET] [(EX {seconds}|PX {millis}|EXAT {when}|PXAT {whenms}|KEEPTTL)]
3* exact  SET {key} {value}
3* exact  GET {key}
exact  GETSET {key} {value}
exact  GETDEL {key}
2* exact  GETEX {key} [(EX {seconds}|PX {millis}|EXAT {when}|PXAT {whenms}|PERSIST)]
exact  SETNX {key} {value}
exact  SETEX {key} {seconds} {value}
exact  PSETEX {key} {millis} {value}
2* exact  MSET <{key} {value}>+
exact  MSETNX <{key} {value}>+
exact  MGET <{key}>+
2* exact  APPEND {key} {value}
exact  STRLEN {key}
2* exact  (GETRANGE|SUBSTR) {key} {index} {index}
2* exact  SETRANGE {key} {offset} {value}
2* exact  (INCR|DECR) {num}
2* exact  (INCRBY|DECRBY) {num} {int}
2* exact  INCRBYFLOAT {flt} {float}
exact  LCS {key} {key} [LEN] [IDX] [MINMATCHLEN {index}] [WITHMATCHLEN]
near   TTL {key}
near   PTTL {key}
exact  DEL {key}
exact  EXISTS <{key}>+
exact  OBJECT ENCODING {key}
exact  TYPE {key}
exact  SET {num} {int}
exact  SET {flt} {float}
"""
