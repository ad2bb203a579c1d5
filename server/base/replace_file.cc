#include "server/base/replace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace synap {

namespace {

Status io_error() { return Status(StatusCode::kIoError, strerror(errno)); }

bool write_fully(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Makes the rename itself last through a crash.
bool sync_directory(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const int fd = open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

}  // namespace

Status replace_file(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".tmp-" + std::to_string(getpid());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return io_error();
  const bool written = write_fully(fd, text) && fsync(fd) == 0;
  const Status write_status = written ? Status() : io_error();
  close(fd);
  if (written && rename(temporary.c_str(), path.c_str()) == 0) return sync_directory(path) ? Status() : io_error();
  const Status status = written ? io_error() : write_status;
  unlink(temporary.c_str());
  return status;
}

}  // namespace synap
