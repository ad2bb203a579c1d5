# value-compression: no command shows it, except in INFO and in the memory that is used.
proc document {size} {
    set text ""
    for {set i 0} {[string length $text] < $size} {incr i} { append text "{\"id\":$i,\"state\":\"waiting\"}," }
    string range $text 0 [expr {$size - 1}]
}
foreach codec {lz4 zstd} {
    with_server [list value-compression $codec value-compression-min-bytes 100 hot-cache-size 1mb enable-debug-command yes] {
        test "Reads of $codec values" {
            set text [document 5000]
            r SET key $text
            expect 1 [info_field compressed_values compression]
            expect $text [r GET key]
            expect raw [r OBJECT ENCODING key]
            expect 5000 [r STRLEN key]
            expect [string range $text 100 199] [r GETRANGE key 100 199]
            expect [list $text $text] [r MGET key key]
            expect_true {[r MEMORY USAGE key] < 2500}
            r SET plain x
            r SETRANGE plain 0 $text
            expect [r BITCOUNT plain] [r BITCOUNT key]
            expect [r DEBUG DIGEST-VALUE plain] [r DEBUG DIGEST-VALUE key]
            expect 5000 [r LCS plain key LEN]
            r COPY key copy
            expect $text [r GET copy]
            r RENAME copy moved
            expect $text [r GET moved]
            r EXPIRE moved 100
            expect $text [r GET moved]
            r PERSIST moved
            expect $text [r GETDEL moved]
            expect $text [r SET key $text GET]
            expect $text [r GETSET key $text]
            expect OK [r SET key $text IFEQ $text]
        }
        test "Changes of $codec values" {
            set text [document 3000]
            foreach {change wanted} [list \
                {APPEND key end} ${text}end \
                {SETRANGE key 10 abc} [string replace $text 10 12 abc] \
                {SETRANGE key 3010 z} $text[string repeat \0 10]z \
                {SETBIT key 7 1} [string replace $text 0 0 [format %c [expr {[scan [string index $text 0] %c] | 1}]]] \
                {BITFIELD key SET u8 0 65} [string replace $text 0 0 A] \
                {SET key short} short \
                {SET key 12} 12] {
                r SET key $text
                r {*}$change
                expect $wanted [r GET key]
            }
            r SET key $text
            expect_error "ERR value is not an integer or out of range" { r INCR key }
            expect_error "ERR value is not a valid float" { r INCRBYFLOAT key 1 }
            expect_error "WRONGTYPE*" { r PFADD key a }
            expect_error "WRONGTYPE*" { r LPUSH key a }
            expect $text [r GET key]
            r DEL key
            r FLUSHALL
            wait_for "freeing" 5 {[info_field compressed_values compression] == 0}
        }
        test "Hot $codec values are found decompressed" {
            set text [document 8000]
            r CONFIG RESETSTAT
            r SET hot $text
            for {set i 0} {$i < 100} {incr i} { expect $text [r GET hot] }
            expect_between 90 100 [info_field hot_cache_hits compression]
            set text [document 9000]
            r SET hot $text
            expect $text [r GET hot]
            r CONFIG SET hot-cache-size 0
            expect 0 [info_field hot_cache_bytes compression]
        }
        test "The ratio of $codec values is in INFO" {
            r FLUSHALL
            wait_for "freeing" 5 {[info_field compressed_values compression] == 0}
            for {set i 0} {$i < 100} {incr i} { r SET key:$i [document [expr {1000 + $i}]] }
            expect 100 [info_field compressed_values compression]
            expect_true {[info_field compression_ratio compression] > 2}
            r CONFIG SET value-compression no
            expect 100 [info_field compressed_values compression]
            for {set i 0} {$i < 100} {incr i} {
                expect [document [expr {1000 + $i}]] [r GET key:$i]
                r SET key:$i [document 1000]
            }
            expect 0 [info_field compressed_values compression]
        }
    }
}
