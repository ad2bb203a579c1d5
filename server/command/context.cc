#include "server/command/context.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "server/base/number.h"
#include "server/command/command_table.h"
#include "server/command/server_api.h"
#include "server/keyspace/background.h"
#include "server/keyspace/entry_fetch.h"
#include "server/keyspace/hot_values.h"
#include "server/keyspace/shard_guard.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

// Strings of at most this many digits can be 64-bit integers.
constexpr size_t kIntegerCharsMax = 20;

bool can_wake_waiters(ValueType type) { return type != ValueType::kString && type != ValueType::kHash && type != ValueType::kSet; }

size_t grown_capacity(size_t size) {
  constexpr size_t kPreallocMax = size_t{1} << 20;
  return size < kPreallocMax ? size * 2 : size + kPreallocMax;
}

// For the block that an entry's word owns. Its bytes, for writing.
char* resize_block(uint64_t* word, size_t size) {
  SharedBytes block = SharedBytes::adopt(reinterpret_cast<SharedBytes::Block*>(*word));
  const size_t old_size = block.size();
  if (!block.unique() || block.capacity() < size) {
    SharedBytes grown = SharedBytes::allocate(size > old_size ? grown_capacity(size) : size);
    std::memcpy(grown.data(), block.data(), std::min(size, old_size));
    block = std::move(grown);
  }
  if (size > old_size) std::memset(block.data() + old_size, 0, size - old_size);
  block.resize(size);
  char* bytes = block.data();
  *word = reinterpret_cast<uint64_t>(block.release());
  return bytes;
}

}  // namespace

void EffectBuffer::append(int effect_db, std::span<const std::string_view> args) {
  const auto header = [this](char type, size_t n) {
    char text[24];
    text[0] = type;
    const size_t digits = format_int64(text + 1, static_cast<int64_t>(n));
    resp.append(text, digits + 1);
    resp.append("\r\n");
  };
  if (db == -1) {
    first_db = db = effect_db;
  } else if (effect_db != db) {
    db = effect_db;
    const std::string text = to_text(effect_db);
    const std::string_view select[] = {"SELECT", text};
    append(effect_db, select);
    --count;
  }
  header('*', args.size());
  for (const std::string_view arg : args) {
    header('$', arg.size());
    resp.append(arg);
    resp.append("\r\n");
  }
  ++count;
}

// --- KeyEdit.

KeyEdit::KeyEdit(Context& ctx, std::string_view key, ValueType type)
    : ctx_(ctx), key_(key), hash_(ctx.hash_of(key)), entry_(ctx.find_for_write(key, hash_)) {
  if (entry_ == nullptr) return;
  if (entry_->type() != type) {
    wrong_type_ = true;
    closed_ = true;
    entry_ = nullptr;
    ctx.wrong_type();
    return;
  }
  ctx.touch(entry_);
}

void KeyEdit::changed(uint64_t count, uint32_t event_class, std::string_view event) {
  ctx_.dirty_ += count;
  changed_ = true;
  if (created_) {
    created_ = false;
    ctx_.notify(kEventNew, "new", key_);
  }
  if (!event.empty()) ctx_.notify(event_class, event, key_);
}

// --- EditBase.

EditBase::EditBase(Context& ctx, std::string_view key, ValueType type) : KeyEdit(ctx, key, type), type_(type) {
  if (entry_ != nullptr && type == ValueType::kHash) field_expiry_before_ms_ = next_field_expiry_ms(entry_);
}

void EditBase::create(uint64_t word) {
  entry_ = Entry::make({.type = type_,
                        .storage = Storage::kObject,
                        .key = key_,
                        .word = word,
                        .access_clock = ctx_.environment_->access_clock.fresh()});
  ctx_.slice(hash_).add(hash_, entry_);
  closed_ = false;
  created_ = true;
}

bool EditBase::is_empty_object() const { return type_ops(type_).empty(entry_); }

void EditBase::close() {
  if (closed_) return;
  closed_ = true;
  if (entry_ == nullptr) return;
  if (type_ == ValueType::kHash) ctx_.slice(hash_).field_expiry_changed(entry_, field_expiry_before_ms_);
  if (!is_empty_object()) {
    if (changed_) ctx_.announce(key_, hash_, false);
    return;
  }
  // The key may be a view into the entry: the notification comes before the entry goes.
  Entry* entry = ctx_.slice(hash_).take(hash_, key_);
  SYNAP_ASSERT(entry == entry_);
  if (changed_) {
    ctx_.notify(kEventGeneric, "del", key_);
    ctx_.announce(key_, hash_, true);
  }
  dispose_entry(entry);
  entry_ = nullptr;
}

// --- StringEdit.

StringEdit::StringEdit(Context& ctx, std::string_view key) : KeyEdit(ctx, key, ValueType::kString) {
  if (entry_ != nullptr && entry_->storage() == Storage::kPacked) unpacked_ = entry_->packed()->unpack();
}

// Before bytes are changed in place: the compressed value gives way to its bytes.
void StringEdit::unpack_entry() {
  if (!unpacked_) return;
  PackedValue::free(entry_->packed());
  Entry::Parts parts = entry_->parts();
  parts.storage = Storage::kBlock;
  parts.word = reinterpret_cast<uint64_t>(unpacked_.release());
  const bool rewritten = entry_->rewrite_in_place(parts);
  SYNAP_ASSERT(rewritten);
}

std::string_view StringEdit::view() const {
  if (entry_ == nullptr) return {};
  if (unpacked_) return unpacked_.view();
  switch (entry_->storage()) {
    case Storage::kInt:
      return {scratch_, format_int64(scratch_, entry_->integer())};
    case Storage::kBlock:
      return entry_->block()->view();
    default:
      return entry_->inline_value();
  }
}

char* StringEdit::resize(size_t size) {
  unpack_entry();
  if (entry_ != nullptr && entry_->storage() == Storage::kBlock) return resize_block(entry_->word(), size);
  const std::string_view old = view();
  if (entry_ != nullptr && entry_->storage() == Storage::kRaw && old.size() == size) return entry_->mutable_inline_value();
  Entry::Parts parts{.type = ValueType::kString,
                     .storage = Storage::kRaw,
                     .key = key_,
                     .expiry_ms = expiry_ms(),
                     .access_clock = ctx_.environment_->access_clock.fresh()};
  std::string inline_bytes;
  const size_t kept = std::min(size, old.size());
  if (size <= kInlineBytesMax / 4) {
    inline_bytes.assign(old.substr(0, kept));
    inline_bytes.resize(size, '\0');
    parts.inline_value = inline_bytes;
  } else {
    SharedBytes block = SharedBytes::allocate(entry_ == nullptr ? size : grown_capacity(size));
    if (kept != 0) std::memcpy(block.data(), old.data(), kept);
    std::memset(block.data() + kept, 0, size - kept);
    block.resize(size);
    parts.storage = Storage::kBlock;
    parts.word = reinterpret_cast<uint64_t>(block.release());
  }
  put(parts);
  return entry_->is_inline() ? entry_->mutable_inline_value() : entry_->block()->bytes();
}

void StringEdit::put(Entry::Parts parts) {
  if (entry_ == nullptr) {
    created_ = true;
    entry_ = Entry::make(parts);
    ctx_.slice(hash_).add(hash_, entry_);
    return;
  }
  parts.key = entry_->key();
  parts.access_clock = entry_->access_clock();
  if (entry_->rewrite_in_place(parts)) return;
  Entry* fresh = Entry::make(parts);
  ctx_.slice(hash_).replace(hash_, entry_, fresh);
  entry_ = fresh;
}

void StringEdit::assign(std::string_view bytes) {
  if (entry_ != nullptr) free_value(entry_);
  put(string_parts(key_, bytes, expiry_ms(), ctx_.environment_->access_clock.fresh(), value_packing(ctx_.config())));
  unpacked_.reset();
}

void StringEdit::assign_integer(int64_t value) {
  if (entry_ != nullptr && entry_->storage() == Storage::kInt) {
    *entry_->word() = static_cast<uint64_t>(value);
    return;
  }
  if (entry_ != nullptr) free_value(entry_);
  unpacked_.reset();
  put({.type = ValueType::kString,
       .storage = Storage::kInt,
       .key = key_,
       .expiry_ms = expiry_ms(),
       .word = static_cast<uint64_t>(value),
       .access_clock = ctx_.environment_->access_clock.fresh()});
}

void StringEdit::close() {
  if (closed_) return;
  closed_ = true;
  if (changed_) ctx_.announce(key_, hash_, false);
}

// --- Context: arguments.

void Context::arity_error() { reply_->error({kArityErrorBegin, command_->display_name(), kArityErrorEnd}); }

bool Context::parse(std::string_view text_argument, int64_t* value, std::string_view error_text) {
  if (parse_int64(text_argument, value)) return true;
  error(error_text.empty() ? kNotIntegerError : error_text);
  return false;
}

bool Context::parse(std::string_view text_argument, double* value, std::string_view error_text) {
  if (parse_double(text_argument, value)) return true;
  error(error_text.empty() ? kNotFloatError : error_text);
  return false;
}

bool Context::parse_range(std::string_view text_argument, int64_t min, int64_t max, int64_t* value,
                          std::string_view error_text) {
  if (!parse(text_argument, value, error_text)) return false;
  if (*value >= min && *value <= max) return true;
  error(error_text.empty() ? (min == 0 && max == INT64_MAX ? kMustBePositiveError : kOutOfRangeError) : error_text);
  return false;
}

bool Context::parse_timeout_seconds(std::string_view text_argument, int64_t* timeout_ms) {
  long double seconds;
  if (!parse_long_double(text_argument, &seconds)) {
    error(kTimeoutNotFloatError);
    return false;
  }
  const long double milliseconds = std::ceil(seconds * 1000);
  if (milliseconds > static_cast<long double>(INT64_MAX - now_ms())) {
    error(kTimeoutOutOfRangeError);
    return false;
  }
  if (seconds < 0) {
    error(kTimeoutNegativeError);
    return false;
  }
  *timeout_ms = static_cast<int64_t>(milliseconds);
  return true;
}

bool Context::parse_timeout_ms(std::string_view text_argument, int64_t* timeout_ms) {
  if (!parse_int64(text_argument, timeout_ms)) {
    error(kTimeoutNotIntegerError);
    return false;
  }
  if (*timeout_ms < 0) {
    error(kTimeoutNegativeError);
    return false;
  }
  if (*timeout_ms > INT64_MAX - now_ms()) {
    error(kTimeoutOutOfRangeError);
    return false;
  }
  return true;
}

// --- Context: reading.

uint64_t Context::hash_of(std::string_view key) const {
  if (key.empty()) return hash_bytes(key);
  // Handlers mostly meet their keys in the order of the declaration.
  const size_t count = key_hashes_.size();
  for (size_t i = 0; i < std::min<size_t>(count, 4); ++i) {
    const size_t index = next_key_hash_ + i < count ? next_key_hash_ + i : next_key_hash_ + i - count;
    if (key_hashes_[index].data != key.data()) continue;
    next_key_hash_ = index;
    if (count > 1 && index >= fetched_keys_) fetch_keys(index);
    return key_hashes_[index].hash;
  }
  return hash_bytes(key);
}

// Handlers go through many keys in order: those from here on are looked up next.
void Context::fetch_keys(size_t first) const {
  EntryFetch fetch;
  for (fetched_keys_ = first; fetched_keys_ < key_hashes_.size() && !fetch.full(); ++fetched_keys_) {
    const uint64_t hash = key_hashes_[fetched_keys_].hash;
    fetch.add(environment_->keyspace->slice(db(), hash).table, hash);
  }
  fetch.run();
}

void Context::check_covered(uint64_t hash, bool writing) const {
  static_cast<void>(hash);
  static_cast<void>(writing);
  SYNAP_DCHECK(guard_ != nullptr && guard_->covers(shard_bit(hash), writing));
}

ShardMask Context::guarded_shards() const {
  return guard_ == nullptr ? 0 : guard_->mask();
}

bool Context::covers(std::string_view key, bool writing) const {
  return guard_ != nullptr && guard_->covers(shard_bit(hash_of(key)), writing);
}

bool Context::extend_guard(ShardMask mask) {
  if (guard_->covers(mask, false)) return true;
  if (guard_is_fixed_) return false;
  if (guard_->try_extend(mask)) return true;
  wanted_shards_ = mask;
  return false;
}

bool Context::begin_write() {
  must_restart_ = !guard_->try_upgrade();
  return !must_restart_;
}

void Context::for_each_shard(const std::function<void(Shard&)>& visit) {
  Keyspace& all = keyspace();
  const bool covered = guard_ != nullptr && guard_->covers(kAllShardsMask, false);
  for (size_t i = 0; i < kShards; ++i) {
    Shard& shard = all.shard(i);
    if (!covered) lock_blocking(shard.lock, LockMode::kShared);
    visit(shard);
    if (!covered) shard.lock.unlock(LockMode::kShared);
  }
}

void Context::with_shard(size_t shard, const std::function<void()>& work) {
  if (guard_ != nullptr) return work();
  ShardGuard guard = ShardGuard::of_one(&keyspace(), shard);
  guard_ = &guard;
  work();
  guard_ = nullptr;
  guard.release();
}

void Context::touch(const Entry* entry, Touch when) {
  const bool spared = session_ != nullptr && session_->has(kSessionNoTouch);
  if (when == Touch::kNever || (spared && when != Touch::kAlways)) return;
  const uint32_t before = entry->access_clock();
  const uint32_t after = environment_->access_clock.touched(before);
  // Readers share the entry; whichever clock is stored last will do.
  if (after != before) const_cast<Entry*>(entry)->set_access_clock(after);
}

const Entry* Context::peek(std::string_view key) {
  const uint64_t hash = hash_of(key);
  check_covered(hash, false);
  const Entry* entry = slice(hash).find(hash, key);
  if (entry == nullptr || !is_expired(*entry)) return entry;
  if (!environment_->replica) expired_seen_.push_back({std::string(key), ExpiredSeen::What::kKey, {}});
  return nullptr;
}

const Entry* Context::lookup(std::string_view key, Touch when) {
  const Entry* entry = peek(key);
  if (entry == nullptr) {
    environment_->stats->count(environment_->stats->misses);
    if ((config().notify_keyspace_events & kEventKeyMiss) != 0) notify(kEventKeyMiss, "keymiss", key);
    return nullptr;
  }
  environment_->stats->count(environment_->stats->hits);
  touch(entry, when);
  return entry;
}

void Context::saw_expired_field(std::string_view key, std::string_view field) {
  if (environment_->replica) return;
  expired_seen_.push_back({std::string(key), ExpiredSeen::What::kField, std::string(field)});
}

void Context::saw_expired_fields(std::string_view key) {
  if (environment_->replica) return;
  expired_seen_.push_back({std::string(key), ExpiredSeen::What::kAllDueFields, {}});
}

void Context::open_string(const Entry& entry, StringRef* value) {
  value->exists_ = true;
  switch (entry.storage()) {
    case Storage::kInt:
      value->is_integer_ = true;
      value->integer_ = entry.integer();
      value->view_ = {value->scratch_, format_int64(value->scratch_, value->integer_)};
      break;
    case Storage::kBlock:
      value->block_ = entry.block();
      value->view_ = value->block_->view();
      break;
    case Storage::kPacked:
      value->set_unpacked(entry.packed()->unpack());
      break;
    default:
      value->view_ = entry.inline_value();
  }
}

void Context::open_value(const Entry& entry, StringRef* value) {
  if (entry.storage() != Storage::kPacked) return open_string(entry, value);
  value->exists_ = true;
  value->set_unpacked(environment_->hot_values->read(*entry.packed()));
}

bool Context::read_string(std::string_view key, StringRef* value) {
  const Entry* entry = lookup(key);
  if (entry == nullptr) return true;
  if (entry->type() != ValueType::kString) {
    wrong_type();
    return false;
  }
  open_value(*entry, value);
  return true;
}

// --- Context: writing.

Entry* Context::find_for_write(std::string_view key, uint64_t hash) {
  check_covered(hash, true);
  Entry* entry = slice(hash).find(hash, key);
  if (entry == nullptr || !is_expired(*entry)) return entry;
  if (environment_->replica) return nullptr;
  delete_expired(entry, hash);
  return nullptr;
}

void Context::delete_expired(Entry* entry, uint64_t hash) {
  slice(hash).take(hash, entry->key());
  environment_->stats->count(environment_->stats->expired);
  if (effects_ != nullptr) {
    const std::string_view deletion[] = {config().lazyfree_lazy_expire ? "UNLINK" : "DEL", entry->key()};
    effects_->append(db(), deletion);
  }
  notify(kEventExpired, "expired", entry->key());
  announce(entry->key(), hash, true, true);
  dispose_entry(entry, config().lazyfree_lazy_expire);
}

void Context::announce(std::string_view key, uint64_t hash, bool deleted, bool expired) {
  Shard& shard = environment_->keyspace->shard_of(hash);
  expired ? shard.watches.touch_expired(db(), key) : shard.watches.touch(db(), key);
  if (!shard.waiters.empty()) shard.waiters.key_changed(db(), key, deleted);
  if (environment_->server->caches_exist()) environment_->observer->key_changed(key, expired ? nullptr : session_);
}

ValuePacking value_packing(const Config& config) {
  const ValueCodec codec = config.value_compression == Compression::kLz4    ? ValueCodec::kLz4
                           : config.value_compression == Compression::kZstd ? ValueCodec::kZstd
                                                                            : ValueCodec::kNone;
  return {.codec = codec,
          .min_bytes = static_cast<size_t>(config.value_compression_min_bytes),
          .level = static_cast<int>(config.value_compression_level)};
}

Entry::Parts string_parts(std::string_view key, std::string_view value, int64_t expiry_ms, uint32_t access_clock,
                          const ValuePacking& packing) {
  Entry::Parts parts{.type = ValueType::kString,
                     .storage = Storage::kInt,
                     .key = key,
                     .expiry_ms = expiry_ms,
                     .access_clock = access_clock};
  int64_t integer;
  if (value.size() <= kIntegerCharsMax && parse_int64(value, &integer)) {
    parts.word = static_cast<uint64_t>(integer);
    return parts;
  }
  PackedValue* packed = packing.wants(value.size()) ? PackedValue::pack(value, packing) : nullptr;
  if (packed != nullptr) {
    parts.storage = Storage::kPacked;
    parts.word = reinterpret_cast<uint64_t>(packed);
  } else if (value.size() <= kInlineBytesMax) {
    parts.storage = value.size() <= kEmbstrBytesMax ? Storage::kEmbstr : Storage::kRaw;
    parts.inline_value = value;
  } else {
    parts.storage = Storage::kBlock;
    parts.word = reinterpret_cast<uint64_t>(SharedBytes::copy_of(value).release());
  }
  return parts;
}

void Context::set_string(std::string_view key, std::string_view value, int64_t expiry_ms, SharedBytes* owned) {
  const uint64_t hash = hash_of(key);
  check_covered(hash, true);
  const uint32_t clock = environment_->access_clock.fresh();
  Entry::Parts parts;
  const ValuePacking packing = value_packing(config());
  if (owned != nullptr && *owned && value.size() > kInlineBytesMax && !packing.wants(value.size())) {
    parts = {.type = ValueType::kString,
             .storage = Storage::kBlock,
             .key = key,
             .expiry_ms = expiry_ms,
             .word = reinterpret_cast<uint64_t>(owned->release()),
             .access_clock = clock};
  } else {
    parts = string_parts(key, value, expiry_ms, clock, packing);
  }
  DbSlice& keys = slice(hash);
  EntryTable::Slot* slot = keys.table.find(hash, key);
  // As Redis: a value that replaces another inherits how often its key was used.
  if (slot != nullptr && environment_->access_clock.lfu) {
    parts.access_clock = environment_->access_clock.touched(slot->item()->access_clock());
  }
  if (slot == nullptr) {
    keys.add(hash, Entry::make(parts));
    notify(kEventNew, "new", key);
  } else {
    overwrite(keys, slot, parts);
  }
  announce(key, hash, false);
}

void Context::overwrite(DbSlice& keys, EntryTable::Slot* slot, const Entry::Parts& parts) {
  Entry* old = slot->item();
  if (old->type() == ValueType::kString) {
    if (!old->is_inline()) free_value(old);
    if (old->rewrite_in_place(parts)) return;
    keys.replace_at(slot, Entry::make(parts));
    Entry::free_memory(old);
    return;
  }
  keys.replace_at(slot, Entry::make(parts));
  dispose_entry(old);
}

bool Context::store_word(std::string_view key, ValueType type, uint64_t word, uint32_t event_class,
                         std::string_view event) {
  const uint64_t hash = hash_of(key);
  Entry* fresh = Entry::make({.type = type,
                              .storage = Storage::kObject,
                              .key = key,
                              .word = word,
                              .access_clock = environment_->access_clock.fresh()});
  const bool may_write = begin_write();
  if (!may_write || type_ops(type).empty(fresh)) {
    free_entry(fresh);
    if (!may_write || !remove(key)) return false;
    changed(key, 1, kEventGeneric, "del");
    return true;
  }
  Entry* old = find_for_write(key, hash);
  DbSlice& keys = slice(hash);
  if (old != nullptr) dispose_entry(keys.take(hash, key));
  keys.add(hash, fresh);
  if (old == nullptr) notify(kEventNew, "new", key);
  if (!event.empty()) changed(key, 1, event_class, event);
  announce(key, hash, false);
  return true;
}

bool Context::remove(std::string_view key) {
  const uint64_t hash = hash_of(key);
  if (find_for_write(key, hash) == nullptr) return false;
  Entry* entry = slice(hash).take(hash, key);
  announce(key, hash, true);
  dispose_entry(entry);
  return true;
}

Entry* Context::take(std::string_view key) {
  const uint64_t hash = hash_of(key);
  if (find_for_write(key, hash) == nullptr) return nullptr;
  Entry* entry = slice(hash).take(hash, key);
  announce(key, hash, true);
  return entry;
}

void Context::put_entry(int target_db, Entry* entry) {
  const uint64_t hash = hash_bytes(entry->key());
  check_covered(hash, true);
  Shard& shard = environment_->keyspace->shard_of(hash);
  DbSlice& keys = shard.dbs[static_cast<size_t>(target_db)];
  SYNAP_ASSERT(keys.find(hash, entry->key()) == nullptr);
  keys.add(hash, entry);
  if ((config().notify_keyspace_events & kEventNew) != 0) {
    environment_->observer->keyspace_event(target_db, kEventNew, "new", entry->key());
  }
  shard.watches.touch(target_db, entry->key());
  if (can_wake_waiters(entry->type())) shard.waiters.key_changed(target_db, entry->key(), false);
  if (environment_->server->caches_exist()) environment_->observer->key_changed(entry->key(), session_);
}

void Context::set_expiry(std::string_view key, int64_t expiry_ms) {
  const uint64_t hash = hash_of(key);
  check_covered(hash, true);
  DbSlice& keys = slice(hash);
  EntryTable::Slot* slot = keys.table.find(hash, key);
  SYNAP_ASSERT(slot != nullptr);
  Entry* entry = slot->item();
  if (entry->has_expiry() == (expiry_ms != kNoExpiry)) {
    if (expiry_ms != kNoExpiry) entry->set_expiry_ms(expiry_ms);
  } else {
    Entry::Parts parts = entry->parts();
    parts.expiry_ms = expiry_ms;
    keys.replace_at(slot, Entry::make(parts));
    Entry::free_memory(entry);
  }
  announce(key, hash, false);
}

void Context::changed(std::string_view key, uint64_t count, uint32_t event_class, std::string_view event) {
  dirty_ += count;
  if (!event.empty()) notify(event_class, event, key);
}

void Context::notify(uint32_t event_class, std::string_view event, std::string_view key) {
  if ((config().notify_keyspace_events & event_class) == 0) return;
  environment_->observer->keyspace_event(db(), event_class, event, key);
}

// --- Context: effects and blocking.

void Context::effect(std::span<const std::string_view> effect_args) {
  effect_replaced_ = true;
  if (effects_ != nullptr) effects_->append(db(), effect_args);
}

void Context::no_effect() { effect_replaced_ = true; }

void Context::force_effect() { effect_forced_ = true; }

void Context::block(BlockRequest request) {
  if (!may_block_) {
    request.null_array_on_timeout ? reply_->null_array() : reply_->null();
    return;
  }
  block_request_ = std::move(request);
}

void Context::pin_argument(size_t index, std::string value) { pinned_arguments_.emplace_back(index, std::move(value)); }

}  // namespace synap
