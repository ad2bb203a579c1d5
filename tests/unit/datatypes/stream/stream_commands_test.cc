#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "server/command/command_table.h"
#include "server/command_list.h"

namespace synap {
namespace {

// The keys of a call written as one line, joined by spaces.
std::string keys_of(const CommandTable& table, std::string_view line) {
  std::vector<std::string_view> args;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    args.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  std::vector<KeyRef> keys;
  find_keys(*table.find_call(args), args, &keys);
  std::string found;
  for (const KeyRef& key : keys) found += (found.empty() ? "" : " ") + std::string(args[key.position]);
  return found;
}

TEST_CASE("keys of XREAD and XREADGROUP are those the command goes on to read, whatever groups are called") {
  const CommandTable table(command_families(), {});
  CHECK(keys_of(table, "xread STREAMS a b 0 0") == "a b");
  CHECK(keys_of(table, "xread COUNT 2 BLOCK 0 streams a 0") == "a");
  CHECK(keys_of(table, "xreadgroup GROUP g c STREAMS a b > >") == "a b");
  CHECK(keys_of(table, "xreadgroup COUNT 1 GROUP g STREAMS STREAMS a >") == "a");
  CHECK(keys_of(table, "xreadgroup NOACK GROUP streams streams streams streams >") == "streams");
  // Nonsense: what the key specification says.
  CHECK(keys_of(table, "xread what STREAMS a 0") == "a");
  CHECK(keys_of(table, "xreadgroup GROUP g STREAMS x1 x1 $") == "");
  CHECK(keys_of(table, "xread STREAMS a b 0") == "a");
  CHECK(keys_of(table, "xread COUNT 2 STREAMS") == "");
}

}  // namespace
}  // namespace synap
