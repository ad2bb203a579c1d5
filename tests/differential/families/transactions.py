"""MULTI, EXEC, WATCH, and a second client that interferes."""

ATOMS = {"key": ["a", "b", "c", "l"], "cmd": ["NOSUCH", "GET", "SET"]}
SETUP = """
exact  MSET a 1 b 2
exact  RPUSH l x
"""
TRANSACTIONS = 0.25
TABLE = """
3* exact  SET {key} {value}
2* exact  INCR {key}
exact  GET {key}
exact  DEL {key}
exact  RPUSH {key} {member}
exact  LRANGE {key} 0 -1
exact  {cmd}
exact  EXEC
exact  DISCARD
exact  DISCARD ; exact WATCH <{key}>+
exact  DISCARD ; exact MULTI
exact  UNWATCH
exact  DISCARD ; exact WATCH {key@k} ; exact 2>(SET {key} 1|DEL {key}|GET {key@k}|INCR {key@k}|EXPIRE {key@k} 1000) ; exact MULTI ; exact SET {key} 2 ; exact GET {key@k} ; exact EXEC
exact  DISCARD ; exact WATCH {key@k} ; exact (SET {key@k} 1|FLUSHDB|SWAPDB 0 1|GET {key}) ; exact MULTI ; exact GET {key} ; exact EXEC
exact  DISCARD ; exact WATCH {key@k} ; exact 2>(FLUSHALL|FLUSHDB|SWAPDB 0 0|RENAME {key@k} {key}|PING) ; exact UNWATCH ; exact MULTI ; exact PING ; exact EXEC
exact  DISCARD ; exact MULTI ; exact SELECT 1 ; exact SET {key} 1 ; exact SELECT 0 ; exact DBSIZE ; exact EXEC
exact  DISCARD ; exact MULTI ; exact BLPOP nolist 0 ; exact BRPOP l 0 ; exact XREAD BLOCK 0 STREAMS nostream $ ; exact EXEC
exact  DISCARD ; exact MULTI ; exact WATCH a ; exact MULTI ; exact EXEC
exact  DISCARD ; exact MULTI ; exact EVAL {script} 1 {key} ; exact EXEC
exact  RESET ; any HELLO 2
"""
ATOMS["script"] = ["return redis.call('GET',KEYS[1])", "redis.call('SET',KEYS[1],'s') return 1", "return redis.pcall('INCR',KEYS[1])",
                   "error('boom')", "return nosuch"]
