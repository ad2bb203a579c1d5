# Keys whatever they hold: names, expiry, scan, databases.
with_server {enable-debug-command yes} {
    test "EXISTS, DEL, UNLINK, TOUCH count" {
        r MSET a 1 b 2 c 3
        expect 4 [r EXISTS a b a c none]
        expect 2 [r TOUCH a b none]
        expect 1 [r DEL a none]
        expect 2 [r UNLINK b c]
        expect 0 [r DBSIZE]
    }
    test "RENAME keeps the value and its expiry" {
        r SET from v EX 100
        expect OK [r RENAME from to]
        expect 0 [r EXISTS from]
        expect_between 99 100 [r TTL to]
        expect_error "ERR no such key" {r RENAME from to}
        r SET other w
        expect 0 [r RENAMENX to other]
        expect w [r GET other]
        expect OK [r RENAME to to]
    }
    test "COPY and MOVE between databases" {
        r FLUSHALL
        r RPUSH l 1 2 3
        expect 1 [r COPY l l2]
        expect 0 [r COPY l l2]
        expect 1 [r COPY l l2 REPLACE]
        expect 1 [r COPY l l DB 9]
        expect 1 [r MOVE l2 9]
        expect 1 [r DBSIZE]
        r SELECT 9
        expect {1 2 3} [r LRANGE l2 0 -1]
        expect 2 [r DBSIZE]
        r SELECT 0
        expect_error "ERR source and destination objects are the same" {r COPY l l}
        expect_error "ERR DB index is out of range" {r SELECT 16}
    }
    test "Expiry: set, read, clear, condition" {
        r SET k v
        expect -1 [r TTL k]
        expect -2 [r TTL none]
        expect 1 [r EXPIRE k 100 NX]
        expect 0 [r EXPIRE k 200 NX]
        expect 0 [r EXPIRE k 50 GT]
        expect 1 [r EXPIRE k 50 LT]
        expect 1 [r EXPIRE k 60 XX]
        expect_error "ERR NX and XX, GT or LT options at the same time are not compatible" {r EXPIRE k 1 NX XX}
        expect 1 [r PERSIST k]
        expect 0 [r PERSIST k]
        r PEXPIREAT k 4102444800000
        expect 4102444800 [r EXPIRETIME k]
        expect 4102444800000 [r PEXPIRETIME k]
        expect 1 [r EXPIRE k -1]
        expect 0 [r EXISTS k]
    }
    test "A key is gone when its time has come, seen or not" {
        r FLUSHALL
        for {set i 0} {$i < 200} {incr i} { r SET gone:$i v PX 50 }
        r SET stays v
        expect_true {[r DBSIZE] == 201}
        wait_for "active expiry" 5 {[r DBSIZE] == 1}
        expect "(nil)" [r GET gone:3]
    }
    test "KEYS and SCAN agree" {
        r FLUSHALL
        set wanted {}
        for {set i 0} {$i < 1000} {incr i} { r SET key:$i $i; lappend wanted key:$i }
        r SADD aset x
        expect_sorted $wanted [r KEYS key:*]
        expect 10 [llength [r KEYS {key:[0-9]}]]
        expect 10 [llength [r KEYS key:?]]
        set cursor 0
        set seen {}
        while 1 {
            lassign [r SCAN $cursor MATCH key:* COUNT 37] cursor batch
            lappend seen {*}$batch
            if {$cursor == 0} break
        }
        expect_sorted $wanted [lsort -unique $seen]
        set cursor 0
        set seen {}
        while 1 {
            lassign [r SCAN $cursor TYPE set] cursor batch
            lappend seen {*}$batch
            if {$cursor == 0} break
        }
        expect aset $seen
    }
    test "SCAN sees what stays while the table grows and shrinks" {
        r FLUSHALL
        for {set i 0} {$i < 500} {incr i} { r SET stays:$i 1 }
        set cursor 0
        set round 0
        while 1 {
            lassign [r SCAN $cursor COUNT 20] cursor batch
            foreach key $batch { set found($key) 1 }
            if {$cursor == 0} break
            incr round
            for {set i 0} {$i < 200} {incr i} {
                if {$round % 4 < 2} { r SET new:$round:$i 1 } else { r DEL new:[expr {$round - 2}]:$i }
            }
            if {$round > 2000} { fail "no end" }
        }
        for {set i 0} {$i < 500} {incr i} { expect_true {[info exists found(stays:$i)]} "stays:$i" }
    }
    test "RANDOMKEY, TYPE, OBJECT" {
        r FLUSHALL
        expect "(nil)" [r RANDOMKEY]
        r SET only 1
        expect only [r RANDOMKEY]
        r LPUSH l 1; r SADD s 1; r ZADD z 1 a; r HSET h f v; r XADD x * f v
        foreach {key type} {only string l list s set z zset h hash x stream none none} { expect $type [r TYPE $key] }
        expect "(nil)" [r OBJECT ENCODING none]
        expect_between 0 2 [r OBJECT IDLETIME only]
        expect 1 [r OBJECT REFCOUNT l]
    }
    test "FLUSHDB empties one database, FLUSHALL all, SWAPDB swaps" {
        r FLUSHALL
        r SET in0 1
        r SELECT 1; r SET in1 1; r SELECT 0
        expect OK [r SWAPDB 0 1]
        expect in1 [r KEYS *]
        expect OK [r FLUSHDB]
        expect 0 [r DBSIZE]
        r SELECT 1
        expect in0 [r KEYS *]
        r SELECT 0
        expect OK [r FLUSHALL ASYNC]
        r SELECT 1
        expect 0 [r DBSIZE]
        r SELECT 0
        expect_error "ERR syntax error" {r FLUSHALL NOW}
    }
    test "DUMP and RESTORE move every type" {
        needs DUMP
        r FLUSHALL
        r SET s text; r RPUSH l a b c; r SADD st 1 2 3; r SADD st2 x y; r ZADD z 1.5 a 2 b; r HSET h f v; r XADD x 1-1 f v
        foreach key {s l st st2 z h x} {
            expect OK [r RESTORE copy:$key 0 [r DUMP $key]]
            expect [r DEBUG DIGEST-VALUE $key] [r DEBUG DIGEST-VALUE copy:$key]
            expect [r OBJECT ENCODING $key] [r OBJECT ENCODING copy:$key]
        }
        expect_error "BUSYKEY Target key name already exists." {r RESTORE copy:s 0 [r DUMP s]}
        expect_error "ERR DUMP payload version or checksum are wrong" {r RESTORE bad 0 notadump}
        expect "(nil)" [r DUMP none]
    }
    test "EXISTS, TTL and TYPE are no use of a key, TOUCH always is" {
        r SET k v
        r EXPIRE k 1000
        after 2100
        r EXISTS k; r TTL k; r TYPE k
        expect_true {[r OBJECT IDLETIME k] >= 2}
        r CLIENT NO-TOUCH on
        r GET k
        expect_true {[r OBJECT IDLETIME k] >= 2}
        r TOUCH k
        expect 0 [r OBJECT IDLETIME k]
        r CLIENT NO-TOUCH off
    }
    test "SCAN ends the keys that it finds past their expiry" {
        r FLUSHALL
        r DEBUG SET-ACTIVE-EXPIRE 0
        r SET stays v
        r SET gone v PX 1
        r HSET hash f v
        r PEXPIRE hash 1
        after 5
        expect 3 [r DBSIZE]
        expect {0 stays} [r SCAN 0 COUNT 1000 TYPE string]
        expect 2 [r DBSIZE]
        expect {0 stays} [r SCAN 0 COUNT 1000]
        expect 1 [r DBSIZE]
        r DEBUG SET-ACTIVE-EXPIRE 1
    }
    test "RANDOMKEY finds the one key that lives" {
        r FLUSHALL
        r DEBUG SET-ACTIVE-EXPIRE 0
        for {set i 0} {$i < 3000} {incr i} { r SET gone:$i v PX 1 }
        after 5
        r SET lives v
        expect lives [r RANDOMKEY]
        r DEBUG SET-ACTIVE-EXPIRE 1
    }
    test "A copy to another database replaces a key past its expiry there" {
        r FLUSHALL
        r DEBUG SET-ACTIVE-EXPIRE 0
        r SELECT 9; r SET k old PX 1; r SELECT 0
        after 5
        r SET k new
        expect 1 [r COPY k k DB 9]
        expect new [r GET k]
        r SELECT 9; expect new [r GET k]; r SELECT 0
        r DEBUG SET-ACTIVE-EXPIRE 1
    }
    test "Database numbers beyond an int" {
        r SET k v
        expect_error "ERR value is out of range, value must between -2147483648 and 2147483647" {r MOVE k 2147483648}
        expect_error "ERR value is out of range, value must between -2147483648 and 2147483647" {r COPY k l DB -2147483649}
        expect_error "ERR invalid first DB index" {r SWAPDB 2147483648 0}
        expect_error "ERR invalid second DB index" {r SWAPDB 0 2147483648}
    }
    test "The slow log knows the threshold that a CONFIG SET has just set" {
        r CONFIG SET slowlog-log-slower-than 0
        r SLOWLOG RESET
        r CONFIG SET slowlog-log-slower-than -1
        expect 1 [r SLOWLOG LEN]
        r CONFIG SET slowlog-max-len 0 slowlog-log-slower-than 0
        r SLOWLOG RESET
        r PING
        r CONFIG SET slowlog-max-len 10 slowlog-log-slower-than -1
        expect 0 [r SLOWLOG LEN]
    }
}

with_server {latency-monitor-threshold 1 lazyfree-lazy-expire no} {
    test "An expiry that takes long is among the latency events" {
        r EVAL {for i = 1, 1000000 do redis.call('SADD', KEYS[1], i) end} 1 big
        r PEXPIRE big 1
        wait_for "the event" 5 {[string match *expire-cycle* [r LATENCY LATEST]]}
        expect 0 [r DBSIZE]
    }
}
