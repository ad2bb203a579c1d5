// Files as persistence sees them: a thin layer over POSIX that tests replace, to fail the n-th write or sync and to lose
// what was never synced. Relative paths are in the data directory. Any thread; one File is used by one thread at a time,
// but for sync(), which may run beside the rest: it counts for what was written before it began.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace synap {

// An open file, closed at the end of its life. Failures are kIoError (kNotFound when opening what is not there) with
// errno's text as the detail.
class File {
 public:
  virtual ~File() = default;
  // All of it, or an error; *written is how much got there even then (a full disk takes a part).
  virtual Status write(std::string_view bytes, size_t* written) = 0;
  // From where the last read ended; *got is 0 at the end of the file.
  virtual Status read(char* out, size_t size, size_t* got) = 0;
  virtual Status sync() = 0;
  virtual Status truncate(uint64_t size) = 0;
  virtual Result<uint64_t> size() = 0;
};

class FileSystem {
 public:
  enum class Mode : uint8_t {
    kRead,
    kAppend,   // made if it is not there; writes go to the end
    kReplace,  // made anew
  };
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  // A second name for a file.
  virtual Status link(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  // Succeeds if it is there already.
  virtual Status make_directory(const std::string& path) = 0;
  // New, renamed and removed names in the directory survive a power cut only after this.
  virtual Status sync_directory(const std::string& path) = 0;
};

// The machine's own files.
FileSystem& posix_files();

// The whole of a small file.
Result<std::string> read_file(FileSystem* files, const std::string& path);
// Writes `bytes` beside `path`, syncs them and moves them there: a reader or a crash sees the old or the new file.
Status replace_file(FileSystem* files, const std::string& directory, const std::string& path, std::string_view bytes);

}  // namespace synap
