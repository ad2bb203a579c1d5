#!/usr/bin/env python3
"""Writes corpus.txt: what redis-server answers to each script below. Run by hand when scripts are added:
    redis-server --port 7411 --save '' &
    tests/unit/scripting/make_corpus.py 7411 > tests/unit/scripting/corpus.txt
Each line: protocol version, script, reply; separated by tabs, with \\xNN for bytes that are not printable ASCII, tab
and backslash. A script that begins with "F " is the code of a library, after which FCALL f 0 is sent; the reply is
FCALL's, or FUNCTION LOAD's when that failed."""
import socket
import sys

SCRIPTS = []


def add(text):
    for line in text.strip("\n").split("\n"):
        if line.strip():
            SCRIPTS.append(line)


def add_block(text):
    SCRIPTS.append(text.strip("\n"))


# ---- Values to RESP. ----
add(r"""
return 1
return 3.99
return -3.99
return 'text'
return ''
return 'a\0b'
return true
return false
return nil
return
return {}
return {1,2,3}
return {1,2,nil,4}
return {1,{2,{3,{}}}}
return {'a',true,false,1.5}
return {ok='fine'}
return {ok='two\r\nlines'}
return {ok='zero\0byte'}
return {err='My error'}
return {err='ERR two\r\nlines'}
return {err='-DASH x'}
return {err=''}
return {err=5}
return {ok=5}
return {ok={}}
return {double=3.5}
return {double=3}
return {double=1/0}
return {double='x'}
return {double=0.1}
return {double=1e100}
return {big_number='1234567890123456789012345678901234567890'}
return {big_number='12\r\n3'}
return {map={a=1}}
return {map={[1]='x'}}
return {map={}}
return {map={a={map={b=1}}}}
return {set={a=true}}
return {set={}}
return {set={[5]=1}}
return {verbatim_string={format='txt',string='hello'}}
return {verbatim_string={format='t',string='hello'}}
return {verbatim_string={format='text',string='hello'}}
return {verbatim_string={string='hello'}}
return {verbatim_string={format='txt'}}
return {verbatim_string='x'}
return {map=1,set=2}
return {ok='first',err='second'}
return {{ok='a'},{err='b c'}}
return 1,2,3
return function() end
return coroutine.create(function() end)
return {function() end}
return 9007199254740993
return 1e15
return -1e15
return 2^53
return 0/0 ~= 0/0
redis.setresp(3) return true
redis.setresp(3) return false
redis.setresp(3) return {true,false,nil}
redis.setresp(3) return {map={a=true}}
redis.setresp(3) return {double=1.25}
redis.setresp(2) return true
redis.setresp(4)
redis.setresp()
redis.setresp('3') return true
return setmetatable({}, {__index=function() return 1 end})
return {[1]='a',[2]='b',x='c'}
return {x='c'}
local t = {} t[3]=1 return t
local a = {} a[1]=a local n=0 for k,v in pairs(a) do n=n+1 end return n
""")

# ---- Errors. ----
add(r"""
error('boom')
error('boom', 0)
error('boom', 2)
error({err='MY Error'})
error({err='My'})
error({err='-X y'})
error({err='ERR with code', line=7, source='mine'})
error(5)
error(true)
error(nil)
error()
error('a\nb')
local x = nil; return x.y
local x = nil; x.y = 1
local x = 5; return x()
return foo
foo = 1
return foo.bar
local t = {} return t.a.b
return 1 + {}
return 1 .. {}
return #5
return {} < {}
return 1 < 'x'
return nil .. 'x'
return -{}
local function f() error('deep') end local function g() f() end g()
local function f() return f() + 1 end return f()
x x
return (
return 'unfinished
for
goto
return }
if true then
return ...
return select('#', ...)
assert(false)
assert(nil, 'message')
assert(false, {err='TBL x'})
assert(1 == 1, 'no') return 'ok'
return {pcall(error, 'x')}
return {pcall(error, {err='E x'})}
return {pcall(error)}
return {pcall(function() error('x') end)}
return {pcall(function() error({err='E x'}) end)}
return {pcall(function() error({other='E x'}) end)}
return {pcall(function() return 1,2,3 end)}
return {pcall(function() local x x.y=1 end)}
return {pcall(5)}
return {xpcall(function() error('x') end, function(e) return 'H:' .. e end)}
return {xpcall(function() error({err='E x'}) end, function(e) return 'H:' .. e.err end)}
return {xpcall(function() return 1,2 end, function(e) return 'H:' .. e end)}
local ok, e = pcall(function() error({code=7}) end) return {tostring(ok), type(e), e.code}
local ok, e = pcall(function() error(setmetatable({}, {__index=function(t,k) return 'via ' .. k end})) end) return e
return {pcall(pcall, error, 'x')}
return redis.error_reply('X y')
return redis.error_reply('-X y')
return redis.error_reply('noc')
return redis.error_reply('')
return redis.error_reply()
return redis.error_reply(5)
return redis.error_reply({})
return redis.error_reply('X y\r\n')
return redis.status_reply('FINE')
return redis.status_reply()
return redis.status_reply(1, 2)
return redis.error_reply('X y').err
return redis.status_reply('FINE').ok
""")

# ---- redis.*. ----
add(r"""
return redis.call('echo', 'x')
return redis.call('echo', 5)
return redis.call('echo', 5.5)
return redis.call('echo', 0.1)
return redis.call('echo', 1e15)
return redis.call('echo', -7)
return redis.call('echo', 'a\0b')
return redis.call('echo', true)
return redis.call('echo', nil)
return redis.call('echo', {})
return redis.call()
return redis.pcall()
return redis.pcall({})
return redis.call('ping')
return redis.call('ping').ok
return redis.pcall('ping')
return redis.call('nosuch')
return redis.pcall('nosuch')
return redis.pcall('nosuch').err
return redis.call('get')
return redis.pcall('get').err
return {pcall(redis.call, 'nosuch')}
local ok, e = pcall(redis.call, 'nosuch') return type(e)
return redis.call('get', 'missing')
return tostring(redis.call('get', 'missing'))
redis.setresp(3) return tostring(redis.call('get', 'missing'))
redis.setresp(3) return redis.call('get', 'missing')
redis.call('set', 'k', 'v') return redis.call('get', 'k')
return redis.call('set', 'k', 'v')
return type(redis.call('set', 'k', 'v'))
redis.call('del', 'n') redis.call('incr', 'n') return redis.call('incr', 'n')
return redis.call('hgetall', 'h')
return redis.call('smembers', 's')
return redis.call('zscore', 'z', 'm')
return redis.call('hgetall', 'none')
return redis.call('smembers', 'none')
return redis.call('zscore', 'z', 'none')
return redis.pcall('hgetall', 'h')
redis.setresp(3) return redis.call('hgetall', 'h')
redis.setresp(3) return redis.call('smembers', 's')
redis.setresp(3) return redis.call('zscore', 'z', 'm')
redis.setresp(3) return redis.call('hgetall', 'none')
redis.setresp(3) return redis.call('smembers', 'none')
redis.setresp(3) return redis.call('zscore', 'z', 'none')
redis.setresp(3) return redis.pcall('hgetall', 'h')
redis.setresp(3) return redis.call('hgetall', 'h').map.a
redis.setresp(3) return redis.call('smembers', 's').set.x
redis.setresp(3) return tostring(redis.call('zscore', 'z', 'm').double)
redis.setresp(3) redis.setresp(2) return redis.call('hgetall', 'h')
return redis.call('hgetall', 'h')[2]
return redis.sha1hex('')
return redis.sha1hex('abc')
return redis.sha1hex(5)
return redis.sha1hex()
return redis.sha1hex('a', 'b')
return redis.log()
return redis.log(1)
return redis.log('x', 'y')
return redis.log(7, 'y')
return redis.log(redis.LOG_DEBUG, 'y')
return redis.set_repl()
return redis.set_repl(99)
return redis.set_repl(redis.REPL_ALL)
return redis.replicate_commands()
return redis.breakpoint()
return redis.debug('x')
return redis.acl_check_cmd('get', 'x')
return redis.acl_check_cmd('nosuch')
return redis.acl_check_cmd()
return redis.acl_check_cmd({})
return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}
return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL}
return type(redis.REDIS_VERSION) .. type(redis.REDIS_VERSION_NUM)
return redis.nosuch
redis.call = 1
redis.new = 1
return {KEYS[1], ARGV[1], #KEYS, #ARGV}
KEYS[1] = 'mine' return KEYS[1]
KEYS = {} 
""")

# ---- The sandbox. ----
add(r"""
rawset(_G, 'a', 1)
rawset(redis, 'a', 1)
rawset(string, 'a', 1)
rawset({}, 'a', 1) return 'ok'
return rawget(_G, 'nosuch')
return type(rawget(_G, 'redis'))
return type(rawget(redis, 'call'))
return rawequal(_G.redis, redis)
setmetatable(_G, {})
setmetatable(redis, {})
setmetatable(string, nil)
getmetatable(_G).__index = {}
return type(getmetatable(_G))
return type(getmetatable(_G).__index)
return tostring(getmetatable(redis))
return tostring(getmetatable(string))
return tostring(getmetatable({}))
return tostring(getmetatable(5))
return getmetatable('').__index == string
getmetatable('').__index = nil
getmetatable('').__index.upper = nil
string.upper = nil
math.random = nil
table.x = 1
cjson.encode = nil
cmsgpack.pack = nil
bit.band = nil
struct.pack = nil
_G = {}
_G.x = 1
_G.redis = nil
return _G._G == _G
table.insert(_G, 1)
table.insert(redis, 'x')
table.remove(redis)
table.sort(redis)
return #_G
return #redis
return next({})
return type(next(redis))
local n = 0 for k, v in pairs(redis) do n = n + 1 end return n > 15
local n = 0 for k, v in next, redis do n = n + 1 end return n > 15
local n = 0 for k, v in ipairs(redis) do n = n + 1 end return n
local t = {} for k in pairs(math) do t[#t+1] = k end table.sort(t) return table.concat(t, ' ')
local t = {} for k in pairs(string) do t[#t+1] = k end table.sort(t) return table.concat(t, ' ')
local t = {} for k in pairs(table) do t[#t+1] = k end table.sort(t) return table.concat(t, ' ')
local t = {} for k in pairs(coroutine) do t[#t+1] = k end table.sort(t) return table.concat(t, ' ')
local t = {} for k in pairs(bit) do t[#t+1] = k end table.sort(t) return table.concat(t, ' ')
local t = {} for k in pairs(cmsgpack) do t[#t+1] = k end table.sort(t) return table.concat(t, ' ')
local t = {} for k in pairs(struct) do t[#t+1] = k end table.sort(t) return table.concat(t, ' ')
return print
return dofile
return loadfile
return require
return io
return debug
return package
return module
return getfenv
return setfenv
return newproxy
return jit
return ffi
print('x')
return loadstring('return 5')()
return loadstring('return foo')()
return loadstring('foo = 1')()
return {loadstring('x x')}
return select('#', loadstring('x x'))
return select(2, loadstring('x x', 'chunk'))
return select(2, loadstring('x x', '=chunk'))
return loadstring(string.dump(function() return 1 end))()
return type(loadstring('return KEYS'))
return load(function() return nil end)()
local n = 0 return load(function() n = n + 1 return ({'return ', '4', '2'})[n] end)()
return {load(function() error('x') end)}
return {load(function() return {} end)}
return load('return 1')
return type(collectgarbage('count'))
return collectgarbage('nosuch')
return type(gcinfo())
return _VERSION
return tostring(1) .. tostring(nil) .. tostring(true)
return tonumber('0x10') .. ' ' .. tonumber('10', 2) .. ' ' .. tostring(tonumber('z'))
return unpack({1,2,3})
return {unpack({1,2,3}, 2)}
return {unpack({1,2,3}, 2, 3)}
return {select(2, 'a', 'b', 'c')}
return select('#', nil, nil)
return select(-1, 'a', 'b')
return {ipairs({})}
local s = '' for i, v in ipairs({'a','b',nil,'d'}) do s = s .. i .. v end return s
return rawequal('a', 'a')
return rawequal({}, {})
local t = setmetatable({}, {__metatable='locked'}) return getmetatable(t)
local t = setmetatable({}, {__metatable='locked'}) setmetatable(t, {})
local t = setmetatable({}, {__tostring=function() return 'T!' end}) return tostring(t)
local t = setmetatable({}, {__call=function(self, a) return a * 2 end}) return t(21)
local t = setmetatable({}, {__add=function(a, b) return 7 end}) return t + 1
local t = setmetatable({}, {__index=string}) return t.upper('x')
local t = setmetatable({}, {__newindex=function(t,k,v) rawset(t,k,v*2) end}) t.a = 4 return t.a
local t = setmetatable({}, {__eq=function() return true end}) return t == setmetatable({}, getmetatable(t))
local t = setmetatable({}, {__concat=function() return 'cat' end}) return t .. 'x'
local t = setmetatable({}, {__len=function() return 9 end}) return #t
local t = setmetatable({}, {__lt=function() return true end, __le=function() return false end}) return {tostring(t < t), tostring(t <= t)}
local t = setmetatable({}, {__unm=function() return 'neg' end}) return -t
setmetatable(5, {})
setmetatable({}, 5)
rawset(5, 1, 1)
rawget(5, 1)
pairs(5)
pairs()
ipairs()
next()
next({}, 'nosuch')
unpack()
tonumber()
tostring()
select()
select(0)
type()
""")

# ---- Standard libraries. ----
add(r"""
return ('x'):rep(3)
return ('abc'):upper() .. ('ABC'):lower()
return ('hello'):sub(2, -2)
return ('hello'):byte(1, -1)
return {('hello'):byte(1, -1)}
return string.char(72, 105)
return string.char(256)
return string.char(-1)
return {('hello world'):find('o w')}
return {('hello world'):find('(o)(.)')}
return {('hello'):find('l', 1, true)}
return {('a.b'):find('.', 2, true)}
return {('hello'):match('(h)(.)')}
return ('key = value'):match('^(%w+)%s*=%s*(%w+)$')
return {('hello'):find('')}
return {('hello'):find('', 10)}
return {('hello'):find('xyz')}
return ('%d'):format(3.7)
return string.format('%5.2f|%-5s|%05d|%x|%q|%s|%c|%i|%u|%e|%g|%%', 3.14159, 'ab', 42, 255, 'q"\n', 'str', 65, 7, 8, 12345.678, 0.0001)
return string.format('%s')
return string.format('%d', 'x')
return string.format('%y', 1)
return string.format('%10s|%-10s|%.2s', 'a', 'b', 'cde')
return string.format('%q', 'a\0b\r\n\\')
return {('hello world'):gsub('o', '0')}
return {('hello world'):gsub('o', '0', 1)}
return {('hello world'):gsub('(%w+)', '<%1>')}
return {('hello world'):gsub('%w+', '%0 %0', 1)}
return {('hello'):gsub('', '-')}
return {('hello'):gsub('l*', 'x')}
return {('abc'):gsub('%w', {a='1', b=true, c=false})}
return {('abc'):gsub('%w', {a='1', b=false})}
return {('abc'):gsub('%w', function(c) return c:upper() end)}
return {('abc'):gsub('%w', function(c) if c == 'b' then return nil end return 5 end)}
return {('abc'):gsub('(a)(b)', function(x, y) return y .. x end)}
return {('abc'):gsub('()', function(p) return p end)}
return {('abc'):gsub('^a', function(c) return 'X' end)}
return {('aaa'):gsub('^a', function(c) return 'X' end)}
return {('aaa'):gsub('a', function(c) return 'X' end, 2)}
return {('aaa'):gsub('a', function(c) return 'X' end, 0)}
return {('aaa'):gsub('a', function(c) return 'X' end, -1)}
return {('abc'):gsub('', function() return '-' end)}
return {('abc'):gsub('b*', function() return 'x' end)}
return {('abc'):gsub('%w*', function() return 'x' end)}
return {('hello world'):gsub('%f[%w]%w+', function(w) return w:upper() end)}
return {('abc'):gsub('.', function() return {} end)}
return {('abc'):gsub('.', function() return true end)}
return {('abc'):gsub('.', function() error('in callback') end)}
return {('abc'):gsub('.', 5)}
return {('abc'):gsub('.', true)}
return {('abc'):gsub('.')}
return {('abc'):gsub()}
return {string.gsub()}
return {('abc'):gsub('(', 'x')}
return {('abc'):gsub('(', function() end)}
return {('abc'):gsub('%', function() end)}
return {('abc'):gsub('a', '%2')}
return {('a,b,c'):gsub(',', function() return nil end)}
return {('x = 1, y = 2'):gsub('(%w+) = (%w+)', function(k, v) return v .. ' = ' .. k end)}
local t = {} for w in ('one two three'):gmatch('%a+') do t[#t+1] = w end return t
local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t+1] = k .. v end return t
return ('abc'):reverse() .. ('abc'):len() .. #'abc'
return table.concat({1,2,3}, ', ')
return table.concat({1,2,3}, ', ', 2, 3)
return table.concat({1,{},3})
return table.concat({})
local t = {1,2} table.insert(t, 3) table.insert(t, 1, 0) return t
local t = {1,2} table.insert(t, 5, 9) return {t[5], #t}
table.insert({}, 1, 2, 3)
table.insert({})
table.insert(nil, 1)
table.insert({}, 'x', 1)
local t = {1,2,3} return {table.remove(t), table.remove(t, 1), #t}
return table.remove({})
return table.remove({1,2,3}, 7)
local t = {5,2,8,1,9,3} table.sort(t) return t
local t = {5,2,8,1,9,3} table.sort(t, function(a, b) return a > b end) return t
local t = {'b','a','c'} table.sort(t) return t
local t = {3,1,2} table.sort(t, nil) return t
local t = {} for i = 1, 50 do t[i] = (i * 37) % 11 * 100 + i end table.sort(t, function(a, b) return math.floor(a/100) < math.floor(b/100) end) return table.concat(t, ' ')
local t = {} for i = 1, 100 do t[i] = (i * 7919) % 101 end table.sort(t) return table.concat(t, ' ')
table.sort({1,2,{}})
table.sort({1,'x'})
table.sort({1,2,3}, function() error('cmp') end)
local ok = pcall(table.sort, {3,1,2,5,4}, function() return true end) return type(ok)
table.sort({1,2}, 5)
table.sort()
table.sort(nil)
return table.maxn({1,2,[10]=3})
return table.getn({1,2,3})
return table.foreach({a=1}, function(k, v) return k .. v end)
return table.foreachi({5,6}, function(i, v) if i == 2 then return v end end)
table.foreach(5, function() end)
table.foreach({}, 5)
table.setn({}, 1)
return {math.floor(3.7), math.ceil(3.2), math.max(1,5,3), math.min(4,2), math.abs(-3), math.fmod(7,3), math.mod(7,3)}
return tostring(math.sqrt(2)) .. ' ' .. tostring(math.pi) .. ' ' .. tostring(math.huge) .. ' ' .. tostring(-math.huge)
return tostring(math.sin(1)) .. tostring(math.exp(1)) .. tostring(math.log(10)) .. tostring(math.log10(1000))
return {math.modf(3.7)}
return {math.frexp(8)}
return tostring(math.deg(math.pi)) .. tostring(math.rad(180)) .. tostring(math.ldexp(1, 4)) .. tostring(math.pow(2, 8))
math.randomseed(42) return tostring(math.random()) .. ' ' .. math.random(100) .. ' ' .. math.random(5, 10)
math.randomseed(0) local t = {} for i = 1, 10 do t[i] = math.random(1000) end return t
math.randomseed(-1) return math.random(1000000)
math.randomseed(2^31-1) return math.random(1000000)
return math.random(0)
return math.random(5, 1)
return math.random(1, 2, 3)
math.floor()
math.floor('x')
return tostring(1e15) .. ' ' .. tostring(1e14) .. ' ' .. tostring(123456789012) .. ' ' .. tostring(0.1) .. ' ' .. tostring(1/3) .. ' ' .. tostring(-0)
return 10 / 3 .. ''
return 2^63 .. ''
return 7 % 3 .. ' ' .. -7 % 3 .. ' ' .. 7 % -3
return 1e300 * 1e10 == math.huge
local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b) local d = coroutine.yield(c * 2) return 'end', d end) return {coroutine.resume(co, 1, 2), select(2, coroutine.resume(co, 10)), select(2, coroutine.resume(co, 'x')), coroutine.status(co), select(2, coroutine.resume(co))}
local f = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return {f(), f(), f()}
local f = coroutine.wrap(function() error('in co') end) f()
local f = coroutine.wrap(function() error({err='CO err'}) end) f()
local f = coroutine.wrap(function() return 1 end) f() f()
local co = coroutine.create(function() error('x') end) return {coroutine.resume(co)}
return {coroutine.resume(coroutine.create(function() return redis.call('echo', 'in co') end))}
return {coroutine.resume(coroutine.create(function() return redis.call('nosuch') end))}
return coroutine.yield(1)
return {pcall(coroutine.yield, 1)}
return tostring(coroutine.running())
return type(coroutine.wrap(function() return coroutine.running() end)())
local co co = coroutine.create(function() return coroutine.resume(co) end) return {coroutine.resume(co)}
local co co = coroutine.create(function() return coroutine.status(co) end) return {coroutine.resume(co)}
coroutine.resume(5)
coroutine.create(5)
coroutine.wrap(5)
local co = coroutine.wrap(function() local ok, v = pcall(function() return coroutine.yield('y') end) return v end) return co()
return {bit.band(12, 10), bit.bor(12, 10), bit.bxor(12, 10), bit.bnot(0), bit.lshift(1, 4), bit.rshift(256, 4), bit.arshift(-256, 4)}
return {bit.rol(0x12345678, 12), bit.ror(0x12345678, 12), bit.bswap(0x12345678), bit.tobit(0xffffffff), bit.tobit(0xffffffff + 1)}
return bit.tohex(255) .. bit.tohex(255, 4) .. bit.tohex(255, -4) .. bit.tohex(65535, -2147483648)
return bit.band('7', '3')
bit.band()
bit.band('x')
return {bit.lshift(1, 33), bit.rshift(-1, 1), bit.band(1, 3, 5)}
""")

# ---- cjson. ----
add(r"""
return cjson.encode({1,2,3})
return cjson.encode({})
return cjson.encode({a=1})
return cjson.encode({{},{}})
return cjson.encode('text "quoted" \\ / \b\f\n\r\t \1 \127')
return cjson.encode('\195\169')
return cjson.encode(5)
return cjson.encode(5.5)
return cjson.encode(-0)
return cjson.encode(0.1)
return cjson.encode(1/3)
return cjson.encode(1e14)
return cjson.encode(123456789012345)
return cjson.encode(1e15)
return cjson.encode(1e300)
return cjson.encode(99999999999999)
return cjson.encode(true)
return cjson.encode(nil)
return cjson.encode(cjson.null)
return cjson.encode({cjson.null, 1})
return cjson.encode({1, nil, 3})
return cjson.encode({[1]=1, [2]=2, [4]=4})
return cjson.encode({[1]=1, [20]=20})
return cjson.encode({[11]=1})
return cjson.encode({[10]=1})
return cjson.encode({[0]=1})
return cjson.encode({[1.5]=1})
return cjson.encode({[-1]=1})
return cjson.encode({[true]=1})
return cjson.encode({[{}]=1})
return cjson.encode(function() end)
return cjson.encode({function() end})
return cjson.encode(1/0)
return cjson.encode(0/0)
return cjson.encode()
return cjson.encode(1, 2)
return cjson.encode({['1']='a'})
return cjson.encode({[1e300]=1})
return cjson.encode({[2^40]=1})
local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(t)
local t = {} for i = 1, 1000 do t = {t} end return #cjson.encode(t)
local t = {} t[1] = t return cjson.encode(t)
local t = {} t.a = t return cjson.encode(t)
return cjson.encode(setmetatable({}, {__index={1,2}}))
return cjson.decode('[1,2,3]')
return cjson.decode('{"a":1}').a
return cjson.decode('  [ 1 , "x" , true , false , null ]  ')
return cjson.decode('"\\u00e9\\u20ac\\ud83d\\ude00"')
return cjson.decode('"\\ud83d"')
return cjson.decode('"\\ude00\\ud83d"')
return cjson.decode('"\\ud83d\\u0041"')
return cjson.decode('"\\u12g4"')
return cjson.decode('"\\u12"')
return cjson.decode('"\\q"')
return cjson.decode('"\\')
return cjson.decode('"abc')
return cjson.decode('"a\\"b\\\\c\\/d\\b\\f\\n\\r\\t"')
return cjson.decode('"\\u0000x"')
return tostring(cjson.decode('1.5')) .. tostring(cjson.decode('-0.5e3')) .. tostring(cjson.decode('1E2'))
return cjson.decode('0x10')
return cjson.decode('01')
return cjson.decode('+1')
return cjson.decode('-')
return cjson.decode('.5')
return tostring(cjson.decode('inf')) .. tostring(cjson.decode('-Infinity'))
return cjson.decode('nope')
return cjson.decode('nul')
return cjson.decode('tru')
return cjson.decode('1e999') == 1/0
return cjson.decode('')
return cjson.decode(' ')
return cjson.decode('[')
return cjson.decode('[1')
return cjson.decode('[1,')
return cjson.decode('[1,]')
return cjson.decode('[,1]')
return cjson.decode('[1 2]')
return cjson.decode('[}')
return cjson.decode('{')
return cjson.decode('{"a"')
return cjson.decode('{"a":')
return cjson.decode('{"a":1')
return cjson.decode('{"a":1,')
return cjson.decode('{"a":1,}')
return cjson.decode('{a:1}')
return cjson.decode('{1:1}')
return cjson.decode('{"a" 1}')
return cjson.decode('{"a":1 "b":2}')
return cjson.decode('1 2')
return cjson.decode('[1]]')
return cjson.decode('"a" "b"')
return cjson.decode('[1]\0')
return cjson.decode('\0\0')
return cjson.decode('a\0b')
return cjson.decode('@')
return cjson.decode('\239\187\191[]')
return cjson.decode(5)
return cjson.decode({})
return cjson.decode()
return cjson.decode('{"a":{"b":[1,{"c":"d"}]}}').a.b[2].c
return cjson.decode('{"a":1,"a":2}').a
return cjson.decode('null') == cjson.null
return type(cjson.null)
return cjson.decode(('['):rep(1000) .. (']'):rep(1000)) ~= nil
return cjson.decode(('['):rep(1001) .. (']'):rep(1001))
return cjson.decode(('{"a":'):rep(1001) .. '1' .. ('}'):rep(1001))
return cjson.decode(('['):rep(100000))
return {cjson.encode_max_depth(), cjson.decode_max_depth(), cjson.encode_number_precision(), tostring(cjson.encode_keep_buffer()), tostring(cjson.encode_invalid_numbers()), tostring(cjson.decode_invalid_numbers())}
return {tostring((cjson.encode_sparse_array()))}
cjson.encode_max_depth(0)
cjson.encode_max_depth('x')
cjson.encode_max_depth(1, 2)
cjson.encode_number_precision(15)
cjson.encode_keep_buffer('maybe')
cjson.encode_invalid_numbers('maybe')
return {cjson._NAME, cjson._VERSION}
return {cmsgpack._NAME, cmsgpack._VERSION, cmsgpack._DESCRIPTION}
local j = cjson.new() j.encode_sparse_array(true) return j.encode({[1]=1, [20]=20})
local j = cjson.new() j.encode_sparse_array(true, 2, 3) return j.encode({[1]=1, [5]=5})
local j = cjson.new() j.encode_sparse_array(false, 0) return j.encode({[1]=1, [30]=20})
local j = cjson.new() j.encode_max_depth(2) return j.encode({{{}}})
local j = cjson.new() j.decode_max_depth(2) return j.decode('[[[]]]')
local j = cjson.new() j.encode_number_precision(3) return j.encode({1/3, 12345, 5})
local j = cjson.new() j.encode_invalid_numbers(true) return j.encode({1/0, -1/0, 0/0})
local j = cjson.new() j.encode_invalid_numbers('null') return j.encode({1/0, -1/0, 0/0})
local j = cjson.new() return {tostring(j.encode_invalid_numbers('null')), tostring(j.encode_invalid_numbers('on')), tostring(j.encode_invalid_numbers(false))}
local j = cjson.new() j.decode_invalid_numbers(false) return j.decode('01')
local j = cjson.new() j.decode_invalid_numbers(false) return j.decode('inf')
local j = cjson.new() j.decode_invalid_numbers(false) return j.decode('[1.5,-2,0]')
local j = cjson.new() j.decode_invalid_numbers(false) return j.decode('0x1')
local j = cjson.new() j.extra = 1 return j.extra
return cjson.encode(cjson.decode('{"x":[1,2,{"y":null}],"z":"\\u0041"}').x)
return cjson.encode(cjson.decode('[]'))
return cjson.encode({KEYS=KEYS, n=#ARGV}.n)
""")

# ---- cmsgpack. The packed bytes are shown in hexadecimal. ----
HEX = "local function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end "
for value in ["1", "127", "128", "255", "256", "65535", "65536", "4294967295", "4294967296", "2^53", "2^62", "2^63",
              "2^64", "-1", "-32", "-33", "-128", "-129", "-32768", "-32769", "-2147483648", "-2147483649", "-2^53",
              "-2^63", "1.5", "0.1", "1/0", "-1/0", "1e300", "0", "true", "false", "nil", "''", "'a'",
              "('x'):rep(31)", "('x'):rep(32)", "#cmsgpack.pack(('x'):rep(255))", "#cmsgpack.pack(('x'):rep(256))",
              "#cmsgpack.pack(('x'):rep(65536))", "{}", "{1,2,3}", "{a=1}", "{1,2,nil,4}", "{[1]=1,[3]=3}", "{[0]=1}",
              "{[1.5]=1}", "{{1},{2}}", "{[true]=1}", "function() end", "cjson.null", "{nil,2}", "{[-1]=1}",
              "{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}", "{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}",
              "setmetatable({}, {__index={1,2}})"]:
    SCRIPTS.append(HEX + f"return hex(cmsgpack.pack({value}))")
    SCRIPTS.append(f"return cmsgpack.unpack(cmsgpack.pack({value}))")
add(r"""
return cmsgpack.pack()
return {cmsgpack.unpack(cmsgpack.pack(1, 'a', {2}))}
return cmsgpack.unpack('')
return cmsgpack.unpack()
return cmsgpack.unpack({})
return cmsgpack.unpack('\192')
return cmsgpack.unpack('\193')
return cmsgpack.unpack('\200')
return cmsgpack.unpack('\212')
return cmsgpack.unpack('\216')
return cmsgpack.unpack('\199')
return cmsgpack.unpack('\204')
return cmsgpack.unpack('\205\1')
return cmsgpack.unpack('\206\1\1\1')
return cmsgpack.unpack('\207\1\1\1\1\1\1\1')
return cmsgpack.unpack('\208')
return cmsgpack.unpack('\209\1')
return cmsgpack.unpack('\210\1')
return cmsgpack.unpack('\211\1')
return cmsgpack.unpack('\202\1')
return cmsgpack.unpack('\203\1')
return cmsgpack.unpack('\217')
return cmsgpack.unpack('\217\5ab')
return cmsgpack.unpack('\218\0')
return cmsgpack.unpack('\218\0\5ab')
return cmsgpack.unpack('\219\0\0\0')
return cmsgpack.unpack('\219\0\0\0\5ab')
return cmsgpack.unpack('\219\255\255\255\255ab')
return cmsgpack.unpack('\220\0')
return cmsgpack.unpack('\220\0\5\1')
return cmsgpack.unpack('\221\255\255\255\255\1')
return cmsgpack.unpack('\222\0')
return cmsgpack.unpack('\222\0\1\1')
return cmsgpack.unpack('\223\255\255\255\255\1')
return cmsgpack.unpack('\165ab')
return cmsgpack.unpack('\146\1')
return cmsgpack.unpack('\129\1')
return cmsgpack.unpack('\129\192\1')
return tostring(cmsgpack.unpack('\204\255')) .. ' ' .. tostring(cmsgpack.unpack('\205\255\255')) .. ' ' .. tostring(cmsgpack.unpack('\206\255\255\255\255'))
return tostring(cmsgpack.unpack('\207\255\255\255\255\255\255\255\255')) .. ' ' .. tostring(cmsgpack.unpack('\207\128\0\0\0\0\0\0\0'))
return tostring(cmsgpack.unpack('\208\255')) .. ' ' .. tostring(cmsgpack.unpack('\209\255\254')) .. ' ' .. tostring(cmsgpack.unpack('\210\255\255\255\253')) .. ' ' .. tostring(cmsgpack.unpack('\211\255\255\255\255\255\255\255\252'))
return tostring(cmsgpack.unpack('\202\63\192\0\0')) .. ' ' .. tostring(cmsgpack.unpack('\203\63\248\0\0\0\0\0\0'))
return cmsgpack.unpack('\202\127\248\0\1') ~= cmsgpack.unpack('\203\127\248\0\0\0\0\0\1')
return {cmsgpack.unpack_one('\1\2\3')}
return {cmsgpack.unpack_one('\1\2\3', 1)}
return {cmsgpack.unpack_one('\1\2\3', 2)}
return {cmsgpack.unpack_one('\1\2\3', 3)}
return {cmsgpack.unpack_one('\1\2\3', 4)}
return {cmsgpack.unpack_one('\1\2\3', -1)}
return {cmsgpack.unpack_one('')}
return {cmsgpack.unpack_limit('\1\2\3', 2)}
return {cmsgpack.unpack_limit('\1\2\3', 2, 1)}
return {cmsgpack.unpack_limit('\1\2\3', 5)}
return {cmsgpack.unpack_limit('\1\2\3', 0)}
return {cmsgpack.unpack_limit('\1\2\3', -1)}
return {cmsgpack.unpack_limit('\1\2\3')}
return {cmsgpack.unpack_limit()}
return cmsgpack.unpack(('\145'):rep(100) .. '\1')
return cmsgpack.unpack(('\145'):rep(100000))
return cmsgpack.unpack(('\129'):rep(100000))
return #{cmsgpack.unpack(('\1'):rep(5000))}
return #{cmsgpack.unpack(('\1'):rep(100000))}
local t = {} for i = 1, 40 do t = {t} end return #cmsgpack.pack(t)
local t = {} t[1] = t return #cmsgpack.pack(t)
local t = {} for i = 1, 70000 do t[i] = 1 end return #cmsgpack.pack(t) .. ' ' .. #cmsgpack.unpack(cmsgpack.pack(t))
local t = {} for i = 1, 20 do t['k' .. i] = i end local u = cmsgpack.unpack(cmsgpack.pack(t)) return {u.k1, u.k20}
""")

# ---- struct. ----
for fmt, args in [("b", "-1"), ("B", "255"), ("h", "-2"), ("H", "65534"), ("l", "-3"), ("L", "3"), ("T", "4"),
                  ("i", "-5"), ("I", "5"), ("i3", "-6"), ("I5", "7"), ("i16", "-8"), ("I32", "9"), ("i0", "1"),
                  ("f", "1.5"), ("d", "0.1"), (">h", "258"), ("<h", "258"), (">i3", "66051"), (">d", "0.1"),
                  (">f", "1.5"), ("s", "'abc'"), ("c2", "'abc'"), ("c0", "'abc'"), ("c", "'abc'"), ("bxb", "1, 2"),
                  ("!bi", "1, 2"), ("!4bd", "1, 2"), ("!8bd", "1, 2"), ("!2bl", "1, 2"), ("b !i", "1, 2"),
                  (">!8bhilfd", "1, 2, 3, 4, 5, 6"), ("<!4bhilfd", "1, 2, 3, 4, 5, 6"), ("Bs", "3, 'xyz'"),
                  ("Bc0", "3, 'xyz'"), ("L", "-1"), ("L", "2^64"), ("L", "1e300"), ("l", "-1e300"), ("l", "0/0"),
                  ("B", "3.9"), ("b", "'12'"), ("!3i", "1"), ("!0i", "1"), ("i33", "1"), ("i99999999999", "1"),
                  ("c5", "'abc'"), ("b", ""), ("b", "'x'"), ("s", "nil"), ("z", "1"), ("b?", "1"), ("!16bd", "1, 2"),
                  ("c2147483647", "'a'"), ("c2147483648", "'a'"), ("", ""), (" ", ""), ("x", ""), ("s", "5"),
                  ("!1073741824i8", "1")]:
    call = f"'{fmt}'" + (f", {args}" if args else "")
    SCRIPTS.append(HEX + f"return hex(struct.pack({call}))")
    back = fmt if "c0" not in fmt or fmt.startswith("B") else fmt.replace("c0", "c3")
    SCRIPTS.append(f"local r = {{struct.unpack('{back}', struct.pack({call}))}} "
                   "for i, v in ipairs(r) do r[i] = tostring(v) end return r")
    SCRIPTS.append(f"return struct.size('{fmt}')")
add(r"""
return struct.pack()
return struct.pack(5)
return struct.pack({})
return struct.unpack('b')
return struct.unpack('b', '')
return struct.unpack('i', 'abc')
return {struct.unpack('b', 'abc', 2)}
return {struct.unpack('b', 'abc', 4)}
return {struct.unpack('b', 'abc', 0)}
return {struct.unpack('b', 'abc', -1)}
return {struct.unpack('s', 'abc')}
return {struct.unpack('s', 'abc\0def')}
return {struct.unpack('ss', 'abc\0def\0')}
return {struct.unpack('c0', 'abc')}
return {struct.unpack('sc0', 'abc\0def')}
return {struct.unpack('Bc0', '\3abcdef')}
return {struct.unpack('Bc0', '\9abcdef')}
return {struct.unpack('bc0', '\255abcdef')}
return {struct.unpack('c3', 'abcdef')}
return {struct.unpack('c9', 'abcdef')}
return {struct.unpack('xxb', 'abc')}
return {struct.unpack('!8bd', 'abcdefghijklmnop')}
return {struct.unpack('I16', 'abcdefghijklmnop')}
return {tostring(struct.unpack('I8', '\255\255\255\255\255\255\255\255'))}
return {tostring(struct.unpack('i8', '\255\255\255\255\255\255\255\255'))}
return {struct.unpack('q', 'abcdefghijklmnop')}
return {struct.unpack('b', 'a', 2^40)}
return {struct.unpack('!8l', 'abcdefgh', -1)}
return #{struct.unpack(('b'):rep(300), ('a'):rep(300))}
return #{struct.unpack(('b'):rep(100000), ('a'):rep(100000))}
return struct.size('s')
return struct.size('c0')
return struct.size('bhilfd')
return struct.size('!8bhilfd')
return struct.size('z')
return struct.size('@')
return struct.size('c2147483647c2147483647')
""")

# ---- Whole programs. ----
add_block("""
local count = 0
local seen = {}
for word in ([[the quick brown fox jumps over the lazy dog the end]]):gmatch('%a+') do
  seen[word] = (seen[word] or 0) + 1
  count = count + 1
end
return {count, seen.the, seen.fox}
""")
add_block("""
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
return fib(20)
""")
add_block("""

error('third line')
""")
add_block("""
local t = {}
for i = 1, 3 do
  t[i] = redis.call('echo', i)
end
redis.call('nosuch')
return t
""")
add_block("#!lua\nreturn 'shebang'")
add_block("#!lua flags=no-writes\nreturn 'shebang'")
add_block("#!lua flags=no-writes,allow-stale\nerror('line 2')")
add_block("#!lua flags=nosuch\nreturn 1")
add_block("#!lua flags=\nreturn 1")
add_block("#!lua flags=no-writes,\nreturn 1")
add_block("#!lua name=x\nreturn 1")
add_block("#!js\nreturn 1")
add_block("#!lua")
add_block("#!\nreturn 1")
add_block("#!lua 'unbalanced\nreturn 1")

# ---- Libraries. ----
LIBRARIES = [
    "redis.register_function('f', function(keys, args) return {#keys, #args} end)",
    "redis.register_function('f', function(keys, args) return args[1] end)",
    "redis.register_function{function_name='f', callback=function() return 'named' end}",
    "redis.register_function{function_name='f', callback=function() return 1 end, flags={'no-writes'}, description='d'}",
    "redis.register_function{function_name='f', callback=function() return 1 end, flags={'nosuch'}}",
    "redis.register_function{function_name='f', callback=function() return 1 end, flags={5}}",
    "redis.register_function{function_name='f', callback=function() return 1 end, flags='x'}",
    "redis.register_function{function_name='f', callback=5}",
    "redis.register_function{function_name={}, callback=function() end}",
    "redis.register_function{function_name='f'}",
    "redis.register_function{callback=function() end}",
    "redis.register_function{function_name='f', callback=function() end, description={}}",
    "redis.register_function{function_name='f', callback=function() end, nosuch=1}",
    "redis.register_function{function_name='f', callback=function() end, [{}]=1}",
    "redis.register_function{FUNCTION_NAME='f', CallBack=function() return 'case' end}",
    "redis.register_function()",
    "redis.register_function(1, 2, 3)",
    "redis.register_function('f')",
    "redis.register_function({}, function() end)",
    "redis.register_function('f', 5)",
    "redis.register_function('f f', function() end)",
    "redis.register_function('', function() end)",
    "redis.register_function('f', function() end) redis.register_function('f', function() end)",
    "return 1",
    "x = 1",
    "return redis.call('ping')",
    "return redis.sha1hex('x')",
    "return math.floor(1)",
    "return KEYS",
    "error('x')",
    "local n = nil; n.x = 1",
    "x x",
    "redis.log(redis.LOG_DEBUG, 'hello') redis.register_function('f', function() return 'logged' end)",
    "local n = 40 redis.register_function('f', function() n = n + 2 return n end)",
    "redis.register_function('f', function() return redis.call('echo', 'x') end)",
    "redis.register_function('f', function() return redis.call('nosuch') end)",
    "redis.register_function('f', function() return redis.pcall('nosuch').err end)",
    "redis.register_function('f', function() return redis.register_function('g', function() end) end)",
    "local r = redis redis.register_function('f', function() return r.register_function('g', function() end) end)",
    "local r = redis redis.register_function('f', function() r.x = 1 end)",
    "redis.register_function('f', function() x = 1 end)",
    "redis.register_function('f', function() return x end)",
    "redis.register_function('f', function() return KEYS end)",
    "redis.register_function('f', function() return type(_G) .. type(_G.redis) .. tostring(_G == _G._G) end)",
    "redis.register_function('f', function() return redis.breakpoint end)",
    "redis.register_function('f', function() error('in f') end)",
    "redis.register_function('f', function() error({err='MY in f'}) end)",
    "redis.register_function('f', function() return cjson.encode({1}) .. bit.tohex(1) .. #cmsgpack.pack(1) end)",
    "redis.register_function('f', function() return setmetatable(_G, {}) end)",
    "redis.register_function('f', function() rawset(_G, 'x', 1) end)",
    "redis.register_function('f', function() redis.setresp(3) return true end)",
    "redis.register_function('f', function() return loadstring('return x')() end)",
    "redis.register_function('f', function() return {map={a=1}} end)",
]
SCRIPTS += [f"F {code}" for code in LIBRARIES]


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def send(self, *args):
        out = b"*%d\r\n" % len(args)
        for arg in args:
            arg = arg if isinstance(arg, bytes) else str(arg).encode()
            out += b"$%d\r\n%s\r\n" % (len(arg), arg)
        self.socket.sendall(out)
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        kind, rest = line[:1], line[1:-2]
        if kind in b"$=":
            size = int(rest)
            return line if size < 0 else line + self.file.read(size + 2)
        if kind in b"*~%>|":
            count = int(rest) * (2 if kind in b"%|" else 1) + (1 if kind == b"|" else 0)
            return line + b"".join(self.read() for _ in range(max(count, 0)))
        return line


def escape(data):
    out = []
    for byte in data:
        out.append(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}")
    return "".join(out)


def main():
    port = int(sys.argv[1])
    for resp in (2, 3):
        client = Client(port)
        client.send("HELLO", resp)
        client.send("HSET", "h", "a", "1")
        client.send("SADD", "s", "x")
        client.send("ZADD", "z", "1.5", "m")
        for script in SCRIPTS:
            data = script.encode()
            if script.startswith("F "):
                client.send("FUNCTION", "FLUSH")
                reply = client.send("FUNCTION", "LOAD", b"#!lua name=lib\n" + data[2:])
                if not reply.startswith(b"-"):
                    reply = client.send("FCALL", "f", 0)
            else:
                reply = client.send("EVAL", data, 1, "key one", "argument")
            print(f"{resp}\t{escape(data)}\t{escape(reply)}")


main()
