// Context: all that a handler sees of the server: its arguments, its reply, the keys its guard covers, the effects and
// events of what it changes. A handler never locks, never journals and never sees a connection.
//
// The shape of a handler: parse everything, look up, change, reply; an error reply has changed nothing.
//
//   void cmd_hlen(Context& ctx) {
//     const Hash* hash;
//     if (!ctx.read(ctx.arg(1), &hash)) return;             // WRONGTYPE was replied
//     ctx.reply().integer(hash == nullptr ? 0 : hash->length());
//   }
//
//   void cmd_hset(Context& ctx) {
//     auto hash = ctx.edit<Hash>(ctx.arg(1));
//     if (hash.wrong_type()) return;                        // WRONGTYPE was replied
//     hash.create_if_absent();
//     hash->set(…);
//     hash.changed(added, kEventHash, "hset");              // dirty count, keyspace event
//     ctx.reply().integer(added);
//   }                                                       // closing: empty key removed, watchers, waiters, tracking
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "protocol/args.h"
#include "protocol/errors.h"
#include "protocol/reply.h"
#include "server/command/command.h"
#include "server/command/config.h"
#include "server/command/session.h"
#include "server/command/sliced_call.h"
#include "server/keyspace/access_clock.h"
#include "server/keyspace/entry.h"
#include "server/keyspace/keyspace.h"
#include "server/keyspace/packed_value.h"

namespace synap {

class Hash;
class List;
class Set;
class Zset;
class Stream;

// Which ValueType a container class stands for.
template <class T>
struct TypeOf;
template <>
struct TypeOf<Hash> {
  static constexpr ValueType kType = ValueType::kHash;
};
template <>
struct TypeOf<List> {
  static constexpr ValueType kType = ValueType::kList;
};
template <>
struct TypeOf<Set> {
  static constexpr ValueType kType = ValueType::kSet;
};
template <>
struct TypeOf<Zset> {
  static constexpr ValueType kType = ValueType::kZset;
};
template <>
struct TypeOf<Stream> {
  static constexpr ValueType kType = ValueType::kStream;
};

class Context;
struct Server;     // what only server/admin needs: server/command/server_api.h
class ShardGuard;     // server/keyspace/shard_guard.h
class CommandRunner;  // server/command/runner.h
class HotValues;      // server/keyspace/hot_values.h

// Told of what happens to keys, under their shard's lock: keyspace events and client-side caching. Implemented above.
class KeyspaceObserver {
 public:
  virtual void keyspace_event(int db, uint32_t event_class, std::string_view event, std::string_view key) = 0;
  // `by`: the session that changed it, or null (expiry, eviction).
  // Called only while some client caches keys (Server::tracking); caches do not tell databases apart.
  virtual void key_changed(std::string_view key, const Session* by) = 0;
  // All keys of a database may have changed at once: FLUSHDB, FLUSHALL, SWAPDB. Under all shards' locks.
  virtual void all_keys_changed() = 0;

 protected:
  ~KeyspaceObserver() = default;
};

// Counters of one thread, summed by INFO.
struct KeyspaceStats {
  std::atomic<uint64_t> hits{0}, misses{0}, expired{0}, expired_fields{0}, evicted{0};
  std::atomic<uint64_t> changes{0};  // of the dataset, since the start
  void count(std::atomic<uint64_t>& counter, uint64_t n = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
};

// What all commands of one thread share for one turn of its loop.
struct Environment {
  Server* server = nullptr;
  Keyspace* keyspace = nullptr;
  KeyspaceObserver* observer = nullptr;
  KeyspaceStats* stats = nullptr;
  const Config* config = nullptr;
  int64_t now_ms = 0;
  int64_t now_us = 0;  // the same, finer
  CommandRunner* runner = nullptr;  // of this thread
  HotValues* hot_values = nullptr;
  AccessClock access_clock;
  bool journaling = false;  // an AOF or replicas want effects
  bool replica = false;     // keys past their expiry are hidden, not deleted
  bool replaying = false;   // the AOF is loaded: no key expires, its deletion follows
};

// Effects of one command, EXEC or script: RESP commands, one after the other, each with its database.
struct EffectBuffer {
  std::string resp;
  size_t count = 0;
  int first_db = -1;
  int db = -1;  // of the last one; a change inserts SELECT
  void clear() {
    resp.clear();
    count = 0;
    first_db = db = -1;
  }
  void append(int effect_db, std::span<const std::string_view> args);
};

// A string's bytes for reading; an integer is spelled into `scratch`, a compressed value is unpacked.
class StringRef {
 public:
  StringRef() = default;
  StringRef(const StringRef&) = delete;
  StringRef& operator=(const StringRef&) = delete;

  bool exists() const { return exists_; }
  std::string_view view() const { return view_; }
  // Set when the value is stored as an integer.
  bool is_integer() const { return is_integer_; }
  int64_t integer() const { return integer_; }
  // The block that holds the bytes, if they are a big or unpacked value: a reply can share it instead of copying.
  SharedBytes::Block* block() const { return block_; }

 private:
  friend class Context;
  void set_unpacked(SharedBytes bytes) {
    unpacked_ = std::move(bytes);
    view_ = unpacked_.view();
    block_ = unpacked_.block();
  }

  bool exists_ = false;
  bool is_integer_ = false;
  int64_t integer_ = 0;
  std::string_view view_;
  SharedBytes::Block* block_ = nullptr;
  SharedBytes unpacked_;
  char scratch_[24];
};

// Moves a container into the word that stands for it in an entry.
template <class T>
uint64_t word_of(T&& value) {
  using Container = std::remove_cvref_t<T>;
  static_assert(sizeof(Container) == sizeof(uint64_t));
  alignas(Container) unsigned char raw[sizeof(uint64_t)];
  new (raw) Container(std::move(value));  // lives on in the entry
  uint64_t word;
  std::memcpy(&word, raw, sizeof word);
  return word;
}

// An open write on one key. Closing (the destructor of what derives from it) does the bookkeeping of whatever changed()
// reported. One edit per key at a time; other keys may be edited meanwhile.
class KeyEdit {
 public:
  KeyEdit(const KeyEdit&) = delete;
  KeyEdit& operator=(const KeyEdit&) = delete;

  // The key holds another type; WRONGTYPE was replied.
  bool wrong_type() const { return wrong_type_; }
  bool exists() const { return entry_ != nullptr; }
  std::string_view key() const { return key_; }
  int64_t expiry_ms() const { return entry_ == nullptr ? kNoExpiry : entry_->expiry_ms(); }

  // Reports a change: adds `count` to the dirty counter and sends the keyspace event (now, in order). `event` may be empty.
  void changed(uint64_t count, uint32_t event_class, std::string_view event);

 protected:
  KeyEdit(Context& ctx, std::string_view key, ValueType type);
  ~KeyEdit() = default;

  Context& ctx_;
  std::string_view key_;
  uint64_t hash_;
  Entry* entry_;
  bool wrong_type_ = false;
  bool closed_ = false;
  bool changed_ = false;
  bool created_ = false;
};

// Of a key that holds a container.
class EditBase : public KeyEdit {
 public:
  // Does the bookkeeping now: afterwards the key may be edited again or looked up.
  void close();

 protected:
  EditBase(Context& ctx, std::string_view key, ValueType type);
  ~EditBase() { close(); }

  void create(uint64_t word);
  uint64_t* word() const { return entry_->word(); }
  bool is_empty_object() const;

  const ValueType type_;
  int64_t field_expiry_before_ms_ = 0;  // of a hash, when it was opened
};

template <class T>
class Edit : public EditBase {
 public:
  Edit(Context& ctx, std::string_view key) : EditBase(ctx, key, TypeOf<T>::kType) {}

  // Creates the key with an empty container. If nothing is added before closing, the key is gone again, silently.
  T& create_if_absent() {
    if (entry_ == nullptr) create(word_of(T()));
    return *get();
  }
  T* get() const { return entry_ == nullptr ? nullptr : reinterpret_cast<T*>(word()); }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
};

// A string opened for changing in place: APPEND, SETRANGE, SETBIT, PFADD, BITFIELD, INCR.
class StringEdit : public KeyEdit {
 public:
  StringEdit(Context& ctx, std::string_view key);
  ~StringEdit() { close(); }

  // As stored; an integer is spelled into a scratch buffer.
  std::string_view view() const;
  bool is_integer() const { return entry_ != nullptr && entry_->storage() == Storage::kInt; }
  int64_t integer() const { return entry_->integer(); }

  // Makes the value `size` bytes long, zero-filled beyond the old length, creating the key if absent; returns its bytes
  // for writing. OBJECT ENCODING is "raw" afterwards. Room for growth is kept.
  char* resize(size_t size);
  // Replaces the value, keeping the expiry.
  void assign(std::string_view bytes);
  void assign_integer(int64_t value);
  void close();

 private:
  void put(Entry::Parts parts);
  void unpack_entry();

  SharedBytes unpacked_;  // the bytes of a compressed value, until it is changed
  mutable char scratch_[24];
};

// Classes of keyspace events (notify-keyspace-events).
enum EventClass : uint32_t {
  kEventKeyspace = 1U << 0,   // K
  kEventKeyevent = 1U << 1,   // E
  kEventGeneric = 1U << 2,    // g
  kEventString = 1U << 3,     // $
  kEventList = 1U << 4,       // l
  kEventSet = 1U << 5,        // s
  kEventHash = 1U << 6,       // h
  kEventZset = 1U << 7,       // z
  kEventExpired = 1U << 8,    // x
  kEventEvicted = 1U << 9,    // e
  kEventStream = 1U << 10,    // t
  kEventKeyMiss = 1U << 11,   // m
  kEventModule = 1U << 13,    // d
  kEventNew = 1U << 14,       // n
  kEventAll = kEventGeneric | kEventString | kEventList | kEventSet | kEventHash | kEventZset | kEventExpired |
              kEventEvicted | kEventStream | kEventModule,
};

// What a handler hands to Context::block().
struct BlockRequest {
  std::vector<std::string_view> keys;  // to wait on, of the declared keys
  ValueType type;                      // a key of another type does not wake the client
  int64_t timeout_ms = 0;              // from now; 0: for ever
  bool null_array_on_timeout = true;   // otherwise a plain null
  std::string_view timeout_reply = {}; // RESP to reply instead of a null: a constant (WAIT)
  bool wake_on_delete = false;         // also run again when a key goes away or changes its type (XREADGROUP)
};

// What an entry that holds this string is made of; a big value is copied or compressed into a block that the parts own.
Entry::Parts string_parts(std::string_view key, std::string_view value, int64_t expiry_ms, uint32_t access_clock,
                          const ValuePacking& packing = {});
// As the configuration says: value-compression and what belongs to it.
ValuePacking value_packing(const Config& config);

// A declared key's hash, known by where its bytes begin.
struct KeyHash {
  const char* data;
  uint64_t hash;
};

// What a read found past its expiry: a key, one field of a hash, or any fields of a hash.
struct ExpiredSeen {
  enum class What { kKey, kField, kAllDueFields };
  std::string key;
  What what = What::kKey;
  std::string field;
};

class Context {
 public:
  // --- The call.
  size_t argc() const { return args_.size(); }
  std::string_view arg(size_t i) const { return args_[i]; }
  ArgViews args() const { return args_.span(); }
  // The block that a big argument alone lives in, to be taken over instead of copied; else null.
  SharedBytes* owned_arg(size_t i) const { return args_.owned(i); }
  const Command& command() const { return *command_; }
  Reply& reply() { return *reply_; }
  Session& session() { return *session_; }
  int db() const { return session_->db; }
  const Config& config() const { return *environment_->config; }
  // Whether the key is past its expiry, and so not there any more.
  bool is_expired(const Entry& entry) const {
    return entry.expired(environment_->now_ms) && !environment_->replaying;
  }
  // Constant within a command, an EXEC and a script.
  int64_t now_ms() const { return environment_->now_ms; }
  Server& server() { return *environment_->server; }
  const Environment& environment() const { return *environment_; }

  // Common errors. Return void so that a handler can `return ctx.syntax_error();`.
  void error(std::string_view text) { reply_->error(text); }
  void syntax_error() { reply_->error(kSyntaxError); }
  void wrong_type() { reply_->error(kWrongTypeError); }
  // "ERR wrong number of arguments for 'name' command".
  void arity_error();
  // Parse an argument; on failure the error was replied (with `text` if given, else Redis's usual one) and false returned.
  bool parse(std::string_view text_argument, int64_t* value, std::string_view error_text = {});
  bool parse(std::string_view text_argument, double* value, std::string_view error_text = {});
  bool parse_range(std::string_view text_argument, int64_t min, int64_t max, int64_t* value,
                   std::string_view error_text = {});
  // A timeout in (fractional) seconds, as BLPOP takes; in milliseconds, as XREAD's BLOCK. Redis's errors.
  bool parse_timeout_seconds(std::string_view text_argument, int64_t* timeout_ms);
  bool parse_timeout_ms(std::string_view text_argument, int64_t* timeout_ms);

  // --- Reading. Keys past their expiry are not there. Counts hits and misses, touches the access clock.
  // False: the key holds another type and WRONGTYPE was replied. Null: absent.
  template <class T>
  bool read(std::string_view key, const T** value) {
    const Entry* entry = lookup(key);
    if (entry != nullptr && entry->type() != TypeOf<T>::kType) {
      wrong_type();
      return false;
    }
    *value = entry == nullptr ? nullptr : entry->object<T>();
    return true;
  }
  bool read_string(std::string_view key, StringRef* value);
  // The entry whatever its type; null when absent.
  enum class Touch { kUnlessAsked, kNever, kAlways };  // asked: by CLIENT NO-TOUCH
  const Entry* lookup(std::string_view key, Touch when = Touch::kUnlessAsked);
  // The same without counting or touching: TYPE, OBJECT, cost functions.
  const Entry* peek(std::string_view key);
  template <class T>
  const T* peek_as(std::string_view key) {
    const Entry* entry = peek(key);
    return entry == nullptr || entry->type() != TypeOf<T>::kType ? nullptr : entry->object<T>();
  }
  // The bytes of an entry that holds a string. The static one keeps no copy of what it unpacks: for whoever reads a value
  // once (snapshots, digests, a forked child). open_value is for clients' reads.
  static void open_string(const Entry& entry, StringRef* value);
  void open_value(const Entry& entry, StringRef* value);
  // A read met a field (or fields) of a hash past its expiry: deleted after the command, as Redis does on access.
  void saw_expired_field(std::string_view key, std::string_view field);
  void saw_expired_fields(std::string_view key);

  // --- Writing (the row must say kWrite).
  template <class T>
  Edit<T> edit(std::string_view key) {
    return Edit<T>(*this, key);
  }
  StringEdit edit_string(std::string_view key) { return StringEdit(*this, key); }

  // Replaces whatever the key holds by a string. Integers are recognized. `owned`: the argument's own block, taken over.
  void set_string(std::string_view key, std::string_view value, int64_t expiry_ms = kNoExpiry,
                  SharedBytes* owned = nullptr);
  // Replaces whatever the key holds by a container, without expiry, and sends the event; an empty one removes the key and
  // sends "del" if something was there. Returns whether anything changed. (SUNIONSTORE, ZRANGESTORE, SORT STORE, …)
  template <class T>
  bool store(std::string_view key, T value, uint32_t event_class, std::string_view event) {
    return store_word(key, TypeOf<T>::kType, word_of(std::move(value)), event_class, event);
  }
  // Deletes a key; watchers, waiters and tracking are told, no event is sent. False when absent.
  bool remove(std::string_view key);
  // Takes an entry out, told to watchers as a deletion; the caller owns it (RENAME, MOVE). Null when absent.
  Entry* take(std::string_view key);
  // Adds an entry (the context's from now on) under its own key, which must be absent there.
  void put_entry(int target_db, Entry* entry);
  // Replaces a key's expiry (kNoExpiry removes it). The key must exist.
  void set_expiry(std::string_view key, int64_t expiry_ms);
  // Reports a change made through the calls above: dirty count and keyspace event. set_string/remove do not report.
  void changed(std::string_view key, uint64_t count, uint32_t event_class, std::string_view event);
  // A keyspace event alone.
  void notify(uint32_t event_class, std::string_view event, std::string_view key);

  // --- Effects: what the journal, and so replicas and the AOF, get for this command. Default: the command as called, if
  // changed() was told of at least one change. The first effect() replaces it, more may follow, in order.
  bool journaling() const { return environment_->journaling; }  // false: effects are dropped, need not be built
  void effect(std::span<const std::string_view> effect_args);
  void effect(std::initializer_list<std::string_view> effect_args) {
    effect(std::span<const std::string_view>(effect_args.begin(), effect_args.size()));
  }
  void no_effect();
  // While muted, effects of commands run inside this one are dropped (redis.set_repl).
  void mute_effects(bool muted) { effects_muted_ = muted; }
  // Journals the command even though nothing was reported as changed.
  void force_effect();

  // --- Blocking. A handler that finds nothing calls block() and returns without replying; when a key may have become
  // ready it is called again from the start (serving() is true then) and pops, or calls block() again. Where blocking is
  // not allowed (EXEC, scripts) block() replies the null of a timeout.
  void block(BlockRequest request);
  bool may_block() const { return may_block_; }
  bool serving() const { return serving_; }
  // Replaces one of the command's own arguments for the calls to come (XREAD's "$" becomes the id of now).
  void pin_argument(size_t index, std::string value);

  // Of a row with kWritesLast, before its first write (store() does it): from now on nobody else sees its keys. False: the
  // keys could not be had for writing; the command does nothing more, whatever it replies is dropped, and it is run again.
  bool begin_write();

  // --- For the few that see more than their keys.
  // visit(Shard&) for every shard: under this command's guard if it covers them all, else one at a time, each locked for
  // reading while it is visited (KEYS and the like on a worker thread; see kSelfGuarded).
  void for_each_shard(const std::function<void(Shard&)>& visit);
  // work() may write in the shard: under this command's guard if it has one, else (kGuardSelf) the shard is locked for it.
  void with_shard(size_t shard, const std::function<void()>& work);
  CommandRunner& runner() { return *environment_->runner; }
  // Goes on with the command as a sliced one: the handler returns without replying, the call's steps reply. In EXEC all
  // steps run at once.
  void continue_with(std::unique_ptr<SlicedCall> call) { sliced_call_ = std::move(call); }
  // Makes the guard cover more shards. False: some of them is busy; return kNeedShards from the step, and at the next step
  // they are covered. Only a row with kGrowingGuard may ask for more than it has.
  bool extend_guard(ShardMask mask);
  // The guard was taken for the declared keys only and cannot be extended (kGuardDeclared).
  bool guard_is_fixed() const { return guard_is_fixed_; }
  // Inside EXEC or a script.
  bool is_inner() const { return inner_; }
  // The shards its guard covers.
  ShardMask guarded_shards() const;
  // Whether the guard covers a key: only scripts and the like may ask.
  bool covers(std::string_view key, bool writing) const;
  uint64_t dirty_count() const { return dirty_; }
  Keyspace& keyspace() { return *environment_->keyspace; }
  // A key's place computed before the guard was taken; recomputed for keys that were not declared.
  uint64_t hash_of(std::string_view key) const;

 private:
  friend class KeyEdit;
  friend class EditBase;
  friend class StringEdit;
  friend class Dispatcher;
  friend class DispatchedInnerCall;

  bool store_word(std::string_view key, ValueType type, uint64_t word, uint32_t event_class, std::string_view event);
  void overwrite(DbSlice& keys, EntryTable::Slot* slot, const Entry::Parts& parts);
  // The live entry for a write, or null; one past its expiry is deleted first (on a replica: hidden).
  Entry* find_for_write(std::string_view key, uint64_t hash);
  void delete_expired(Entry* entry, uint64_t hash);
  void touch(const Entry* entry, Touch when = Touch::kUnlessAsked);
  // Watchers, waiters and tracking learn that the key changed or went away.
  void announce(std::string_view key, uint64_t hash, bool deleted, bool expired = false);
  DbSlice& slice(uint64_t hash) { return environment_->keyspace->slice(db(), hash); }
  void check_covered(uint64_t hash, bool writing) const;
  void fetch_keys(size_t first) const;

  const Environment* environment_ = nullptr;
  const Command* command_ = nullptr;
  Args args_;
  Reply* reply_ = nullptr;
  Session* session_ = nullptr;
  ShardGuard* guard_ = nullptr;

  std::span<const KeyHash> key_hashes_;
  mutable size_t next_key_hash_ = 0;
  mutable size_t fetched_keys_ = 0;  // so many of them, the first ones

  uint64_t dirty_ = 0;
  EffectBuffer* effects_ = nullptr;
  bool effect_replaced_ = false;
  bool effect_forced_ = false;
  bool effects_muted_ = false;
  bool serving_ = false;
  bool may_block_ = false;
  bool inner_ = false;  // inside EXEC or a script
  bool guard_is_fixed_ = false;
  bool must_restart_ = false;  // begin_write() failed
  std::optional<BlockRequest> block_request_;
  std::vector<std::pair<size_t, std::string>> pinned_arguments_;
  std::unique_ptr<SlicedCall> sliced_call_;
  ShardMask wanted_shards_ = 0;  // by a sliced call, beyond its guard
  std::vector<ExpiredSeen> expired_seen_;  // by reads, to be deleted after them
  std::vector<uint64_t> inner_hashes_;     // keys of the commands run inside this one, while replies are gated
  bool inner_sees_all_ = false;            // one of them looks at more than its keys
};

}  // namespace synap
