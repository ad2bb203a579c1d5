#include "persistence/aof_rewrite.h"

#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "datatypes/hash/hash.h"
#include "datatypes/list/list.h"
#include "datatypes/set/set.h"
#include "datatypes/stream/stream.h"
#include "datatypes/zset/zset.h"
#include "persistence/aof_format.h"
#include "server/base/number.h"
#include "server/command/context.h"

namespace synap {

namespace {

constexpr size_t kElementsPerCommand = 64;
constexpr size_t kFlushBytes = 64 * 1024;

class CommandSaver {
 public:
  CommandSaver(const RdbSaveOptions& options, ByteSink* sink, RdbProgress* progress)
      : options_(options), sink_(sink), progress_(progress) {}

  // A line that says so opens the file.
  void stamp(int64_t unix_s) { stamp_s_ = unix_s; }

  void database(const Keyspace& keyspace, int db) {
    if (keyspace.key_count(db) == 0) return;
    command({"SELECT", std::to_string(db)});
    for (size_t i = 0; i < kShards && status_.ok(); ++i) {
      const DbSlice& slice = const_cast<Keyspace&>(keyspace).shard(i).dbs[static_cast<size_t>(db)];
      slice.table.for_each([this](const Entry* entry, bool) { key(*entry); });
    }
  }

  void command(std::initializer_list<std::string_view> words) { command(std::vector<std::string_view>(words)); }
  void command(const std::vector<std::string_view>& words) {
    header('*', words.size());
    for (const std::string_view word : words) {
      header('$', word.size());
      buffer_ += word;
      buffer_ += "\r\n";
    }
    if (buffer_.size() >= kFlushBytes) flush();
  }

  Status finish() {
    flush();
    return status_;
  }

 private:
  void header(char type, size_t n) {
    buffer_ += type;
    buffer_ += std::to_string(n);
    buffer_ += "\r\n";
  }

  void flush() {
    std::string head = stamp_s_ == 0 ? "" : aof_timestamp_line(stamp_s_);
    if (!buffer_.empty()) head += aof_batch_line(buffer_, stamp_s_);
    if (head.empty()) return;
    stamp_s_ = 0;
    if (status_.ok()) status_ = sink_->write(head);
    if (status_.ok()) status_ = sink_->write(buffer_);
    bytes_ += head.size() + buffer_.size();
    buffer_.clear();
    progress_->bytes.store(bytes_, std::memory_order_relaxed);
  }

  // "NAME key" and then words, some at a time.
  void begin(std::string_view name, std::string_view key, size_t words_per_command) {
    name_ = name;
    key_ = key;
    words_max_ = words_per_command;
  }
  void word(std::string_view text) {
    words_.emplace_back(text);
    if (words_.size() == words_max_) end();
  }
  void end() {
    if (words_.empty()) return;
    std::vector<std::string_view> all{name_, key_};
    all.insert(all.end(), words_.begin(), words_.end());
    command(all);
    words_.clear();
  }

  void key(const Entry& entry) {
    if (!status_.ok()) return;
    value(entry);
    if (entry.has_expiry()) command({"PEXPIREAT", entry.key(), to_text(entry.expiry_ms())});
    progress_->keys.store(++keys_, std::memory_order_relaxed);
    if (options_.on_keys && keys_ % RdbSaveOptions::kKeysPerCall == 0) options_.on_keys();
    if (options_.key_delay_us > 0) usleep(static_cast<useconds_t>(options_.key_delay_us));
    if (options_.key_delay_us < 0 && keys_ % static_cast<uint64_t>(-options_.key_delay_us) == 0) usleep(1);
  }

  void value(const Entry& entry) {
    switch (entry.type()) {
      case ValueType::kString: {
        StringRef bytes;
        Context::open_string(entry, &bytes);
        return command({"SET", entry.key(), bytes.view()});
      }
      case ValueType::kList:
        return list(entry.key(), *entry.object<List>());
      case ValueType::kSet:
        begin("SADD", entry.key(), kElementsPerCommand);
        entry.object<Set>()->for_each([this](std::string_view member) { word(member); });
        return end();
      case ValueType::kZset:
        begin("ZADD", entry.key(), 2 * kElementsPerCommand);
        entry.object<Zset>()->for_each([this](std::string_view member, double score) {
          word(to_text(score));
          word(member);
        });
        return end();
      case ValueType::kHash:
        return hash(entry.key(), *entry.object<Hash>());
      case ValueType::kStream:
        return stream(entry.key(), *entry.object<Stream>());
      default:
        SYNAP_ASSERT(false && "a type without commands");
    }
  }

  void list(std::string_view key, const List& list) {
    begin("RPUSH", key, kElementsPerCommand);
    List::Iterator iterator(list);
    ListpackValue element;
    ListpackValue::Scratch scratch;
    while (iterator.next(&element)) word(element.text(scratch));
    end();
  }

  void hash(std::string_view key, const Hash& hash) {
    begin("HSET", key, 2 * kElementsPerCommand);
    hash.for_each(0, [this](const HashEntry& entry) {
      word(entry.field);
      word(entry.value);
    });
    end();
    hash.for_each(0, [&](const HashEntry& entry) {
      if (entry.expiry_ms == kNoFieldExpiry) return;
      command({"HPEXPIREAT", key, to_text(entry.expiry_ms), "FIELDS", "1", entry.field});
    });
  }

  void stream(std::string_view key, const Stream& stream) {
    StreamCursor cursor(stream, StreamId::min(), StreamId::max());
    while (cursor.next()) {
      StreamEntry& entry = cursor.entry();
      begin("XADD", key, SIZE_MAX);
      word(entry.id.to_text());
      for (int64_t i = 0; i < entry.field_count; ++i) {
        std::string_view field, value;
        entry.next_field(&field, &value);
        word(field);
        word(value);
      }
      end();
    }
    // A stream without entries is made by adding one that does not stay.
    if (stream.length() == 0) command({"XADD", key, "MAXLEN", "0", "0-1", "x", "y"});
    command({"XSETID", key, stream.last_id().to_text(), "ENTRIESADDED", to_text(stream.entries_added()), "MAXDELETEDID",
             stream.max_deleted_id().to_text()});
    for (const auto& [name, group] : stream.groups()) stream_group(key, name, group);
  }

  void stream_group(std::string_view key, const std::string& name, const ConsumerGroup& group) {
    command({"XGROUP", "CREATE", key, name, group.last_id.to_text(), "ENTRIESREAD", to_text(group.entries_read)});
    for (const auto& [consumer, state] : group.consumers()) command({"XGROUP", "CREATECONSUMER", key, name, consumer});
    const auto& pending = group.pending();
    for (auto at = pending.begin(); at != pending.end(); at = pending.next(at)) {
      const PendingEntry& one = pending[at];
      command({"XCLAIM", key, name, one.consumer->name, "0", one.id.to_text(), "TIME", to_text(one.delivery_time_ms),
               "RETRYCOUNT", to_text(one.delivery_count), "JUSTID", "FORCE"});
    }
  }

  const RdbSaveOptions& options_;
  ByteSink* const sink_;
  RdbProgress* const progress_;
  std::string buffer_;
  std::string_view name_, key_;
  size_t words_max_ = 0;
  std::vector<std::string> words_;
  int64_t stamp_s_ = 0;
  uint64_t keys_ = 0;
  uint64_t bytes_ = 0;
  Status status_;
};

}  // namespace

Status save_commands(const Keyspace& keyspace, const RdbSaveOptions& options, bool timestamp, ByteSink* sink,
                     RdbProgress* progress) {
  CommandSaver saver(options, sink, progress);
  if (timestamp) saver.stamp(options.now_ms / 1000);
  if (options.functions != nullptr) {
    for (const auto& [name, library] : options.functions->libraries) saver.command({"FUNCTION", "LOAD", library->code});
  }
  for (int db = 0; db < keyspace.databases(); ++db) saver.database(keyspace, db);
  return saver.finish();
}

}  // namespace synap
