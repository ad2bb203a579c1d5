// An entry rewritten in its own memory says the same as one made anew, or is refused because its layout would change.
#include "server/keyspace/entry.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace synap {
namespace {

struct Freed {
  void operator()(Entry* entry) const { Entry::free_memory(entry); }
};
using OwnedEntry = std::unique_ptr<Entry, Freed>;

Entry::Parts inline_parts(std::string_view key, std::string_view value, int64_t expiry_ms) {
  return {.type = ValueType::kString, .storage = Storage::kRaw, .key = key, .expiry_ms = expiry_ms, .inline_value = value, .access_clock = 7};
}
Entry::Parts integer_parts(std::string_view key, uint64_t word, int64_t expiry_ms) {
  return {.type = ValueType::kString, .storage = Storage::kInt, .key = key, .expiry_ms = expiry_ms, .word = word, .access_clock = 7};
}

bool says(const Entry& entry, const Entry::Parts& parts) {
  const Entry::Parts is = entry.parts();
  return is.type == parts.type && is.storage == parts.storage && is.key == parts.key && is.expiry_ms == parts.expiry_ms &&
         is.inline_value == parts.inline_value && is.word == parts.word && is.access_clock == parts.access_clock;
}

TEST_CASE("an entry is rewritten in place if and only if its layout stays") {
  for (const size_t key_bytes : {0, 1, 17, 4094, 4095, 4096, 70000}) {
    const std::string key(key_bytes, 'k');
    const std::string one(64, 'x');
    const std::string other(64, 'y');
    std::vector<Entry::Parts> all;
    for (const int64_t expiry_ms : {kNoExpiry, int64_t{12345}}) {
      for (const std::string_view value : {std::string_view(one), std::string_view(other), std::string_view("short"), std::string_view()}) {
        all.push_back(inline_parts(key, value, expiry_ms));
      }
      all.push_back(integer_parts(key, 1, expiry_ms));
      all.push_back(integer_parts(key, UINT64_MAX, expiry_ms));
    }
    for (const Entry::Parts& before : all) {
      for (const Entry::Parts& after : all) {
        const OwnedEntry entry(Entry::make(before));
        REQUIRE(says(*entry, before));
        const bool alike = (before.expiry_ms == kNoExpiry) == (after.expiry_ms == kNoExpiry) && before.storage == after.storage &&
                           before.inline_value.size() == after.inline_value.size();
        REQUIRE(entry->rewrite_in_place(after) == alike);
        CHECK(says(*entry, alike ? after : before));
      }
    }
  }
}

TEST_CASE("an entry keeps its own value when only its head is rewritten") {
  const OwnedEntry entry(Entry::make(inline_parts("key", "value", 1)));
  Entry::Parts parts = entry->parts();
  parts.expiry_ms = 2;
  parts.storage = Storage::kEmbstr;
  REQUIRE(entry->rewrite_in_place(parts));
  CHECK(entry->expiry_ms() == 2);
  CHECK(entry->storage() == Storage::kEmbstr);
  CHECK(entry->inline_value() == "value");
  CHECK(entry->key() == "key");
}

}  // namespace
}  // namespace synap
