# Strings as a client sees them.
with_server {} {
    test "SET and GET keep every byte" {
        set bytes ""
        for {set i 0} {$i < 256} {incr i} { append bytes [format %c $i] }
        expect OK [r SET binary $bytes]
        expect $bytes [r GET binary]
        expect 256 [r STRLEN binary]
        expect OK [r SET "" empty-name]
        expect empty-name [r GET ""]
    }
    test "Sizes around every limit of the encodings" {
        foreach size {0 1 11 12 43 44 45 63 64 65 127 128 4095 4096 32767 32768 32769 1000000} {
            set value [string repeat x $size]
            r SET size:$size $value
            expect $value [r GET size:$size]
            r APPEND size:$size tail
            expect "${value}tail" [r GET size:$size]
        }
    }
    test "A 20 MB value goes in and out whole" {
        set value [string repeat 0123456789abcdef 1310720]
        r SET huge $value
        expect 20971520 [r STRLEN huge]
        expect_true {[r GET huge] eq $value}
        expect def0 [r GETRANGE huge 13 16]
        expect 1 [r DEL huge]
    }
    test "SET options" {
        r DEL k
        expect "(nil)" [r SET k v XX]
        expect OK [r SET k v NX]
        expect "(nil)" [r SET k w NX]
        expect v [r SET k w GET]
        expect OK [r SET k x EX 100]
        expect_between 99 100 [r TTL k]
        expect OK [r SET k y KEEPTTL]
        expect_between 99 100 [r TTL k]
        expect OK [r SET k z]
        expect -1 [r TTL k]
        expect OK [r SET k z PX 100000]
        expect_between 99000 100000 [r PTTL k]
        expect_error "ERR syntax error" {r SET k z NX XX}
        expect_error "ERR syntax error" {r SET k z EX 10 PX 10}
        expect_error "ERR invalid expire time in 'set' command" {r SET k z EX 0}
        expect_error "ERR value is not an integer or out of range" {r SET k z EX ten}
        expect z [r GET k]
    }
    test "Counters count, and refuse what is no number" {
        r DEL n
        expect 1 [r INCR n]
        expect 11 [r INCRBY n 10]
        expect 10 [r DECR n]
        expect -10 [r DECRBY n 20]
        r SET n 9223372036854775807
        expect_error "ERR increment or decrement would overflow" {r INCR n}
        expect 9223372036854775807 [r GET n]
        r SET n " 1"
        expect_error "ERR value is not an integer or out of range" {r INCR n}
        expect_error "ERR decrement would overflow" {r DECRBY n -9223372036854775808}
        r SET f 10.5
        expect 10.6 [r INCRBYFLOAT f 0.1]
        expect_error "ERR value is not a valid float" {r INCRBYFLOAT f x}
    }
    test "GETRANGE, SETRANGE, APPEND, GETDEL, GETEX, GETSET" {
        r SET s "Hello World"
        expect World [r GETRANGE s -5 -1]
        expect "" [r GETRANGE s 5 4]
        expect 11 [r SETRANGE s 6 Redis]
        expect "Hello Redis" [r GET s]
        r DEL pad
        expect 8 [r SETRANGE pad 5 end]
        expect "\0\0\0\0\0end" [r GET pad]
        expect_error "ERR offset is out of range" {r SETRANGE pad -1 x}
        expect_error "ERR string exceeds maximum allowed size*" {r SETRANGE pad 536870912 x}
        expect "Hello Redis" [r GETEX s EX 50]
        expect_between 49 50 [r TTL s]
        expect "Hello Redis" [r GETEX s PERSIST]
        expect -1 [r TTL s]
        expect "Hello Redis" [r GETSET s new]
        expect new [r GETDEL s]
        expect 0 [r EXISTS s]
    }
    test "MSET, MGET, MSETNX are all or nothing" {
        expect OK [r MSET a 1 b 2 c 3]
        expect {1 2 (nil) 3} [r MGET a b none c]
        expect 0 [r MSETNX d 4 a 9]
        expect 0 [r EXISTS d]
        expect 1 [r MSETNX d 4 e 5]
        expect_error "ERR wrong number of arguments for 'mset' command" {r MSET a 1 b}
        expect_error "ERR wrong number of arguments for 'msetnx' command" {r MSETNX a}
    }
    test "LCS" {
        needs LCS
        r MSET k1 ohmytext k2 mynewtext
        expect mytext [r LCS k1 k2]
        expect 6 [r LCS k1 k2 LEN]
        expect {matches {{{4 7} {5 8} 4} {{2 3} {0 1} 2}} len 6} [r LCS k1 k2 IDX WITHMATCHLEN]
    }
    test "OBJECT ENCODING of strings" {
        r SET e 12345
        expect int [r OBJECT ENCODING e]
        r SET e [string repeat a 44]
        expect embstr [r OBJECT ENCODING e]
        r SET e [string repeat a 45]
        expect raw [r OBJECT ENCODING e]
        r SET e abc
        r APPEND e d
        expect raw [r OBJECT ENCODING e]
    }
    test "Wrong types are refused and nothing changes" {
        r DEL list
        r RPUSH list a
        foreach script {{r GET list} {r INCR list} {r APPEND list x} {r SETRANGE list 0 x} {r GETDEL list} {r STRLEN list}} {
            expect_error "WRONGTYPE Operation against a key holding the wrong kind of value" $script
        }
        expect a [r LRANGE list 0 -1]
    }
    test "Options of SET and GETEX may be repeated; different ones exclude each other" {
        expect OK [r SET again v EX 10 EX 2000]
        expect_between 1999 2000 [r TTL again]
        expect OK [r SET again w XX XX KEEPTTL KEEPTTL]
        expect w [r GETEX again PX 5000000 PX 6000000]
        expect_between 5999 6000 [r TTL again]
        expect w [r GETEX again PERSIST PERSIST]
        foreach options {{EX 1 PX 1} {EX 1 KEEPTTL} {KEEPTTL EX 1} {NX XX} {XX NX} {IFEQ w XX} {NX IFEQ w} {EX}} {
            expect_error "ERR syntax error" {r SET again x {*}$options}
        }
        foreach options {{EX 1 PX 1} {EX 1 PERSIST} {PERSIST EX 1} {KEEPTTL}} {
            expect_error "ERR syntax error" {r GETEX again {*}$options}
        }
        expect w [r GET again]
        expect -1 [r TTL again]
    }
}
