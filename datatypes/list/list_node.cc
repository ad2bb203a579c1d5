// See list_node.h. A compressed node's block is <LZF bytes u32><LZF>. The limits are those of Redis 7.4.
#include "datatypes/list/list_node.h"

#include <liblzf/lzf.h>

#include <algorithm>

namespace synap {

namespace {

constexpr size_t kSizeClassBytesMin = 4096;
constexpr int64_t kSizeClasses = 5;
constexpr size_t kSafeBytesMax = 8192;       // of a listpack limited by its count
constexpr size_t kElementOverheadBytes = 8;  // estimated for encoding and back length
constexpr size_t kPackFrameBytes = 7;        // header and end, which a merge saves
constexpr uint32_t kCompressBytesMin = 48;
constexpr uint32_t kCompressGainMin = 8;

}  // namespace

size_t ListLimits::bytes_max() const {
  if (max_listpack_size >= 0) return SIZE_MAX;
  return kSizeClassBytesMin << (std::min(-max_listpack_size, kSizeClasses) - 1);
}

size_t ListLimits::count_max() const {
  if (max_listpack_size < 0) return SIZE_MAX;
  return static_cast<size_t>(std::max<int64_t>(max_listpack_size, 1));
}

bool ListLimits::exceeds(size_t bytes, size_t count) const {
  if (max_listpack_size < 0) return bytes > bytes_max();
  return bytes > kSafeBytesMax || count > count_max();
}

bool ListLimits::is_large(size_t element_bytes) const {
  if (plain_threshold != 0) return element_bytes >= plain_threshold;
  return element_bytes > (max_listpack_size < 0 ? bytes_max() : kSafeBytesMax);
}

ListNode ListNode::of_pack(Listpack pack) {
  ListNode node;
  SYNAP_ASSERT(pack.length() <= kCountMax);
  node.set_count(pack.length());
  node.set_bytes(pack.bytes());
  node.data = pack.release();
  return node;
}

ListNode ListNode::of_plain(std::string_view element) {
  ListNode node;
  node.count = 1;
  node.plain = 1;
  node.set_bytes(element.size());
  node.data = block_allocate(element.size());
  if (!element.empty()) std::memcpy(node.data, element.data(), element.size());
  return node;
}

ListNode ListNode::copy() const {
  ListNode node = *this;
  const size_t size = compressed ? sizeof(uint32_t) + compressed_bytes().size() : bytes;
  node.data = block_allocate(size);
  std::memcpy(node.data, data, size);
  return node;
}

void ListNode::destroy() {
  std::free(data);
  data = nullptr;
}

size_t ListNode::memory_bytes() const {
  return block_capacity(compressed ? sizeof(uint32_t) + compressed_bytes().size() : bytes);
}

std::string_view ListNode::compressed_bytes() const {
  uint32_t size;
  std::memcpy(&size, data, sizeof(size));
  return {reinterpret_cast<const char*>(data) + sizeof(size), size};
}

const uint8_t* ListNode::readable(std::unique_ptr<uint8_t[]>* scratch) const {
  if (!compressed) return data;
  scratch->reset(new uint8_t[bytes]);
  const std::string_view packed = compressed_bytes();
  const unsigned size =
      lzf_decompress(packed.data(), static_cast<unsigned>(packed.size()), scratch->get(), static_cast<uint32_t>(bytes));
  SYNAP_ASSERT(size == bytes);
  return scratch->get();
}

void ListNode::compress() {
  if (compressed || bytes < kCompressBytesMin || bytes > UINT32_MAX) return;
  const auto raw_bytes = static_cast<uint32_t>(bytes);
  const uint32_t room = raw_bytes - kCompressGainMin - 1;
  const std::unique_ptr<uint8_t[]> packed(new uint8_t[room]);
  const uint32_t size = lzf_compress(data, raw_bytes, packed.get(), room);
  if (size == 0) return;
  std::free(data);
  data = block_allocate(sizeof(size) + size);
  std::memcpy(data, &size, sizeof(size));
  std::memcpy(data + sizeof(size), packed.get(), size);
  compressed = 1;
}

void ListNode::expand() {
  if (!compressed) return;
  uint8_t* raw = block_allocate(bytes);
  const std::string_view packed = compressed_bytes();
  const unsigned size =
      lzf_decompress(packed.data(), static_cast<unsigned>(packed.size()), raw, static_cast<uint32_t>(bytes));
  SYNAP_ASSERT(size == bytes);
  std::free(data);
  data = raw;
  compressed = 0;
}

bool ListNode::allows_insert(const ListLimits& limits, size_t element_bytes) const {
  if (plain || limits.is_large(element_bytes)) return false;
  return !limits.exceeds(bytes + element_bytes + kElementOverheadBytes, count + 1);
}

bool ListNode::allows_merge(const ListLimits& limits, const ListNode& other) const {
  if (plain || other.plain) return false;
  return !limits.exceeds(bytes + other.bytes - kPackFrameBytes, count + other.count);
}

}  // namespace synap
