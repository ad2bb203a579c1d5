# MULTI, WATCH and scripts: all or nothing, alone with the data.
with_server {} {
    test "EXEC runs the queue, DISCARD forgets it" {
        expect OK [r MULTI]
        expect QUEUED [r SET a 1]
        expect QUEUED [r INCR a]
        expect {OK 2} [r EXEC]
        r MULTI
        r SET a 9
        expect OK [r DISCARD]
        expect 2 [r GET a]
        expect_error "ERR EXEC without MULTI" {r EXEC}
        expect_error "ERR DISCARD without MULTI" {r DISCARD}
    }
    test "An error while queuing aborts, an error while running does not" {
        r MULTI
        expect_error "ERR unknown command*" {r NOSUCH}
        r SET a 5
        expect_error "EXECABORT Transaction discarded because of previous errors." {r EXEC}
        expect 2 [r GET a]
        r DEL l
        r RPUSH l x
        r MULTI
        r SET a 3
        r INCR l
        r SET a 4
        expect_match {OK WRONGTYPE* OK} [join [r EXEC]]
        expect 4 [r GET a]
        r MULTI
        expect_error "ERR MULTI calls can not be nested" {r MULTI}
        expect_error "EXECABORT*" {catch {r DISCARD}; r MULTI; catch {r GET}; r EXEC}
    }
    test "WATCH sees every kind of change" {
        set other [connect]
        foreach change {{SET w 2} {DEL w} {EXPIRE w 100} {APPEND w x} {RENAME w v} {FLUSHALL}} {
            r SET w 1
            r WATCH w
            command $other {*}$change
            r MULTI
            r SET touched 1
            expect "(nil)" [r EXEC]
        }
        r SET w 1
        r WATCH w
        command $other GET w
        r MULTI
        expect {} [r EXEC]
        r WATCH w
        command $other SET w 3
        r UNWATCH
        r MULTI
        r GET w
        expect 3 [r EXEC]
        close $other
    }
    test "Scripts: arguments, conversions, errors" {
        needs EVAL
        expect {a b 1 2} [r EVAL {return {KEYS[1],KEYS[2],ARGV[1],ARGV[2]}} 2 a b 1 2]
        expect 3 [r EVAL {return 3.99} 0]
        expect 1 [r EVAL {return true} 0]
        expect "(nil)" [r EVAL {return false} 0]
        expect {1 2} [r EVAL {return {1,2,nil,4}} 0]
        expect fine [r EVAL {return {ok='fine'}} 0]
        expect_error "My Err" {r EVAL {return {err='My Err'}} 0}
        expect_error "ERR Wrong number of args calling Redis command from script*" {r EVAL {return redis.call('GET')} 0}
        expect_match "ERR*" [r EVAL {return redis.pcall('NOSUCH')['err']} 0]
        expect_error "*global*nosuch*" {r EVAL {return nosuch} 0}
        expect_error "ERR *nonexistent global variable 'io'*" {r EVAL {return io.open('x')} 0}
        expect_error "ERR Number of keys can't be greater than number of args" {r EVAL {return 1} 5}
        expect_error "ERR Number of keys can't be negative" {r EVAL {return 1} -1}
    }
    test "EVALSHA, SCRIPT LOAD, EXISTS, FLUSH" {
        needs EVAL
        set sha [r SCRIPT LOAD {return redis.call('INCRBY', KEYS[1], ARGV[1])}]
        r DEL n
        expect 5 [r EVALSHA $sha 1 n 5]
        expect {1 0} [r SCRIPT EXISTS $sha ffffffffffffffffffffffffffffffffffffffff]
        expect OK [r SCRIPT FLUSH]
        expect_error "NOSCRIPT No matching script. Please use EVAL." {r EVALSHA $sha 1 n 5}
    }
    test "cjson, cmsgpack, struct, bit" {
        needs EVAL
        expect {{"a":[1,2,"x"]}} [r EVAL {return cjson.encode({a={1,2,'x'}})} 0]
        expect 3 [r EVAL {return cjson.decode('{"k":[1,2,3]}').k[3]} 0]
        expect abc [r EVAL {return cmsgpack.unpack(cmsgpack.pack('abc'))} 0]
        expect {258 4} [r EVAL {return {struct.unpack('>H', struct.pack('>HH', 258, 1)), #struct.pack('I4', 1)}} 0]
        expect 255 [r EVAL {return bit.bor(0xf0, 0x0f)} 0]
    }
    test "A script is stopped by SCRIPT KILL, unless it wrote" {
        needs EVAL
        r CONFIG SET lua-time-limit 50
        set other [connect]
        send_command $other EVAL {while true do end} 0
        after 150
        expect_error "BUSY*" {r PING; r GET a}
        expect OK [r SCRIPT KILL]
        expect_error "*Script killed by user*" {read_reply $other}
        expect PONG [r PING]
        expect_error "NOTBUSY*" {r SCRIPT KILL}
        close $other
    }
    test "Functions: load, call, list, delete, dump" {
        needs FUNCTION
        expect mylib [r FUNCTION LOAD "#!lua name=mylib\nredis.register_function('add', function(k, a) return redis.call('INCRBY', k\[1\], a\[1\]) end)"]
        r DEL n
        expect 4 [r FCALL add 1 n 4]
        expect_match "*mylib*" [r FUNCTION LIST]
        set dump [r FUNCTION DUMP]
        expect OK [r FUNCTION DELETE mylib]
        expect_error "ERR Function not found" {r FCALL add 1 n 4}
        expect OK [r FUNCTION RESTORE $dump]
        expect 8 [r FCALL add 1 n 4]
        expect_error "*Library 'mylib' already exists*" {r FUNCTION LOAD "#!lua name=mylib\nredis.register_function('b', function() end)"}
    }
    test "An empty key among those of a queued command keeps its neighbours' places" {
        r FLUSHALL
        r SET k1 \x01; r SET k2 \x02
        r MULTI
        r BITOP OR all k1 "" k2
        r SET "" empty
        r DEL "" k2
        expect {1 OK 2} [r EXEC]
        expect \x03 [r GET all]
        expect 0 [r EXISTS k2]
    }
}
