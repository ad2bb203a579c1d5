// A File as the sink and source of RDB bytes.
#pragma once

#include "persistence/file.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"

namespace synap {

class FileSink final : public ByteSink {
 public:
  // `sync_every`: bytes between syncs, so that the last one is short (…-incremental-fsync); 0: none.
  FileSink(File* file, size_t sync_every) : file_(file), sync_every_(sync_every) {}

  Status write(std::string_view bytes) override {
    size_t written = 0;
    const Status status = file_->write(bytes, &written);
    unsynced_ += written;
    if (!status.ok() || sync_every_ == 0 || unsynced_ < sync_every_) return status;
    unsynced_ = 0;
    return file_->sync();
  }

 private:
  File* const file_;
  const size_t sync_every_;
  size_t unsynced_ = 0;
};

class FileSource final : public ByteSource {
 public:
  explicit FileSource(File* file) : file_(file) {}
  int64_t read(char* out, size_t size) override {
    size_t got = 0;
    return file_->read(out, size, &got).ok() ? static_cast<int64_t>(got) : -1;
  }

 private:
  File* const file_;
};

}  // namespace synap
