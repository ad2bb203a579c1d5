# What is kept over a restart.
proc populate {} {
    r FLUSHALL
    for {set i 0} {$i < 2000} {incr i} {
        r SET string:$i value:$i
        r RPUSH list:[expr {$i % 20}] $i
        r HSET hash:[expr {$i % 10}] $i v$i
        r ZADD zset:[expr {$i % 5}] $i m$i
        r SADD set:[expr {$i % 7}] $i
    }
    r PEXPIREAT string:1 4102444800000
    r SELECT 3
    r XADD stream 1-1 f v
    r SELECT 0
}

with_server {enable-debug-command yes} {
    test "SAVE and a restart keep everything" {
        needs SAVE
        populate
        set digest [r DEBUG DIGEST]
        expect OK [r SAVE]
        restart_server {enable-debug-command yes}
        expect $digest [r DEBUG DIGEST]
        expect 4102444800000 [r PEXPIRETIME string:1]
        expect 0 [info_field rdb_changes_since_last_save]
    }
    test "BGSAVE works beside writes" {
        needs BGSAVE
        r SET before 1
        expect_match "Background saving started" [r BGSAVE]
        r SET after 1
        wait_for "the snapshot" 20 {[info_field rdb_bgsave_in_progress] == 0}
        expect ok [info_field rdb_last_bgsave_status]
    }
}
with_server {enable-debug-command yes appendonly yes appendfsync always} {
    test "The append-only file keeps every write" {
        needs BGREWRITEAOF
        populate
        r MULTI; r SET t1 1; r SET t2 2; r EXEC
        r EVAL {redis.call('SET', 's1', 1) redis.call('SET', 's2', 2)} 0
        r SPOP set:1 100
        set digest [r DEBUG DIGEST]
        restart_server {enable-debug-command yes appendonly yes appendfsync always}
        expect $digest [r DEBUG DIGEST]
    }
    test "A rewrite keeps the data and the writes beside it" {
        needs BGREWRITEAOF
        set before [info_field aof_base_size]
        expect_match "Background append only file rewriting started" [r BGREWRITEAOF]
        r SET during rewrite
        wait_for "the rewrite" 20 {[info_field aof_rewrite_in_progress] == 0}
        r SET after rewrite
        set digest [r DEBUG DIGEST]
        expect OK [r DEBUG LOADAOF]
        expect $digest [r DEBUG DIGEST]
        restart_server {enable-debug-command yes appendonly yes appendfsync always}
        expect $digest [r DEBUG DIGEST]
        expect_true {$before >= 0}
    }
    test "kill -9 loses nothing that was acknowledged" {
        needs BGREWRITEAOF
        for {set i 0} {$i < 500} {incr i} { r SET acked:$i $i }
        set server [lindex $::servers end]
        exec kill -9 [dict get $server pid]
        wait_for "the end" 5 {![process_alive [dict get $server pid]]}
        restart_server {enable-debug-command yes appendonly yes appendfsync always}
        for {set i 0} {$i < 500} {incr i} { expect $i [r GET acked:$i] }
    }
}
