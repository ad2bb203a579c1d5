// The RDB format, versions up to 12 (Redis 7.4): what reader and writer share. A file is "REDIS" and four digits of
// version, then opcodes and values, kEof, and a CRC-64 of all before it (0: none). A DUMP payload is a type byte, the
// value, the version in two bytes and a CRC-64, all little-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synap {

// Written: the oldest version that can carry the data. Read: up to that of Redis 7.4.
inline constexpr int kRdbVersionBase = 10;          // Redis 7.0
inline constexpr int kRdbVersionFieldTtl = 12;      // Redis 7.4: hashes with field TTLs
inline constexpr int kRdbVersionMax = 12;

enum RdbType : uint8_t {
  kRdbString = 0,
  kRdbList = 1,
  kRdbSet = 2,
  kRdbZset = 3,   // scores as text
  kRdbHash = 4,
  kRdbZset2 = 5,  // scores as doubles
  kRdbModulePreGa = 6,
  kRdbModule2 = 7,
  kRdbHashZipmap = 9,
  kRdbListZiplist = 10,
  kRdbSetIntset = 11,
  kRdbZsetZiplist = 12,
  kRdbHashZiplist = 13,
  kRdbListQuicklist = 14,
  kRdbStreamListpacks = 15,
  kRdbHashListpack = 16,
  kRdbZsetListpack = 17,
  kRdbListQuicklist2 = 18,
  kRdbStreamListpacks2 = 19,
  kRdbSetListpack = 20,
  kRdbStreamListpacks3 = 21,
  kRdbHashMetadataPreGa = 22,   // 7.4 release candidates
  kRdbHashListpackExPreGa = 23,
  kRdbHashMetadata = 24,        // expiries relative to the hash's earliest, plus one; 0: none
  kRdbHashListpackEx = 25,
};

enum RdbOpcode : uint8_t {
  kRdbOpSlotInfo = 244,
  kRdbOpFunction2 = 245,
  kRdbOpFunctionPreGa = 246,
  kRdbOpModuleAux = 247,
  kRdbOpIdle = 248,
  kRdbOpFreq = 249,
  kRdbOpAux = 250,
  kRdbOpResizeDb = 251,
  kRdbOpExpiryMs = 252,
  kRdbOpExpirySeconds = 253,
  kRdbOpSelectDb = 254,
  kRdbOpEof = 255,
};

// The top two bits of a length's first byte, and the special strings when they are 3.
enum RdbLength : uint8_t {
  kRdb6Bit = 0,
  kRdb14Bit = 1,
  kRdb32Bit = 0x80,
  kRdb64Bit = 0x81,
  kRdbSpecial = 3,
};
enum RdbSpecialString : uint8_t {
  kRdbInt8 = 0,
  kRdbInt16 = 1,
  kRdbInt32 = 2,
  kRdbLzf = 3,
};

// How the parts of a quicklist2 node are kept.
enum RdbQuicklistContainer : uint64_t { kRdbPlainNode = 1, kRdbPackedNode = 2 };

// Parts of a module's value, each with its kind: enough to pass over one.
enum RdbModuleOpcode : uint64_t {
  kRdbModuleEof = 0,
  kRdbModuleSint = 1,
  kRdbModuleUint = 2,
  kRdbModuleFloat = 3,
  kRdbModuleDouble = 4,
  kRdbModuleString = 5,
};

inline constexpr size_t kRdbDumpFooterBytes = 10;

}  // namespace synap
