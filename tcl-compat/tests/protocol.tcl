# The wire: RESP2, RESP3, inline, pipelines, and what is not the protocol at all.
proc raw_answer {bytes} {
    set socket [connect]
    send_raw $socket $bytes
    fconfigure $socket -blocking 0
    set got ""
    set deadline [expr {[clock milliseconds] + 2000}]
    while {[clock milliseconds] < $deadline} {
        append got [read $socket]
        if {[eof $socket] || [string match *\n $got]} break
        after 5
    }
    close $socket
    return $got
}

with_server {} {
    test "Inline commands" {
        expect "+PONG\r\n" [raw_answer "PING\r\n"]
        expect "+PONG\r\n" [raw_answer "  ping  \n"]
        expect "\$5\r\na b\nc\r\n" [raw_answer "ECHO \"a b\\nc\"\r\n"]
        expect "\$3\r\na'b\r\n" [raw_answer "ECHO 'a\\'b'\r\n"]
        expect "-ERR Protocol error: unbalanced quotes in request\r\n" [raw_answer "ECHO \"a\r\n"]
    }
    test "Protocol errors say why and close" {
        expect "-ERR Protocol error: invalid multibulk length\r\n" [raw_answer "*x\r\n"]
        expect "-ERR Protocol error: invalid multibulk length\r\n" [raw_answer "*2147483648\r\n"]
        expect "-ERR Protocol error: expected '\$', got 'x'\r\n" [raw_answer "*1\r\nx\r\n"]
        expect "-ERR Protocol error: invalid bulk length\r\n" [raw_answer "*1\r\n\$-5\r\n"]
        expect "-ERR Protocol error: invalid bulk length\r\n" [raw_answer "*1\r\n\$2147483648\r\n"]
        expect "-ERR Protocol error: too big inline request\r\n" [raw_answer [string repeat x 66000]]
        expect "-ERR Protocol error: too big mbulk count string\r\n" [raw_answer "*[string repeat 1 66000]"]
        expect PONG [r PING]
    }
    test "Empty and negative multibulks are skipped" {
        expect "+PONG\r\n" [raw_answer "*0\r\n*-1\r\n\r\n*1\r\n\$4\r\nPING\r\n"]
    }
    test "HELLO changes the protocol" {
        set socket [connect]
        set reply [command $socket HELLO 3 SETNAME tester]
        expect 3 [dict get $reply proto]
        expect standalone [dict get $reply mode]
        expect tester [command $socket CLIENT GETNAME]
        command $socket HSET h a 1
        send_command $socket HGETALL h
        expect "%1" [string trim [gets $socket]]
        for {set i 0} {$i < 4} {incr i} { gets $socket }
        send_command $socket GET none
        expect "_" [string trim [gets $socket]]
        expect_error "NOPROTO unsupported protocol version" {command $socket HELLO 4}
        expect 2 [dict get [command $socket HELLO 2] proto]
        expect_error "ERR Protocol version is not an integer or out of range" {command $socket HELLO x}
        close $socket
    }
    test "A pipeline of 10,000 is answered in order" {
        set socket [connect]
        set bytes ""
        for {set i 0} {$i < 10000} {incr i} { append bytes "*2\r\n\$4\r\nECHO\r\n\$[string length $i]\r\n$i\r\n" }
        send_raw $socket $bytes
        for {set i 0} {$i < 10000} {incr i} { expect $i [read_reply $socket] }
        close $socket
    }
    test "Unknown commands and wrong arity" {
        expect_error "ERR unknown command 'nosuch', with args beginning with: 'a' 'b' " {r nosuch a b}
        expect_error "ERR wrong number of arguments for 'get' command" {r GET}
        expect_error "ERR wrong number of arguments for 'get' command" {r GET a b}
        expect_error "ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP." {r CONFIG NOSUCH}
        expect_error "ERR wrong number of arguments for 'config|get' command" {r CONFIG GET}
    }
    test "CLIENT REPLY, RESET, QUIT" {
        set socket [connect]
        send_command $socket CLIENT REPLY OFF
        send_command $socket SET a 1
        expect OK [command $socket CLIENT REPLY ON]
        send_command $socket CLIENT REPLY SKIP
        send_command $socket PING
        expect hi [command $socket ECHO hi]
        command $socket MULTI
        expect RESET [command $socket RESET]
        expect OK [command $socket QUIT]
        expect "" [gets $socket]
        expect_true {[eof $socket]}
        close $socket
    }
}
with_server {requirepass secret maxclients 20} {
    test "Authentication" {
        set socket [connect]
        expect_error "NOAUTH Authentication required." {command $socket GET a}
        expect_error "WRONGPASS invalid username-password pair or user is disabled." {command $socket AUTH wrong}
        expect OK [command $socket AUTH secret]
        expect "(nil)" [command $socket GET a]
        set two [connect]
        expect 3 [dict get [command $two HELLO 3 AUTH default secret] proto]
        close $socket; close $two
    }
    test "maxclients refuses the client that is too many" {
        set sockets {}
        set refused 0
        for {set i 0} {$i < 25} {incr i} {
            set socket [connect]
            lappend sockets $socket
            if {[catch {command $socket AUTH secret} message]} { incr refused; expect "ERR max number of clients reached" $message }
        }
        expect_between 5 7 $refused
        foreach socket $sockets { close $socket }
    }
}
