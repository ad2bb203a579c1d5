#include "persistence/check_aof.h"

#include <cstdio>

#include "persistence/aof_manifest.h"
#include "persistence/aof_reader.h"
#include "persistence/check_rdb.h"
#include "server/base/text.h"

namespace synap {

namespace {

unsigned long long printable(uint64_t number) { return number; }

// Which of a manifest's files; redis-check-aof names them so.
struct Part {
  const char* kind;   // "AOF", "BASE AOF", "INCR AOF"
  std::string name;   // as it is printed
  std::string path;
  bool last;
};

class PartCheck {
 public:
  PartCheck(FileSystem* files, const AofCheck& check, const Part& part) : files_(files), check_(check), part_(part) {}

  bool run() {
    auto file = files_->open(part_.path, FileSystem::Mode::kRead);
    const Result<uint64_t> size = file.ok() ? (*file)->size() : Result<uint64_t>(file.status());
    const Result<bool> rdb = size.ok() ? begins_with_rdb(files_, part_.path) : Result<bool>(size.status());
    if (!rdb.ok()) {
      std::printf("Cannot open file %s: %s, aborting...\n", part_.path.c_str(), rdb.status().detail().c_str());
      return false;
    }
    bytes_ = *size;
    if (bytes_ == 0) {
      std::printf("%s %s is empty\n", part_.kind, part_.name.c_str());
      return true;
    }
    uint64_t begin = 0;
    if (*rdb) {
      if (!check_rdb_part(file->get(), part_.name, &begin)) {
        std::printf("RDB preamble of AOF file is not sane, aborting.\n");
        return false;
      }
      std::printf("RDB preamble is OK, proceeding with AOF tail...\n");
      file = files_->open(part_.path, FileSystem::Mode::kRead);  // that was read ahead
      if (!file.ok()) return false;
    }
    AofReader reader(file->get(), begin, bytes_);
    valid_ = begin;
    read(&reader);
    return !cut_at_time_ ? conclude() : *cut_at_time_;
  }

 private:
  void read(AofReader* reader) {
    Args args;
    bool in_block = false;
    for (;;) {
      const AofReader::Next next = reader->next(&args);
      if (check_.truncate_to_s && reader->timestamp_s() > *check_.truncate_to_s) {
        cut_at_time_ = cut_at_time(reader->timestamp_offset());
        return;
      }
      if (next != AofReader::Next::kCommand) return note_end(*reader, next, in_block);
      if (equals_ignore_case(args[0], "multi")) {
        if (in_block) return complain(reader->offset(), "Unexpected MULTI");
        in_block = true;
      } else if (equals_ignore_case(args[0], "exec")) {
        if (!in_block) return complain(reader->offset(), "Unexpected EXEC");
        in_block = false;
      }
      if (in_block) continue;
      valid_ = reader->valid_offset();
      valid_line_ = reader->valid_line();
    }
  }

  void note_end(const AofReader& reader, AofReader::Next next, bool in_block) {
    if (next == AofReader::Next::kEnd && in_block) return complain(reader.offset(), "Reached EOF before reading EXEC for MULTI");
    // Annotations and what was passed over after the last command are good, too.
    if (!in_block) {
      valid_ = reader.valid_offset();
      valid_line_ = reader.valid_line();
    }
    if (next == AofReader::Next::kTorn) complain(reader.offset(), "Reached EOF before the end of what was being written");
    if (next == AofReader::Next::kDamaged || next == AofReader::Next::kIoError) complain(reader.offset(), reader.error());
  }

  void complain(uint64_t offset, const std::string& why) { std::printf("0x%16llx: %s\n", printable(offset), why.c_str()); }

  bool conclude() {
    if (check_.truncate_to_s) {
      std::printf("Truncate nothing in AOF %s to timestamp %lld\n", part_.name.c_str(),
                  static_cast<long long>(*check_.truncate_to_s));
    }
    const uint64_t rest = bytes_ - valid_;
    // The line is the one that comes next, as Redis counts.
    std::printf("AOF analyzed: filename=%s, size=%llu, ok_up_to=%llu, ok_up_to_line=%llu, diff=%llu\n", part_.name.c_str(),
                printable(bytes_), printable(valid_), printable(valid_line_ + 1), printable(rest));
    if (rest == 0) {
      std::printf("%s %s is valid\n", part_.kind, part_.name.c_str());
      return true;
    }
    if (!check_.fix) {
      std::printf("AOF %s is not valid. Use the --fix option to try fixing it.\n", part_.name.c_str());
      return false;
    }
    return mend(rest);
  }

  bool mend(uint64_t rest) {
    if (!part_.last) {
      std::printf("Failed to truncate AOF %s because it is not the last file\n", part_.name.c_str());
      return false;
    }
    std::printf("This will shrink the AOF %s from %llu bytes, with %llu bytes, to %llu bytes\nContinue? [y/N]: ",
                part_.name.c_str(), printable(bytes_), printable(rest), printable(valid_));
    std::fflush(stdout);
    char answer[16] = {};
    if (std::fgets(answer, sizeof answer, stdin) == nullptr || (answer[0] != 'y' && answer[0] != 'Y')) {
      std::printf("Aborting...\n");
      return false;
    }
    if (!truncate(valid_)) {
      std::printf("Failed to truncate AOF %s\n", part_.name.c_str());
      return false;
    }
    std::printf("Successfully truncated AOF %s\n", part_.name.c_str());
    return true;
  }

  // Before the first timestamp that is too late.
  bool cut_at_time(uint64_t offset) {
    const auto time_s = static_cast<long long>(*check_.truncate_to_s);
    if (offset == 0) {
      std::printf("AOF %s has nothing before timestamp %lld, aborting...\n", part_.name.c_str(), time_s);
      return false;
    }
    if (!part_.last) {
      std::printf("Failed to truncate AOF %s to timestamp %lld to offset %llu because it is not the last file.\n",
                  part_.name.c_str(), time_s, printable(offset));
      std::printf("If you insist, please delete all files after this file according to the manifest file and delete the "
                  "corresponding records in manifest file manually. Then run this again.\n");
      return false;
    }
    if (!truncate(offset)) {
      std::printf("Failed to truncate AOF %s to timestamp %lld\n", part_.name.c_str(), time_s);
      return false;
    }
    std::printf("Successfully truncated AOF %s to timestamp %lld\n", part_.name.c_str(), time_s);
    return true;
  }

  bool truncate(uint64_t size) {
    auto file = files_->open(part_.path, FileSystem::Mode::kAppend);
    return file.ok() && (*file)->truncate(size).ok() && (*file)->sync().ok();
  }

  FileSystem* const files_;
  const AofCheck& check_;
  const Part& part_;
  uint64_t bytes_ = 0;
  uint64_t valid_ = 0;
  uint64_t valid_line_ = 0;
  std::optional<bool> cut_at_time_;  // and whether that went well
};

// As opposed to a file of commands: its first line that is no comment names a file.
bool is_manifest(FileSystem* files, const std::string& path) {
  auto file = files->open(path, FileSystem::Mode::kRead);
  char begin[1024];
  size_t got = 0;
  if (!file.ok() || !(*file)->read(begin, sizeof begin, &got).ok()) return false;
  std::string_view text(begin, got);
  while (text.starts_with('#') && text.find('\n') != std::string_view::npos) text.remove_prefix(text.find('\n') + 1);
  return text.starts_with("file");
}

int check_all(FileSystem* files, const AofCheck& check) {
  std::printf("Start checking Multi Part AOF\n");
  const Result<std::string> text = read_file(files, check.path);
  const Result<AofManifest> manifest = text.ok() ? AofManifest::parse(*text) : Result<AofManifest>(text.status());
  if (!manifest.ok()) {
    std::printf("The AOF manifest %s cannot be used: %s\n", check.path.c_str(), manifest.status().detail().c_str());
    return 1;
  }
  const size_t slash = check.path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : check.path.substr(0, slash + 1);
  if (manifest->base) {
    const AofFile& base = *manifest->base;
    const Part part{"BASE AOF", base.name, folder + base.name, manifest->increments.empty()};
    const Result<bool> rdb = begins_with_rdb(files, part.path);
    std::printf("Start to check BASE AOF (%s format).\n", rdb.ok() && *rdb ? "RDB" : "RESP");
    if (!PartCheck(files, check, part).run()) return 1;
  }
  if (!manifest->increments.empty()) std::printf("Start to check INCR files.\n");
  for (const AofFile& increment : manifest->increments) {
    const Part part{"INCR AOF", increment.name, folder + increment.name, &increment == &manifest->increments.back()};
    if (!PartCheck(files, check, part).run()) return 1;
  }
  std::printf("All AOF files and manifest are valid\n");
  return 0;
}

}  // namespace

int check_aof(FileSystem* files, const AofCheck& check) {
  if (is_manifest(files, check.path)) return check_all(files, check);
  std::printf("Start checking Old-Style AOF\n");
  const Part part{"AOF", check.path, check.path, true};
  return PartCheck(files, check, part).run() ? 0 : 1;
}

}  // namespace synap
