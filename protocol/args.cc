// The copying side of arguments: one allocation for a stored command, growing arenas for a batch.
#include "protocol/args.h"

#include <algorithm>
#include <new>

namespace synap {

namespace {

// Memory that a batch keeps between uses.
constexpr uint32_t kViewsKeptMax = 64 * 1024;

}  // namespace

StoredArgs::StoredArgs(const Args& args) : size_(static_cast<uint32_t>(args.size())) {
  for (OwnedArg& owned : args.owned_args()) {
    if (!owned.bytes) continue;
    memory_bytes_ += owned.bytes.heap_bytes();
    owned_.push_back({0, owned.index, std::move(owned.bytes)});
  }
  if (views_are_owned()) {
    views_ = reinterpret_cast<std::string_view*>(owned_.front().bytes.data());
    return;
  }
  const auto has = [this](size_t index) {
    return std::any_of(owned_.begin(), owned_.end(), [index](const OwnedArg& owned) { return owned.index == index; });
  };
  size_t bytes = args.size() * sizeof(std::string_view);
  for (size_t i = 0; i < args.size(); ++i) {
    if (owned_.empty() || !has(i)) bytes += args[i].size();
  }
  void* memory = std::malloc(std::max<size_t>(bytes, 1));
  SYNAP_ASSERT(memory != nullptr);
  memory_bytes_ += bytes;
  views_ = static_cast<std::string_view*>(memory);
  char* text = static_cast<char*>(memory) + args.size() * sizeof(std::string_view);
  for (size_t i = 0; i < args.size(); ++i) {
    if (!owned_.empty() && has(i)) {
      new (&views_[i]) std::string_view(args[i]);
      continue;
    }
    if (!args[i].empty()) std::memcpy(text, args[i].data(), args[i].size());
    new (&views_[i]) std::string_view(text, args[i].size());
    text += args[i].size();
  }
}

void CommandBatch::clear() {
  command_count_ = 0;
  view_count_ = 0;
  if (!owned_.empty()) owned_.clear();
  if (!scratch_.empty()) scratch_.clear();
  if (view_capacity_ > kViewsKeptMax) {
    std::free(views_);
    views_ = nullptr;
    view_capacity_ = 0;
  }
}

void CommandBatch::grow_views(size_t n) {
  const size_t capacity = std::max<size_t>({256, view_count_ + n, size_t{view_capacity_} * 2});
  SYNAP_ASSERT(capacity <= UINT32_MAX);
  void* memory = std::realloc(static_cast<void*>(views_), capacity * sizeof(std::string_view));
  SYNAP_ASSERT(memory != nullptr);
  views_ = static_cast<std::string_view*>(memory);
  view_capacity_ = static_cast<uint32_t>(capacity);
}

void CommandBatch::grow_commands() {
  const uint32_t capacity = std::max<uint32_t>(64, command_capacity_ * 2);
  void* memory = std::realloc(static_cast<void*>(commands_), capacity * sizeof(Command));
  SYNAP_ASSERT(memory != nullptr);
  commands_ = static_cast<Command*>(memory);
  command_capacity_ = capacity;
}

std::span<OwnedArg> CommandBatch::owned_of(size_t command) const {
  const auto [first, last] = std::equal_range(owned_.begin(), owned_.end(), command, [](const auto& a, const auto& b) {
    const auto place = [](const auto& side) -> size_t {
      if constexpr (requires { side.command; }) {
        return side.command;
      } else {
        return side;
      }
    };
    return place(a) < place(b);
  });
  return {first, last};
}

Args CommandBatch::with_owned(size_t i) const {
  const Command& command = commands_[i];
  const std::span<OwnedArg> owned = owned_of(i);
  const bool has_views = !owned.empty() && owned.front().index == OwnedArg::kViews;
  const std::string_view* views = views_ + command.first_view;
  if (has_views) {
    SYNAP_ASSERT(owned.front().bytes);
    views = reinterpret_cast<const std::string_view*>(owned.front().bytes.data());
  }
  return {{views, command.view_count}, owned, command.known_hash};
}

void CommandBatch::drop_from(size_t command) {
  if (command >= command_count_) return;
  view_count_ = commands_[command].first_view;
  command_count_ = static_cast<uint32_t>(command);
  while (!owned_.empty() && owned_.back().command >= command) owned_.pop_back();
}

}  // namespace synap
