// RDB: https://github.com/redis/redis/blob/7.0/src/rdb.h (opcodes and string encodings).
#include "scripting/function_library.h"

#include <lzf.h>

#include <cstring>

#include "scripting/script_flags.h"
#include "server/base/crc64.h"
#include "server/base/text.h"

namespace synap {
namespace {

constexpr unsigned char kOpcodeFunction2 = 245;
constexpr unsigned char kOpcodeFunctionPreGa = 246;
constexpr uint16_t kRdbVersionWritten = 10;  // what Redis 7.0 reads
constexpr uint16_t kRdbVersionMax = 12;      // of Redis 7.4
constexpr size_t kFooterBytes = 10;
constexpr uint64_t kStringBytesMax = uint64_t{512} << 20;

void put_little(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void put_length(std::string* out, uint64_t length) {
  if (length < 1 << 6) {
    out->push_back(static_cast<char>(length));
  } else if (length < 1 << 14) {
    out->push_back(static_cast<char>(0x40 | (length >> 8)));
    out->push_back(static_cast<char>(length));
  } else {
    const bool is_long = length > UINT32_MAX;
    out->push_back(static_cast<char>(is_long ? 0x81 : 0x80));
    for (int shift = is_long ? 56 : 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(length >> shift));
  }
}

// Reads RDB strings; every method returns false at the end of the bytes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return bytes_.empty(); }
  bool byte(unsigned char* value) {
    if (bytes_.empty()) return false;
    *value = static_cast<unsigned char>(bytes_[0]);
    bytes_.remove_prefix(1);
    return true;
  }
  bool string(std::string* value) {
    uint64_t length = 0;
    int encoding = -1;
    if (!this->length(&length, &encoding)) return false;
    if (encoding == 3) return compressed(value);
    if (encoding >= 0) return integer(encoding, value);
    return take(length, value);
  }

 private:
  bool take(uint64_t length, std::string* value) {
    if (length > bytes_.size()) return false;
    value->assign(bytes_.substr(0, length));
    bytes_.remove_prefix(length);
    return true;
  }
  // *encoding stays -1 for a plain length.
  bool length(uint64_t* length, int* encoding) {
    unsigned char first = 0;
    if (!byte(&first)) return false;
    if (first >> 6 == 3) {
      *encoding = first & 0x3f;
      return *encoding <= 3;
    }
    if (first >> 6 == 0) {
      *length = first;
      return true;
    }
    int more = 1;
    *length = first & 0x3f;
    if (first >> 6 == 2) {
      if (first != 0x80 && first != 0x81) return false;
      more = first == 0x80 ? 4 : 8;
      *length = 0;
    }
    for (; more > 0; --more) {
      unsigned char next = 0;
      if (!byte(&next)) return false;
      *length = *length << 8 | next;
    }
    return true;
  }
  bool integer(int encoding, std::string* value) {
    const int size = 1 << encoding;
    uint32_t bits = 0;
    for (int i = 0; i < size; ++i) {
      unsigned char next = 0;
      if (!byte(&next)) return false;
      bits |= static_cast<uint32_t>(next) << (8 * i);
    }
    const int64_t number = encoding == 0   ? static_cast<int8_t>(bits)
                           : encoding == 1 ? static_cast<int16_t>(bits)
                                           : static_cast<int32_t>(bits);
    *value = std::to_string(number);
    return true;
  }
  bool compressed(std::string* value) {
    uint64_t packed = 0;
    uint64_t size = 0;
    int encoding = -1;
    if (!length(&packed, &encoding) || encoding >= 0 || !length(&size, &encoding) || encoding >= 0) return false;
    if (packed > bytes_.size() || size > kStringBytesMax) return false;
    value->resize(size);
    const unsigned int got = lzf_decompress(bytes_.data(), static_cast<unsigned int>(packed), value->data(),
                                            static_cast<unsigned int>(size));
    bytes_.remove_prefix(packed);
    return got == size;
  }

  std::string_view bytes_;
};

bool has_valid_footer(std::string_view payload) {
  if (payload.size() < kFooterBytes) return false;
  const std::string_view footer = payload.substr(payload.size() - kFooterBytes);
  const auto version = static_cast<uint16_t>(static_cast<unsigned char>(footer[0]) |
                                             static_cast<unsigned>(static_cast<unsigned char>(footer[1])) << 8);
  if (version > kRdbVersionMax) return false;
  std::string crc;
  put_little(&crc, crc64(0, payload.substr(0, payload.size() - 8)), 8);
  return crc == footer.substr(2);
}

}  // namespace

size_t FunctionLibrary::memory_bytes() const {
  size_t bytes = sizeof(*this) + name.capacity() + code.capacity();
  for (const LibraryFunction& function : functions) {
    bytes += sizeof(function) + function.name.capacity() + function.description.capacity();
  }
  return bytes;
}

size_t FunctionSet::memory_bytes() const {
  size_t bytes = functions.size() * (sizeof(FunctionRef) + sizeof(std::string) + 2 * sizeof(void*));
  for (const auto& [name, library] : libraries) bytes += library->memory_bytes();
  return bytes;
}

bool FunctionSet::add(std::shared_ptr<const FunctionLibrary> library, bool replace, std::string* error) {
  const auto old = libraries.find(library->name);
  if (old != libraries.end() && !replace) {
    *error = "Library '" + library->name + "' already exists";
    return false;
  }
  for (const LibraryFunction& function : library->functions) {
    const auto taken = functions.find(function.name);
    if (taken == functions.end()) continue;
    if (old != libraries.end() && taken->second.library == old->second) continue;
    *error = "Function " + function.name + " already exists";
    return false;
  }
  if (old != libraries.end()) remove(library->name);
  for (const LibraryFunction& function : library->functions) {
    functions[function.name] = {library, &function};
    has_promising = has_promising || (function.flags & kScriptDeclaredKeysOnly) != 0;
  }
  libraries.emplace(library->name, std::move(library));
  return true;
}

size_t IgnoreCaseHash::operator()(std::string_view name) const {
  uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(to_lower(c))) * 0x100000001b3ULL;
  return hash;
}

bool IgnoreCaseEqual::operator()(std::string_view a, std::string_view b) const {
  return equals_ignore_case(a, b);
}

bool FunctionSet::remove(std::string_view name) {
  const auto found = libraries.find(name);
  if (found == libraries.end()) return false;
  for (const LibraryFunction& function : found->second->functions) functions.erase(function.name);
  libraries.erase(found);
  return true;
}

void FunctionRegistry::publish(std::shared_ptr<const FunctionSet> set) {
  LockGuard lock(mutex_);
  promising_.store(set->has_promising, std::memory_order_relaxed);
  current_ = std::move(set);
  version_.fetch_add(1, std::memory_order_release);
}

std::string dump_functions(const FunctionSet& set) {
  std::string out;
  for (const auto& [name, library] : set.libraries) {
    out.push_back(static_cast<char>(kOpcodeFunction2));
    put_length(&out, library->code.size());
    out += library->code;
  }
  put_little(&out, kRdbVersionWritten, 2);
  put_little(&out, crc64(0, out), 8);
  return out;
}

bool read_function_dump(std::string_view payload, std::vector<std::string>* codes, std::string* error) {
  codes->clear();
  if (!has_valid_footer(payload)) {
    *error = "DUMP payload version or checksum are wrong";
    return false;
  }
  Reader reader(payload.substr(0, payload.size() - kFooterBytes));
  while (!reader.at_end()) {
    unsigned char opcode = 0;
    if (!reader.byte(&opcode)) break;
    if (opcode == kOpcodeFunctionPreGa) {
      *error = "Pre-GA function format not supported";
      return false;
    }
    if (opcode != kOpcodeFunction2) {
      *error = "given type is not a function";
      return false;
    }
    if (!reader.string(&codes->emplace_back())) {
      *error = "Failed loading library code";
      return false;
    }
  }
  return true;
}

}  // namespace synap
