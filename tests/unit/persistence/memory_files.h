// MemoryFiles: files in memory whose n-th operation of a kind fails, for the tests of what persistence does then.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "persistence/file.h"

namespace synap_test {

class MemoryFiles final : public synap::FileSystem {
 public:
  enum class Fault { kNone, kWrite, kShortWrite, kSync, kTruncate, kRename, kOpen, kSyncDirectory };

  // The `n`-th operation of this kind from now on (1: the next) fails, and `times` - 1 after it.
  void fail(Fault kind, int n, int times = 1, std::string why = "No space left on device") {
    const std::lock_guard guard(mutex_);
    kind_ = kind, skip_ = n - 1, times_ = times, why_ = std::move(why);
  }
  // Syncs that come wait until they are no longer held.
  void hold_syncs(bool held) {
    const std::lock_guard guard(mutex_);
    syncs_held_ = held;
    syncs_released_.notify_all();
  }
  int syncs_waiting() const {
    const std::lock_guard guard(mutex_);
    return syncs_waiting_;
  }
  // How often an operation failed.
  int failures() const {
    const std::lock_guard guard(mutex_);
    return failures_;
  }
  std::string content(const std::string& path) const {
    const std::lock_guard guard(mutex_);
    const auto it = files_.find(path);
    return it == files_.end() ? std::string() : *it->second;
  }
  void put(const std::string& path, std::string bytes) {
    const std::lock_guard guard(mutex_);
    files_[path] = std::make_shared<std::string>(std::move(bytes));
  }

  synap::Result<std::unique_ptr<synap::File>> open(const std::string& path, Mode mode) override {
    const std::lock_guard guard(mutex_);
    if (fails(Fault::kOpen)) return failure();
    if (mode == Mode::kRead && !files_.contains(path)) return synap::Status(synap::StatusCode::kNotFound, "No such file or directory");
    auto& bytes = files_[path];
    if (bytes == nullptr) bytes = std::make_shared<std::string>();
    if (mode == Mode::kReplace) bytes->clear();
    return std::unique_ptr<synap::File>(std::make_unique<OpenFile>(this, bytes));
  }
  bool exists(const std::string& path) override {
    const std::lock_guard guard(mutex_);
    return files_.contains(path);
  }
  synap::Status rename(const std::string& from, const std::string& to) override {
    const std::lock_guard guard(mutex_);
    if (fails(Fault::kRename) || !files_.contains(from)) return failure();
    files_[to] = std::exchange(files_[from], nullptr);
    files_.erase(from);
    return {};
  }
  synap::Status link(const std::string& from, const std::string& to) override {
    const std::lock_guard guard(mutex_);
    files_[to] = files_[from];
    return {};
  }
  synap::Status remove(const std::string& path) override {
    const std::lock_guard guard(mutex_);
    files_.erase(path);
    return {};
  }
  synap::Status make_directory(const std::string&) override { return {}; }
  synap::Status sync_directory(const std::string&) override {
    const std::lock_guard guard(mutex_);
    return fails(Fault::kSyncDirectory) ? failure() : synap::Status();
  }

 private:
  class OpenFile final : public synap::File {
   public:
    OpenFile(MemoryFiles* files, std::shared_ptr<std::string> bytes) : files_(files), bytes_(std::move(bytes)) {}
    synap::Status write(std::string_view bytes, size_t* written) override {
      const std::lock_guard guard(files_->mutex_);
      const bool torn = files_->fails(Fault::kShortWrite);
      const bool failed = torn || files_->fails(Fault::kWrite);
      *written = torn ? bytes.size() / 2 : failed ? 0 : bytes.size();
      bytes_->append(bytes.substr(0, *written));
      return failed ? files_->failure() : synap::Status();
    }
    synap::Status read(char* out, size_t size, size_t* got) override {
      const std::lock_guard guard(files_->mutex_);
      *got = std::min(size, bytes_->size() - std::min(at_, bytes_->size()));
      std::memcpy(out, bytes_->data() + at_, *got);
      at_ += *got;
      return {};
    }
    synap::Status sync() override {
      std::unique_lock guard(files_->mutex_);
      ++files_->syncs_waiting_;
      files_->syncs_released_.wait(guard, [this] { return !files_->syncs_held_; });
      --files_->syncs_waiting_;
      return files_->fails(Fault::kSync) ? files_->failure() : synap::Status();
    }
    synap::Status truncate(uint64_t size) override {
      const std::lock_guard guard(files_->mutex_);
      if (files_->fails(Fault::kTruncate)) return files_->failure();
      bytes_->resize(size);
      return {};
    }
    synap::Result<uint64_t> size() override {
      const std::lock_guard guard(files_->mutex_);
      return uint64_t{bytes_->size()};
    }

   private:
    MemoryFiles* const files_;
    const std::shared_ptr<std::string> bytes_;
    size_t at_ = 0;
  };

  bool fails(Fault kind) {
    if (kind != kind_ || times_ == 0) return false;
    if (skip_-- > 0) return false;
    skip_ = 0;
    --times_;
    ++failures_;
    return true;
  }
  synap::Status failure() const { return synap::Status(synap::StatusCode::kIoError, why_); }

  mutable std::mutex mutex_;
  std::condition_variable syncs_released_;
  bool syncs_held_ = false;
  int syncs_waiting_ = 0;
  std::map<std::string, std::shared_ptr<std::string>> files_;
  Fault kind_ = Fault::kNone;
  int skip_ = 0;
  int times_ = 0;
  int failures_ = 0;
  std::string why_;
};

}  // namespace synap_test
