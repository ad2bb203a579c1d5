// Reader of the zipmap, Redis 2.4's small hash, for values in very old RDB files. Every step checks its bounds, so
// corrupt bytes end in kCorrupt and never in a crash.
#pragma once

#include <string_view>

#include "datatypes/encoding/ziplist.h"

namespace synap {

class ZipmapReader {
 public:
  // Whether the whole map holds together and is not empty.
  static bool validate(std::string_view bytes);

  explicit ZipmapReader(std::string_view bytes) : bytes_(bytes) {}
  // The next field and its value, pointing into the bytes.
  ReadStep next(std::string_view* field, std::string_view* value);

 private:
  // A length at at_, which moves past it. False: cut.
  bool read_length(size_t* length);

  std::string_view bytes_;
  size_t at_ = 1;
};

}  // namespace synap
