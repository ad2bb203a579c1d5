"""Streams and consumer groups. Auto ids depend on the clock, so ids are given."""

ATOMS = {
    "key": ["x1", "x2", "x3", "str", "nokey"],
    "id": lambda r: r.choice([f"{r.randint(0, 40)}-{r.randint(0, 5)}", f"{r.randint(0, 40)}", f"{r.randint(1, 60)}-*"]) if r.random() < 0.96
    else r.choice(["abc", "-1", "1-", "0-0", "18446744073709551615-18446744073709551615", "18446744073709551616", "1-1-1", ""]),
    "rid": lambda r: r.choice([f"{r.randint(0, 60)}-{r.randint(0, 5)}", f"{r.randint(0, 60)}", "-", "+", f"({r.randint(0, 60)}-1"])
    if r.random() < 0.96 else r.choice(["abc", "(", "(-", "1-1-1"]),
    "known": lambda r: f"{r.randint(1, 60)}-{r.randint(0, 3)}",
    "group": ["g1", "g2", "g3"],
    "consumer": ["alice", "bob", "carol"],
    "field": ["f", "g", "temperature", ""],
    "last": lambda r: r.choice([f"{r.randint(0, 60)}-0", "0", "$", f"{r.randint(0, 60)}"]),
    "newer": lambda r: r.choice([">", ">", ">", "0", f"{r.randint(0, 60)}-0", "$"]),
}
LIMITS = {"stream-node-max-entries": [3, 100], "stream-node-max-bytes": [0, 100, 4096]}
SETUP = """
exact  SET str text
exact  XADD x1 1-1 f v g w
exact  XADD x1 2-1 f v2
exact  XGROUP CREATE x1 g1 0
exact  XADD x2 5-5 a b
"""
TABLE = """
6* exact  XADD {key} [NOMKSTREAM] [(MAXLEN|MINID) [(=|~)] {count} [LIMIT {count}]] {id} <{field} {value}>+
4* exact  XADD {key} {known} {field} {value}
exact  XLEN {key}
2* exact  XRANGE {key} {rid} {rid} [COUNT {index}]
exact  XREVRANGE {key} {rid} {rid} [COUNT {index}]
2* exact  XREAD [COUNT {count}] STREAMS {key} {key} {last} {last}
exact+fixed  XREAD BLOCK 1 STREAMS {key} {last}
exact  XDEL {key} <{known}>+
exact  XTRIM {key} (MAXLEN|MINID) [(=|~)] {index} [LIMIT {count}]
exact  XSETID {key} {id} [ENTRIESADDED {int}] [MAXDELETEDID {id}]
2* exact  XGROUP CREATE {key} {group} {last} [MKSTREAM] [ENTRIESREAD {count}]
exact  XGROUP SETID {key} {group} {last} [ENTRIESREAD {count}]
exact  XGROUP DESTROY {key} {group}
exact  XGROUP CREATECONSUMER {key} {group} {consumer}
exact  XGROUP DELCONSUMER {key} {group} {consumer}
5* exact  XREADGROUP GROUP {group} {consumer} [COUNT {count}] [NOACK] STREAMS {key} {newer}
exact  XREADGROUP GROUP {group} {consumer} STREAMS {key} {key} > >
2* exact  XACK {key} {group} <{known}>+
idle+deep  XPENDING {key} {group}
idle+deep  XPENDING {key} {group} [IDLE 0] - + {count} [{consumer}]
2* exact  XCLAIM {key} {group} {consumer} 0 <{known}>+ [IDLE 100] [RETRYCOUNT {count}] [FORCE] [JUSTID] [LASTID {known}]
2* exact  XAUTOCLAIM {key} {group} {consumer} 0 {known} [COUNT {count}] [JUSTID]
exact  XCLAIM {key} {group} {consumer} 100000000 {known}
any    XINFO STREAM {key}
idle+deep    XINFO GROUPS {key}
any    XINFO STREAM {key} FULL [COUNT {count}]
any    XINFO CONSUMERS {key} {group}
exact  XINFO HELP
exact  DEL {key}
"""
