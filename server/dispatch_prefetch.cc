// Memory that the commands of a batch are about to read is fetched before they run, all of it at once, so that the cache
// misses overlap: first the table lines of their keys, then the entries, then the same for members and fields inside big
// containers. Nothing here is locked: tables allow prefetches beside a writer; what is inside an entry is looked at only
// while no other thread could change it.

#include <algorithm>

#include "server/dispatch.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

constexpr uint64_t kElementCategories = kCatSet | kCatSortedSet | kCatHash;

// Where a command on one element names it: "ZADD key score member", "SISMEMBER key member", "HSET key field value".
size_t element_position(const Command& command, size_t argc) {
  const bool after_score = (command.categories & kCatSortedSet) != 0 && argc == 4;
  return after_score ? 3 : 2;
}

}  // namespace

// 0: it has none.
uint64_t Dispatcher::hash_of_first_key(const Args& args) {
  if (args.size() < 2) return 0;
  if (args.size() < 4) return hash_bytes(args[1]);
  const Command* command = look_up(args);  // a script's keys stand behind its code and their number
  if (command == nullptr || !command->has(kGrowingGuard)) return hash_bytes(args[1]);
  return args[2] == "0" ? 0 : hash_bytes(args[3]);
}

void Dispatcher::prefetch(const CommandBatch& batch, int db) {
  BatchHashes hashes;
  const size_t count = std::min(batch.size(), kPrefetchMax);
  for (size_t i = 0; i < count; ++i) {
    const Args args = batch[i];
    hashes[i] = hash_of_first_key(args);
    if (hashes[i] != 0) environment_.keyspace->slice(db, hashes[i]).table.prefetch_bucket(hashes[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    if (hashes[i] != 0) environment_.keyspace->slice(db, hashes[i]).table.prefetch_item(hashes[i]);
  }
  if (server_.guards->alone()) prefetch_elements(batch, db, hashes);
}

void Dispatcher::prefetch_elements(const CommandBatch& batch, int db, const BatchHashes& hashes) {
  struct Element {
    const Entry* container;
    uint64_t hash;
  };
  std::array<Element, kPrefetchMax> elements;
  size_t found = 0;
  uint64_t known_hash = 0;
  const Entry* container = nullptr;
  for (size_t i = 0; i < std::min(batch.size(), kPrefetchMax); ++i) {
    const Args args = batch[i];
    if (args.size() < 3) continue;
    const Command* command = look_up(args);
    if (command == nullptr || (command->categories & kElementCategories) == 0) continue;
    if (hashes[i] != known_hash) {
      known_hash = hashes[i];
      container = environment_.keyspace->slice(db, known_hash).find(known_hash, args[1]);
    }
    if (container == nullptr) continue;
    const uint64_t hash = hash_bytes(args[element_position(*command, args.size())]);
    if (prefetch_element(container, hash, false)) elements[found++] = {container, hash};
  }
  for (size_t i = 0; i < found; ++i) prefetch_element(elements[i].container, elements[i].hash, true);
}

}  // namespace synap
