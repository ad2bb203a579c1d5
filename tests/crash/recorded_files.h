// RecordedFiles: the machine's files, with a record of every change, from which tests/crash/power_cut.py works out what a
// power cut at the moment the process was killed would have left. Nothing is synced for real: a sync takes some time at
// random and is recorded at its end, so it counts only once its caller could know of it.
//
// Each process writes records of its own (a forked child saves on its own and may be killed alone); a counter in shared
// memory gives their order. A process that is killed may leave its last record torn, and nothing after it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "persistence/file.h"
#include "tests/crash/shared_counter.h"

namespace synap {

class RecordedFiles final : public FileSystem {
 public:
  // Records go to <folder>/<pid>; a sync takes up to `sync_us_max`.
  RecordedFiles(std::string folder, int64_t sync_us_max);
  RecordedFiles(const RecordedFiles&) = delete;
  RecordedFiles& operator=(const RecordedFiles&) = delete;

  Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) override;
  bool exists(const std::string& path) override { return real_.exists(path); }
  Status rename(const std::string& from, const std::string& to) override;
  Status link(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status make_directory(const std::string& path) override;
  Status sync_directory(const std::string& path) override;

  // The letters are power_cut.py's, too.
  enum class Change : char {
    kCreate = 'c',         // file, name
    kOpen = 'o',           // file, name: it was there
    kWrite = 'w',          // file, bytes, at its end
    kTruncate = 't',       // file, size in decimal
    kSync = 's',           // file, the sequence number in decimal of the first record that it does not count for
    kRename = 'r',         // two names, a NUL between
    kLink = 'l',           // the same
    kRemove = 'x',         // name
    kDirectory = 'd',      // name: it was made
    kSyncDirectory = 'y',  // name
  };
  void record(Change change, uint64_t file, std::string_view detail);
  // Of the next record.
  uint64_t sequence() const { return counter_->load(); }
  // As long as a disk might take.
  void wait_for_disk() const;

 private:
  FileSystem& real_;
  const std::string folder_;
  const int64_t sync_us_max_;
  SharedCounter* const counter_;
  std::atomic<int> fd_{-1};
  std::atomic<int> pid_{-1};              // whose fd_ that is
  std::atomic<int> opening_{0};
};

}  // namespace synap
