// FaultyFiles: other files, of which the n-th operation of one kind fails: what a full, failing or vanished disk does. The
// count goes on in forked children.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "persistence/file.h"
#include "tests/crash/shared_counter.h"

namespace synap {

class FaultyFiles final : public FileSystem {
 public:
  // `fault` is "KIND:N": open, write (half of it gets there), sync, truncate, rename, link, remove, mkdir or syncdir.
  FaultyFiles(FileSystem* files, const std::string& fault);
  FaultyFiles(const FaultyFiles&) = delete;
  FaultyFiles& operator=(const FaultyFiles&) = delete;

  Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) override;
  bool exists(const std::string& path) override { return files_->exists(path); }
  Status rename(const std::string& from, const std::string& to) override;
  Status link(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status make_directory(const std::string& path) override;
  Status sync_directory(const std::string& path) override;

  // Counts an operation; true: it fails, and standard error tells.
  bool fails(std::string_view kind, const std::string& path);
  static Status failure() { return Status(StatusCode::kIoError, "Injected failure"); }

 private:
  FileSystem* const files_;
  std::string kind_;
  uint64_t place_ = 0;
  SharedCounter* const counter_;
};

}  // namespace synap
