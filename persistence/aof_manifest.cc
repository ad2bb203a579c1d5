#include "persistence/aof_manifest.h"

#include "server/base/number.h"
#include "server/base/quoted_args.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr size_t kLineMax = 1024;
constexpr std::string_view kBadFormat = "Invalid AOF manifest file format";

Status corrupt(std::string_view why) { return Status(StatusCode::kCorrupt, std::string(why)); }

Status add_line(std::string_view line, AofManifest* manifest) {
  const auto split = split_quoted_args(line);
  if (!split || split->size() < 6 || split->size() % 2 != 0) return corrupt(kBadFormat);
  const std::vector<std::string>& words = *split;
  AofFile file;
  char kind = 0;
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    int64_t number = 0;
    if (equals_ignore_case(words[i], "file")) {
      if (value.find('/') != std::string::npos) return corrupt("File can't be a path, just a filename");
      file.name = value;
    } else if (equals_ignore_case(words[i], "seq")) {
      if (!parse_int64(value, &number)) return corrupt(kBadFormat);
      file.sequence = static_cast<uint64_t>(number);
    } else if (equals_ignore_case(words[i], "type")) {
      kind = value.empty() ? '\0' : value[0];
    }
  }
  if (file.name.empty() || file.sequence == 0 || kind == 0) return corrupt(kBadFormat);
  switch (static_cast<AofFileKind>(kind)) {
    case AofFileKind::kBase:
      if (manifest->base) return corrupt("Found duplicate base file information");
      manifest->base_sequence = file.sequence;
      manifest->base = std::move(file);
      return {};
    case AofFileKind::kHistory:
      manifest->history.push_back(std::move(file));
      return {};
    case AofFileKind::kIncrement:
      if (file.sequence <= manifest->increment_sequence) return corrupt("Found a non-monotonic sequence number");
      manifest->increment_sequence = file.sequence;
      manifest->increments.push_back(std::move(file));
      return {};
  }
  return corrupt("Unknown AOF file type");
}

void add_file(const AofFile& file, AofFileKind kind, std::string* text) {
  const bool quoted = file.name.find_first_of(" \"\\\t'") != std::string::npos;
  *text += "file " + (quoted ? quote_arg(file.name) : file.name) + " seq " + std::to_string(file.sequence) + " type ";
  *text += static_cast<char>(kind);
  *text += '\n';
}

}  // namespace

Result<AofManifest> AofManifest::parse(std::string_view text) {
  if (text.empty()) return corrupt("Found an empty AOF manifest");
  AofManifest manifest;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos ? text.size() >= kLineMax : end >= kLineMax) {
      return corrupt("The AOF manifest file contains too long line");
    }
    if (end == std::string_view::npos) return corrupt(kBadFormat);  // a line that was not written to its end
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.starts_with('#')) continue;
    const Status status = add_line(line, &manifest);
    if (!status.ok()) return status;
  }
  return manifest;
}

std::string AofManifest::format() const {
  std::string text;
  if (base) add_file(*base, AofFileKind::kBase, &text);
  for (const AofFile& file : history) add_file(file, AofFileKind::kHistory, &text);
  for (const AofFile& file : increments) add_file(file, AofFileKind::kIncrement, &text);
  return text;
}

AofFile AofManifest::next_base(const std::string& prefix, bool rdb) {
  const std::string number = std::to_string(++base_sequence);
  return {prefix + "." + number + (rdb ? ".base.rdb" : ".base.aof"), base_sequence};
}

AofFile AofManifest::next_increment(const std::string& prefix) {
  return {prefix + "." + std::to_string(++increment_sequence) + ".incr.aof", increment_sequence};
}

std::string aof_manifest_name(const std::string& prefix) { return prefix + ".manifest"; }

}  // namespace synap
