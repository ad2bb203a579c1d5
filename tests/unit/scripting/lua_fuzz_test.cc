// Random input for the libraries that parse bytes: whatever comes, the script ends and the state lives. Meaningful
// above all in the sanitizer builds.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "scripting/lua_engine.h"
#include "scripting/lua_source.h"
#include "tests/unit/rounds.h"
#include "tests/unit/scripting/fake_host.h"

namespace synap {
namespace {

std::string random_bytes(std::mt19937& random, std::string_view alphabet, size_t size_max) {
  std::string out(random() % (size_max + 1), '\0');
  for (char& c : out) {
    c = random() % 8 == 0 || alphabet.empty() ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
  }
  return out;
}

// Runs f(ARGV[1], ARGV[2]) on random strings; what it raises is of no interest.
void hammer(std::string_view function, std::string_view first, std::string_view second, int count, unsigned seed) {
  LuaEngine engine({});
  FakeHost host;
  std::mt19937 random(seed);
  std::string error;
  const std::string code = "local f = " + std::string(function) + " return select('#', pcall(f, ARGV[1], ARGV[2]))";
  const int ref = engine.compile(code, "@user_script", &error);
  REQUIRE_MESSAGE(ref != LUA_NOREF, error);
  for (int i = 0; i < rounds(count); ++i) {
    const std::string a = random_bytes(random, first, 40);
    const std::string b = random_bytes(random, second, 40);
    const std::string_view argv[] = {a, b};
    ScriptRun* run = engine.begin_eval(ref, "sha", {}, argv, &host);
    ScriptState state = engine.resume(run);
    while (state == ScriptState::kSliced) state = engine.resume(run);
    OutputBuffer buffer;
    Reply reply(&buffer, 3);
    engine.write_result(run, &reply);
    CHECK(state == ScriptState::kDone);
    CHECK(buffer.to_string().starts_with(":"));
    engine.end(run);
  }
}

TEST_CASE("random JSON, MessagePack and structures") {
  hammer("cjson.decode", "[]{},:\"\\u0123456789abcdefnulltruefalse. -+eE", "", 20000, 1);
  hammer("cmsgpack.unpack",
         "\x90\x91\x92\x80\x81\x82\xa1\xa3\xc0\xc2\xca\xcb\xcc\xcd\xce\xcf\xd0\xd3\xd9\xda\xdb\xdc"
         "\xdd\xde\xdf",
         "", 20000, 2);
  hammer("function(s) return cmsgpack.unpack_limit(s, #s % 5, #s % 7 - 1) end", "", "", 5000, 3);
  hammer("struct.unpack", "bBhHlLTiIcsfdx <>!0123456789", "", 20000, 4);
  hammer("function(f, s) return struct.pack(f, #s, s, #s / 3, -1, s, 1e300, 7, s) end", "bBhHlLTiIcsfdx <>!0123456789",
         "", 20000, 5);
  hammer("struct.size", "bBhHlLTiIcsfdx <>!0123456789", "", 5000, 6);
}

TEST_CASE("what is packed comes back") {
  LuaEngine engine({});
  FakeHost host;
  std::string error;
  const int ref = engine.compile(R"(
    math.randomseed(tonumber(ARGV[1]))
    local function value(depth)
      local kind = math.random(depth > 4 and 5 or 7)
      if kind == 1 then return math.random(-100000, 100000) end
      if kind == 2 then return math.random() * 2 ^ math.random(-60, 60) end
      if kind == 3 then return ('x\0y"'):rep(math.random(20)) end
      if kind == 4 then return true end
      if kind == 5 then return false end
      local t = {}
      for i = 1, math.random(6) do
        if kind == 6 then t[i] = value(depth + 1) else t['k' .. math.random(100)] = value(depth + 1) end
      end
      return t
    end
    local function same(a, b, exact)
      if type(a) ~= type(b) then return false end
      if type(a) == 'number' then return a == b or (not exact and math.abs(a - b) <= math.abs(a) * 1e-13) end
      if type(a) ~= 'table' then return a == b end
      for k, v in pairs(a) do if not same(v, b[k], exact) then return false end end
      for k in pairs(b) do if a[k] == nil then return false end end
      return true
    end
    local v = value(1)
    return same(v, cmsgpack.unpack(cmsgpack.pack(v)), true) and same(v, cjson.decode(cjson.encode(v)), false)
  )",
                                 "@user_script", &error);
  REQUIRE_MESSAGE(ref != LUA_NOREF, error);
  for (int seed = 0; seed < 500; ++seed) {
    const std::string text = std::to_string(seed);
    const std::string_view argv[] = {text};
    ScriptRun* run = engine.begin_eval(ref, "sha", {}, argv, &host);
    ScriptState state = engine.resume(run);
    while (state == ScriptState::kSliced) state = engine.resume(run);
    OutputBuffer buffer;
    Reply reply(&buffer, 2);
    engine.write_result(run, &reply);
    engine.end(run);
    CAPTURE(seed);
    CHECK(buffer.to_string() == ":1\r\n");
  }
}

TEST_CASE("the source rewriter survives any text") {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (int words = static_cast<int>(random() % 20); words > 0; --words) {
      static constexpr std::string_view kWords[] = {
          "return ", "f",  "(",          ")",    "[",    "]",   "[[",         "]]",    "--",
          "'",       "\"", "{",          "}",    ".",    ":",   " function ", " end ", ",",
          "\n",      "\\", "redis.call", " do ", " if ", "[=[", "]=]",        "1.",    " until "};
      text += kWords[random() % std::size(kWords)];
    }
    const std::string out = keep_return_frames(text);
    CHECK(out.size() >= text.size());
  }
}

}  // namespace
}  // namespace synap
