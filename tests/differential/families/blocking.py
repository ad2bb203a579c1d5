"""A second client waits, the first makes the key ready. `!blocked N` waits until N clients are blocked."""

ATOMS = {"key": ["l1", "l2", "l3"], "z": ["z1", "z2"], "side": ["LEFT", "RIGHT"]}
MUTATIONS = 0
TRANSACTIONS = 0
TABLE = """
exact  DEL l1 l2 l3 ; !send 2>BLPOP {key@k} l3 0 ; !blocked 1 ; exact RPUSH {key@k} a b c ; !read 2>exact BLPOP
exact  DEL l1 l2 l3 ; !send 2>BRPOP l1 l2 5 ; !blocked 1 ; exact MULTI ; exact LPUSH l2 1 ; exact RPUSH l2 2 ; exact EXEC ; !read 2>exact BRPOP
exact  DEL l1 l2 l3 ; !send 2>BLMOVE l1 {key} {side} {side} 0 ; !blocked 1 ; exact RPUSH l1 a b ; !read 2>exact BLMOVE ; exact LRANGE l2 0 -1
exact  DEL l1 l2 l3 ; exact SET l3 text ; !send 2>BRPOPLPUSH l1 l3 0 ; !blocked 1 ; exact RPUSH l1 a b ; !read 2>exact BRPOPLPUSH ; exact LRANGE l1 0 -1
exact  DEL l1 l2 l3 ; !send 2>BLMPOP 0 2 l1 l2 {side} COUNT 3 ; !blocked 1 ; exact RPUSH l2 a b c d ; !read 2>exact BLMPOP
exact  DEL z1 z2 ; !send 2>BZPOPMIN z1 z2 0 ; !blocked 1 ; exact ZADD {z} 3 c 1 a 2 b ; !read 2>dbl BZPOPMIN
exact  DEL z1 z2 ; !send 2>BZMPOP 0 2 z1 z2 (MIN|MAX) COUNT 2 ; !blocked 1 ; exact ZADD {z} 3 c 1 a 2 b ; !read 2>dbl BZMPOP
exact  DEL l1 ; !send 2>BLPOP l1 0 ; !blocked 1 ; exact SET l1 text ; exact DEL l1 ; exact SADD l1 x ; exact DEL l1 ; exact RPUSH l1 y ; !read 2>exact BLPOP
exact  DEL l1 ; !send 2>BLPOP l1 0 ; !blocked 1 ; exact RPUSH l2 moved ; exact RENAME l2 l1 ; !read 2>exact BLPOP
exact  DEL l1 l2 ; exact RPUSH l2 1 ; !send 2>BLPOP l1 0 ; !blocked 1 ; exact COPY l2 l1 ; !read 2>exact BLPOP
exact  DEL l1 l2 ; exact RPUSH l2 3 2 1 ; !send 2>BLPOP l1 0 ; !blocked 1 ; exact SORT l2 STORE l1 ; !read 2>exact BLPOP
exact  DEL l1 ; !send 2>BLPOP l1 0 ; !blocked 1 ; exact EVAL {script} 1 l1 ; !read 2>exact BLPOP
exact  DEL x ; !send 2>XREAD BLOCK 0 STREAMS x $ ; !blocked 1 ; exact XADD x 1-1 a b ; !read 2>exact XREAD
exact  DEL x ; exact XGROUP CREATE x g $ MKSTREAM ; !send 2>XREADGROUP GROUP g c BLOCK 0 STREAMS x > ; !blocked 1 ; exact XADD x 1-1 a b ; !read 2>exact XREADGROUP ; idle+deep XPENDING x g - + 5
exact  DEL x ; exact XGROUP CREATE x g $ MKSTREAM ; !send 2>XREADGROUP GROUP g c BLOCK 0 STREAMS x > ; !blocked 1 ; exact XGROUP DESTROY x g ; !read 2>exact XREADGROUP
"""
ATOMS["script"] = ["redis.call('RPUSH',KEYS[1],'a') return redis.call('LPOP',KEYS[1])..redis.call('RPUSH',KEYS[1],'b')"]
