#include "persistence/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace synap {

namespace {

Status failure() {
  return Status(errno == ENOENT ? StatusCode::kNotFound : StatusCode::kIoError, std::strerror(errno));
}

Status outcome(int result) { return result == 0 ? Status() : failure(); }

class PosixFile final : public File {
 public:
  explicit PosixFile(int fd) : fd_(fd) {}
  ~PosixFile() override { close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Status write(std::string_view bytes, size_t* written) override {
    *written = 0;
    while (*written < bytes.size()) {
      const ssize_t n = ::write(fd_, bytes.data() + *written, bytes.size() - *written);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure();
      *written += static_cast<size_t>(n);
    }
    return {};
  }

  Status read(char* out, size_t size, size_t* got) override {
    for (;;) {
      const ssize_t n = ::read(fd_, out, size);
      if (n < 0 && errno == EINTR) continue;
      *got = n < 0 ? 0 : static_cast<size_t>(n);
      return n < 0 ? failure() : Status();
    }
  }

  Status sync() override { return outcome(fdatasync(fd_)); }
  Status truncate(uint64_t size) override { return outcome(ftruncate(fd_, static_cast<off_t>(size))); }

  Result<uint64_t> size() override {
    struct stat info {};
    if (fstat(fd_, &info) != 0) return failure();
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  const int fd_;
};

class PosixFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, Mode mode) override {
    int flags = O_CLOEXEC;
    if (mode == Mode::kRead) flags |= O_RDONLY;
    if (mode == Mode::kAppend) flags |= O_WRONLY | O_CREAT | O_APPEND;
    if (mode == Mode::kReplace) flags |= O_WRONLY | O_CREAT | O_TRUNC;
    const int fd = ::open(path.c_str(), flags, 0644);
    if (fd < 0) return failure();
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd));
  }

  bool exists(const std::string& path) override { return access(path.c_str(), F_OK) == 0; }
  Status rename(const std::string& from, const std::string& to) override {
    return outcome(::rename(from.c_str(), to.c_str()));
  }
  Status link(const std::string& from, const std::string& to) override {
    return outcome(::link(from.c_str(), to.c_str()));
  }
  Status remove(const std::string& path) override { return outcome(unlink(path.c_str())); }

  Status make_directory(const std::string& path) override {
    return mkdir(path.c_str(), 0755) == 0 || errno == EEXIST ? Status() : failure();
  }

  Status sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failure();
    const Status status = outcome(fsync(fd));
    close(fd);
    return status;
  }
};

}  // namespace

FileSystem& posix_files() {
  static PosixFiles files;
  return files;
}

Result<std::string> read_file(FileSystem* files, const std::string& path) {
  auto file = files->open(path, FileSystem::Mode::kRead);
  if (!file.ok()) return file.status();
  std::string bytes;
  for (char block[4096];;) {
    size_t got = 0;
    const Status status = (*file)->read(block, sizeof block, &got);
    if (!status.ok()) return status;
    if (got == 0) return bytes;
    bytes.append(block, got);
  }
}

Status replace_file(FileSystem* files, const std::string& directory, const std::string& path, std::string_view bytes) {
  const std::string temporary = directory + "/temp-" + path.substr(path.rfind('/') + 1);
  auto file = files->open(temporary, FileSystem::Mode::kReplace);
  if (!file.ok()) return file.status();
  size_t written = 0;
  Status status = (*file)->write(bytes, &written);
  if (status.ok()) status = (*file)->sync();
  if (status.ok()) status = files->rename(temporary, path);
  if (status.ok()) return files->sync_directory(directory);
  static_cast<void>(files->remove(temporary));
  return status;
}

}  // namespace synap
