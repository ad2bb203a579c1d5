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
