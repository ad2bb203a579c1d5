#include "server/keyspace/keyspace.h"

#include "server/keyspace/type_ops.h"

namespace synap {

void DbSlice::add(uint64_t hash, Entry* entry) {
  table.insert(hash, entry, entry->has_expiry());
  expiring += entry->has_expiry() ? 1 : 0;
  field_expiry_changed(entry, 0);
}

void DbSlice::field_expiry_changed(Entry* entry, int64_t before_ms) {
  const int64_t after_ms = next_field_expiry_ms(entry);
  if (after_ms == before_ms) return;
  if (before_ms != 0) field_expiries.erase({before_ms, entry});
  if (after_ms != 0) field_expiries.emplace(after_ms, entry);
  field_expiring = field_expiries.size();
}

void DbSlice::replace(uint64_t hash, Entry* old_entry, Entry* fresh) {
  EntryTable::Slot* slot = table.find(hash, old_entry->key());
  SYNAP_ASSERT(slot != nullptr && slot->item() == old_entry);
  replace_at(slot, fresh);
  Entry::free_memory(old_entry);
}

void DbSlice::replace_at(EntryTable::Slot* slot, Entry* fresh) {
  Entry* old = slot->item();
  expiring += fresh->has_expiry() ? 1 : 0;
  expiring -= old->has_expiry() ? 1 : 0;
  if (!field_expiries.empty()) field_expiries.erase({next_field_expiry_ms(old), old});
  slot->set_item(fresh);
  slot->set_mark(fresh->has_expiry());
  field_expiring = field_expiries.size();
  field_expiry_changed(fresh, 0);
}

Entry* DbSlice::take(uint64_t hash, std::string_view key) {
  Entry* entry = table.erase(hash, key);
  if (entry == nullptr) return nullptr;
  expiring -= entry->has_expiry() ? 1 : 0;
  if (!field_expiries.empty()) field_expiries.erase({next_field_expiry_ms(entry), entry});
  field_expiring = field_expiries.size();
  return entry;
}

Keyspace::Keyspace(int databases) : databases_(databases) {
  for (std::unique_ptr<Shard>& shard : shards_) {
    shard = std::make_unique<Shard>();
    shard->dbs = std::vector<DbSlice>(static_cast<size_t>(databases));
  }
}

Keyspace::~Keyspace() {
  for (std::unique_ptr<Shard>& shard : shards_) {
    for (DbSlice& slice : shard->dbs) {
      slice.table.for_each([](Entry* entry, bool) { free_entry(entry); });
    }
  }
}

size_t Keyspace::key_count(int db) const {
  size_t count = 0;
  for (const std::unique_ptr<Shard>& shard : shards_) count += shard->dbs[static_cast<size_t>(db)].table.size();
  return count;
}

size_t Keyspace::field_expiring_count(int db) const {
  size_t count = 0;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    count += shard->dbs[static_cast<size_t>(db)].field_expiring;
  }
  return count;
}

size_t Keyspace::expiring_count(int db) const {
  size_t count = 0;
  for (const std::unique_ptr<Shard>& shard : shards_) count += shard->dbs[static_cast<size_t>(db)].expiring;
  return count;
}

}  // namespace synap
