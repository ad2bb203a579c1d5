# What maxmemory does: which keys go, what is refused, and what is counted.
proc fill_to_limit {prefix args} {
    for {set i 0} {$i < 400000} {incr i 200} {
        set script {for i = 1, 200 do redis.call('SET', KEYS[1] .. ARGV[1] + i, string.rep('x', 100), unpack(ARGV, 2)) end}
        if {[catch {r EVAL $script 1 $prefix $i {*}$args}]} return
        if {[info_field evicted_keys] > 500} return
    }
    fail "the limit was never reached"
}
proc limit_memory {policy} {
    r FLUSHALL
    r CONFIG RESETSTAT
    r CONFIG SET maxmemory-policy $policy
    r CONFIG SET maxmemory [expr {[info_field used_memory] + 1000000}]
}
# What the server holds while it answers INFO comes on top of what it keeps at rest: hence the hundredth.
proc within_limit {} {
    set limit [info_field maxmemory]
    expr {[info_field used_memory] <= $limit + $limit / 100}
}
proc expect_within_limit {} {
    expect_true {[within_limit]} "[info_field used_memory] bytes used of [info_field maxmemory]"
}

with_server {maxmemory-eviction-tenacity 100} {
    foreach policy {allkeys-lru allkeys-lfu allkeys-random} {
        test "$policy keeps the server within its limit" {
            limit_memory $policy
            fill_to_limit key:
            r SET one more
            expect more [r GET one]
            expect_within_limit
            expect_true {[info_field evicted_keys] > 500}
        }
    }
    foreach policy {volatile-lru volatile-lfu volatile-random volatile-ttl} {
        test "$policy takes only keys with an expiry" {
            limit_memory $policy
            for {set i 0} {$i < 100} {incr i} { r SET keep:$i [string repeat k 100] }
            fill_to_limit key: EX 10000
            for {set i 0} {$i < 100} {incr i} { expect 1 [r EXISTS keep:$i] }
            expect_within_limit
        }
        test "$policy refuses writes when no key has an expiry" {
            limit_memory $policy
            catch {fill_to_limit key:}
            expect_error "OOM command not allowed when used memory > 'maxmemory'*" {
                for {set i 0} {$i < 20000} {incr i} { r SET more:$i [string repeat x 100] }
            }
            expect 0 [info_field evicted_keys]
            expect PONG [r PING]
        }
    }
    test "volatile-ttl takes those first that end first" {
        limit_memory volatile-ttl
        for {set i 0} {$i < 1000} {incr i} { r SET soon:$i [string repeat s 100] EX 1000 }
        for {set i 0} {$i < 1000} {incr i} { r SET late:$i [string repeat l 100] EX 100000 }
        set used [info_field used_memory]
        r CONFIG SET maxmemory [expr {$used - 60000}]
        wait_for "eviction" 5 {[within_limit]}
        set late [llength [r KEYS late:*]]
        expect_true {$late > 900} "$late of 1000 late keys are left, [llength [r KEYS soon:*]] soon ones"
    }
    test "allkeys-lfu keeps what is used often" {
        limit_memory allkeys-lfu
        for {set i 0} {$i < 50} {incr i} { r SET often:$i [string repeat o 100] }
        for {set round 0} {$round < 100} {incr round} { for {set i 0} {$i < 50} {incr i} { r GET often:$i } }
        expect_true {[r OBJECT FREQ often:1] > 5}
        fill_to_limit key:
        expect_true {[llength [r KEYS often:*]] >= 49}
        r SET often:1 [string repeat n 100]
        expect_true {[r OBJECT FREQ often:1] > 5} "a new value forgets how often its key was used"
    }
}

with_server {} {
    test "noeviction refuses what needs memory and allows the rest" {
        r SET here 1
        r CONFIG SET maxmemory 1
        expect_error "OOM command not allowed when used memory > 'maxmemory'*" { r SET a 1 }
        expect_error "OOM command not allowed when used memory > 'maxmemory'*" { r RPUSH l 1 }
        expect 1 [r GET here]
        expect 1 [r DEL here]
        expect_error "OOM*" { r EVAL "return redis.call('SET', 'a', 1)" 1 a }
        r CONFIG SET maxmemory 0
        expect OK [r SET a 1]
    }
    test "EXEC is refused when a queued command needs memory" {
        r CONFIG SET maxmemory 0
        r MULTI
        r SET a 2
        set other [connect]
        command $other CONFIG SET maxmemory 1
        expect_error "EXECABORT Transaction discarded because of: OOM command not allowed*" { r EXEC }
        expect 1 [r GET a]
        r MULTI
        r GET a
        expect 1 [r EXEC]
        r CONFIG SET maxmemory 0
        close $other
    }
    test "A lower limit evicts at once" {
        r CONFIG SET maxmemory-policy allkeys-random
        r EVAL {for i = 1, 20000 do redis.call('SET', 'k' .. i, string.rep('x', 200)) end} 0
        r CONFIG SET maxmemory [expr {[info_field used_memory] - 3000000}]
        wait_for "eviction" 10 {[within_limit]}
        expect_true {[r DBSIZE] > 1000}
        r CONFIG SET maxmemory 0
    }
    test "Big values evicted lazily are not evicted twice" {
        r FLUSHALL
        r CONFIG RESETSTAT
        r CONFIG SET maxmemory-policy allkeys-random lazyfree-lazy-eviction yes
        for {set i 0} {$i < 100} {incr i} {
            r EVAL {for i = 1, 2000 do redis.call('SADD', KEYS[1], 'member:' .. i) end} 1 set:$i
        }
        set each [r MEMORY USAGE set:1]
        r CONFIG SET maxmemory [expr {[info_field used_memory] - 10 * $each}]
        wait_for "eviction" 10 {[within_limit]}
        expect_between 9 30 [info_field evicted_keys]
        r CONFIG SET maxmemory 0
    }
}

with_server {} {
    test "maxmemory-clients closes the biggest clients, and those alone" {
        r CLIENT NO-EVICT on
        set clients {}
        foreach size {100000 400000 800000} {
            set client [connect]
            command $client CLIENT SETNAME size$size
            send_raw $client "*2\r\n\$3\r\nGET\r\n\$$size\r\n[string repeat v [expr {$size - 1}]]"
            lappend clients $client
        }
        wait_for "the clients' input" 5 {[regexp {name=size800000 [^\n]* qbuf=799999 } [r CLIENT LIST]]}
        wait_for "the clients' input" 5 {[regexp {name=size400000 [^\n]* qbuf=399999 } [r CLIENT LIST]]}
        expect 0 [info_field evicted_clients]
        r CONFIG SET maxmemory-clients 700000
        expect_true {![string match *size800000* [r CLIENT LIST]]}
        expect_true {[string match *size400000* [r CLIENT LIST]]}
        wait_for "the end of one client" 5 {[info_field evicted_clients] == 1}
        r CONFIG SET maxmemory-clients 300000
        expect_true {![string match *size400000* [r CLIENT LIST]]}
        expect_true {[string match *size100000* [r CLIENT LIST]]}
        r CONFIG SET maxmemory-clients 0
        foreach client $clients { close $client }
    }
}

with_server {enable-debug-command yes active-defrag-ignore-bytes 1mb active-defrag-threshold-lower 20 active-defrag-cycle-min 40
             active-defrag-cycle-max 60} {
    test "activedefrag gives memory back and changes no value" {
        if {[catch {r CONFIG SET activedefrag yes} error]} {
            # Built without jemalloc: refused as Redis refuses it, and nothing changed.
            expect_match "*Active defragmentation cannot be enabled*" $error
            expect {activedefrag no} [r CONFIG GET activedefrag]
            return
        }
        r CONFIG SET activedefrag no
        r EVAL {
            for i = 1, 60000 do
                redis.call('SET', 'string:' .. i, string.rep('s', i % 200))
                redis.call('ZADD', 'zset', i % 100, 'member:' .. i)
                redis.call('SADD', 'set', 'member:' .. i)
                redis.call('HSET', 'hash', 'field:' .. i, 'value:' .. i)
                redis.call('RPUSH', 'list', 'element:' .. i)
                redis.call('HSET', 'hash:' .. i, 'a', 'b', 'c', i)
            end
            for i = 1, 60000 do
                if i % 10 ~= 0 then
                    redis.call('DEL', 'string:' .. i, 'hash:' .. i)
                    redis.call('ZREM', 'zset', 'member:' .. i)
                    redis.call('SREM', 'set', 'member:' .. i)
                    redis.call('HDEL', 'hash', 'field:' .. i)
                end
            end} 0
        r HPEXPIRE hash 1000000 FIELDS 1 field:10
        set digest [r DEBUG DIGEST]
        set before [info_field allocator_frag_bytes]
        r CONFIG SET activedefrag yes
        wait_for "less fragmentation" 20 {[info_field allocator_frag_bytes] < $before / 2}
        expect $digest [r DEBUG DIGEST]
        expect_true {[info_field active_defrag_hits] > 1000}
        r CONFIG SET activedefrag no
        wait_for "the end of defragmentation" 5 {[info_field active_defrag_running] == 0}
        for {set i 10} {$i <= 60000} {incr i 10} {
            r ZREM zset member:$i
            r SREM set member:$i
            r HDEL hash field:$i
        }
        expect 0 [r EXISTS zset set hash]
        expect 60000 [r LLEN list]
    }
    test "activedefrag ends by itself, with the blocks of every type moved" {
        if {[catch {r CONFIG SET activedefrag yes}]} return
        r CONFIG SET activedefrag no
        r CONFIG SET active-defrag-threshold-lower 5
        wait_for "the end of defragmentation" 30 {[info_field active_defrag_running] == 0}
        r FLUSHALL SYNC
        r CONFIG RESETSTAT
        # Two of each, so that half of every slab is free when one of them goes.
        r CONFIG SET list-max-listpack-size 5 stream-node-max-entries 5
        r EVAL {
            for i = 1, 30000 do
                for _, name in ipairs({'keep', 'drop'}) do
                    redis.call('XADD', name .. ':stream', i .. '-0', 'item', 'value:' .. i)
                    redis.call('ZADD', name .. ':zset', i, 'member:' .. i)
                    redis.call('SADD', name .. ':set', 'member:' .. i)
                    redis.call('HSET', name .. ':hash', 'field:' .. i, 'value:' .. i)
                    redis.call('HPEXPIRE', name .. ':hash', 10000000 + i, 'FIELDS', 1, 'field:' .. i)
                    redis.call('RPUSH', name .. ':list', string.rep('e', 40))
                end
            end
            redis.call('XGROUP', 'CREATE', 'keep:stream', 'group', 0)
            redis.call('XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', 20000, 'STREAMS', 'keep:stream', '>')
            redis.call('DEL', 'drop:stream', 'drop:zset', 'drop:set', 'drop:hash', 'drop:list')} 0
        wait_for "the background's work" 30 {[info_field lazyfree_pending_objects] == 0}
        set digest [r DEBUG DIGEST]
        set before [info_field allocator_frag_bytes]
        r CONFIG SET activedefrag yes
        wait_for "the end of defragmentation" 60 {[info_field active_defrag_hits] > 30000 && [info_field active_defrag_running] == 0}
        expect_true {[info_field allocator_frag_bytes] < $before / 2} "[info_field allocator_frag_bytes] of $before bytes are left"
        r CONFIG SET activedefrag no
        expect $digest [r DEBUG DIGEST]
        expect 20000 [lindex [r XPENDING keep:stream group] 0]
        set persisted 0
        for {set i 1} {$i <= 30000} {incr i} { incr persisted [r HPERSIST keep:hash FIELDS 1 field:$i] }
        expect 30000 $persisted
    }
}

with_server {io-threads 1 active-defrag-ignore-bytes 1mb active-defrag-threshold-lower 5 active-defrag-cycle-min 65
             active-defrag-cycle-max 75} {
    test "activedefrag stops with the round that has done enough" {
        if {[catch {r CONFIG SET activedefrag yes}]} return
        r CONFIG SET activedefrag no list-max-listpack-size 5
        # 20,000 nodes, between those of another list.
        r EVAL {
            for i = 1, 100000 do
                redis.call('RPUSH', 'keep', string.rep('k', 100))
                redis.call('RPUSH', 'drop', string.rep('d', 100))
            end
            redis.call('DEL', 'drop')} 0
        wait_for "the background's work" 30 {[info_field lazyfree_pending_objects] == 0}
        set before [info_field allocator_frag_bytes]
        r CONFIG SET activedefrag yes
        wait_for "the end of defragmentation" 60 {[info_field active_defrag_hits] > 5000 && [info_field active_defrag_running] == 0}
        expect_true {[info_field allocator_frag_bytes] < $before / 4} "[info_field allocator_frag_bytes] of $before bytes are left"
        expect_true {[info_field active_defrag_misses] < 2 * 20000} "[info_field active_defrag_misses] nodes were looked at in vain"
        expect 100000 [r LLEN keep]
        r CONFIG SET activedefrag no
    }
    test "activedefrag rests where nothing can be moved, until there are more holes" {
        if {[catch {r CONFIG SET activedefrag yes}]} return
        r CONFIG SET activedefrag no
        r FLUSHALL SYNC
        r EVAL {for i = 1, 30000 do redis.call('SET', 'small:' .. i, i) end} 0
        # Queued commands stay where they are.
        set clients [list [connect] [connect]]
        foreach client $clients { command $client MULTI }
        for {set i 0} {$i < 10000} {incr i} {
            foreach client $clients { expect QUEUED [command $client SET queued:$i [string repeat q 400]] }
        }
        command [lindex $clients 1] DISCARD
        r CONFIG RESETSTAT
        r CONFIG SET activedefrag yes
        wait_for "a rest" 60 {[info_field active_defrag_misses] > 30000 && [info_field active_defrag_running] == 0}
        expect_true {[info_field allocator_frag_bytes] > 3000000} "only [info_field allocator_frag_bytes] bytes of holes"
        set moved [info_field active_defrag_hits]
        r EVAL {
            for i = 1, 20000 do redis.call('SET', 'key:' .. i, string.rep('v', 1000)) end
            for i = 1, 20000, 2 do redis.call('DEL', 'key:' .. i) end} 0
        # A rest that nothing ends takes thirty seconds.
        wait_for "the end of the rest" 15 {[info_field active_defrag_hits] > $moved + 1000}
        expect 10000 [llength [command [lindex $clients 0] EXEC]]
        r CONFIG SET activedefrag no
        foreach client $clients { close $client }
    }
}

with_server {enable-debug-command yes io-threads 1 appendonly yes active-defrag-ignore-bytes 1mb active-defrag-threshold-lower 5
             active-defrag-cycle-min 40 active-defrag-cycle-max 60} {
    test "activedefrag moves the bodies of scripts, and those of flushed scripts go at once" {
        if {[catch {r CONFIG SET activedefrag yes}]} return
        r CONFIG SET activedefrag no
        set body "--[string repeat x 400]\nreturn "
        for {set i 0} {$i < 10000} {incr i} {
            lappend shas [r SCRIPT LOAD $body$i]
            r SET key:$i $body$i
        }
        for {set i 0} {$i < 10000} {incr i} { r DEL key:$i }
        set before [info_field allocator_frag_bytes]
        r CONFIG RESETSTAT
        r CONFIG SET activedefrag yes
        wait_for "moved bodies" 60 {[info_field active_defrag_hits] > 1000 && [info_field allocator_frag_bytes] < $before / 2}
        expect_true {[info_field total_active_defrag_time] > 0}
        # What ends with the statistics' reset counts no more.
        r MULTI
        r CONFIG RESETSTAT
        r CONFIG SET activedefrag no
        r EXEC
        wait_for "the end of defragmentation" 30 {[info_field active_defrag_running] == 0}
        expect 0 [info_field total_active_defrag_time]
        set i 0
        foreach sha $shas { expect $i [r EVALSHA $sha 0]; incr i }
        set live [info_field allocator_allocated]
        r SCRIPT FLUSH
        # The event loop's next turn gives back what others might have been reading.
        wait_for "the bodies' memory" 10 {[info_field allocator_allocated] < $live - 10000 * 400}
        expect_error "NOSCRIPT*" {r EVALSHA [lindex $shas 0] 0}
    }
    test "activedefrag goes on while an AOF is loaded" {
        if {[catch {r CONFIG SET activedefrag yes}]} return
        r CONFIG SET activedefrag no
        r FLUSHALL
        # In many pieces: each comes back as one transaction.
        set load {for i = ARGV[1], ARGV[1] + 4999 do redis.call('SET', 'key:' .. i, string.rep('v', 100)) end}
        set thin {for i = ARGV[1], ARGV[1] + 4999, 2 do redis.call('DEL', 'key:' .. i) end}
        set rest {for i = 1, 5000 do redis.call('SET', 'last', i) end}
        for {set i 0} {$i < 100000} {incr i 5000} { r EVAL $load 0 $i }
        for {set i 0} {$i < 100000} {incr i 5000} { r EVAL $thin 0 $i }
        for {set i 0} {$i < 300000} {incr i 5000} { r EVAL $rest 0 }
        set digest [r DEBUG DIGEST]
        # In one turn, so that no timer comes between.
        r MULTI
        r CONFIG RESETSTAT
        r CONFIG SET activedefrag yes
        r DEBUG LOADAOF
        r CONFIG SET activedefrag no
        expect {OK OK OK OK} [r EXEC]
        expect_true {[info_field active_defrag_hits] > 1000} "[info_field active_defrag_hits] blocks were moved"
        expect $digest [r DEBUG DIGEST]
    }
}

with_server {io-threads 2 io-threads-always-active yes enable-debug-command yes appendonly yes} {
    test "what the caches of idle threads keep holds no slabs" {
        if {![string match jemalloc* [info_field mem_allocator]]} return
        set sizes {140 270 400 580 700}
        set fill {for i = 1, 12800 do redis.call('SET', ARGV[1] .. ':' .. i, string.rep('v', ARGV[1])) end}
        # One thread frees a block of each slab, then another one all the rest. (Not the reactor that is asked about it.)
        set other [connect]
        foreach {thread reload} {reactor {} worker {r DEBUG LOADAOF}} {
            foreach size $sizes { r EVAL $fill 0 $size }
            foreach size $sizes { for {set i 64} {$i <= 12800} {incr i 64} { command $other DEL $size:$i } }
            eval $reload
            r FLUSHALL
            wait_for "the background's work" 10 {[info_field lazyfree_pending_objects] == 0}
            wait_for "the slabs that a $thread holds" 5 {[info_field allocator_frag_bytes] < 2000000}
        }
        close $other
    }
}

with_server {io-threads 2} {
    test "a command's arguments go with it, though nothing else runs on its reactor" {
        set before [info_field used_memory]
        set sockets [list [connect] [connect]]  ;# one of them at least is on another reactor than r
        set count 1000000
        foreach socket $sockets {
            send_raw $socket "*[expr {$count + 1}]\r\n\$3\r\nTTL\r\n[string repeat "\$1\r\nx\r\n" $count]"
            expect_error "ERR wrong number of arguments*" {read_reply $socket}
            wait_for "the arguments' memory" 10 {[info_field used_memory] < $before + 5000000}
        }
        foreach socket $sockets { close $socket }
    }
}

with_server {lazyfree-lazy-expire yes} {
    test "a big value is freed in the background, however it goes" {
        r SADD small a b c
        foreach goes {
            {r SET big text}
            {r SUNIONSTORE big small}
            {r RENAME small big}
            {r DEL big}
            {r EXPIREAT big 1}
            {r PEXPIRE big 1; after 20; r EXISTS big}
        } {
            r DEL big
            r SADD big {*}[lmap i [lrepeat 1000 x] {incr number}]
            set freed [info_field lazyfreed_objects]
            eval $goes
            wait_for "the freeing after $goes" 5 {[info_field lazyfreed_objects] == $freed + 1}
        }
    }
}
