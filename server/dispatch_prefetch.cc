// Memory that the commands of some batches are about to read is fetched before they run, all of it at once, so that the cache
// misses overlap: first the table lines of their keys, then the entries, then the same for members and fields inside big
// containers. Nothing here is locked: tables allow prefetches beside a writer; what is inside an entry is looked at only
// while no other thread could change it.

#include <algorithm>
#include <array>
#include <utility>

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

// Where its first key seems to stand; hash 0: it has none.
Dispatcher::FirstKey Dispatcher::first_key(const Args& args) {
  if (args.size() < 2) return {};
  if (args.size() < 4) return {1, hash_bytes(args[1])};
  const Command* command = look_up(args);  // a script's keys stand behind its code and their number
  if (command == nullptr || !command->has(kGrowingGuard)) return {1, hash_bytes(args[1])};
  if (args[2] == "0") return {};
  return {3, hash_bytes(args[3])};
}

void Dispatcher::prefetch(std::span<const PrefetchBatch> batches) {
  std::array<uint64_t, kPrefetchMax> hashes;
  std::array<EntryTable::Fetched, kPrefetchMax> buckets;
  size_t count = 0;
  const auto part_of = [&](const PrefetchBatch& batch) {
    const size_t size = std::min(batch.commands->size(), kPrefetchMax - count);
    return std::span(hashes).subspan(std::exchange(count, count + size), size);
  };
  for (const PrefetchBatch& batch : batches) {
    const size_t first = count;
    const std::span<uint64_t> part = part_of(batch);
    for (size_t i = 0; i < part.size(); ++i) {
      const FirstKey key = first_key((*batch.commands)[i]);
      part[i] = key.hash;
      buckets[first + i] = nullptr;
      if (key.hash == 0) continue;
      if (key.position == 1) batch.commands->note_hash(i, key.hash);
      buckets[first + i] = environment_.keyspace->slice(batch.db, key.hash).table.prefetch_bucket(key.hash);
    }
  }
  for (size_t i = 0; i < count; ++i) EntryTable::prefetch_item(buckets[i], hashes[i]);
  if (!server_.guards->alone()) return;
  count = 0;
  for (const PrefetchBatch& batch : batches) prefetch_elements(*batch.commands, batch.db, part_of(batch));
}

void Dispatcher::prefetch_elements(const CommandBatch& batch, int db, std::span<const uint64_t> hashes) {
  struct Element {
    const Entry* container;
    uint64_t hash;
  };
  std::array<Element, kPrefetchMax> elements;
  size_t found = 0;
  uint64_t known_hash = 0;
  const Entry* container = nullptr;
  for (size_t i = 0; i < hashes.size(); ++i) {
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
