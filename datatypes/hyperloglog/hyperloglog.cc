#include "datatypes/hyperloglog/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "server/base/random.h"

namespace synap {

namespace {

constexpr std::string_view kMagic = "HYLL";
constexpr size_t kEncodingAt = 4;
constexpr size_t kCachedCountAt = 8;
constexpr uint8_t kStaleBit = 0x80;
constexpr int kIndexBits = 14;
constexpr int kHashBits = 64 - kIndexBits;

// MurmurHash64A, little-endian, with the seed all HyperLogLogs of Redis share.
uint64_t element_hash(std::string_view element) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr uint64_t kSeed = 0xadc83b19;
  constexpr int kShift = 47;
  uint64_t hash = kSeed ^ (element.size() * kMultiplier);
  const char* at = element.data();
  size_t left = element.size();
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    word *= kMultiplier;
    word ^= word >> kShift;
    hash = (hash ^ (word * kMultiplier)) * kMultiplier;
  }
  if (left > 0) {
    for (size_t i = 0; i < left; ++i) hash ^= static_cast<uint64_t>(static_cast<uint8_t>(at[i])) << (8 * i);
    hash *= kMultiplier;
  }
  hash = (hash ^ (hash >> kShift)) * kMultiplier;
  return hash ^ (hash >> kShift);
}

// Which register an element concerns, and the length of its run of zeros plus one.
struct Observation {
  size_t index;
  uint8_t value;
};

Observation observe(std::string_view element) {
  const uint64_t hash = element_hash(element);
  const uint64_t rest = (hash >> kIndexBits) | (uint64_t{1} << kHashBits);
  return {hash & (kHllRegisters - 1), static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

uint8_t* unsigned_bytes(char* bytes) {
  return reinterpret_cast<uint8_t*>(bytes);
}
const uint8_t* unsigned_bytes(const char* bytes) {
  return reinterpret_cast<const uint8_t*>(bytes);
}

bool dense_raise(char* bytes, const Observation& seen) {
  uint8_t* dense = unsigned_bytes(bytes) + kHllHeaderBytes;
  if (hll_dense_get(dense, seen.index) >= seen.value) return false;
  hll_dense_set(dense, seen.index, seen.value);
  return true;
}

// The sparse code. A run covers registers that share a value; value 0 has two forms.
constexpr uint8_t kLongZeroBit = 0x40;
constexpr uint8_t kValueBit = 0x80;
constexpr size_t kShortZeroMax = 64;
constexpr size_t kValueRunMax = 4;
constexpr uint8_t kSparseValueMax = 32;

struct Run {
  size_t length;
  size_t bytes;
  uint8_t value;
};

// `left` bytes remain, at least one. A long form cut short has `bytes` 0.
Run read_run(const uint8_t* at, size_t left) {
  if ((*at & kValueBit) != 0) return {(*at & 3u) + 1u, 1, static_cast<uint8_t>(((*at >> 2) & 0x1F) + 1)};
  if ((*at & kLongZeroBit) == 0) return {(*at & 0x3Fu) + 1u, 1, 0};
  if (left < 2) return {0, 0, 0};
  return {((*at & 0x3Fu) << 8 | at[1]) + 1u, 2, 0};
}

// Writes runs of at most one form's maximum.
uint8_t* write_run(uint8_t* at, uint8_t value, size_t length) {
  if (value > 0) {
    *at++ = static_cast<uint8_t>(kValueBit | (value - 1) << 2 | (length - 1));
  } else if (length <= kShortZeroMax) {
    *at++ = static_cast<uint8_t>(length - 1);
  } else {
    *at++ = static_cast<uint8_t>(kLongZeroBit | (length - 1) >> 8);
    *at++ = static_cast<uint8_t>(length - 1);
  }
  return at;
}

// Calls visit(first register, run) for each run. False: the runs do not add up to all registers.
template <class Visit>
bool visit_runs(std::string_view bytes, Visit visit) {
  const uint8_t* at = unsigned_bytes(bytes.data()) + kHllHeaderBytes;
  const uint8_t* const end = unsigned_bytes(bytes.data()) + bytes.size();
  size_t index = 0;
  while (at < end) {
    const Run run = read_run(at, static_cast<size_t>(end - at));
    if (run.bytes == 0 || index + run.length > kHllRegisters) return false;
    visit(index, run);
    index += run.length;
    at += run.bytes;
  }
  return index == kHllRegisters;
}

// After a change of the run before `at` or at it: joins neighbours of one value, looking at five runs, as Redis does.
void join_runs(std::string* bytes, size_t at) {
  constexpr int kRunsLookedAt = 5;
  uint8_t* const code = unsigned_bytes(bytes->data());
  for (int i = 0; i < kRunsLookedAt && at < bytes->size(); ++i) {
    const Run run = read_run(code + at, bytes->size() - at);
    if (run.value == 0) {
      at += std::max<size_t>(run.bytes, 1);
      continue;
    }
    if (at + 1 < bytes->size() && (code[at + 1] & kValueBit) != 0) {
      const Run next = read_run(code + at + 1, 1);
      if (next.value == run.value && run.length + next.length <= kValueRunMax) {
        write_run(code + at, run.value, run.length + next.length);
        bytes->erase(at + 1, 1);
        continue;
      }
    }
    ++at;
  }
}

HllOutcome promote_and_raise(std::string* bytes, const Observation& seen) {
  if (!hll_make_dense(bytes)) return HllOutcome::kCorrupt;
  return dense_raise(bytes->data(), seen) ? HllOutcome::kChanged : HllOutcome::kUnchanged;
}

HllOutcome sparse_raise(std::string* bytes, const Observation& seen, size_t sparse_bytes_max) {
  if (seen.value > kSparseValueMax) return promote_and_raise(bytes, seen);

  // Find the run that covers the register, and the one before it.
  size_t at = kHllHeaderBytes;
  size_t previous_at = kHllHeaderBytes;
  size_t first = 0;
  Run run{};
  for (;;) {
    if (at >= bytes->size()) return HllOutcome::kCorrupt;
    run = read_run(unsigned_bytes(bytes->data()) + at, bytes->size() - at);
    if (run.bytes == 0) return HllOutcome::kCorrupt;
    if (seen.index < first + run.length) break;
    previous_at = at;
    at += run.bytes;
    first += run.length;
  }
  if (run.value >= seen.value) return HllOutcome::kUnchanged;

  // It becomes up to three runs: what is before the register, the register, what is after.
  uint8_t parts[5];
  uint8_t* end = parts;
  const size_t before = seen.index - first;
  const size_t after = run.length - before - 1;
  if (before > 0) end = write_run(end, run.value, before);
  end = write_run(end, seen.value, 1);
  if (after > 0) end = write_run(end, run.value, after);
  const auto parts_bytes = static_cast<size_t>(end - parts);
  if (parts_bytes > run.bytes && bytes->size() + parts_bytes - run.bytes > sparse_bytes_max) {
    return promote_and_raise(bytes, seen);
  }
  bytes->replace(at, run.bytes, reinterpret_cast<const char*>(parts), parts_bytes);
  join_runs(bytes, previous_at);
  return HllOutcome::kChanged;
}

// Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), as Redis computes it.
double sigma(double x) {
  if (x == 1.0) return INFINITY;
  double y = 1;
  double z = x;
  double previous;
  do {
    x *= x;
    previous = z;
    z += x * y;
    y += y;
  } while (previous != z);
  return z;
}

double tau(double x) {
  if (x == 0.0 || x == 1.0) return 0.0;
  double y = 1.0;
  double z = 1 - x;
  double previous;
  do {
    x = std::sqrt(x);
    previous = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (previous != z);
  return z / 3;
}

uint64_t estimate(const HllHistogram& histogram) {
  constexpr double kAlphaInfinity = 0.721347520444481703680;  // 0.5 / ln 2
  constexpr auto m = static_cast<double>(kHllRegisters);
  double z = m * tau((m - histogram[kHashBits + 1]) / m);
  for (size_t value = kHashBits; value >= 1; --value) {
    z += histogram[value];
    z *= 0.5;
  }
  z += m * sigma(histogram[0] / m);
  return static_cast<uint64_t>(llroundl(kAlphaInfinity * m * m / z));
}

}  // namespace

bool hll_is_valid(std::string_view bytes) {
  if (bytes.size() < kHllHeaderBytes || !bytes.starts_with(kMagic)) return false;
  const auto encoding = static_cast<uint8_t>(bytes[kEncodingAt]);
  if (encoding == static_cast<uint8_t>(HllEncoding::kDense)) return bytes.size() == kHllDenseBytes;
  return encoding == static_cast<uint8_t>(HllEncoding::kSparse);
}

std::string hll_create() {
  std::string bytes(kHllHeaderBytes + 2, '\0');
  bytes.replace(0, kMagic.size(), kMagic);
  bytes[kEncodingAt] = static_cast<char>(HllEncoding::kSparse);
  write_run(unsigned_bytes(bytes.data()) + kHllHeaderBytes, 0, kHllRegisters);
  return bytes;
}

bool hll_dense_add(char* bytes, std::string_view element) {
  return dense_raise(bytes, observe(element));
}

HllOutcome hll_sparse_add(std::string* bytes, std::string_view element, size_t sparse_bytes_max) {
  const Observation seen = observe(element);
  // An earlier element of the same command may have made it dense.
  if (hll_encoding(*bytes) == HllEncoding::kSparse) return sparse_raise(bytes, seen, sparse_bytes_max);
  return dense_raise(bytes->data(), seen) ? HllOutcome::kChanged : HllOutcome::kUnchanged;
}

bool hll_make_dense(std::string* bytes) {
  if (hll_encoding(*bytes) == HllEncoding::kDense) return true;
  std::string dense(kHllDenseBytes, '\0');
  dense.replace(0, kHllHeaderBytes, *bytes, 0, kHllHeaderBytes);
  dense[kEncodingAt] = static_cast<char>(HllEncoding::kDense);
  uint8_t* registers = unsigned_bytes(dense.data()) + kHllHeaderBytes;
  const bool complete = visit_runs(*bytes, [&](size_t first, const Run& run) {
    if (run.value == 0) return;
    for (size_t i = 0; i < run.length; ++i) hll_dense_set(registers, first + i, run.value);
  });
  if (complete) *bytes = std::move(dense);
  return complete;
}

bool hll_merge(std::string_view bytes, HllRegisters* registers) {
  if (hll_encoding(bytes) == HllEncoding::kDense) {
    hll_dense_merge(unsigned_bytes(bytes.data()) + kHllHeaderBytes, registers);
    return true;
  }
  return visit_runs(bytes, [&](size_t first, const Run& run) {
    if (run.value == 0) return;
    for (size_t i = first; i < first + run.length; ++i) {
      registers->values[i] = std::max(registers->values[i], run.value);
    }
  });
}

bool hll_raise(std::string* bytes, const HllRegisters& registers, size_t sparse_bytes_max) {
  for (size_t i = 0; i < kHllRegisters && hll_encoding(*bytes) == HllEncoding::kSparse; ++i) {
    if (registers.values[i] == 0) continue;
    if (sparse_raise(bytes, {i, registers.values[i]}, sparse_bytes_max) == HllOutcome::kCorrupt) return false;
  }
  if (hll_encoding(*bytes) == HllEncoding::kDense) {
    HllRegisters all = registers;
    uint8_t* dense = unsigned_bytes(bytes->data()) + kHllHeaderBytes;
    hll_dense_merge(dense, &all);
    hll_dense_pack(all, dense);
  }
  hll_invalidate(bytes->data());
  return true;
}

std::optional<uint64_t> hll_cached_count(std::string_view bytes) {
  const uint8_t* cache = unsigned_bytes(bytes.data()) + kCachedCountAt;
  if ((cache[7] & kStaleBit) != 0) return std::nullopt;
  uint64_t count = 0;
  for (int i = 7; i >= 0; --i) count = count << 8 | cache[i];
  return count;
}

void hll_cache_count(char* bytes, uint64_t count) {
  for (size_t i = 0; i < 8; ++i) bytes[kCachedCountAt + i] = static_cast<char>(count >> (8 * i));
}

void hll_invalidate(char* bytes) {
  uint8_t* top = unsigned_bytes(bytes) + kCachedCountAt + 7;
  *top = static_cast<uint8_t>(*top | kStaleBit);
}

std::optional<uint64_t> hll_count(std::string_view bytes) {
  if (hll_encoding(bytes) == HllEncoding::kDense) {
    HllRegisters registers;
    hll_dense_merge(unsigned_bytes(bytes.data()) + kHllHeaderBytes, &registers);
    return hll_count(registers);
  }
  HllHistogram histogram{};
  const bool complete =
      visit_runs(bytes, [&](size_t, const Run& run) { histogram[run.value] += static_cast<uint32_t>(run.length); });
  if (!complete) return std::nullopt;
  return estimate(histogram);
}

uint64_t hll_count(const HllRegisters& registers) {
  return estimate(hll_histogram(registers));
}

std::string hll_decode_sparse(std::string_view bytes) {
  // Whatever is there, damaged or not: this is for looking at it. A long form cut short is read with a zero, as Redis
  // does.
  std::string text;
  Run run{};
  for (size_t at = kHllHeaderBytes; at < bytes.size(); at += run.bytes) {
    run = read_run(unsigned_bytes(bytes.data()) + at, bytes.size() - at);
    if (run.bytes == 0) {
      const uint8_t completed[] = {static_cast<uint8_t>(bytes[at]), 0};
      run = read_run(completed, sizeof(completed));
    }
    if (!text.empty()) text += ' ';
    if (run.value > 0) {
      text += "v:" + std::to_string(run.value) + ',' + std::to_string(run.length);
    } else {
      text += (run.bytes == 2 ? "Z:" : "z:") + std::to_string(run.length);
    }
  }
  return text;
}

namespace {

std::string self_test_registers() {
  constexpr int kRounds = 1000;
  Random& random = thread_random();
  HllRegisters expected;
  std::array<uint8_t, kHllDenseRegisterBytes> dense{};
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < kHllRegisters; ++i) {
      expected.values[i] = static_cast<uint8_t>(random.next() & kHllRegisterMax);
      hll_dense_set(dense.data(), i, expected.values[i]);
    }
    for (size_t i = 0; i < kHllRegisters; ++i) {
      const uint8_t value = hll_dense_get(dense.data(), i);
      if (value == expected.values[i]) continue;
      return "TESTFAILED Register " + std::to_string(i) + " should be " + std::to_string(expected.values[i]) +
             " but is " + std::to_string(value);
    }
  }
  return {};
}

std::string self_test_counts(uint64_t added, std::string_view dense, std::string_view sparse, size_t sparse_bytes_max) {
  if (added < sparse_bytes_max / 2 && hll_encoding(sparse) != HllEncoding::kSparse) {
    return "TESTFAILED sparse encoding not used";
  }
  const uint64_t count = *hll_count(dense);
  if (hll_count(sparse) != count) return "TESTFAILED dense/sparse disagree";
  const double standard_error = 1.04 / std::sqrt(static_cast<double>(kHllRegisters));
  const uint64_t error_max =
      added == 10 ? 1 : static_cast<uint64_t>(std::ceil(standard_error * 6 * static_cast<double>(added)));
  const uint64_t error = added > count ? added - count : count - added;
  if (error <= error_max) return {};
  return "TESTFAILED Too big error. card:" + std::to_string(added) + " abserr:" + std::to_string(error);
}

}  // namespace

std::string hll_self_test(size_t sparse_bytes_max) {
  constexpr uint64_t kElements = 10000000;
  std::string failure = self_test_registers();
  std::string sparse = hll_create();
  std::string dense = sparse;
  if (!hll_make_dense(&dense)) return "TESTFAILED Cannot make an empty one dense";
  const uint64_t seed = thread_random().next();
  uint64_t checkpoint = 1;
  for (uint64_t i = 1; i <= kElements && failure.empty(); ++i) {
    const uint64_t element = i ^ seed;
    const std::string_view bytes(reinterpret_cast<const char*>(&element), sizeof(element));
    hll_dense_add(dense.data(), bytes);
    hll_sparse_add(&sparse, bytes, sparse_bytes_max);
    if (i != checkpoint) continue;
    failure = self_test_counts(i, dense, sparse, sparse_bytes_max);
    checkpoint *= 10;
  }
  return failure;
}

}  // namespace synap
