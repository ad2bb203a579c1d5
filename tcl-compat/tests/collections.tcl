# Lists, hashes, sets, sorted sets and streams: small and big encodings behave alike.
proc fill_random {count} {
    set items {}
    for {set i 0} {$i < $count} {incr i} { lappend items "item-$i-[expr {$i * 7919 % 10007}]" }
    return $items
}

with_server {enable-debug-command yes} {
    foreach size {5 600} {
        test "List of $size: both ends, ranges, edits" {
            r DEL l
            set items [fill_random $size]
            expect $size [r RPUSH l {*}$items]
            expect $items [r LRANGE l 0 -1]
            expect [lindex $items 2] [r LINDEX l 2]
            expect [lindex $items end] [r LINDEX l -1]
            expect OK [r LSET l 1 changed]
            expect [expr {$size + 1}] [r LINSERT l BEFORE changed before]
            expect 1 [r LPOS l before]
            expect 1 [r LREM l 0 before]
            expect [lindex $items 0] [r LPOP l]
            expect [lindex $items end] [r RPOP l]
            expect OK [r LTRIM l 1 -2]
            expect [expr {$size - 4}] [r LLEN l]
            expect [lrange $items 2 end-2] [r LRANGE l 0 -1]
            expect_error "ERR index out of range" {r LSET l 100000 x}
        }
        test "Hash of $size: fields, counters, scan" {
            r DEL h
            set pairs {}
            foreach item [fill_random $size] { lappend pairs $item "value of $item" }
            expect $size [r HSET h {*}$pairs]
            expect $size [r HLEN h]
            expect_sorted $pairs [r HGETALL h]
            foreach {field value} [lrange $pairs 0 9] { expect $value [r HGET h $field] }
            lassign [r HSCAN h 0 COUNT 100000] cursor all
            expect 0 $cursor
            expect_sorted $pairs $all
            expect 7 [r HINCRBY h n 7]
            expect 7.5 [r HINCRBYFLOAT h n 0.5]
            expect 0 [r HSETNX h n 1]
            expect_error "ERR hash value is not an integer" {r HINCRBY h n 1}
            expect 2 [r HDEL h n [lindex $pairs 0] none]
            expect [list "(nil)" [lindex $pairs 3]] [r HMGET h none [lindex $pairs 2]]
        }
        test "Set of $size: algebra" {
            r DEL a b
            set items [fill_random $size]
            expect $size [r SADD a {*}$items]
            expect 0 [r SADD a {*}$items]
            r SADD b {*}[lrange $items 0 1] extra
            expect_sorted [lrange $items 0 1] [r SINTER a b]
            expect 2 [r SINTERCARD 2 a b]
            expect extra [r SDIFF b a]
            expect [expr {$size + 1}] [r SUNIONSTORE u a b]
            expect [expr {$size + 1}] [r SCARD u]
            expect {1 0} [r SMISMEMBER a [lindex $items 0] none]
            expect 1 [r SMOVE b a extra]
            expect 1 [r SISMEMBER a extra]
            set left [r SPOP a $size]
            expect $size [llength [lsort -unique $left]]
            expect 1 [r SCARD a]
        }
        test "Sorted set of $size: order, ranks, ranges" {
            r DEL z
            set pairs {}
            set i 0
            foreach item [fill_random $size] { lappend pairs [incr i] $item }
            expect $size [r ZADD z {*}$pairs]
            expect 0 [r ZRANK z [lindex $pairs 1]]
            expect 0 [r ZREVRANK z [lindex $pairs end]]
            expect [list [lindex $pairs 3] [lindex $pairs 5]] [r ZRANGE z 2 3 BYSCORE]
            expect [list [lindex $pairs 5] [lindex $pairs 3]] [r ZRANGE z 3 2 BYSCORE REV]
            expect 2 [r ZCOUNT z (1 3]
            expect 12.5 [r ZINCRBY z 11.5 [lindex $pairs 1]]
            expect 1 [r ZADD z XX CH 0 [lindex $pairs 1]]
            expect [list [lindex $pairs 1] 0] [r ZPOPMIN z]
            expect [list [lindex $pairs end] $size] [r ZPOPMAX z]
            expect 1 [r ZREMRANGEBYRANK z 0 0]
            expect [expr {$size - 3}] [r ZCARD z]
            expect_error "ERR min or max is not a float" {r ZRANGEBYSCORE z a b}
            expect_error "ERR value is not a valid float" {r ZADD z x y}
        }
    }
    test "Encodings turn at their limits" {
        r DEL s h z l
        r SADD s 1 2 3
        expect intset [r OBJECT ENCODING s]
        r SADD s x
        expect_true {[r OBJECT ENCODING s] in {listpack hashtable}}
        r SADD s [string repeat y 65]
        expect hashtable [r OBJECT ENCODING s]
        r HSET h f v
        expect listpack [r OBJECT ENCODING h]
        r HSET h f [string repeat v 65]
        expect hashtable [r OBJECT ENCODING h]
        r ZADD z 1 a
        expect listpack [r OBJECT ENCODING z]
        r ZADD z 1 [string repeat v 65]
        expect skiplist [r OBJECT ENCODING z]
        expect OK [r CONFIG SET zset-max-listpack-entries 2]
        r DEL z; r ZADD z 1 a 2 b
        expect listpack [r OBJECT ENCODING z]
        r ZADD z 3 c
        expect skiplist [r OBJECT ENCODING z]
    }
    test "Sorted set algebra and lexical ranges" {
        r DEL z1 z2 lex
        r ZADD z1 1 a 2 b; r ZADD z2 10 b 20 c
        expect {a 1 b 12 c 20} [r ZUNION 2 z1 z2 WITHSCORES]
        expect {b 22} [r ZINTER 2 z1 z2 WEIGHTS 1 2 WITHSCORES]
        expect a [r ZDIFF 2 z1 z2]
        expect 3 [r ZUNIONSTORE zu 2 z1 z2 AGGREGATE MAX]
        expect {a 1 b 10 c 20} [r ZRANGE zu 0 -1 WITHSCORES]
        r ZADD lex 0 a 0 b 0 c 0 d
        expect {b c} [r ZRANGEBYLEX lex (a (d]
        expect {d c b a} [r ZRANGE lex + - BYLEX REV]
        expect 2 [r ZRANGESTORE dst lex 1 2]
        expect {b c} [r ZRANGE dst 0 -1]
        expect_error "ERR min or max not valid string range item" {r ZRANGEBYLEX lex a b}
    }
    test "Stream: append, read, trim, groups" {
        r DEL x
        expect 1-1 [r XADD x 1-1 a 1]
        expect 1-2 [r XADD x 1-* b 2]
        expect_error "ERR The ID specified in XADD is equal or smaller than the target stream top item" {r XADD x 1-2 c 3}
        expect_error "ERR The ID specified in XADD must be greater than 0-0" {r XADD x 0-0 c 3}
        for {set i 2} {$i <= 300} {incr i} { r XADD x $i-0 n $i }
        expect 301 [r XLEN x]
        expect {{1-1 {a 1}} {1-2 {b 2}}} [r XRANGE x - + COUNT 2]
        expect {{300-0 {n 300}}} [r XREVRANGE x + - COUNT 1]
        expect {{x {{300-0 {n 300}}}}} [r XREAD COUNT 5 STREAMS x 299-0]
        expect OK [r XGROUP CREATE x g 0]
        expect_error "BUSYGROUP*" {r XGROUP CREATE x g 0}
        expect {{x {{1-1 {a 1}} {1-2 {b 2}}}}} [r XREADGROUP GROUP g alice COUNT 2 STREAMS x >]
        expect {2 1-1 1-2 {{alice 2}}} [r XPENDING x g]
        expect 1 [r XACK x g 1-1]
        expect {{1-2 {b 2}}} [r XCLAIM x g bob 0 1-2]
        expect {0-0 {{1-2 {b 2}}} {}} [r XAUTOCLAIM x g alice 0 0]
        expect 100 [r XTRIM x MAXLEN 201]
        expect 1 [r XDEL x 300-0]
        expect 200 [r XLEN x]
        expect_error "NOGROUP*" {r XREADGROUP GROUP none c STREAMS x >}
    }
    test "SORT by weights and with GET" {
        needs SORT
        r DEL ids
        r RPUSH ids 3 1 2
        r MSET w1 30 w2 20 w3 10 n1 one n2 two n3 three
        expect {1 2 3} [r SORT ids]
        expect {3 2 1} [r SORT ids BY w*]
        expect {three two one} [r SORT ids BY w* GET n*]
        expect {3 three} [r SORT ids BY w* LIMIT 0 1 GET # GET n*]
        expect 3 [r SORT ids DESC STORE out]
        expect {3 2 1} [r LRANGE out 0 -1]
        r RPUSH ids x
        expect_error "ERR One or more scores can't be converted into double" {r SORT ids}
        expect {1 2 3 x} [r SORT ids ALPHA]
    }
    test "Bitmaps, HyperLogLog, geo" {
        r DEL b
        expect 0 [r SETBIT b 7 1]
        expect 1 [r GETBIT b 7]
        expect "\1" [r GET b]
        r SET b foobar
        expect 26 [r BITCOUNT b]
        expect 4 [r BITCOUNT b 0 0]
        expect 1 [r BITPOS b 1]
        expect {0 1} [r BITFIELD c SET u8 0 255 INCRBY u4 4 2 ]
        r PFADD p1 a b c; r PFADD p2 c d
        expect 4 [r PFCOUNT p1 p2]
        expect OK [r PFMERGE p p1 p2]
        expect 4 [r PFCOUNT p]
        expect 2 [r GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania]
        expect 166.2742 [r GEODIST g Palermo Catania km]
        expect {Catania Palermo} [r GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC]
        expect {sqc8b49rny0 sqdtr74hyu0} [r GEOHASH g Palermo Catania]
    }
    test "Every type survives DEBUG RELOAD" {
        needs SAVE
        r FLUSHALL
        foreach size {3 1000} {
            set items [fill_random $size]
            r SET s:$size [string repeat x $size]
            r RPUSH l:$size {*}$items
            r SADD set:$size {*}$items
            foreach item $items { r ZADD z:$size [incr score] $item; r HSET h:$size $item v; r XADD x:$size * item $item }
        }
        r SADD ints 1 2 3
        r PEXPIRE s:3 100000
        r XGROUP CREATE x:3 g 0
        r XREADGROUP GROUP g me COUNT 1 STREAMS x:3 >
        set before [r DEBUG DIGEST]
        expect OK [r DEBUG RELOAD]
        expect $before [r DEBUG DIGEST]
        expect_between 90000 100000 [r PTTL s:3]
        expect 1 [lindex [r XPENDING x:3 g] 0]
    }
}
