#include "persistence/rdb_file.h"

#include <unistd.h>

#include <cstring>

#include "persistence/rdb_format.h"
#include "persistence/rdb_inserter.h"
#include "server/base/log.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/version.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

constexpr std::string_view kMagic = "REDIS";
constexpr uint64_t kKeyBytesMin = 4;  // of a key with its value, in the file

void save_aux(std::string_view name, std::string_view value, RdbWriter* writer) {
  writer->byte(kRdbOpAux);
  writer->string(name);
  writer->string(value);
}

int version_for(const Keyspace& keyspace) {
  for (int db = 0; db < keyspace.databases(); ++db) {
    if (keyspace.field_expiring_count(db) != 0) return kRdbVersionFieldTtl;
  }
  return kRdbVersionBase;
}

class FileSaver {
 public:
  FileSaver(const RdbSaveOptions& options, RdbWriter* writer, RdbProgress* progress)
      : options_(options), writer_(writer), progress_(progress) {}

  void header(int version) {
    writer_->raw(kMagic);
    writer_->raw(format_text("%04d", version));
    save_aux("redis-ver", kRedisVersion, writer_);
    save_aux("redis-bits", "64", writer_);
    save_aux("ctime", to_text(options_.now_ms / 1000), writer_);
    save_aux("used-mem", to_text(static_cast<int64_t>(options_.used_memory_bytes)), writer_);
    save_aux("aof-base", options_.aof_base ? "1" : "0", writer_);
    if (options_.functions == nullptr) return;
    for (const auto& [name, library] : options_.functions->libraries) {
      writer_->byte(kRdbOpFunction2);
      writer_->string(library->code);
    }
  }

  void database(const Keyspace& keyspace, int db) {
    if (keyspace.key_count(db) == 0) return;
    writer_->byte(kRdbOpSelectDb);
    writer_->length(static_cast<uint64_t>(db));
    writer_->byte(kRdbOpResizeDb);
    writer_->length(keyspace.key_count(db));
    writer_->length(keyspace.expiring_count(db));
    for (size_t i = 0; i < kShards && !writer_->failed(); ++i) {
      const DbSlice& slice = const_cast<Keyspace&>(keyspace).shard(i).dbs[static_cast<size_t>(db)];
      slice.table.for_each([this](const Entry* entry, bool) { key(*entry); });
    }
  }

  void end() {
    writer_->byte(kRdbOpEof);
    const uint64_t crc = writer_->crc();
    writer_->raw({reinterpret_cast<const char*>(&crc), sizeof crc});
  }

 private:
  void key(const Entry& entry) {
    if (writer_->failed()) return;
    if (entry.has_expiry()) {
      writer_->byte(kRdbOpExpiryMs);
      writer_->milliseconds(entry.expiry_ms());
    }
    if (options_.save_idle_times) {
      writer_->byte(kRdbOpIdle);
      writer_->length(static_cast<uint64_t>(options_.access_clock.idle_seconds(entry.access_clock())));
    }
    if (options_.save_frequencies) {
      writer_->byte(kRdbOpFreq);
      writer_->byte(static_cast<uint8_t>(options_.access_clock.frequency(entry.access_clock())));
    }
    writer_->byte(rdb_type_of(entry));
    writer_->string(entry.key());
    save_rdb_value(entry, writer_);
    ++keys_;
    progress_->keys.store(keys_, std::memory_order_relaxed);
    progress_->bytes.store(writer_->bytes(), std::memory_order_relaxed);
    if (options_.on_keys && keys_ % RdbSaveOptions::kKeysPerCall == 0) options_.on_keys();
    delay();
  }

  void delay() const {
    if (options_.key_delay_us > 0) usleep(static_cast<useconds_t>(options_.key_delay_us));
    if (options_.key_delay_us < 0 && keys_ % static_cast<uint64_t>(-options_.key_delay_us) == 0) usleep(1);
  }

  const RdbSaveOptions& options_;
  RdbWriter* const writer_;
  RdbProgress* const progress_;
  uint64_t keys_ = 0;
};

class FileLoader {
 public:
  FileLoader(RdbReader* reader, Keyspace* keyspace, const RdbLoadOptions& options, RdbLoadResult* result,
             RdbProgress* progress)
      : reader_(reader), keyspace_(keyspace), options_(options), result_(result), progress_(progress),
        inserter_(options.replace) {}

  void run() {
    read();
    inserter_.finish();
    note_repeated_key();
  }

 private:
  void read() {
    if (!read_header()) return;
    while (!reader_->failed()) {
      const uint8_t opcode = reader_->byte();
      if (reader_->failed()) return;
      if (opcode == kRdbOpEof) return read_footer();
      if (!read_opcode(opcode)) read_key(opcode);
      if (options_.cancelled != nullptr && options_.cancelled->load(std::memory_order_relaxed)) {
        return reader_->fail("loading was cancelled");
      }
    }
  }

  bool read_header() {
    const std::string header(reader_->raw(kMagic.size() + 4));
    if (reader_->failed()) return false;
    int64_t version = 0;
    for (const char digit : header.substr(kMagic.size())) version = version * 10 + (digit - '0');
    if (!header.starts_with(kMagic)) {
      reader_->fail("wrong signature trying to load DB from file");
    } else if (version < 1 || version > kRdbVersionMax) {
      reader_->fail("can't handle RDB format version " + header.substr(kMagic.size()));
    }
    version_ = version;
    return !reader_->failed();
  }

  // False: it is a value's type.
  bool read_opcode(uint8_t opcode) {
    switch (opcode) {
      case kRdbOpExpirySeconds:
        head_.expiry_ms = int64_t{reader_->seconds()} * 1000;
        return true;
      case kRdbOpExpiryMs:
        head_.expiry_ms = reader_->milliseconds();
        return true;
      case kRdbOpFreq:
        head_.access_clock = (options_.access_clock.minutes_now << 8) | reader_->byte();
        has_clock_ = options_.access_clock.lfu;
        return true;
      case kRdbOpIdle: {
        const auto idle = static_cast<uint32_t>(reader_->length());
        if (options_.access_clock.lfu) return true;
        head_.access_clock = (options_.access_clock.lru_now - idle) & AccessClock::kLruMax;
        has_clock_ = true;
        return true;
      }
      case kRdbOpSelectDb:
        db_ = reader_->length();
        if (options_.trace != nullptr) {
          options_.trace->note(reader_->offset(), "Selecting DB ID " + std::to_string(db_));
        } else if (db_ >= static_cast<uint64_t>(keyspace_->databases())) {
          reader_->fail("data file was created with a server configured to handle more than " +
                        std::to_string(keyspace_->databases()) + " databases");
        }
        return true;
      case kRdbOpResizeDb: {
        const uint64_t keys = reader_->length();
        reader_->length();
        const bool loads = options_.trace == nullptr && !reader_->failed();
        if (loads) inserter_.reserve(keyspace_, db_, std::min(keys, options_.source_bytes / kKeyBytesMin));
        return true;
      }
      case kRdbOpSlotInfo:
        for (int i = 0; i < 3; ++i) reader_->length();
        return true;
      case kRdbOpAux:
        read_aux();
        return true;
      case kRdbOpFunction2:
        result_->libraries.emplace_back(reader_->string());
        return true;
      case kRdbOpFunctionPreGa:
        reader_->fail("pre-release function format not supported");
        return true;
      case kRdbOpModuleAux:
        read_module_aux();
        return true;
      default:
        return false;
    }
  }

  void read_aux() {
    const std::string name(reader_->string());
    const std::string_view value = reader_->string();
    if (name == "aof-base") result_->aof_base = value == "1";
    if (options_.trace == nullptr || reader_->failed()) return;
    options_.trace->note(reader_->offset(), "AUX FIELD " + name + " = '" + std::string(value) + "'");
  }

  // Data that a module kept beside the keys. There are no modules, so it is passed over.
  void read_module_aux() {
    const uint64_t id = reader_->length();
    reader_->length();  // an opcode before the "when"
    reader_->length();
    log_warning("The RDB file contains AUX module data I can't load: no matching module '%s'",
                rdb_module_name(id).c_str());
    skip_rdb_module_parts(reader_);
  }

  void read_key(uint8_t type) {
    key_ = reader_->string();
    head_.key = key_;
    if (!has_clock_) head_.access_clock = options_.access_clock.fresh();
    if (reader_->failed()) return;
    if (options_.trace != nullptr) {
      options_.trace->key = key_;
      options_.trace->type = type;
    }
    Entry* entry = load_rdb_value(reader_, type, head_, options_.limits);
    if (reader_->failed()) return;
    entry == nullptr ? note_empty() : add(entry);
    if (reader_->failed()) return;
    head_ = {};
    has_clock_ = false;
    progress_->bytes.store(reader_->offset(), std::memory_order_relaxed);
    if (options_.key_delay_us > 0) usleep(static_cast<useconds_t>(options_.key_delay_us));
  }

  void note_empty() {
    if (options_.trace != nullptr) options_.trace->type = -1;
    constexpr uint64_t kNamedMax = 10;
    if (++result_->empty_keys_skipped < kNamedMax) log_notice("RDB load skipping empty key: %s", key_.c_str());
  }

  void count(const Entry& entry) {
    RdbLoadTrace& trace = *options_.trace;
    trace.type = -1;
    ++trace.keys;
    if (entry.has_expiry()) ++trace.expires;
    if (entry.expired(options_.now_ms)) ++trace.already_expired;
  }

  void add(Entry* entry) {
    if (options_.trace != nullptr) {
      count(*entry);
      return free_entry(entry);
    }
    if (!options_.keep_expired && entry->expired(options_.now_ms)) {
      ++result_->keys_expired;
      return free_entry(entry);
    }
    const uint64_t hash = hash_bytes(key_);
    DbSlice& slice = keyspace_->slice(static_cast<int>(db_), hash);
    inserter_.add(&slice, hash, entry);
    ++result_->keys_loaded;
    progress_->keys.store(result_->keys_loaded, std::memory_order_relaxed);
    note_repeated_key();
  }

  void note_repeated_key() {
    if (inserter_.failed()) reader_->fail("the key '" + inserter_.repeated_key() + "' occurs twice");
  }

  void read_footer() {
    if (version_ < 5) return;
    const uint64_t computed = reader_->crc();
    const auto stored = static_cast<uint64_t>(reader_->milliseconds());
    if (options_.trace != nullptr) options_.trace->checksum_found = stored != 0;
    if (reader_->failed() || stored == 0 || !options_.checksum || stored == computed) return;
    reader_->fail(format_text("RDB CRC error: expected %llx, got %llx", static_cast<unsigned long long>(stored),
                              static_cast<unsigned long long>(computed)));
  }

  RdbReader* const reader_;
  Keyspace* const keyspace_;
  const RdbLoadOptions& options_;
  RdbLoadResult* const result_;
  RdbProgress* const progress_;
  int64_t version_ = 0;
  uint64_t db_ = 0;
  std::string key_;
  RdbEntryHead head_;
  bool has_clock_ = false;
  RdbInserter inserter_;
};

}  // namespace

Status save_rdb(const Keyspace& keyspace, const RdbSaveOptions& options, ByteSink* sink, RdbProgress* progress) {
  RdbWriter writer(sink, options.encoding);
  FileSaver saver(options, &writer, progress);
  saver.header(version_for(keyspace));
  for (int db = 0; db < keyspace.databases(); ++db) saver.database(keyspace, db);
  saver.end();
  return writer.finish();
}

Status load_rdb(RdbReader* reader, Keyspace* keyspace, const RdbLoadOptions& options, RdbLoadResult* result,
                RdbProgress* progress) {
  FileLoader(reader, keyspace, options, result, progress).run();
  if (!reader->failed()) return {};
  log_warning("Internal error in RDB reading offset %llu -> %s", static_cast<unsigned long long>(reader->offset()),
              reader->error().c_str());
  return Status(reader->truncated() ? StatusCode::kIoError : StatusCode::kCorrupt,
                "offset " + std::to_string(reader->offset()) + ": " + reader->error());
}

}  // namespace synap
