#include "scripting/lua_engine.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "scripting/library_load.h"
#include "scripting/lua_source.h"
#include "server/base/clock.h"
#include "tests/unit/scripting/fake_host.h"

namespace synap {
namespace {

struct Script {
  explicit Script(LuaEngine& in, std::string_view code) : engine(in) {
    std::string error;
    ref = engine.compile(code, "@user_script", &error);
    REQUIRE_MESSAGE(ref != LUA_NOREF, error);
  }
  ~Script() { engine.release(ref); }
  ScriptRun* begin(ScriptHost* host, std::vector<std::string_view> keys = {}) {
    return engine.begin_eval(ref, "sha", keys, {}, host);
  }
  LuaEngine& engine;
  int ref;
};

std::string take_result(LuaEngine& engine, ScriptRun* run) {
  OutputBuffer buffer;
  Reply reply(&buffer, 2);
  engine.write_result(run, &reply);
  engine.end(run);
  return buffer.to_string();
}

// Of a run that needs one slice.
std::string result_of(LuaEngine& engine, ScriptRun* run) {
  CHECK(engine.resume(run) == ScriptState::kDone);
  return take_result(engine, run);
}

std::string eval(LuaEngine& engine, std::string_view code, FakeHost* host = nullptr, int* slices = nullptr) {
  FakeHost own;
  Script script(engine, code);
  ScriptRun* run = script.begin(host == nullptr ? &own : host);
  ScriptState state = engine.resume(run);
  int count = 1;
  for (; state == ScriptState::kSliced || state == ScriptState::kWaiting; ++count) state = engine.resume(run);
  if (slices != nullptr) *slices = count;
  return take_result(engine, run);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST_CASE("a long script runs in slices of bounded time") {
  LuaEngine engine({});
  FakeHost host;
  for (const char* code : {
           "local n = 0 for i = 1, 5000000 do n = n + i % 3 end return n",
           "local n = 0 local f = coroutine.wrap(function() for i = 1, 5000000 do n = n + i % 3 end end) f() return n",
           "local n = 0 pcall(pcall, function() for i = 1, 5000000 do n = n + i % 3 end end) return n",
           "local n = 0 xpcall(function() error('x') end, function() for i = 1, 5000000 do n = n + i % 3 end end) "
           "return n",
           "local n = 0 table.sort({3,2,1}, function(a, b) for i = 1, 2000000 do n = n + 1 end return a < b end) "
           "return 1",
           "local n = 0 ('aaa'):gsub('a', function() for i = 1, 2000000 do n = n + 1 end end) return 1",
           "local t = setmetatable({}, {__index = function() for i = 1, 5000000 do end return 1 end}) return t.x",
           "local t = setmetatable({}, {__lt = function() for i = 1, 5000000 do end return true end}) return t < t and "
           "1",
           "local t = setmetatable({}, {__tostring = function() for i = 1, 5000000 do end return '1' end}) return "
           "tostring(t)",
           "local n = 0 load(function() n = n + 1 for i = 1, 5000000 do end return n < 3 and ' ' or nil end) return 1",
           "local f = coroutine.wrap(function() local g = coroutine.wrap(function() table.sort({2,1}, function(a, b) "
           "for i = 1, 5000000 do end return a < b end) end) g() end) f() return 1",
       }) {
    CAPTURE(code);
    Script script(engine, code);
    ScriptRun* run = script.begin(&host);
    int64_t longest_us = 0;
    int slices = 0;
    ScriptState state = ScriptState::kSliced;
    while (state == ScriptState::kSliced) {
      const int64_t begin_us = read_clock_us(CLOCK_THREAD_CPUTIME_ID);  // what others run does not count
      state = engine.resume(run);
      longest_us = std::max(longest_us, read_clock_us(CLOCK_THREAD_CPUTIME_ID) - begin_us);
      ++slices;
    }
    CHECK(state == ScriptState::kDone);
    CHECK(slices > 5);
    CHECK(longest_us < 200'000);
    CHECK_FALSE(contains(take_result(engine, run), "-ERR"));
  }
}

TEST_CASE("a kill cannot be swallowed") {
  LuaEngine engine({});
  FakeHost host;
  for (const char* code : {
           "while true do end",
           "while true do pcall(function() while true do end end) end",
           "while true do pcall(error, 'x') end",
           "while true do xpcall(function() while true do end end, function() while true do end end) end",
           "local f f = function() return pcall(f) end while true do f() end",
           "while true do coroutine.wrap(function() while true do pcall(function() while true do end end) end end)() "
           "end",
           "table.sort({1,2,3}, function() while true do pcall(function() while true do end end) end end)",
           "('x'):gsub('x', function() while true do end end)",
           "setmetatable({}, {__index = function() while true do end end}).x = nil return setmetatable({}, {__index = "
           "function() while true do end end}).y",
           "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
       }) {
    CAPTURE(std::string(code));
    Script script(engine, code);
    ScriptRun* run = script.begin(&host);
    for (int i = 0; i < 3; ++i) REQUIRE(engine.resume(run) == ScriptState::kSliced);
    run->request_kill();
    REQUIRE(engine.resume(run) == ScriptState::kFailed);
    const std::string reply = take_result(engine, run);
    CAPTURE(reply);
    CHECK(contains(reply, "-ERR Script killed by user with SCRIPT KILL. script: sha, on @user_script:1."));
  }
  CHECK(eval(engine, "return 'alive'") == "$5\r\nalive\r\n");
}

TEST_CASE("a script in code that cannot be suspended is stopped in the end") {
  LuaEngineOptions options;
  options.stuck_us_max = 50'000;
  LuaEngine engine(options);
  // LuaJIT's format calls __tostring from C.
  const std::string reply = eval(engine,
                                 "local t = setmetatable({}, {__tostring = function() while true do end end}) "
                                 "while true do pcall(string.format, '%s', t) end");
  CHECK(contains(reply, "-ERR Script ran too long"));
  CHECK(eval(engine, "return 1") == ":1\r\n");
}

TEST_CASE("commands may wait, wherever the script stands") {
  LuaEngine engine({});
  FakeHost host;
  host.waits_per_call = 3;
  int slices = 0;
  CHECK(eval(engine, "redis.call('set', 'k', 5.5) return redis.call('get', 'k')", &host, &slices) == "$3\r\n5.5\r\n");
  CHECK(slices >= 7);
  CHECK(contains(eval(engine, "return {pcall(redis.call, 'nosuch')}", &host), "*2\r\n$-1\r\n$"));
  CHECK(contains(eval(engine, "return select(2, pcall(redis.call, 'nosuch'))", &host), "Unknown Redis command"));
  CHECK(contains(eval(engine, "\n\nredis.call('nosuch')", &host), "from script script: sha, on @user_script:3."));
  CHECK(eval(engine, "return redis.pcall('nosuch')", &host) == "-ERR Unknown Redis command called from script\r\n");
  CHECK(eval(engine,
             "return coroutine.wrap(function() return coroutine.wrap(function() return redis.call('get', 'k') end)() "
             "end)()",
             &host) == "$3\r\n5.5\r\n");
  CHECK(eval(engine, "local t = {'b', 'a'} table.sort(t, function(a, b) redis.call('ping') return a < b end) return t",
             &host) == "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  CHECK(eval(engine, "return (('x'):gsub('x', function() return redis.call('get', 'k') end))", &host) ==
        "$3\r\n5.5\r\n");
}

TEST_CASE("scripts that overlap do not see each other") {
  LuaEngine engine({});
  FakeHost host;
  host.waits_per_call = 1;
  Script script(engine, "math.randomseed(1) redis.call('ping') redis.setresp(3) return {KEYS[1], math.random(1000)}");
  std::vector<ScriptRun*> runs;
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  for (const std::string& name : names) {
    runs.push_back(script.begin(&host, {name}));
    REQUIRE(engine.resume(runs.back()) == ScriptState::kWaiting);
  }
  CHECK(engine.runs_in_flight() == 4);
  for (size_t i = 0; i < runs.size(); ++i) {
    REQUIRE(engine.resume(runs[i]) == ScriptState::kDone);
    CHECK(take_result(engine, runs[i]) == "*2\r\n$1\r\n" + names[i] + "\r\n:42\r\n");
  }
  CHECK(engine.runs_in_flight() == 0);
}

TEST_CASE("a run can be dropped at any time") {
  LuaEngine engine({});
  FakeHost host;
  host.waits_per_call = 1;
  Script script(engine, "redis.call('ping') while true do end");
  engine.end(script.begin(&host));
  ScriptRun* run = script.begin(&host);
  engine.resume(run);
  engine.end(run);
  run = script.begin(&host);
  engine.resume(run);
  engine.resume(run);
  engine.end(run);
  CHECK(eval(engine, "return 1") == ":1\r\n");
}

TEST_CASE("memory is limited and given back") {
  LuaEngineOptions options;
  options.memory_bytes_max = 32 << 20;
  LuaEngine engine(options);
  for (const char* code : {
           "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
           "local s = 'x' while true do s = s .. s end",
           "return ('x'):rep(1e9)",
           "local t = {} for i = 1, 1e9 do t[i] = i end",
           "local function f() return f() + 1 end return f()",
           // Strings take it to just below the limit, tables over it.
           "local s = ('x'):rep(4e6) local big = {} for i = 1, 134 do big[i] = s end local t = {} for i = 1, 60 do t = {t, t} "
           "end return cjson.encode({big, t})",
           "local t = {} t[1] = t return cjson.encode(t)",
           "return redis.call('big', 100000000)",
           "return cjson.decode('[' .. ('{},'):rep(2000000) .. '1]')",
           "return load(function() return 'x=1;' end)",
           "local co = coroutine.wrap(function(f) return coroutine.wrap(f)(f) end) return co(function(f) return "
           "coroutine.wrap(f)(f) end)",
       }) {
    CAPTURE(code);
    CHECK(contains(eval(engine, code), "-ERR"));
    CHECK(eval(engine, "collectgarbage() return 'alive'") == "$5\r\nalive\r\n");
    CHECK(engine.memory_bytes() < (16 << 20));
  }
  int slices = 0;
  const std::string swallowed =
      eval(engine, "local n = 0 for i = 1, 20 do if not pcall(string.rep, 'x', 1e8) then n = n + 1 end end return n",
           nullptr, &slices);
  CHECK(swallowed == ":20\r\n");
}

TEST_CASE("replies of tables that share or contain each other end") {
  LuaEngine engine({});
  CHECK(contains(eval(engine, "local a = {} a[1] = a return a"), "-ERR reached lua stack limit\r\n"));
  CHECK(contains(eval(engine, "local a = {} a.map = {x = a} return a"), "reached lua stack limit"));
}

TEST_CASE("KEYS are fresh, globals are shared by nobody") {
  LuaEngine engine({});
  FakeHost host;
  Script script(engine, "local old = #KEYS KEYS[5] = 'x' return old");
  for (int i = 0; i < 3; ++i) CHECK(result_of(engine, script.begin(&host, {"one"})) == ":1\r\n");
  // What one script finds it cannot leave behind.
  for (const char* code :
       {"rawset(_G, 'x', 1)", "_G.x = 1", "string.x = 1", "rawset(getmetatable('').__index, 'x', 1)",
        "table.insert(math, 1)", "setmetatable(_G, {__index = {x = 1}})", "getmetatable(_G).__index = {x = 1}",
        "next(_G)['x'] = 1",
        "for k, v in pairs(_G) do if type(v) "
        "== 'table' and k ~= 'KEYS' and k ~= 'ARGV' then v.x = 1 end end",
        "local f, t = pairs(redis) rawset(t, 'x', 1)", "table.sort(_G, function() end) _G.x = 1", "cjson.null.x = 1",
        "setmetatable(redis, nil)", "redis.call.x = 1", "coroutine.wrap(function() x = 1 end)()",
        "loadstring('x = 1')()", "rawset(cjson, 'x', 1)"}) {
    CAPTURE(code);
    CHECK(contains(eval(engine, code), "-ERR"));
    CHECK(contains(eval(engine, "return x"), "nonexistent global variable 'x'"));
    CHECK(eval(engine, "return {math.x, string.x, redis.x, cjson.x, ('').x}") == "*0\r\n");
  }
  CHECK(eval(engine, "collectgarbage('stop') collectgarbage('setpause', 1) return collectgarbage('isrunning')") ==
        ":1\r\n");
  CHECK(eval(engine, "cjson.encode_sparse_array(true) return cjson.encode({[30] = 1})") == "$8\r\n{\"30\":1}\r\n");
  CHECK(contains(eval(engine, "return cjson.encode({[30] = 1})"), "excessively sparse"));
}

TEST_CASE("decoded arrays can keep that they are arrays") {
  LuaEngine engine({});
  CHECK(eval(engine, "cjson.decode_array_with_array_mt(true) return cjson.encode(cjson.decode('[[],{}]'))") ==
        "$7\r\n[[],{}]\r\n");
  CHECK(contains(
      eval(engine, "cjson.decode_array_with_array_mt(true) getmetatable(cjson.decode('[]')).__index = {x = 1}"),
      "readonly"));
}

TEST_CASE("library code registers functions and is stopped when it takes too long") {
  LuaEngine engine({});
  FakeHost host;
  LibraryLoad load;
  std::string error;
  CHECK_FALSE(engine.run_library("while true do end", 20, &load, &error));
  CHECK(error == "Error registering functions: ERR FUNCTION LOAD timeout");
  CHECK_FALSE(engine.run_library("redis.register_function('a', function() end) error()", 20, &load, &error));
  CHECK(load.functions.empty());
  REQUIRE(
      engine.run_library("local n = 0 redis.register_function{function_name = 'count', description = 'counts', "
                         "flags = {'no-writes', 'ALLOW-OOM'}, callback = function(keys, args) n = n + #keys "
                         "return n end}",
                         20, &load, &error));
  REQUIRE(load.functions.size() == 1);
  CHECK(load.functions[0].name == "count");
  CHECK(load.functions[0].description == "counts");
  const std::string_view keys[] = {"a", "b"};
  for (const char* expected : {":2\r\n", ":4\r\n"}) {
    ScriptRun* run = engine.begin_function(load.functions[0].callback_ref, "count", keys, {}, &host);
    CHECK(result_of(engine, run) == expected);
  }
  ScriptRun* run = engine.begin_function(load.functions[0].callback_ref, "count", keys, {}, &host);
  run->request_kill();
  CHECK(engine.resume(run) == ScriptState::kFailed);
  CHECK(contains(take_result(engine, run), "-ERR Script killed by user with FUNCTION KILL."));
}

// Plain scripts see libraries without the tables that protect them: none of these may count as one.
TEST_CASE("whatever way a script takes to change what it sees, it cannot") {
  LuaEngine engine({});
  constexpr std::string_view kProbe = "return {redis.call == nil, string.len == nil, type(redis.call), KEYS[1]}";
  const std::string before = eval(engine, kProbe);
  for (const char* code : {
           "redis = nil",
           "KEYS = 1",
           "x = 1",
           "local function f() return function() y = 2 end end f()()",
           "redis.call = nil",
           "redis['call'] = nil",
           "redis[1] = 2",
           "local r = redis r.call = nil",
           "local r = (KEYS[1] and redis or redis) r.call = nil",
           "local r, s = redis, string s.len = nil",
           "(redis or cjson).call = nil",
           "local t = {redis} t[1].call = nil",
           "local function f(t) t.len = nil end f(string)",
           "local f = function() return string end f().len = nil",
           "_G.redis.call = nil",
           "_G.redis = nil",
           "loadstring('redis.call = nil')()",
           "loadstring('string.len = nil')()",
           "load(function() return nil end) rawset(string, 'len', nil)",
           "rawset(redis, 'call', nil)",
           "setmetatable(redis, nil)",
           "for k in pairs(redis) do redis[k] = nil end",
           "local k = 'call' redis[k] = nil",
           "cjson.encode, cjson.decode = nil, nil",
           "local redis = redis redis.call = nil",
           "if redis.call then redis = 1 end",
       }) {
    CAPTURE(code);
    CHECK(eval(engine, code).starts_with("-ERR "));
    CHECK(eval(engine, kProbe) == before);
  }
  CHECK(contains(eval(engine, "return missing"), "Script attempted to access nonexistent global variable 'missing'"));
  CHECK(contains(eval(engine, "local t = missing.field"), "nonexistent global variable 'missing'"));
}

TEST_CASE("plain scripts and others see their own KEYS, in turn and at the same time") {
  LuaEngine engine({});
  FakeHost host;
  Script plain(engine, "return KEYS[1]");
  Script other(engine, "local g = _G return loadstring('return KEYS[1]')() .. g.KEYS[1]");
  for (const char* key : {"a", "b"}) {
    ScriptRun* first = plain.begin(&host, {key});
    ScriptRun* second = other.begin(&host, {"x"});
    ScriptRun* third = plain.begin(&host, {"c"});
    CHECK(engine.resume(third) == ScriptState::kDone);
    CHECK(engine.resume(second) == ScriptState::kDone);
    CHECK(engine.resume(first) == ScriptState::kDone);
    CHECK(take_result(engine, third) == "$1\r\nc\r\n");
    CHECK(take_result(engine, second) == "$2\r\nxx\r\n");
    CHECK(take_result(engine, first) == "$1\r\n" + std::string(key) + "\r\n");
  }
}

TEST_CASE("functions of libraries cannot change what they see either") {
  LuaEngine engine({});
  FakeHost host;
  for (const char* body : {"redis.call = nil", "x = 1", "local s = string s.len = nil", "_G.redis = nil", "return KEYS",
                           "local r = redis return (function() r.call = nil end)()"}) {
    CAPTURE(body);
    LibraryLoad load;
    std::string error;
    REQUIRE(engine.run_library("redis.register_function('f', function() " + std::string(body) + " end)", 0, &load, &error));
    ScriptRun* run = engine.begin_function(load.functions[0].callback_ref, "f", {}, {}, &host);
    CHECK(engine.resume(run) == ScriptState::kFailed);
    CHECK(take_result(engine, run).starts_with("-ERR "));
    LibraryLoad probe;
    REQUIRE(engine.run_library("redis.register_function('g', function() return type(redis.call) .. string.len('ab') end)", 0,
                               &probe, &error));
    run = engine.begin_function(probe.functions[0].callback_ref, "g", {}, {}, &host);
    CHECK(result_of(engine, run) == "$9\r\nfunction2\r\n");
  }
}

TEST_CASE("source is rewritten only around calls after return") {
  CHECK(keep_return_frames("return redis.call('x')") == "return (redis.call('x'))");
  CHECK(keep_return_frames("return f(1)(2) -- end") == "return (f(1)(2)) -- end");
  CHECK(keep_return_frames("return a.b:c 'x' {1} + 2") == "return (a.b:c 'x' {1}) + 2");
  CHECK(keep_return_frames("return f(1), g(2)") == "return (f(1)), g(2)");
  CHECK(keep_return_frames("return ('x'):rep(3)") == "return (('x'):rep(3))");
  CHECK(keep_return_frames("return (f(1))") == "return (f(1))");
  CHECK(keep_return_frames("return x") == "return x");
  CHECK(keep_return_frames("return t[f(1)]") == "return t[f(1)]");
  CHECK(keep_return_frames("return function() return g(1) end") == "return function() return g(1) end");
  CHECK(keep_return_frames("local f = function() return redis.call('a', g(')')) end") ==
        "local f = function() return (redis.call('a', g(')'))) end");
  CHECK(keep_return_frames("local f = function() return redis.call('a').x end") ==
        "local f = function() return (redis.call('a')).x end");
  CHECK(keep_return_frames("if x then return f() else return g() end") ==
        "if x then return (f()) else return (g()) end");
  CHECK(keep_return_frames("--[[ return f() ]] return [==[ return f() ]] ]==], 'return f()'") ==
        "--[[ return f() ]] return [==[ return f() ]] ]==], 'return f()'");
  CHECK(keep_return_frames("while a do return f(function() if b then return h() end end) end return k()") ==
        "while a do return (f(function() if b then return h() end end)) end return (k())");
  CHECK(keep_return_frames("repeat local x = 1 until f() return f{a = function() end}") ==
        "repeat local x = 1 until f() return (f{a = function() end})");
}

}  // namespace
}  // namespace synap
