"""Commands about connections, configuration and access: texts and shapes."""

# Not among the directives: those that mean other values here (maxmemory-samples, activedefrag), and latency-monitor-threshold,
# because a busy machine makes any command slow.
ATOMS = {
    "directive": ["maxmemory-policy", "hash-max-listpack-entries", "hash-max-ziplist-entries", "timeout", "slowlog-log-slower-than", "appendfsync",
                  "lfu-decay-time", "notify-keyspace-events", "client-output-buffer-limit", "save", "nosuch", "databases", "list-max-listpack-size",
                  "active-expire-effort", "lazyfree-lazy-expire", "repl-backlog-size", "busy-reply-threshold", "lua-time-limit"],
    "setting": ["0", "100", "-1", "1mb", "1GB", "yes", "no", "allkeys-lru", "volatile-ttl", "everysec", "always", "abc", "", "KEA", "Ex", "900 1 300 10",
                "replica 256mb 64mb 60", "99999999999999999999", "1.5"],
    "user": ["alice", "bob", "default"],
    "other": ["alice", "bob"],
    "rule": ["on", "off", "+get", "-get", "+@all", "-@all", "+@read", "-@write", "~*", "~a:*", "%R~r:*", "%W~w:*", "&*", "&news", "allkeys", "resetkeys", "allchannels", "resetchannels",
             "allcommands", "nocommands", ">secret", "<secret", "nopass", "resetpass", "reset", "+config|get", "-config|set", "(+set ~b:*)", "clearselectors", "+nosuch", "@read", "+@nosuch",
             "~", "%X~a", "#abc", "(+get", "sanitize-payload", "skip-sanitize-payload"],
    "event": ["command", "fork", "nosuch"],
    "channel": ["news", "n*", "a"],
}
TRANSACTIONS = 0
TABLE = """
exact  PING [{word}]
exact  (READONLY|READWRITE|ASKING)
exact  ECHO {value}
exact  SELECT {int} ; exact SELECT 0
3* pairs  CONFIG GET {directive}
3* exact  CONFIG SET {directive} {setting}
exact  CONFIG SET {directive} {setting} {directive} {setting}
exact  CONFIG RESETSTAT
exact  CONFIG HELP
exact  CLIENT SETNAME {word}
exact  CLIENT GETNAME
any    CLIENT LIST [TYPE (normal|pubsub|replica|nosuch)]
any    CLIENT INFO
exact  CLIENT LIST ID 999999
exact  CLIENT KILL ID 999999
exact  CLIENT KILL (1.2.3.4:5|TYPE pubsub|TYPE nosuch|USER nosuch|ID abc|ADDR 1.2.3.4:5|LADDR 1.2.3.4:5|SKIPME maybe|NOSUCH x)
exact  CLIENT UNBLOCK 999999 [(TIMEOUT|ERROR|BAD)]
exact  CLIENT NO-EVICT (on|off|maybe)
exact  CLIENT (GETREDIR|TRACKINGINFO|UNPAUSE|HELP)
exact  CLIENT PAUSE (0|abc|-1) [(ALL|WRITE|BAD)]
exact  CLIENT TRACKING (on|off|maybe) [BCAST] [PREFIX a] [PREFIX ab] [OPTIN] [OPTOUT] [NOLOOP] [REDIRECT 999999] ; exact CLIENT TRACKING off
exact  CLIENT CACHING (yes|no|maybe)
exact  CLIENT REPLY (on|maybe)
5* exact  ACL SETUSER {other} <{rule}>+
2* pairs+words+deep  ACL GETUSER {user}
words+deep  ACL LIST
exact  ACL USERS
exact  ACL WHOAMI
set    ACL CAT
set    ACL CAT (read|write|keyspace|string|list|set|sortedset|hash|stream|bitmap|hyperloglog|geo|pubsub|admin|fast|slow|blocking|dangerous|connection|transaction|scripting|nosuch)
exact  ACL DRYRUN {user} (get a:1|set b:1 x|get r:1|set w:1 x|config get x|mget a:1 b:1|publish news x|nosuch|get)
exact  ACL DELUSER (alice|bob|nosuch)
shape  ACL GENPASS [(32|abc|0|5000)]
exact+fixed  ACL LOG RESET
exact  ACL HELP
exact  ACL (SAVE|LOAD)
exact  2>AUTH {user} (secret|wrong) ; exact 2>(GET a:1|SET b:1 x|CONFIG GET maxmemory|PING|ACL WHOAMI|EVAL 'return 1' 0|MGET a:1 b:1|PUBLISH news x) ; exact 2>RESET
exact  AUTH {word}
exact  LATENCY (RESET|LATEST|HELP)
exact  LATENCY RESET {event}
exact  LATENCY HISTORY {event}
exact  LATENCY GRAPH {event}
exact+fixed  SLOWLOG (RESET|HELP|GET abc|GET -5)
exact  MEMORY (HELP|NOSUCH)
exact  MEMORY USAGE nokey [SAMPLES {int}]
exact  DEBUG (SET-ACTIVE-EXPIRE 1|STRINGMATCH-LEN 10 a*b|NOSUCH|SLEEP 0|JMAP)
exact  DEBUG PROTOCOL (string|integer|double|null|array|set|map|attrib|verbatim|true|false|bignum|nosuch)
exact  PUBLISH {channel} {value}
exact  SPUBLISH {channel} {value}
exact  PUBSUB (CHANNELS|NUMPAT|HELP|NUMSUB|SHARDCHANNELS|SHARDNUMSUB) [{channel}]
any+fixed    LOLWUT VERSION 99
exact  WAIT 0 10
exact  OBJECT (HELP|NOSUCH)
shape  TIME
shape  ROLE
exact+fixed  LASTSAVE x
exact+fixed  COMMAND COUNT x
exact+fixed  COMMAND (HELP|NOSUCH)
exact+fixed  COMMAND GETKEYS (GET|GET a|MSET a 1 b 2|EVAL x 2 a b c|ZUNION 2 a b|XREAD STREAMS a b 0 0|SORT a STORE b|NOSUCH|PING|MIGRATE h 1 '' 0 1 KEYS a b|ZUNIONSTORE d 2 a b|GEORADIUS a 1 2 3 m STORE b)
exact  READONLY
exact  READWRITE
exact  ASKING
exact  RESET ; any HELLO 3
exact  HELLO (4|abc)
any    HELLO 2 [AUTH default x] [SETNAME a]
"""
