"""Sets: of integers, small, big; algebra."""

ATOMS = {
    "key": ["a", "b", "c", "d", "ints", "str", "nokey"],
    "numkeys": ["1", "2", "3", "0", "abc", "-1"],
    "member": lambda r: str(r.randint(-3, 30)) if r.random() < 0.6 else r.choice([f"m{r.randint(0, 20)}", "9223372036854775807", "x" * 70, "", "007"]),
}
LIMITS = {"set-max-intset-entries": [4, 16, 512]}
SETUP = """
exact  SET str text
exact  SADD ints 1 2 3 4 5
exact  SADD a a b c 1 2
exact  SADD b b c d 2 3
"""
TABLE = """
4* exact  SADD {key} <{member}>+
2* exact  SREM {key} <{member}>+
exact  SISMEMBER {key} {member}
exact  SMISMEMBER {key} <{member}>+
2* set  SMEMBERS {key}
exact  SCARD {key}
exact  SMOVE {key} {key} {member}
2* set  (SINTER|SUNION|SDIFF) <{key}>+
2* exact  (SINTERSTORE|SUNIONSTORE|SDIFFSTORE) {key} <{key}>+
exact  SINTERCARD {numkeys} {key} {key} [LIMIT {count}]
shape  SRANDMEMBER {key}
shape  SRANDMEMBER {key} {index}
shape  SPOP {key@k} ; exact DEL {key@k}
exact  DEL {key@k} ; exact SADD {key@k} {member@m} ; exact SPOP {key@k}
exact  DEL {key@k} ; exact SADD {key@k} x ; set SADD {key@k} 1 2 3 ; set SPOP {key@k} 10
shape  SPOP {key@k} {count} ; exact SCARD {key@k} ; exact DEL {key@k}
set+deep  SSCAN {key} 0 COUNT 100000 [MATCH {pattern}]
exact  DEL {key}
exact  OBJECT ENCODING {key}
"""
