"""HyperLogLog: estimates and bytes are Redis's own."""

ATOMS = {"key": ["p1", "p2", "p3", "str", "list", "nokey"],
         "member": lambda r: f"e{r.randint(0, 100000)}",
         "many": lambda r: f"x{r.randint(0, 10**9)}"}
SETUP = """
exact  SET str text
exact  RPUSH list a
exact  PFADD p1 a b c
"""
TABLE = """
4* exact  PFADD {key} <{member}>+
exact  PFADD {key} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many} {many}
exact  PFADD {key}
2* exact  PFCOUNT <{key}>+
2* exact  PFMERGE {key} <{key}>+
exact  GET {key}
exact  STRLEN {key}
exact  PFDEBUG ENCODING {key}
exact  PFDEBUG DECODE {key}
exact  PFDEBUG TODENSE {key}
exact  PFDEBUG GETREG p1 ; exact PFCOUNT p1
exact  DEL {key}
exact  SET {key} {value}
exact  SET bad {value} ; exact PFCOUNT bad ; exact PFADD bad {member} ; exact PFMERGE p3 bad ; exact DEL bad
"""
LIMITS = {"hll-sparse-max-bytes": [100, 3000]}
