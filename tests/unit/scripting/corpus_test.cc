// Every script of corpus.txt answers as redis-server 7.0 did, apart from the differences listed here.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "scripting/library_load.h"
#include "scripting/lua_engine.h"
#include "scripting/script_flags.h"
#include "scripting/sha1.h"
#include "tests/unit/scripting/fake_host.h"

namespace synap {
namespace {

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 2, 2)), nullptr, 16)));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string error_reply(int resp, const std::string& text) {
  OutputBuffer buffer;
  Reply(&buffer, resp).error(text);
  return buffer.to_string();
}

std::string run_to_end(LuaEngine& engine, ScriptRun* run, int resp) {
  OutputBuffer buffer;
  Reply reply(&buffer, resp);
  ScriptState state = engine.resume(run);
  while (state == ScriptState::kSliced || state == ScriptState::kWaiting) state = engine.resume(run);
  engine.write_result(run, &reply);
  engine.end(run);
  return buffer.to_string();
}

std::string run_eval(LuaEngine& engine, FakeHost& host, const std::string& script, int resp) {
  ScriptShebang shebang;
  std::string error;
  if (!parse_script_shebang(script, &shebang, &error)) return error_reply(resp, "ERR " + error);
  const int ref = engine.compile(std::string_view(script).substr(shebang.bytes), "@user_script", &error);
  if (ref == LUA_NOREF) return error_reply(resp, "ERR Error compiling script (new function): " + error);
  char sha[kSha1HexBytes];
  sha1_hex(script, sha);
  const std::string_view keys[] = {"key one"};
  const std::string_view argv[] = {"argument"};
  const std::string reply = run_to_end(engine, engine.begin_eval(ref, {sha, sizeof(sha)}, keys, argv, &host), resp);
  engine.release(ref);
  return reply;
}

std::string run_library(LuaEngine& engine, FakeHost& host, const std::string& code, int resp) {
  LibraryLoad load;
  std::string error;
  if (!engine.run_library("\n" + code, 500, &load, &error)) return error_reply(resp, "ERR " + error);
  if (load.functions.empty()) return error_reply(resp, "ERR No functions registered");
  const int ref = load.functions[0].callback_ref;
  const std::string reply = run_to_end(engine, engine.begin_function(ref, load.functions[0].name, {}, {}, &host), resp);
  for (const RegisteredFunction& function : load.functions) engine.release(function.callback_ref);
  return reply;
}

struct Difference {
  std::string_view script;  // a part of it
  std::string_view reason;
};

// Where LuaJIT or safety calls for something else than Redis 7.0 with Lua 5.1.
constexpr Difference kDifferences[] = {
    {"{double=0.1}", "shortest form of numbers since Redis 7.2"},
    {"'echo', 0.1)", "shortest form of numbers since Redis 7.2"},
    {"redis.log(7, 'y')", "text since Redis 7.2"},
    {"redis.set_repl()", "text since Redis 7.2"},
    {"local function f() return f() + 1 end", "LuaJIT says 'stack overflow' without the place"},
    {"assert(false, {err='TBL x'})", "LuaJIT's assert raises any value"},
    {"ipairs()", "LuaJIT's wording"},
    {"string.format('%s')", "LuaJIT's wording"},
    {"string.format('%q', 'a", "LuaJIT's %q escapes control characters in decimal"},
    {"coroutine.create(5)", "LuaJIT's wording"},
    {"coroutine.yield('y')", "LuaJIT yields across pcall"},
    {"[1]=1, [20]=20", "LuaJIT's order of keys"},
    {"[1]=1, [5]=5", "LuaJIT's order of keys"},
    {"{[1]=1,[3]=3}", "LuaJIT's order of keys"},
    {"return r.register_function(", "a tail call of a local in a function: LuaJIT loses the place"},
};

TEST_CASE("scripts answer as redis-server does") {
  std::ifstream file(SYNAP_SOURCE_DIR "/tests/unit/scripting/corpus.txt");
  REQUIRE(file.good());
  LuaEngine engine({});
  FakeHost host;
  std::string line;
  size_t count = 0;
  while (std::getline(file, line)) {
    const size_t first = line.find('\t');
    const size_t second = line.find('\t', first + 1);
    const int resp = line[0] - '0';
    const std::string script = unescape(std::string_view(line).substr(first + 1, second - first - 1));
    const std::string expected = unescape(std::string_view(line).substr(second + 1));
    bool differs = false;
    for (const Difference& known : kDifferences) differs |= script.find(known.script) != std::string::npos;
    const std::string actual = script.starts_with("F ") ? run_library(engine, host, script.substr(2), resp)
                                                        : run_eval(engine, host, script, resp);
    ++count;
    CAPTURE(resp);
    CAPTURE(script);
    if (!differs) CHECK(actual == expected);
  }
  CHECK(count > 1500);
  CHECK(engine.runs_in_flight() == 0);
}

}  // namespace
}  // namespace synap
