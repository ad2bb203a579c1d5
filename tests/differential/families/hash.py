"""Hashes, small and big."""

ATOMS = {
    "key": ["h1", "h2", "h3", "h4", "str", "nokey"],
    "field": lambda r: r.choice([f"f{r.randint(0, 12)}", str(r.randint(0, 9)), "n", "x"]) if r.random() < 0.95 else r.choice(["", "y" * 70]),
    "cursor": ["0", "0", "0", "0", "abc"],
}
LIMITS = {"hash-max-listpack-entries": [4, 16, 128], "hash-max-listpack-value": [8, 64]}
SETUP = """
exact  SET str text
exact  HSET h1 f1 v1 n 5
"""
TABLE = """
4* exact  HSET {key} <{field} {value}>+
exact  HMSET {key} <{field} {value}>+
exact  HSETNX {key} {field} {value}
2* exact  HGET {key} {field}
exact  HMGET {key} <{field}>+
pairs  HGETALL {key}
2* exact  HDEL {key} <{field}>+
exact  HEXISTS {key} {field}
exact  HLEN {key}
exact  HSTRLEN {key} {field}
set    HKEYS {key}
set    HVALS {key}
2* exact  HINCRBY {key} {field} {int}
exact  HINCRBYFLOAT {key} {field} {float}
exact  HSET {key} n {int}
shape  HRANDFIELD {key}
shape  HRANDFIELD {key} {index} [WITHVALUES] ; exact HLEN {key}
pairs+deep  HSCAN {key} {cursor} COUNT 100000 [MATCH {pattern}]
exact  DEL {key}
exact  OBJECT ENCODING {key}
"""
