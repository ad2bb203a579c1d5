"""Lists, small and of many nodes."""
from grammar import INT_EDGES

ATOMS = {
    "key": ["l1", "l2", "l3", "str", "nokey"],
    "item": lambda r: r.choice([f"i{r.randint(0, 9)}", str(r.randint(0, 300)), "x" * r.choice([1, 30, 200])]) if r.random() < 0.97 else "y" * 5000,
    "side": ["LEFT", "RIGHT", "left", "MIDDLE"],
    # Without numbers that some versions of Redis cut to 32 bits: there they change other elements than asked.
    "index": lambda r: str(r.randint(-8, 8)) if r.random() < 0.93 else r.choice([e for e in INT_EDGES if not e.startswith(("-922", "4294"))]),
    "numkeys": ["1", "2", "2", "3", "0", "abc"],
}
LIMITS = {"list-max-listpack-size": [-2, -1, 3, 8], "list-compress-depth": [0, 1]}
SETUP = """
exact  SET str text
exact  RPUSH l1 a b c d e f
exact  RPUSH l2 1 2 3
"""
TABLE = """
4* exact  (LPUSH|RPUSH) {key} <{item}>+
exact  (LPUSHX|RPUSHX) {key} <{item}>+
2* exact  (LPOP|RPOP) {key} [{count}]
3* exact  LRANGE {key} {index} {index}
exact  LRANGE {key} 0 -1
exact  LLEN {key}
exact  LINDEX {key} {index}
exact  LSET {key} {index} {item}
2* exact  LINSERT {key} (BEFORE|AFTER|ABOVE) {item} {item}
2* exact  LREM {key} {index} {item}
exact  LTRIM {key} {index} {index}
exact  LPOS {key} {item} [RANK {index}] [COUNT {count}] [MAXLEN {count}]
2* exact  LMOVE {key} {key} {side} {side}
exact  RPOPLPUSH {key} {key}
exact  LMPOP {numkeys} {key} {key} (LEFT|RIGHT|UP) [COUNT {count}]
exact+fixed  BLPOP {key} {key} 0.001
exact+fixed  BRPOP {key} 0.001
exact+fixed  BLMOVE {key} {key} {side} {side} 0.001
exact+fixed  BRPOPLPUSH {key} {key} 0.001
exact+fixed  BLMPOP 0.001 {numkeys} {key} {key} (LEFT|RIGHT) [COUNT {count}]
exact+fixed  (BLPOP|BRPOP) {key} (-1|abc|nan|inf|1e20)
exact  DEL {key}
exact  OBJECT ENCODING {key}
"""
