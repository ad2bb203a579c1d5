// Command: one row of a family's table, the single source of truth about a command. Dispatch, COMMAND, ACL, key
// extraction and the shard guard all read it; nothing compares names or handlers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace synap {

class Context;
struct Server;  // server/command/server_api.h
using ArgViews = std::span<const std::string_view>;

// Does all of a command: parse, look up, change, reply (exactly one reply, unless it blocks or pushes).
using Handler = void (*)(Context& ctx);
// Whether MONITOR and the slow log must not show this argument.
using SecretFunction = bool (*)(ArgViews args, size_t index);
// How many elements the command will visit, asked under its guard. Above kSlowLaneCost it runs on a worker thread.
using CostFunction = uint64_t (*)(Context& ctx);
inline constexpr uint64_t kSlowLaneCost = 4000;

// How the guard of one call differs from what the row's flags say (SORT, scripts).
enum CallGuard : uint32_t {
  kGuardAllShards = 1U << 0,  // touches keys that the call does not name
  kGuardShared = 1U << 1,     // only reads, though the row says kWrite
  kGuardDeclared = 1U << 2,   // keeps to the keys it names, though the row says kGrowingGuard: it runs in parallel
  kGuardSelf = 1U << 3,       // none: on a worker, the call locks one shard at a time itself (Context::with_shard)
  kGuardNoWrites = 1U << 4,   // promises not to write (a script's no-writes): a pause of writes lets it pass
};
// A set of CallGuard bits.
using GuardFunction = uint32_t (*)(Server& server, ArgViews args);

// Facts about a command. The first group is what COMMAND prints; the second steers dispatch.
enum CommandFlag : uint64_t {
  kWrite = 1ULL << 0,
  kReadonly = 1ULL << 1,
  kDenyOom = 1ULL << 2,
  kAdmin = 1ULL << 3,
  kPubsub = 1ULL << 4,
  kNoScript = 1ULL << 5,
  kBlocking = 1ULL << 6,
  kLoading = 1ULL << 7,   // allowed while the data set loads
  kStale = 1ULL << 8,     // allowed on a replica without its master
  kSkipMonitor = 1ULL << 9,
  kSkipSlowlog = 1ULL << 10,
  kAsking = 1ULL << 11,
  kFast = 1ULL << 12,
  kNoAuth = 1ULL << 13,
  kMayReplicate = 1ULL << 14,
  kNoAsyncLoading = 1ULL << 15,
  kAllowBusy = 1ULL << 16,
  kNoMulti = 1ULL << 17,
  kMovableKeys = 1ULL << 18,
  kNoMandatoryKeys = 1ULL << 19,
  kSentinelOnly = 1ULL << 20,
  kProtected = 1ULL << 21,

  // Steering dispatch.
  kRunsInMulti = 1ULL << 32,    // runs at once inside MULTI instead of being queued: EXEC, DISCARD, WATCH, RESET, QUIT, …
  kAllShards = 1ULL << 33,      // takes every shard, by the growing guard: FLUSHALL, SWAPDB, SAVE's fork, …
  kGrowingGuard = 1ULL << 34,   // may touch keys it does not declare: SORT with BY, scripts
  kSelfGuarded = 1ULL << 35,    // locks one shard at a time itself through ctx.for_each_shard: KEYS, SCAN, DBSIZE, …
  kNoStats = 1ULL << 36,        // EXEC's inner calls are counted, not the wrapper's time twice
  kPubsubInResp2 = 1ULL << 37,  // allowed for a RESP2 client with subscriptions: (P|S)SUBSCRIBE, PING, QUIT, RESET, …
  kAllowPaused = 1ULL << 38,    // not held back by CLIENT PAUSE
  kRunsQueue = 1ULL << 39,      // EXEC: its keys are those of the queued and watched
  kUsesWatched = 1ULL << 40,    // DISCARD, UNWATCH, RESET: its keys are the watched ones

  // Which arguments are channels, for users who may not use all of them.
  kChannelPublished = 1ULL << 41,    // argument 1: PUBLISH, SPUBLISH
  kChannelsSubscribed = 1ULL << 42,  // arguments 1 and on: SUBSCRIBE, SSUBSCRIBE
  kPatternsSubscribed = 1ULL << 43,  // arguments 1 and on are patterns: PSUBSCRIBE

  kTalksToOthers = 1ULL << 44,  // waits for another server, on a worker that is there for it: MIGRATE
  kKeepsCaching = 1ULL << 45,   // what CLIENT CACHING said still holds for the command that follows
  kWritesLast = 1ULL << 46,     // reads and computes, and only then Context::begin_write(): on a worker others may read its
                                // keys until then
};

// ACL categories, in the order Redis numbers them. Several follow from flags (see implied_categories in command_table).
enum CommandCategory : uint64_t {
  kCatKeyspace = 1ULL << 0,
  kCatRead = 1ULL << 1,
  kCatWrite = 1ULL << 2,
  kCatSet = 1ULL << 3,
  kCatSortedSet = 1ULL << 4,
  kCatList = 1ULL << 5,
  kCatHash = 1ULL << 6,
  kCatString = 1ULL << 7,
  kCatBitmap = 1ULL << 8,
  kCatHyperloglog = 1ULL << 9,
  kCatGeo = 1ULL << 10,
  kCatStream = 1ULL << 11,
  kCatPubsub = 1ULL << 12,
  kCatAdmin = 1ULL << 13,
  kCatFast = 1ULL << 14,
  kCatSlow = 1ULL << 15,
  kCatBlocking = 1ULL << 16,
  kCatDangerous = 1ULL << 17,
  kCatConnection = 1ULL << 18,
  kCatTransaction = 1ULL << 19,
  kCatScripting = 1ULL << 20,
};

// Key specs as in COMMAND: how to find the keys, and what is done with them.
enum KeyFlag : uint32_t {
  kKeyRO = 1U << 0,
  kKeyRW = 1U << 1,
  kKeyOW = 1U << 2,
  kKeyRM = 1U << 3,
  kKeyAccess = 1U << 4,
  kKeyUpdate = 1U << 5,
  kKeyInsert = 1U << 6,
  kKeyDelete = 1U << 7,
  kKeyNotKey = 1U << 8,
  kKeyIncomplete = 1U << 9,
  kKeyVariable = 1U << 10,
};

struct KeySpec {
  enum class Begin : uint8_t { kNone, kIndex, kKeyword, kUnknown };
  enum class Find : uint8_t { kRange, kKeyNumber, kUnknown };

  Begin begin = Begin::kNone;
  Find find = Find::kRange;
  uint32_t flags = 0;
  int index = 0;                  // kIndex: position of the first key (or of the count); kKeyword: where the search starts
  std::string_view keyword = {};  // kKeyword
  // kRange: last is relative to the first key (-1: to the end, -2: all but the last argument), limit as Redis.
  int last = 0;
  int step = 1;
  int limit = 0;
  // kKeyNumber: where the count stands and where the first key, relative to `index`.
  int number_index = 0;
  int first = 1;
};

// Keys from `first` to `last` (negative: from the end, as COMMAND counts), every `step` arguments.
constexpr KeySpec key_range(int first, int last, int step, uint32_t flags) {
  KeySpec spec;
  spec.begin = KeySpec::Begin::kIndex;
  spec.flags = flags;
  spec.index = first;
  spec.last = last < 0 ? last : last - first;
  spec.step = step;
  return spec;
}
constexpr KeySpec one_key(uint32_t flags) { return key_range(1, 1, 1, flags); }
// A count at `index`, then that many keys starting `first` arguments after the count.
constexpr KeySpec counted_keys(int index, uint32_t flags, int first = 1) {
  KeySpec spec;
  spec.begin = KeySpec::Begin::kIndex;
  spec.find = KeySpec::Find::kKeyNumber;
  spec.flags = flags;
  spec.index = index;
  spec.first = first;
  return spec;
}
// Keys after a keyword searched from argument `start` (negative: from the end). limit 2: half of what follows (XREAD).
constexpr KeySpec keyword_keys(std::string_view keyword, int start, uint32_t flags, int last, int limit) {
  KeySpec spec;
  spec.begin = KeySpec::Begin::kKeyword;
  spec.flags = flags;
  spec.keyword = keyword;
  spec.index = start;
  spec.last = last;
  spec.limit = limit;
  return spec;
}
constexpr KeySpec unknown_keys(uint32_t flags) {
  KeySpec spec;
  spec.begin = KeySpec::Begin::kUnknown;
  spec.find = KeySpec::Find::kUnknown;
  spec.flags = flags | kKeyIncomplete;
  return spec;
}

// A key of one call: its position in the arguments and what is done with it.
struct KeyRef {
  size_t position;
  uint32_t flags;
};
// For what key specs cannot say (SORT STORE, GEORADIUS STORE, MIGRATE KEYS): appends all keys of the call; false when
// the arguments make no sense.
using KeyFunction = bool (*)(ArgViews args, std::vector<KeyRef>* keys);

inline constexpr size_t kKeySpecsMax = 4;

struct Command {
  std::string_view name;  // lower case; a subcommand's own name ("get"), see full_name
  Handler handler = nullptr;  // null for a container that only has subcommands
  int arity = 0;          // counts the name (and the container's); negative: at least
  uint64_t flags = 0;
  uint64_t categories = 0;
  std::array<KeySpec, kKeySpecsMax> key_specs = {};
  std::span<const Command> subcommands = {};
  CostFunction cost = nullptr;
  KeyFunction keys = nullptr;  // replaces key_specs for finding keys
  std::array<std::string_view, 3> tips = {};
  std::string_view full_name = {};  // subcommands: "config|get"; empty for top-level commands
  size_t secret_from = 0;           // arguments from this one on are not shown in MONITOR and the slow log; 0: none
  SecretFunction secret = nullptr;  // where it depends on the call
  GuardFunction guard = nullptr;    // where it depends on the call
  bool keys_in_first_spec = false;  // and nowhere else, in a plain range (set by CommandTable)

  std::string_view display_name() const { return full_name.empty() ? name : full_name; }
  bool hides(ArgViews args, size_t index) const {
    return (secret_from != 0 && index >= secret_from) || (secret != nullptr && secret(args, index));
  }
  bool has(uint64_t flag) const { return (flags & flag) != 0; }
};

using CommandFamily = std::span<const Command>;

}  // namespace synap
