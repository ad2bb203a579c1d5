#include "tests/crash/faulty_files.h"

#include <cstdio>
#include <utility>

#include "server/base/assert.h"
#include "server/base/number.h"

namespace synap {

namespace {

class FaultyFile final : public File {
 public:
  FaultyFile(FaultyFiles* files, std::string path, std::unique_ptr<File> file)
      : files_(files), path_(std::move(path)), file_(std::move(file)) {}

  Status write(std::string_view bytes, size_t* written) override {
    if (!files_->fails("write", path_)) return file_->write(bytes, written);
    static_cast<void>(file_->write(bytes.substr(0, bytes.size() / 2), written));
    return FaultyFiles::failure();
  }
  Status read(char* out, size_t size, size_t* got) override { return file_->read(out, size, got); }
  Status sync() override { return files_->fails("sync", path_) ? FaultyFiles::failure() : file_->sync(); }
  Status truncate(uint64_t size) override {
    return files_->fails("truncate", path_) ? FaultyFiles::failure() : file_->truncate(size);
  }
  Result<uint64_t> size() override { return file_->size(); }

 private:
  FaultyFiles* const files_;
  const std::string path_;
  const std::unique_ptr<File> file_;
};

}  // namespace

FaultyFiles::FaultyFiles(FileSystem* files, const std::string& fault) : files_(files), counter_(make_shared_counter()) {
  const size_t colon = fault.find(':');
  kind_ = fault.substr(0, colon);
  SYNAP_ASSERT(colon != std::string::npos && parse_uint64(fault.substr(colon + 1), &place_));
}

bool FaultyFiles::fails(std::string_view kind, const std::string& path) {
  if (kind != kind_ || counter_->fetch_add(1) + 1 != place_) return false;
  std::fprintf(stderr, "=== fault: %s %s\n", kind_.c_str(), path.c_str());
  return true;
}

Result<std::unique_ptr<File>> FaultyFiles::open(const std::string& path, Mode mode) {
  if (fails("open", path)) return failure();
  auto file = files_->open(path, mode);
  if (!file.ok()) return file;
  return std::unique_ptr<File>(std::make_unique<FaultyFile>(this, path, std::move(*file)));
}

Status FaultyFiles::rename(const std::string& from, const std::string& to) {
  return fails("rename", from) ? failure() : files_->rename(from, to);
}

Status FaultyFiles::link(const std::string& from, const std::string& to) {
  return fails("link", from) ? failure() : files_->link(from, to);
}

Status FaultyFiles::remove(const std::string& path) { return fails("remove", path) ? failure() : files_->remove(path); }

Status FaultyFiles::make_directory(const std::string& path) {
  return fails("mkdir", path) ? failure() : files_->make_directory(path);
}

Status FaultyFiles::sync_directory(const std::string& path) {
  return fails("syncdir", path) ? failure() : files_->sync_directory(path);
}

}  // namespace synap
