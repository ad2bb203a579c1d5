// ListNode: one piece of a big list, either a listpack of elements or one huge element ("plain"), perhaps compressed.
// Also ListLimits, which say when a listpack is full. A node is plain data: the chain that holds it destroys it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "datatypes/encoding/listpack.h"

namespace synap {

struct ListLimits {
  int64_t max_listpack_size = -2;  // list-max-listpack-size: a count, or -1 … -5 for 4 … 64 KiB
  int compress_depth = 0;          // list-compress-depth: nodes left raw at each end; 0 compresses none
  size_t plain_threshold = 0;      // DEBUG QUICKLIST-PACKED-THRESHOLD; 0 takes the limit of a listpack

  // SIZE_MAX where the limit is the other one.
  size_t bytes_max() const;
  size_t count_max() const;
  // Whether a listpack of that many bytes and elements is too big.
  bool exceeds(size_t bytes, size_t count) const;
  // Whether an element gets a node of its own.
  bool is_large(size_t element_bytes) const;
};

struct ListNode {
  static constexpr uint32_t kCountMax = (1u << 24) - 1;

  uint8_t* data = nullptr;
  uint64_t bytes : 38 = 0;  // of the listpack or the element, uncompressed
  uint64_t count : 24 = 0;
  uint64_t plain : 1 = 0;
  uint64_t compressed : 1 = 0;

  static ListNode of_pack(Listpack pack);
  static ListNode of_plain(std::string_view element);
  ListNode copy() const;
  void destroy();

  size_t memory_bytes() const;
  // Only while not compressed.
  ListpackView pack() const { return ListpackView(data); }
  // The uncompressed bytes: the node's own, or a copy made in `scratch`. Safe for parallel readers.
  const uint8_t* readable(std::unique_ptr<uint8_t[]>* scratch) const;
  // The LZF bytes of a compressed node.
  std::string_view compressed_bytes() const;

  // Changes the listpack of a node that is not compressed.
  template <class Change>
  void edit(Change change) {
    Listpack pack = Listpack::adopt(data);
    change(pack);
    set_bytes(pack.bytes());
    data = pack.release();
  }

  void set_bytes(size_t value) { bytes = value & ((uint64_t{1} << 38) - 1); }
  void set_count(size_t value) { count = value & kCountMax; }

  // Leaves small nodes and those that gain too little as they are.
  void compress();
  void expand();

  bool allows_insert(const ListLimits& limits, size_t element_bytes) const;
  bool allows_merge(const ListLimits& limits, const ListNode& other) const;
};
static_assert(sizeof(ListNode) == 16);

}  // namespace synap
