// The arguments of one command: Args views bytes that somebody else keeps (the reactor's read buffer, a stored copy,
// a script's stack), StoredArgs keeps them (MULTI queues, parked commands, the slow lane). CommandBatch is the arena
// that the parser fills with a run of pipelined commands, so that their keys can be hashed and prefetched together.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/assert.h"
#include "server/base/shared_bytes.h"

namespace synap {

// A bulk argument that was read straight into a block of its own. Of a big command also the block that backs all others,
// and before all of them the one with the views themselves, so that keeping the command copies nothing.
struct OwnedArg {
  static constexpr uint32_t kBacking = UINT32_MAX;
  static constexpr uint32_t kViews = UINT32_MAX - 1;
  uint32_t command;  // its place in the batch
  uint32_t index;    // its place in the command, kBacking or kViews
  SharedBytes bytes;
};

class Args {
 public:
  Args() = default;
  Args(std::span<const std::string_view> views, std::span<OwnedArg> owned = {}, uint64_t known_hash = 0)
      : views_(views.data()),
        size_(static_cast<uint32_t>(views.size())),
        owned_count_(static_cast<uint32_t>(owned.size())),
        owned_(owned.data()),
        known_hash_(known_hash) {}

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view operator[](size_t i) const { return views_[i]; }
  const std::string_view* begin() const { return views_; }
  const std::string_view* end() const { return views_ + size_; }
  std::span<const std::string_view> span() const { return {views_, size_}; }

  // The block that argument i alone lives in, for a handler that wants to keep it (by moving it away or sharing it;
  // the view stays valid as long as someone holds the block). Null for most arguments.
  SharedBytes* owned(size_t i) const {
    for (uint32_t k = 0; k < owned_count_; ++k) {
      if (owned_[k].index == i && owned_[k].bytes) return &owned_[k].bytes;
    }
    return nullptr;
  }
  std::span<OwnedArg> owned_args() const { return {owned_, owned_count_}; }
  // hash_bytes() of argument 1, most often the key, if it is known already; else 0.
  uint64_t known_hash() const { return known_hash_; }

 private:
  const std::string_view* views_ = nullptr;
  uint32_t size_ = 0;
  uint32_t owned_count_ = 0;
  OwnedArg* owned_ = nullptr;
  uint64_t known_hash_ = 0;
};

// A copy of arguments in one allocation; what has blocks of its own is taken over. Of a big command that is all of it.
class StoredArgs {
 public:
  StoredArgs() = default;
  explicit StoredArgs(const Args& args);
  StoredArgs(StoredArgs&& other) noexcept
      : views_(std::exchange(other.views_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        memory_bytes_(std::exchange(other.memory_bytes_, 0)),
        owned_(std::move(other.owned_)) {}
  StoredArgs& operator=(StoredArgs&& other) noexcept {
    std::swap(views_, other.views_);
    std::swap(size_, other.size_);
    std::swap(memory_bytes_, other.memory_bytes_);
    std::swap(owned_, other.owned_);
    return *this;
  }
  ~StoredArgs() {
    if (!views_are_owned()) std::free(views_);
  }

  Args args() { return {{views_, size_}, owned_}; }
  std::string_view operator[](size_t i) const { return views_[i]; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  bool views_are_owned() const { return !owned_.empty() && owned_.front().index == OwnedArg::kViews; }

  std::string_view* views_ = nullptr;  // malloc'd, followed by the bytes they view; or in the block kViews
  uint32_t size_ = 0;
  size_t memory_bytes_ = 0;
  std::vector<OwnedArg> owned_;
};

class CommandBatch {
 public:
  CommandBatch() = default;
  CommandBatch(const CommandBatch&) = delete;
  CommandBatch& operator=(const CommandBatch&) = delete;
  ~CommandBatch() {
    std::free(views_);
    std::free(commands_);
  }

  size_t size() const { return command_count_; }
  bool empty() const { return command_count_ == 0; }
  // Once only of a big command that is then stored, which takes its views along.
  Args operator[](size_t i) const {
    const Command& command = commands_[i];
    if (!owned_.empty()) [[unlikely]]
      return with_owned(i);
    return {{views_ + command.first_view, command.view_count}, {}, command.known_hash};
  }
  // What known_hash() of command i's arguments says from now on.
  void note_hash(size_t i, uint64_t hash) { commands_[i].known_hash = hash; }
  // Bytes that command i took in the stream, with what was skipped before it. Their sum is the stream's length.
  size_t wire_bytes(size_t i) const { return commands_[i].wire_bytes; }
  // Forgets the commands; keeps memory for the next ones, within reason.
  void clear();

 private:
  friend class RespParser;
  struct Command {
    uint32_t first_view;
    uint32_t view_count;
    size_t wire_bytes;
    size_t input_begin;  // where in the parser's input it starts; kResumed when it started in an earlier one
    uint64_t known_hash = 0;
  };
  static constexpr size_t kResumed = SIZE_MAX;

  // Room for n more views without further checks.
  std::string_view* views_end(size_t n) {
    if (view_count_ + n > view_capacity_) grow_views(n);
    return views_ + view_count_;
  }
  void push_command(const Command& command) {
    if (command_count_ == command_capacity_) grow_commands();
    commands_[command_count_++] = command;
  }
  void grow_views(size_t n);
  void grow_commands();
  std::span<OwnedArg> owned_of(size_t command) const;
  Args with_owned(size_t command) const;
  void drop_from(size_t command);

  std::string_view* views_ = nullptr;
  Command* commands_ = nullptr;
  uint32_t view_count_ = 0;
  uint32_t view_capacity_ = 0;
  uint32_t command_count_ = 0;
  uint32_t command_capacity_ = 0;
  mutable std::vector<OwnedArg> owned_;  // in the order of commands
  std::vector<SharedBytes> scratch_;     // unquoted words of inline commands
};

}  // namespace synap
