#include "persistence/aof_manifest.h"

#include <doctest/doctest.h>

#include "persistence/file.h"
#include "tests/unit/persistence/memory_files.h"

using namespace synap;
using synap_test::MemoryFiles;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = AofManifest::parse(text);
  return parsed.ok() ? "" : std::string(parsed.status().detail());
}

}  // namespace

TEST_CASE("AofManifest: what Redis writes is read, and written the same") {
  const std::string text =
      "file appendonly.aof.2.base.rdb seq 2 type b\n"
      "file appendonly.aof.1.base.rdb seq 1 type h\n"
      "file appendonly.aof.1.incr.aof seq 1 type h\n"
      "file appendonly.aof.2.incr.aof seq 2 type i\n"
      "file appendonly.aof.3.incr.aof seq 3 type i\n";
  auto manifest = AofManifest::parse(text);
  REQUIRE(manifest.ok());
  CHECK(manifest->format() == text);
  CHECK(manifest->base->name == "appendonly.aof.2.base.rdb");
  CHECK(manifest->increments.size() == 2);
  CHECK(manifest->next_base("a", true).name == "a.3.base.rdb");
  CHECK(manifest->next_base("a", false).name == "a.4.base.aof");
  CHECK(manifest->next_increment("a").name == "a.4.incr.aof");
}

TEST_CASE("AofManifest: names with blanks are quoted; comments and unknown words are passed over") {
  const auto manifest = AofManifest::parse("# by hand\nfile \"a file.1.base.aof\" seq 1 type b later yes\n");
  REQUIRE(manifest.ok());
  CHECK(manifest->base->name == "a file.1.base.aof");
  CHECK(manifest->format() == "file \"a file.1.base.aof\" seq 1 type b\n");
  CHECK(AofManifest::parse(manifest->format()).ok());
}

TEST_CASE("AofManifest: what is wrong is refused with Redis's words") {
  CHECK(error_of("") == "Found an empty AOF manifest");
  CHECK(error_of("file a seq 1 type b") == "Invalid AOF manifest file format");  // a line that was not written to its end
  CHECK(error_of("file a seq 1\n") == "Invalid AOF manifest file format");
  CHECK(error_of("file a seq x type b\n") == "Invalid AOF manifest file format");
  CHECK(error_of("file ../a seq 1 type b\n") == "File can't be a path, just a filename");
  CHECK(error_of("file a seq 1 type b\nfile b seq 2 type b\n") == "Found duplicate base file information");
  CHECK(error_of("file a seq 2 type i\nfile b seq 2 type i\n") == "Found a non-monotonic sequence number");
  CHECK(error_of("file a seq 1 type q\n") == "Unknown AOF file type");
  CHECK(error_of("file " + std::string(2000, 'a') + " seq 1 type b\n") == "The AOF manifest file contains too long line");
}

TEST_CASE("AofManifest: replace_file leaves the old or the new, whatever fails") {
  using Fault = MemoryFiles::Fault;
  for (const Fault fault : {Fault::kOpen, Fault::kWrite, Fault::kShortWrite, Fault::kSync, Fault::kRename, Fault::kSyncDirectory}) {
    MemoryFiles files;
    files.put("d/manifest", "old");
    files.fail(fault, 1);
    CHECK_FALSE(replace_file(&files, "d", "d/manifest", "newer").ok());
    CHECK(files.content("d/manifest") == (fault == Fault::kSyncDirectory ? "newer" : "old"));
    CHECK(replace_file(&files, "d", "d/manifest", "newest").ok());
    CHECK(files.content("d/manifest") == "newest");
  }
}
