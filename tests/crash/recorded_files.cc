#include "tests/crash/recorded_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "server/base/assert.h"
#include "server/base/random.h"

namespace synap {

namespace {

uint64_t inode_of(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

class RecordedFile final : public File {
 public:
  RecordedFile(RecordedFiles* files, uint64_t inode, std::unique_ptr<File> real)
      : files_(files), inode_(inode), real_(std::move(real)) {}

  Status write(std::string_view bytes, size_t* written) override {
    const Status status = real_->write(bytes, written);
    if (*written != 0) files_->record(RecordedFiles::Change::kWrite, inode_, bytes.substr(0, *written));
    return status;
  }
  Status read(char* out, size_t size, size_t* got) override { return real_->read(out, size, got); }
  Status sync() override {
    const uint64_t begin = files_->sequence();
    files_->wait_for_disk();
    files_->record(RecordedFiles::Change::kSync, inode_, std::to_string(begin));
    return {};
  }
  Status truncate(uint64_t size) override {
    const Status status = real_->truncate(size);
    if (status.ok()) files_->record(RecordedFiles::Change::kTruncate, inode_, std::to_string(size));
    return status;
  }
  Result<uint64_t> size() override { return real_->size(); }

 private:
  RecordedFiles* const files_;
  const uint64_t inode_;
  const std::unique_ptr<File> real_;
};

}  // namespace

RecordedFiles::RecordedFiles(std::string folder, int64_t sync_us_max)
    : real_(posix_files()), folder_(std::move(folder)), sync_us_max_(sync_us_max), counter_(make_shared_counter()) {}

// One append is one record: the kernel keeps those of several threads apart.
void RecordedFiles::record(Change change, uint64_t file, std::string_view detail) {
  const int pid = getpid();
  if (pid_.load() != pid) {
    // After a fork there is one thread; at the start, one of several opens and the others wait.
    if (opening_.exchange(pid) != pid) {
      fd_.store(::open((folder_ + "/" + std::to_string(pid)).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
      SYNAP_ASSERT(fd_.load() >= 0);
      pid_.store(pid);
    }
    while (pid_.load() != pid) usleep(10);
  }
  struct __attribute__((packed)) Head {
    uint64_t sequence, file, bytes;
    char change;
  } head{counter_->fetch_add(1), file, detail.size(), static_cast<char>(change)};
  const iovec parts[] = {{&head, sizeof head}, {const_cast<char*>(detail.data()), detail.size()}};
  const ssize_t n = writev(fd_.load(), parts, 2);
  SYNAP_ASSERT(n == static_cast<ssize_t>(sizeof head + detail.size()));
}

void RecordedFiles::wait_for_disk() const {
  if (sync_us_max_ > 0) usleep(static_cast<useconds_t>(thread_random().below(static_cast<uint64_t>(sync_us_max_))));
}

Result<std::unique_ptr<File>> RecordedFiles::open(const std::string& path, Mode mode) {
  const bool was_there = real_.exists(path);
  auto file = real_.open(path, mode);
  if (!file.ok() || mode == Mode::kRead) return file;
  const uint64_t inode = inode_of(path);
  record(was_there ? Change::kOpen : Change::kCreate, inode, path);
  if (was_there && mode == Mode::kReplace) record(Change::kTruncate, inode, "0");
  return std::unique_ptr<File>(std::make_unique<RecordedFile>(this, inode, std::move(*file)));
}

Status RecordedFiles::rename(const std::string& from, const std::string& to) {
  const Status status = real_.rename(from, to);
  if (status.ok()) record(Change::kRename, 0, from + '\0' + to);
  return status;
}

Status RecordedFiles::link(const std::string& from, const std::string& to) {
  const Status status = real_.link(from, to);
  if (status.ok()) record(Change::kLink, 0, from + '\0' + to);
  return status;
}

Status RecordedFiles::remove(const std::string& path) {
  const Status status = real_.remove(path);
  if (status.ok()) record(Change::kRemove, 0, path);
  return status;
}

Status RecordedFiles::make_directory(const std::string& path) {
  const bool was_there = real_.exists(path);
  const Status status = real_.make_directory(path);
  if (status.ok() && !was_there) record(Change::kDirectory, 0, path);
  return status;
}

Status RecordedFiles::sync_directory(const std::string& path) {
  wait_for_disk();
  record(Change::kSyncDirectory, 0, path);
  return {};
}

}  // namespace synap
