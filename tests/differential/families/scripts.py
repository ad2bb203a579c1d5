"""Scripts: conversions both ways, errors, libraries, the sandbox. Each script is deterministic and replies what it saw."""

# No -0: Lua 5.1 gives a constant 0 in the same function its sign.
VALUES = ["1", "3.99", "-7.5", "'text'", "true", "false", "nil", "{1,2,3}", "{1,nil,3}", "{ok='fine'}", "{err='My Error'}", "{}", "{{1},{2,{3}}}",
          "{'a',1,true,false}", "2^31", "2^53", "-2^31", "0/0", "1/0", "10000000000", "tostring(1.5)", "tostring(1e100)", "12345678901234567890",
          "string.rep('x',100)", "#KEYS", "ARGV[1]", "KEYS[1]", "'\\0\\1\\255'", "{double=3.5}", "{map={a=1}}", "{set={a=true}}",
          "redis.status_reply('GOOD')", "redis.error_reply('BAD thing')", "redis.error_reply('-BAD thing')", "redis.sha1hex('abc')", "redis.sha1hex('')",
          "tonumber('0x10')", "tonumber('abc')", "math.floor(3.7)", "math.max(1,5,3)", "string.format('%5.2f|%d|%s|%q',3.14159,42,'x','a b')",
          "string.format('%g',0.1)", "('abc'):upper()", "('abc'):rep(3)", "('hello world'):gsub('o','0')", "table.concat({1,2,3},',')",
          "select('#',1,2,3)", "unpack({1,2,3})", "type(nil)", "type(redis)", "type(redis.call)", "tostring(nil)", "#'abc'", "_VERSION",
          "math.huge", "1e15", "1e16", "123456789.123", "string.byte('A')", "redis.REPL_ALL", "redis.LOG_WARNING"]
CALLS = ["redis.call('GET',KEYS[1])", "redis.call('SET',KEYS[1],ARGV[1])", "redis.pcall('INCR',KEYS[1])", "redis.call('INCR',KEYS[2])",
         "redis.call('LRANGE',KEYS[2],0,-1)", "redis.call('RPUSH',KEYS[2],ARGV[1],ARGV[2])", "redis.call('NOSUCH')", "redis.pcall('NOSUCH')",
         "redis.call('GET')", "redis.pcall('GET')", "redis.call('HGETALL',KEYS[2])", "redis.call('HSET',KEYS[2],'f',ARGV[1])",
         "redis.call('ZADD',KEYS[1],1.5,'m')", "redis.call('ZRANGE',KEYS[1],0,-1,'WITHSCORES')", "redis.call('TYPE',KEYS[1])", "redis.call('EXISTS',KEYS[1],KEYS[2])",
         "redis.call('DEL',KEYS[1])", "redis.call('PING')", "redis.call('ECHO',ARGV[1])", "redis.call()", "redis.call(1)", "redis.call('SET','x',{})",
         "redis.call('SET',KEYS[1],12.5)", "redis.call('MULTI')", "redis.call('SUBSCRIBE','a')", "redis.call('BLPOP',KEYS[1],0)", "redis.call('EVAL','return 1',0)",
         "redis.call('SELECT',1)", "redis.call('DBSIZE')", "redis.call('MGET',KEYS[1],'none')", "redis.call('SADD',KEYS[1],1,2)", "redis.call('SMEMBERS',KEYS[1])",
         "redis.pcall('SET',KEYS[1])['err']", "redis.call('INCRBYFLOAT',KEYS[1],0.5)", "redis.acl_check_cmd('get','k')", "redis.call('OBJECT','ENCODING',KEYS[1])",
         "redis.call('EXPIRE',KEYS[1],1000)", "redis.call('XADD',KEYS[1],'1-1','a','b')", "redis.call('XRANGE',KEYS[1],'-','+')", "redis.call('CONFIG','GET','maxmemory')",
         "redis.call('SORT',KEYS[2],'ALPHA')", "redis.call('GETRANGE',KEYS[1],0,1)"]
LIBRARIES = ["cjson.encode({1,2,3})", "cjson.encode({a=1})", "cjson.encode({})", "cjson.encode('a\"b\\\\c/\\n\\1')", "cjson.encode(1.5)", "cjson.encode(1e20)",
             "cjson.encode(true)", "cjson.encode(cjson.null)", "cjson.encode({[1]=1,[2]=2,[4]=4})", "cjson.encode({[1]=1,[1000]=2})", "cjson.encode({[1.5]=1})",
             "cjson.encode(function() end)", "cjson.decode('[1,2,3]')", "cjson.decode('{\"a\":{\"b\":[1,{\"c\":null}]}}').a.b[1]", "cjson.decode('nonsense')",
             "cjson.decode('{\"a\":}')", "cjson.decode('')", "cjson.decode('[1,2')", "cjson.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\"')", "cjson.decode('[1.0,2e3,-5]')",
             "tostring(cjson.decode('null')==cjson.null)", "cjson.decode('123456789012345678')", "cjson.encode(cjson.decode('{\"x\":[]}'))", "cjson.encode(0/0)",
             "cmsgpack.pack(1)", "cmsgpack.pack(-1)", "cmsgpack.pack(255)", "cmsgpack.pack(65536)", "cmsgpack.pack(2^40)", "cmsgpack.pack(1.5)", "cmsgpack.pack('abc')",
             "cmsgpack.pack(string.rep('x',300))", "cmsgpack.pack({1,2,3})", "cmsgpack.pack({a=1})", "cmsgpack.pack(nil)", "cmsgpack.pack(true,false)", "cmsgpack.pack({})",
             "{cmsgpack.unpack(cmsgpack.pack(1,'a',{2}))}", "cmsgpack.unpack('')", "cmsgpack.unpack('\\193')", "cmsgpack.unpack('\\147\\1')", "cmsgpack.pack()",
             "{cmsgpack.unpack_one('\\1\\2')}", "{cmsgpack.unpack_limit('\\1\\2\\3',2)}", "cmsgpack.unpack_one('\\1',5)",
             "struct.pack('>I2','5')", "struct.pack('<i4',-2)", "struct.pack('bBhHlL',1,2,3,4,5,6)", "struct.pack('s','abc')", "struct.pack('c3','abcdef')", "struct.pack('d',1.5)",
             "{struct.unpack('>I2','\\1\\2')}", "{struct.unpack('s','abc\\0def')}", "struct.size('>I4h')", "struct.pack('!4bi',1,2)", "struct.unpack('I4','\\1')",
             "struct.pack('z',1)", "struct.size('s')", "{struct.unpack('bc0','\\3abc')}", "struct.unpack('I2','\\1\\2',3)", "struct.pack('i17',1)",
             "bit.band(0xff,0x0f)", "bit.bor(1,2,4)", "bit.bxor(5,1)", "bit.bnot(0)", "bit.lshift(1,31)", "bit.rshift(-1,28)", "bit.arshift(-8,1)", "bit.rol(1,33)",
             "bit.tohex(255)", "bit.tohex(255,-4)", "bit.tobit(2^32+5)", "bit.bswap(1)", "bit.band('x')", "bit.band()"]
STATEMENTS = ["x=1", "x=1 return x", "return nosuch", "local t={} t.x=nosuch return 1", "return os.time()", "return os.execute('true')", "return io.open('f')", "return require('x')",
              "return loadfile('x')", "return dofile('x')", "error('boom')", "error({err='TABLE error'})", "error({err='TABLE error',ignore_error_stats_update=true})", "error()",
              "assert(false,'failed')", "local ok,e=pcall(error,'inner') return e", "local ok,e=pcall(function() return redis.call('NOSUCH') end) return {tostring(ok),type(e)}",
              "return redis.call", "return {err='ERR x'}", "return {err=''}", "return {ok=''}", "return 1 return 2", "return (", "", "return", "local a<const> =1", "goto x",
              "return load('return 5')()", "return loadstring('return 5')()", "return string.dump(function() end)", "setmetatable(_G,{})", "_G.x=1", "redis.call=nil", "redis=nil",
              "string.foo=1", "cjson.encode=nil", "return getmetatable('').__index==string", "setmetatable('',{})", "return rawget(_G,'nosuch')", "rawset(_G,'x',1)", "math.random=nil",
              "math.randomseed(5) return math.random(100)", "return math.random()", "return redis.setresp(3)", "return redis.setresp(5)",
              "redis.setresp(3) return redis.call('HGETALL',KEYS[2])", "redis.setresp(3) return {map={x=1}}", "redis.setresp(3) return redis.call('GET','none')",
              "return redis.set_repl(redis.REPL_NONE)", "return redis.set_repl(55)", "return redis.replicate_commands()", "return redis.log(redis.LOG_NOTICE,'x')", "return redis.log(9,'x')",
              "return redis.log('x')", "return redis.sha1hex()", "return redis.error_reply()", "return redis.status_reply(1)", "return redis.breakpoint()", "return redis.debug('x')",
              "local t={} for i=1,300 do t[i]=i end return t", "local s=0 for i=1,1000 do s=s+i end return s", "local t={} t[1]=t return 1", "return {1,{2,{3,{4}}}}",
              "table.sort(ARGV) return ARGV", "local r={} for k in pairs({1,2,3}) do r[#r+1]=k end return r", "return {KEYS,ARGV}", "KEYS[1]='other' return redis.call('GET',KEYS[1])",
              "return table.getn({1,2})", "return collectgarbage('count')>0", "collectgarbage('nosuch')", "return tostring(print)", "return coroutine.wrap(function() coroutine.yield(7) end)()",
              "return string.format('%d','abc')", "return nil .. 'x'", "return {} < {}", "return #nil", "return ('x').y.z", "return 1 + {}", "return string.rep('x',-1)",
              "return math.floor('x')", "return tostring({1})~=nil", "return pcall(redis.call,'GET')", "return redis.register_function('f',function() end)", "return xpcall(error,function(e) return 'h:'..tostring(e) end)",
              "redis.call('SET',KEYS[1],'a') error('after write')", "redis.call('SET',KEYS[1],'a') return redis.call('INCR',KEYS[1])",
              "local n=redis.call('GET',KEYS[1]) if n then return n end return 'none'", "if redis.call('GET','none')==false then return 'false' end", "#!lua\nreturn 1",
              "#!lua flags=no-writes\nreturn redis.call('SET',KEYS[1],1)", "#!lua flags=no-writes\nreturn redis.call('GET',KEYS[1])", "#!lua flags=nosuch\nreturn 1", "#!python\nreturn 1",
              "#!lua name=x\nreturn 1", "#!lua flags=no-cluster,allow-oom,allow-stale\nreturn 1", "#!lua flags=\nreturn 1"]


def script(rng):
    pick = rng.random()
    if pick < 0.25:
        return "return " + rng.choice(VALUES)
    if pick < 0.5:
        return ("return " if rng.random() < 0.8 else "local r=") + rng.choice(CALLS)
    if pick < 0.75:
        return "return " + rng.choice(LIBRARIES)
    if pick < 0.97:
        return rng.choice(STATEMENTS)
    return f"return {{{rng.choice(VALUES)},{rng.choice(CALLS)},{rng.choice(LIBRARIES)}}}"


ATOMS = {
    "key": ["k1", "k2", "l1", "h1"],
    "script": script,
    "numkeys": lambda r: "2" if r.random() < 0.95 else r.choice(["0", "5", "-1", "abc"]),
    "sha": ["e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "ffffffffffffffffffffffffffffffffffffffff", "abc", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB"],
    "lib": ["one", "two"],
    "code": ["#!lua name=one\nredis.register_function('f1',function(keys,args) return {keys,args} end)",
             "#!lua name=two\nredis.register_function{function_name='f2',callback=function(k,a) return redis.call('GET',k[1]) end,flags={'no-writes'}}",
             "#!lua name=two\nredis.register_function('f2',function(k,a) return redis.call('SET',k[1],a[1] or 'x') end) redis.register_function('f3',function() error('f3 fails') end)",
             "#!lua name=one\nreturn 1", "redis.register_function('f1',function() end)", "#!lua\nredis.register_function('f1',function() end)", "#!lua name=bad-name\nreturn 1",
             "#!lua name=one\nredis.register_function('f 1',function() end)", "#!lua name=one\nredis.register_function('f1')", "#!lua name=one\nredis.register_function('f1',1)",
             "#!lua name=one\nredis.register_function{function_name='f1',callback=function() end,flags={'nosuch'}}", "#!lua name=one\nredis.call('PING')", "#!lua name=one\nx=1",
             "#!lua name=one\nsyntax error", "#!js name=one\n1", "#!lua name=one extra=1\nreturn 1", "#!lua name=one\nredis.register_function{function_name='f1',nosuch=1}",
             "#!lua name=three\nredis.register_function('f1',function() return 'three' end)"],
}
SETUP = """
exact  FUNCTION FLUSH
exact  SCRIPT FLUSH
exact  MSET k1 one k2 2
exact  RPUSH l1 c a b
exact  HSET h1 f v
"""
MUTATIONS = 0.01
TABLE = """
20* exact  EVAL {script} {numkeys} {key} {key} {word} {value}
3* exact  EVAL_RO {script} 2 {key} {key} {word} {value}
exact  EVALSHA {sha} 0
exact  EVALSHA_RO {sha} 0
exact  SCRIPT LOAD {script}
exact  SCRIPT EXISTS {sha} {sha}
exact  SCRIPT FLUSH [(SYNC|ASYNC|NOW)]
exact  SCRIPT KILL
exact  SCRIPT (HELP|NOSUCH)
2* exact  FUNCTION LOAD [REPLACE] {code}
exact  FUNCTION DELETE {lib}
set+deep  FUNCTION LIST [LIBRARYNAME {lib}] [WITHCODE]
exact  FUNCTION FLUSH [(SYNC|ASYNC|NOW)]
exact  FUNCTION KILL
exact  FUNCTION HELP
set+deep  FUNCTION LIST LIBRARYNAME [{lib}]
shape  FUNCTION DUMP
exact  FUNCTION RESTORE {value}
exact  FUNCTION STATS
3* exact  (FCALL|FCALL_RO) (f1|f2|f3|nosuch) {numkeys} {key} {key} {word}
set    HGETALL h1
exact  SET k2 {int}
"""
