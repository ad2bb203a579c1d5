#include "scripting/function_library.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "scripting/script_flags.h"

namespace synap {
namespace {

std::shared_ptr<const FunctionLibrary> library(std::string name, std::vector<std::string> functions) {
  auto made = std::make_shared<FunctionLibrary>();
  made->code = "#!lua name=" + name + "\n" + std::string(functions.size() * 40, 'x');
  made->name = std::move(name);
  for (std::string& function : functions) made->functions.push_back({std::move(function), "", false, 0});
  return made;
}

TEST_CASE("names of libraries and functions are unique") {
  FunctionSet set;
  std::string error;
  REQUIRE(set.add(library("a", {"f", "g"}), false, &error));
  CHECK_FALSE(set.add(library("a", {"h"}), false, &error));
  CHECK(error == "Library 'a' already exists");
  CHECK_FALSE(set.add(library("b", {"h", "g"}), false, &error));
  CHECK(error == "Function g already exists");
  CHECK(set.functions.size() == 2);
  REQUIRE(set.add(library("a", {"g", "h"}), true, &error));
  CHECK(set.functions.size() == 2);
  CHECK(set.functions.contains("h"));
  CHECK_FALSE(set.functions.contains("f"));
  CHECK(set.remove("a"));
  CHECK_FALSE(set.remove("a"));
  CHECK(set.functions.empty());
}

TEST_CASE("a dump reads back, and nothing else does") {
  FunctionSet set;
  std::string error;
  for (size_t i = 1; i < 4; ++i) {
    const std::string name = "lib" + std::to_string(i);
    REQUIRE(set.add(library(name, std::vector<std::string>(1, "f" + name)), false, &error));
  }
  set.add(library("large", std::vector<std::string>{"many"}), false, &error);
  const std::string payload = dump_functions(set);
  std::vector<std::string> codes;
  REQUIRE(read_function_dump(payload, &codes, &error));
  REQUIRE(codes.size() == 4);
  CHECK(codes[0] == set.libraries.begin()->second->code);
  for (size_t i = 0; i < payload.size(); ++i) {
    std::string broken = payload;
    broken[i] = static_cast<char>(broken[i] ^ 1);
    CHECK_FALSE(read_function_dump(broken, &codes, &error));
    CHECK_FALSE(read_function_dump(std::string_view(payload).substr(0, i), &codes, &error));
  }
  CHECK(error == "DUMP payload version or checksum are wrong");
}

TEST_CASE("shebangs") {
  ScriptShebang script;
  std::string error;
  CHECK(parse_script_shebang("return 1", &script, &error));
  CHECK(script.flags == kScriptNoShebang);
  CHECK(parse_script_shebang("#!lua flags=no-writes,allow-oom flags=allow-stale\nreturn 1", &script, &error));
  CHECK(script.flags == (kScriptNoWrites | kScriptAllowOom | kScriptAllowStale));
  CHECK(script.bytes == 49);
  LibraryShebang shebang;
  CHECK(parse_library_shebang("#!lua name=\"quo\\x74ed\"\n", &shebang, &error));
  CHECK(shebang.name == "quoted");
  CHECK_FALSE(parse_library_shebang("#!lua name=a name=b\n", &shebang, &error));
  CHECK(error == "Invalid metadata value, name argument was given multiple times");
  CHECK_FALSE(parse_library_shebang("#!lua 'name=a\n", &shebang, &error));
  CHECK(error == "Invalid library metadata");
}

}  // namespace
}  // namespace synap
