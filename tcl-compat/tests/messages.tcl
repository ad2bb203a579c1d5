# Pub/sub, keyspace events, client-side caching, and RESP3's pushes.
with_server {notify-keyspace-events KEA} {
    test "SUBSCRIBE, PSUBSCRIBE and PUBLISH" {
        needs SUBSCRIBE
        set s [connect]
        expect {subscribe news 1} [command $s SUBSCRIBE news]
        expect {psubscribe n*s 2} [command $s PSUBSCRIBE n*s]
        expect 2 [r PUBLISH news hello]
        expect {message news hello} [read_reply $s]
        expect {pmessage n*s news hello} [read_reply $s]
        expect_error "ERR Can't execute 'get'*" {command $s GET a}
        expect {pong {}} [command $s PING]
        expect {news 1} [r PUBSUB NUMSUB news]
        expect 1 [r PUBSUB NUMPAT]
        expect news [r PUBSUB CHANNELS]
        expect {unsubscribe news 1} [command $s UNSUBSCRIBE news]
        expect 1 [r PUBLISH news again]
        close $s
        wait_for "the subscriber to be gone" 5 {[r PUBSUB NUMPAT] == 0}
    }
    test "Shard channels" {
        needs SSUBSCRIBE
        set s [connect]
        expect {ssubscribe orders 1} [command $s SSUBSCRIBE orders]
        expect 1 [r SPUBLISH orders x]
        expect {smessage orders x} [read_reply $s]
        expect 0 [r PUBLISH orders x]
        close $s
    }
    test "Keyspace events" {
        needs PSUBSCRIBE
        set s [connect]
        command $s PSUBSCRIBE __key*__:*
        r FLUSHALL
        r SET k v
        expect {pmessage __key*__:* __keyspace@0__:k set} [read_reply $s]
        expect {pmessage __key*__:* __keyevent@0__:set k} [read_reply $s]
        r PEXPIRE k 10
        expect {pmessage __key*__:* __keyspace@0__:k expire} [read_reply $s]
        read_reply $s
        expect {pmessage __key*__:* __keyspace@0__:k expired} [read_reply $s]
        close $s
    }
    test "RESP3 delivers messages on a working connection" {
        needs SUBSCRIBE
        set s [connect]
        command $s HELLO 3
        command $s SUBSCRIBE c
        expect OK [command $s SET a 1]
        r PUBLISH c m
        expect {message c m} [read_reply $s]
        expect 1 [command $s GET a]
        close $s
    }
    test "Tracking invalidates what was read" {
        needs CLIENT|TRACKING
        set s [connect]
        command $s HELLO 3
        expect OK [command $s CLIENT TRACKING on]
        r SET cached 1
        expect 1 [command $s GET cached]
        r SET cached 2
        expect {invalidate cached} [read_reply $s]
        r SET cached 3
        expect 3 [command $s GET cached]
        close $s
    }
    test "MONITOR shows what others run" {
        set s [connect]
        expect OK [command $s MONITOR]
        r SET watched "a b"
        expect_match {*"SET" "watched" "a b"} [read_reply $s]
        close $s
    }
}
