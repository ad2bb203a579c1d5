// Reader of the ziplist, the sequence format that listpack replaced, for values in old RDB files and DUMP payloads.
// Every step checks its bounds, so corrupt bytes end in kCorrupt and never in a crash.
#pragma once

#include <cstdint>
#include <string_view>

#include "datatypes/encoding/listpack.h"

namespace synap {

enum class ReadStep { kValue, kEnd, kCorrupt };

class ZiplistReader {
 public:
  static constexpr size_t kHeaderBytes = 10;

  // Whether header and end hold together, and deep: every entry, its back link and the count. `count` may be null.
  static bool validate(std::string_view bytes, bool deep, size_t* count = nullptr);

  explicit ZiplistReader(std::string_view bytes);
  // The next element, pointing into the bytes.
  ReadStep next(ListpackValue* value);

 private:
  std::string_view bytes_;
  size_t at_ = kHeaderBytes;
  size_t entry_ = 0;           // where the last entry began
  size_t previous_bytes_ = 0;  // its size, which the next entry repeats
  bool header_ok_ = false;
};

}  // namespace synap
