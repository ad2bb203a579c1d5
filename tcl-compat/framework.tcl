# A small test framework with its own RESP client, for the files in tcl-compat/tests/.
#   tclsh framework.tcl FILE BINARY BASEPORT [NAME...]
# Prints one line a test: [ok]: name (N ms), or [err]: name and the reason on the next line.
package require Tcl 8.6

lassign $argv ::test_file ::binary ::next_port
set ::only [lrange $argv 3 end]
set ::failures 0
set ::servers {}

# ---- RESP client. A handle is a socket; replies decode to Tcl values; error replies are raised.

proc connect {{port ""}} {
    if {$port eq ""} { set port [dict get [lindex $::servers end] port] }
    set socket [socket 127.0.0.1 $port]
    fconfigure $socket -translation binary -buffering full
    return $socket
}

proc send_command {socket args} {
    set bytes "*[llength $args]\r\n"
    foreach argument $args {
        append bytes "\$[string length $argument]\r\n" $argument "\r\n"
    }
    puts -nonewline $socket $bytes
    flush $socket
}

proc send_raw {socket bytes} {
    puts -nonewline $socket $bytes
    flush $socket
}

proc read_line {socket} {
    if {[gets $socket line] < 0} { error "connection closed" }
    return [string trimright $line "\r"]
}

proc read_items {socket count} {
    set items {}
    for {set i 0} {$i < $count} {incr i} { lappend items [read_after $socket [read $socket 1]] }
    return $items
}

proc read_bytes {socket} {
    set length [read_line $socket]
    if {$length < 0} { return "(nil)" }
    set bytes [read $socket $length]
    read $socket 2
    return $bytes
}

# Errors inside an array (EXEC) are plain values there; only a whole reply that is an error is raised.
proc read_reply {socket} {
    set first [read $socket 1]
    if {$first eq ""} { error "connection closed" }
    if {$first eq "-"} { error [read_line $socket] }
    return [read_after $socket $first]
}

proc read_after {socket first} {
    switch -- $first {
        * - ~ - > {
            set count [read_line $socket]
            return [expr {$count < 0 ? "(nil)" : [read_items $socket $count]}]
        }
        % { return [read_items $socket [expr {2 * [read_line $socket]}]] }
        | {
            read_items $socket [expr {2 * [read_line $socket]}]
            return [read_after $socket [read $socket 1]]
        }
        $ { return [read_bytes $socket] }
        = { return [string range [read_bytes $socket] 4 end] }
        _ { read_line $socket; return "(nil)" }
        # { return [expr {[read_line $socket] eq "t"}] }
        default { return [read_line $socket] }
    }
}

proc command {socket args} {
    send_command $socket {*}$args
    return [read_reply $socket]
}

# The server of the innermost with_server, on its standing connection.
proc r {args} { command [dict get [lindex $::servers end] socket] {*}$args }

# ---- Servers

proc write_config {path directives} {
    set file [open $path w]
    foreach {name value} $directives { puts $file "$name $value" }
    close $file
}

proc wait_for {what seconds condition} {
    set deadline [expr {[clock milliseconds] + int($seconds * 1000)}]
    while {![uplevel 1 [list expr $condition]]} {
        if {[clock milliseconds] > $deadline} { error "waited $seconds s for $what" }
        after 20
    }
}

proc answers_ping {port} {
    if {[catch {connect $port} socket]} { return 0 }
    set answer [catch {command $socket PING} reply]
    close $socket
    return [expr {$answer == 0 && $reply eq "PONG" || $reply eq "NOAUTH Authentication required."}]
}

proc start_server {folder directives} {
    set port [incr ::next_port]
    set config [file join $folder server.conf]
    write_config $config [list port $port dir $folder save {""} appendonly no {*}$directives]
    set log [file join $folder log]
    set pid [exec $::binary $config >> $log 2>@1 &]
    lappend ::servers [dict create port $port pid $pid folder $folder log $log socket ""]
    wait_for "server on port $port (see $log)" 10 {[answers_ping $port]}
    set ::servers [lreplace $::servers end end [dict replace [lindex $::servers end] socket [connect $port]]]
}

proc stop_server {} {
    set server [lindex $::servers end]
    set ::servers [lrange $::servers 0 end-1]
    catch {close [dict get $server socket]}
    set pid [dict get $server pid]
    catch {exec kill $pid}
    wait_for "process $pid to end" 20 {![process_alive $pid]}
}

proc process_alive {pid} {
    if {[catch {open /proc/$pid/stat} file]} { return 0 }
    set state [lindex [split [read $file]] 2]
    close $file
    return [expr {$state ne "Z"}]
}

proc fresh_folder {} {
    set folder [file join [pwd] "server-[pid]-[incr ::folders]"]
    file mkdir $folder
    return $folder
}

# Runs the body with a server of its own; directives are name value pairs of its configuration file.
proc with_server {directives body} {
    start_server [fresh_folder] $directives
    set code [catch {uplevel 1 $body} result options]
    stop_server
    return -options $options $result
}

# The same server started again in its folder: what it kept on disk is what it knows.
proc restart_server {{directives {}}} {
    set folder [dict get [lindex $::servers end] folder]
    stop_server
    start_server $folder $directives
}

# ---- Tests and what they may expect

proc test {name body} {
    if {[llength $::only] && $name ni $::only} { return }
    set began [clock milliseconds]
    if {[catch {uplevel 1 $body} result options]} {
        if {[dict get $options -errorcode] eq "NEEDS"} {
            puts "\[skip\]: $name ($result)"
            flush stdout
            return
        }
        incr ::failures
        puts "\[err\]: $name"
        puts "  $result"
        if {[dict get $options -errorcode] ne "EXPECT"} { puts "  [dict get $options -errorinfo]" }
        # The connection may be out of step now.
        if {[llength $::servers]} {
            set server [lindex $::servers end]
            catch {close [dict get $server socket]}
            catch {
                set ::servers [lreplace $::servers end end [dict replace $server socket [connect [dict get $server port]]]]
            }
        }
    } else {
        puts "\[ok\]: $name ([expr {[clock milliseconds] - $began}] ms)"
    }
    flush stdout
}

# A test of commands that are still to be built says so: it is skipped, by name and reason, until the server has them.
proc needs {args} {
    foreach name $args {
        if {[lindex [r COMMAND INFO $name] 0] in {"" "(nil)"}} { return -code error -errorcode NEEDS "no $name yet" }
    }
}

proc fail {text} { return -code error -errorcode EXPECT $text }

proc expect {wanted got} {
    if {$wanted ne $got} { fail "expected '$wanted', got '[string range $got 0 400]'" }
}

proc expect_match {pattern got} {
    if {![string match $pattern $got]} { fail "expected a match of '$pattern', got '[string range $got 0 400]'" }
}

proc expect_sorted {wanted got} { expect [lsort $wanted] [lsort $got] }

proc expect_true {condition {why ""}} {
    if {![uplevel 1 [list expr $condition]]} { fail "not true: $condition $why" }
}

proc expect_between {low high got} {
    if {$got < $low || $got > $high} { fail "expected $low..$high, got '$got'" }
}

# The script must raise an error (an error reply) that matches the pattern.
proc expect_error {pattern script} {
    if {![catch {uplevel 1 $script} result]} { fail "expected error '$pattern', got value '[string range $result 0 400]'" }
    expect_match $pattern $result
}

proc info_field {field {section everything}} {
    foreach line [split [r INFO $section] "\n"] {
        if {[string match "$field:*" $line]} { return [string trim [string range $line [string length $field:] end]] }
    }
    fail "INFO has no field $field"
}

set code [catch {source $::test_file} result options]
while {[llength $::servers]} { catch stop_server }
if {$code} {
    puts "\[exception\]: $::test_file"
    puts "  [dict get $options -errorinfo]"
    exit 1
}
exit [expr {$::failures > 0}]
