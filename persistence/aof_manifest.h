// AofManifest: which files make up the append-only file, in Redis 7's layout: one base, increments in order, and history
// files that are to be deleted. A text file of lines "file <name> seq <n> type b|i|h"; unknown keys are skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace synap {

enum class AofFileKind : char { kBase = 'b', kIncrement = 'i', kHistory = 'h' };

struct AofFile {
  std::string name;
  uint64_t sequence = 0;
};

struct AofManifest {
  std::optional<AofFile> base;
  std::vector<AofFile> increments;  // ascending
  std::vector<AofFile> history;
  uint64_t base_sequence = 0;       // the last one used
  uint64_t increment_sequence = 0;

  // kCorrupt with Redis's text as the detail.
  static Result<AofManifest> parse(std::string_view text);
  std::string format() const;

  // The next file's name, counted; `prefix` is appendfilename.
  AofFile next_base(const std::string& prefix, bool rdb);
  AofFile next_increment(const std::string& prefix);
  bool empty() const { return !base && increments.empty(); }
};

// "<prefix>.manifest".
std::string aof_manifest_name(const std::string& prefix);

}  // namespace synap
