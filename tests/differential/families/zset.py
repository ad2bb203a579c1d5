"""Sorted sets: order, ranges by rank, score and name, algebra."""

ATOMS = {
    "key": ["z1", "z2", "z3", "set", "str", "nokey"],
    "numkeys": ["1", "2", "2", "2", "3", "0", "abc", "-1"],
    "bound": lambda r: r.choice([str(r.randint(-9, 9)), f"({r.randint(-9, 9)}", f"{r.randint(-9, 9) / 4}", "-inf", "+inf", "inf"])
    if r.random() < 0.96 else r.choice(["nan", "abc", "(", "((1", "( 1", ""]),
    "lex": lambda r: r.choice(["-", "+", f"[m{r.randint(0, 25)}", f"(m{r.randint(0, 25)}", "[a", "(z", "[5"]) if r.random() < 0.95
    else r.choice(["abc", "", "[", "("]),
    "weight": lambda r: r.choice(["1", "2", "0.5", "-1", "0", "inf", "abc"]),
}
LIMITS = {"zset-max-listpack-entries": [0, 4, 128], "zset-max-listpack-value": [8, 64]}
SETUP = """
exact  SET str text
exact  SADD set m1 m2 m3
exact  ZADD z1 1 a 2 b 3 c
exact  ZADD lex 0 m1 0 m2 0 m3 0 m4 0 m5 0 z
"""
TABLE = """
5* dbl  ZADD {key} [(NX|XX)] [(GT|LT)] [CH] <{score} {member}>+
dbl  ZADD {key} [(NX|XX|GT|LT)] [CH] INCR {score} {member}
exact+fixed  ZADD lex <0 {member}>+
2* dbl  ZINCRBY {key} {score} {member}
2* exact  ZREM {key} <{member}>+
exact  ZCARD {key}
exact  ZCOUNT {key} {bound} {bound}
exact  ZLEXCOUNT lex {lex} {lex}
2* dbl  ZSCORE {key} {member}
dbl  ZMSCORE {key} <{member}>+
2* exact  (ZRANK|ZREVRANK) {key} {member}
2* dbl  (ZRANGE|ZREVRANGE) {key} {index} {index} [WITHSCORES]
2* dbl  ZRANGE {key} {bound} {bound} BYSCORE [REV] [LIMIT {index} {index}] [WITHSCORES]
exact  ZRANGE lex {lex} {lex} BYLEX [REV] [LIMIT {index} {index}] [WITHSCORES]
exact  ZRANGESTORE {key} {key} {index} {index} [REV]
exact  ZRANGESTORE {key} {key} {bound} {bound} BYSCORE [REV] [LIMIT {index} {index}]
exact  ZRANGESTORE {key} lex {lex} {lex} BYLEX [REV] [LIMIT {index} {index}]
dbl  (ZRANGEBYSCORE|ZREVRANGEBYSCORE) {key} {bound} {bound} [WITHSCORES] [LIMIT {index} {index}]
exact  (ZRANGEBYLEX|ZREVRANGEBYLEX) lex {lex} {lex} [LIMIT {index} {index}]
exact  ZREMRANGEBYRANK {key} {index} {index}
exact  ZREMRANGEBYSCORE {key} {bound} {bound}
exact  ZREMRANGEBYLEX lex {lex} {lex}
dbl  (ZPOPMIN|ZPOPMAX) {key} [{count}]
dbl  ZMPOP {numkeys} {key} {key} (MIN|MAX|MID) [COUNT {count}]
dbl+fixed  (BZPOPMIN|BZPOPMAX) {key} {key} 0.001
dbl+fixed  BZMPOP 0.001 {numkeys} {key} {key} (MIN|MAX) [COUNT {count}]
2* dbl  (ZUNION|ZINTER) 2 {key} {key} [WEIGHTS {weight} {weight}] [AGGREGATE (SUM|MIN|MAX|AVG)] [WITHSCORES]
dbl  (ZUNION|ZINTER|ZDIFF) {numkeys} {key} {key} [WITHSCORES]
2* exact  (ZUNIONSTORE|ZINTERSTORE) {key} 2 {key} {key} [WEIGHTS {weight} {weight}] [AGGREGATE (SUM|MIN|MAX)]
exact  ZDIFFSTORE {key} {numkeys} {key} {key}
exact  ZINTERCARD {numkeys} {key} {key} [LIMIT {count}]
shape  ZRANDMEMBER {key}
shape  ZRANDMEMBER {key} {index} [WITHSCORES] ; exact ZCARD {key}
dbl+pairs+deep  ZSCAN {key} 0 COUNT 100000 [MATCH {pattern}]
exact  DEL {key}
exact  OBJECT ENCODING {key}
"""
