#include "scripting/script_cache.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "scripting/sha1.h"
#include "tests/unit/server/base/shaker.h"

namespace synap {
namespace {

std::string sha_of(std::string_view body) {
  char hex[kSha1HexBytes];
  sha1_hex(body, hex);
  return {hex, sizeof(hex)};
}

TEST_CASE("scripts are found by SHA1 in any case until they are flushed") {
  ScriptCache cache;
  CHECK(sha_of("return 1") == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
  const auto script = cache.add(sha_of("return 1"), "return 1", {}, false);
  CHECK(cache.find("E0E1F9FABFC9D4800C877A703B823AC0578FF8DB") == script);
  CHECK(cache.add(sha_of("return 1"), "return 1", {}, true) == script);
  CHECK(cache.count() == 1);
  CHECK(cache.memory_bytes() > 0);
  cache.flush();
  CHECK_FALSE(script->live.load());
  CHECK(cache.find(script->sha) == nullptr);
  CHECK(cache.memory_bytes() == 0);
}

TEST_CASE("of the scripts that came by EVAL the least recently used are evicted, loaded ones never") {
  ScriptCache cache;
  const auto loaded = cache.add(sha_of("loaded"), "loaded", {}, false);
  const auto kept = cache.add(sha_of("kept"), "kept", {}, true);
  const auto promoted = cache.add(sha_of("promoted"), "promoted", {}, true);
  cache.add(promoted->sha, "promoted", {}, false);
  const auto first = cache.add(sha_of("0"), "0", {}, true);
  for (int i = 1; i < 2000; ++i) {
    cache.touch(kept.get());
    const std::string body = std::to_string(i);
    cache.add(sha_of(body), body, {}, true);
  }
  CHECK(cache.count() == ScriptCache::kEvictableMax + 2);
  CHECK(cache.evicted() == 2001 - ScriptCache::kEvictableMax);
  CHECK_FALSE(first->live.load());
  for (const auto& script : {loaded, kept, promoted}) CHECK(cache.find(script->sha) == script);
}

TEST_CASE("bodies are found where they were moved to, and given up when their scripts end") {
  ScriptCache cache;
  Shaker shaker;
  std::vector<std::shared_ptr<CachedScript>> scripts;
  for (size_t i = 0; i < 300; ++i) {
    const std::string body = std::string(i, 'x') + std::to_string(i);
    scripts.push_back(cache.add(sha_of(body), body, {}, false));
  }
  for (int round = 0; round < 3; ++round) {
    uint64_t cursor = 0;
    do {
      cursor = cache.relocate(cursor, 10, shaker);
    } while (cursor != 0);
    for (size_t i = 0; i < scripts.size(); ++i) {
      CHECK(scripts[i]->body.view() == std::string(i, 'x') + std::to_string(i));
      CHECK(cache.find(scripts[i]->sha) == scripts[i]);
    }
  }
  CHECK(shaker.moved > scripts.size());
  cache.flush();
  for (const auto& script : scripts) CHECK(script->body.view().data() == nullptr);
}

}  // namespace
}  // namespace synap
