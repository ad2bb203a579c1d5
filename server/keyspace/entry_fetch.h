// EntryFetch: fetches the entries of some keys that are about to be looked up, and the table lines that lead there, all at
// once, so that their cache misses overlap. Each stage is a loop as short as can be: the fewer instructions it takes, the
// more misses the processor has under way. Nothing is locked: tables allow this beside a writer, as long as the thread is
// not at a quiescent point (background.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "server/keyspace/entry.h"

namespace synap {

class EntryFetch {
 public:
  static constexpr size_t kMax = 64;

  bool full() const { return count_ == kMax; }
  // Not when full().
  void add(const EntryTable& table, uint64_t hash) {
    SYNAP_DCHECK(!full());
    table.prefetch_directory(hash);
    tables_[count_] = &table;
    hashes_[count_++] = hash;
  }

  // Once, after all are added.
  void run() {
    for (size_t i = 0; i < count_; ++i) {
      homes_[i] = tables_[i]->unlocked_home_of(hashes_[i]);
      addresses_[i] = EntryTable::bucket_of(homes_[i]);
    }
    for (size_t i = 0; i < count_; ++i) __builtin_prefetch(addresses_[i]);
    size_t found = 0;
    size_t spilled = 0;
    for (size_t i = 0; i < count_; ++i) {
      const Entry* entry = EntryTable::probable_item(homes_[i], hashes_[i]);
      if (entry != nullptr) [[likely]] {
        addresses_[found++] = entry;
      } else if (EntryTable::prefetch_if_spilled(homes_[i])) {
        hashes_[spilled] = hashes_[i];
        homes_[spilled++] = homes_[i];
      }
    }
    for (size_t i = 0; i < found; ++i) EntryTable::prefetch_item(static_cast<const Entry*>(addresses_[i]));
    for (size_t i = 0; i < spilled; ++i) {
      const Entry* entry = EntryTable::probable_spilled_item(homes_[i], hashes_[i]);
      if (entry != nullptr) EntryTable::prefetch_item(entry);
    }
  }

 private:
  std::array<const EntryTable*, kMax> tables_;
  std::array<uint64_t, kMax> hashes_;
  std::array<EntryTable::Home, kMax> homes_;
  std::array<const void*, kMax> addresses_;
  size_t count_ = 0;
};

}  // namespace synap
