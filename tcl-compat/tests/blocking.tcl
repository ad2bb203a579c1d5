# Commands that wait, and who is served when.
with_server {} {
    test "BLPOP is served by a push, oldest waiter first" {
        set one [connect]; set two [connect]
        send_command $one BLPOP q 0
        wait_for "first waiter" 5 {[info_field blocked_clients clients] == 1}
        send_command $two BLPOP q 0
        wait_for "second waiter" 5 {[info_field blocked_clients clients] == 2}
        expect 2 [r RPUSH q a b]
        expect {q a} [read_reply $one]
        expect {q b} [read_reply $two]
        expect 0 [r EXISTS q]
        close $one; close $two
    }
    test "Timeouts end a wait with a null" {
        set began [clock milliseconds]
        expect "(nil)" [r BLPOP none 0.1]
        expect_between 90 1000 [expr {[clock milliseconds] - $began}]
        expect_error "ERR timeout is negative" {r BLPOP none -1}
        expect_error "ERR timeout is not a float or out of range" {r BLPOP none x}
    }
    test "BLMOVE chains pass an element on" {
        set one [connect]; set two [connect]
        send_command $one BLMOVE a b LEFT RIGHT 0
        send_command $two BLMOVE b c LEFT RIGHT 0
        wait_for "waiters" 5 {[info_field blocked_clients clients] == 2}
        r RPUSH a x
        expect x [read_reply $one]
        expect x [read_reply $two]
        expect x [r LRANGE c 0 -1]
        close $one; close $two
    }
    test "BZPOPMIN, BLMPOP, BZMPOP, XREAD wait for their types" {
        set socket [connect]
        send_command $socket BZPOPMIN z1 z2 0
        wait_for waiter 5 {[info_field blocked_clients clients] == 1}
        r ZADD z2 3 m
        expect {z2 m 3} [read_reply $socket]
        send_command $socket BLMPOP 0 2 l1 l2 RIGHT COUNT 2
        wait_for waiter 5 {[info_field blocked_clients clients] == 1}
        r RPUSH l2 a b c
        expect {l2 {c b}} [read_reply $socket]
        send_command $socket XREAD BLOCK 0 STREAMS x $
        wait_for waiter 5 {[info_field blocked_clients clients] == 1}
        r XADD x 5-5 f v
        expect {{x {{5-5 {f v}}}}} [read_reply $socket]
        close $socket
    }
    test "A push inside MULTI wakes after EXEC" {
        set socket [connect]
        send_command $socket BLPOP q 0
        wait_for waiter 5 {[info_field blocked_clients clients] == 1}
        r MULTI
        r RPUSH q a
        r DEL q
        r RPUSH q b
        r EXEC
        expect {q b} [read_reply $socket]
        close $socket
    }
    test "Inside MULTI nothing waits" {
        r MULTI
        r BLPOP none 0
        r XREAD BLOCK 0 STREAMS none $
        expect {(nil) (nil)} [r EXEC]
    }
    test "CLIENT UNBLOCK and a client that leaves" {
        set socket [connect]
        set id [command $socket CLIENT ID]
        send_command $socket BLPOP q 0
        wait_for waiter 5 {[info_field blocked_clients clients] == 1}
        expect 1 [r CLIENT UNBLOCK $id]
        expect "(nil)" [read_reply $socket]
        send_command $socket BLPOP q 0
        wait_for waiter 5 {[info_field blocked_clients clients] == 1}
        expect 1 [r CLIENT UNBLOCK $id ERROR]
        expect_error "UNBLOCKED*" {read_reply $socket}
        send_command $socket BLPOP q 0
        wait_for waiter 5 {[info_field blocked_clients clients] == 1}
        close $socket
        wait_for "the waiter to be gone" 5 {[info_field blocked_clients clients] == 0}
        r RPUSH q kept
        expect kept [r LPOP q]
    }
    test "500 waiters are served in their order" {
        set sockets {}
        for {set i 0} {$i < 500} {incr i} {
            set socket [connect]
            send_command $socket BLPOP many 0
            lappend sockets $socket
            if {$i % 50 == 0} { wait_for waiters 10 {[info_field blocked_clients clients] == $i + 1} }
        }
        wait_for waiters 10 {[info_field blocked_clients clients] == 500}
        for {set i 0} {$i < 500} {incr i} { r RPUSH many $i }
        set got {}
        foreach socket $sockets { lappend got [lindex [read_reply $socket] 1]; close $socket }
        expect [lsort -integer $got] [lsort -integer -unique $got]
        expect 500 [llength $got]
        expect 0 [lindex $got 0]
    }
    test "INFO counts blocking keys, and the calls that ended without being served" {
        r CONFIG RESETSTAT
        set other [connect]
        send_command $other CLIENT ID
        set id [read_reply $other]
        send_command $other BLPOP none:1 none:2 0
        wait_for "a blocked client" 5 {[info_field blocked_clients] == 1}
        expect 2 [info_field total_blocking_keys]
        expect 0 [info_field total_blocking_keys_on_nokey]
        expect 1 [r CLIENT UNBLOCK $id ERROR]
        expect_error "UNBLOCKED client unblocked via CLIENT UNBLOCK" {read_reply $other}
        expect_match *calls=1,*failed_calls=1* [info_field cmdstat_blpop]
        expect 0 [info_field total_blocking_keys]
        close $other
    }
}
