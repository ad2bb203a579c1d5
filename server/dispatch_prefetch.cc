// Memory that the commands of some batches are about to read is fetched before they run, all of it at once, so that the cache
// misses overlap: first the table lines of their keys, then the entries, then the same for members and fields inside big
// containers. Nothing here is locked: tables allow prefetches beside a writer; what is inside an entry is looked at only
// while no other thread could change it.

#include <array>

#include "server/dispatch.h"
#include "server/keyspace/entry_fetch.h"
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

// What is to be fetched for a command: where its first key seems to stand (hash 0: it has none), and whether what is inside
// that key's value is, too.
Dispatcher::FirstKey Dispatcher::first_key(const Args& args) {
  if (args.size() < 2) return {};
  FirstKey first = {1, 0, false};
  if (args.size() >= 3) {
    const Command* command = look_up(args);
    if (command != nullptr && command->has(kGrowingGuard)) {  // a script's keys stand behind its code and their number
      if (args.size() == 3 || args[2] == "0") return {};
      first.position = 3;
    }
    first.has_element = command != nullptr && (command->categories & kElementCategories) != 0;
  }
  first.hash = hash_bytes(args[first.position]);
  return first;
}

void Dispatcher::prefetch(std::span<const PrefetchBatch> batches) {
  EntryFetch fetch;
  bool any_elements = false;
  for (const PrefetchBatch& batch : batches) {
    for (size_t i = 0; i < batch.commands->size() && !fetch.full(); ++i) {
      const FirstKey key = first_key((*batch.commands)[i]);
      if (key.hash == 0) continue;
      any_elements = any_elements || key.has_element;
      if (key.position == 1) batch.commands->note_hash(i, key.hash);
      fetch.add(environment_.keyspace->slice(batch.db, key.hash).table, key.hash);
    }
  }
  fetch.run();
  if (!any_elements || !server_.guards->alone()) return;
  for (const PrefetchBatch& batch : batches) prefetch_elements(*batch.commands, batch.db);
}

void Dispatcher::prefetch_elements(const CommandBatch& batch, int db) {
  struct Element {
    const Entry* container;
    uint64_t hash;
  };
  std::array<Element, EntryFetch::kMax> elements;  // no more hashes are known
  size_t found = 0;
  uint64_t key_hash = 0;
  const Entry* container = nullptr;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Args args = batch[i];
    if (args.size() < 3 || args.known_hash() == 0) continue;
    const Command* command = look_up(args);
    if (command == nullptr || (command->categories & kElementCategories) == 0) continue;
    if (args.known_hash() != key_hash) {
      key_hash = args.known_hash();
      container = environment_.keyspace->slice(db, key_hash).find(key_hash, args[1]);
    }
    if (container == nullptr) continue;
    const uint64_t hash = hash_bytes(args[element_position(*command, args.size())]);
    if (prefetch_element(container, hash, false)) elements[found++] = {container, hash};
  }
  for (size_t i = 0; i < found; ++i) prefetch_element(elements[i].container, elements[i].hash, true);
}

}  // namespace synap
