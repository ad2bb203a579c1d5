#include "server/keyspace/entry.h"

#include <cstdlib>

namespace synap {

size_t Entry::bytes_for(const Parts& parts) {
  return sizeof(Entry) + (parts.expiry_ms != kNoExpiry ? sizeof(int64_t) : 0) +
         (parts.key.size() >= kKeyLengthMask ? sizeof(uint64_t) : 0) + parts.key.size() +
         (is_inline(parts.storage) ? parts.inline_value.size() : sizeof(uint64_t));
}

Entry* Entry::make(const Parts& parts) {
  void* memory = std::malloc(bytes_for(parts));
  SYNAP_ASSERT(memory != nullptr);
  auto* entry = static_cast<Entry*>(memory);
  entry->fill(parts);
  return entry;
}

uint32_t Entry::meta_of(const Parts& parts) {
  return static_cast<uint32_t>(parts.type) | static_cast<uint32_t>(parts.storage) << 4 |
         (parts.expiry_ms != kNoExpiry ? kExpiryBit : 0) | parts.access_clock << 8;
}

void Entry::fill(const Parts& parts) {
  const bool long_key = parts.key.size() >= kKeyLengthMask;
  meta_ = meta_of(parts);
  lengths_ = (long_key ? kKeyLengthMask : static_cast<uint32_t>(parts.key.size())) |
             static_cast<uint32_t>(parts.inline_value.size()) << kKeyLengthBits;
  char* cursor = reinterpret_cast<char*>(this + 1);
  const auto put = [&cursor](const void* bytes, size_t size) {
    if (size != 0) std::memcpy(cursor, bytes, size);
    cursor += size;
  };
  if (parts.expiry_ms != kNoExpiry) put(&parts.expiry_ms, sizeof parts.expiry_ms);
  if (long_key) {
    const uint64_t length = parts.key.size();
    put(&length, sizeof length);
  }
  if (!is_inline()) put(&parts.word, sizeof parts.word);
  put(parts.key.data(), parts.key.size());
  if (is_inline()) put(parts.inline_value.data(), parts.inline_value.size());
}

Entry::Parts Entry::parts() const {
  return Parts{.type = type(),
               .storage = storage(),
               .key = key(),
               .expiry_ms = expiry_ms(),
               .inline_value = is_inline() ? inline_value() : std::string_view(),
               .word = is_inline() ? 0 : *word(),
               .access_clock = access_clock()};
}

bool Entry::rewrite_in_place(const Parts& parts) {
  const bool was_inline = is_inline();
  const bool same_head = (parts.expiry_ms != kNoExpiry) == has_expiry() &&
                         is_inline(parts.storage) == was_inline;
  if (!same_head || (was_inline && parts.inline_value.size() != lengths_ >> kKeyLengthBits)) return false;
  const std::string_view kept = key();
  meta_ = meta_of(parts);
  if (has_expiry()) set_expiry_ms(parts.expiry_ms);
  char* begin = const_cast<char*>(kept.data());
  if (was_inline && !parts.inline_value.empty()) {
    std::memmove(begin + kept.size(), parts.inline_value.data(), parts.inline_value.size());
  } else if (!was_inline) {
    std::memcpy(begin - sizeof parts.word, &parts.word, sizeof parts.word);
  }
  return true;
}

void Entry::free_memory(Entry* entry) { std::free(entry); }

}  // namespace synap
