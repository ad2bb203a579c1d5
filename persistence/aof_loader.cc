#include "persistence/aof_loader.h"

#include <utility>

#include "persistence/aof_reader.h"
#include "persistence/file_stream.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/command/command_table.h"

namespace synap {

namespace {

unsigned long long printable(uint64_t number) { return number; }

class FileReplay {
 public:
  FileReplay(const AofLoad& load, std::string path, uint64_t bytes_before)
      : load_(load), path_(std::move(path)), bytes_before_(bytes_before) {
    session_.set(kSessionMaster);
  }

  // `last`: its end may be torn.
  Status run(bool last, RdbLoadResult* result) {
    auto file = load_.files->open(path_, FileSystem::Mode::kRead);
    if (!file.ok()) return failed("can't open the append log file for reading: " + file.status().detail());
    const Result<uint64_t> bytes = (*file)->size();
    if (!bytes.ok()) return failed(bytes.status().detail());
    uint64_t begin = 0;
    const Result<bool> rdb = begins_with_rdb(load_.files, path_);
    if (!rdb.ok()) return failed(rdb.status().detail());
    if (*rdb) {
      const Status preamble = load_preamble(file->get(), &begin, result);
      if (!preamble.ok()) return preamble;
      // The RDB reader has read ahead.
      file = load_.files->open(path_, FileSystem::Mode::kRead);
      if (!file.ok()) return failed(file.status().detail());
    }
    cut_at_ = begin;
    AofReader reader(file->get(), begin, *bytes);
    return replay(&reader, last);
  }

 private:
  Status load_preamble(File* file, uint64_t* end, RdbLoadResult* result) {
    log_notice("Reading RDB base file on AOF loading...");
    FileSource source(file);
    RdbReader reader(&source, load_.rdb_options.checksum);
    // Such a file is the first one: its progress is that of all.
    const Status status = load_rdb(&reader, load_.server->keyspace, load_.rdb_options, result, load_.progress);
    if (!status.ok()) return failed("error reading the RDB preamble: " + status.detail());
    *end = reader.offset();
    if (result->libraries.empty()) return {};
    const std::string error = load_.load_libraries(std::exchange(result->libraries, {}), true);
    return error.empty() ? Status() : failed("a function library cannot be loaded: " + error);
  }

  Status replay(AofReader* reader, bool last) {
    Args args;
    for (;;) {
      const AofReader::Next next = reader->next(&args);
      load_.progress->bytes.store(bytes_before_ + reader->offset(), std::memory_order_relaxed);
      switch (next) {
        case AofReader::Next::kCommand: {
          const Status status = command(args);
          if (!status.ok()) return status;
          if (!in_block_) cut_at_ = reader->valid_offset();
          if (load_.cancelled->load(std::memory_order_relaxed)) return Status(StatusCode::kIoError, "cancelled");
          break;
        }
        case AofReader::Next::kEnd:
          if (!in_block_) return {};
          log_warning("Revert incomplete MULTI/EXEC transaction from AOF file %s", path_.c_str());
          return cut(last);
        case AofReader::Next::kTorn:
          if (!in_block_) cut_at_ = reader->valid_offset();
          return cut(last);
        case AofReader::Next::kIoError:
          return failed("unrecoverable error reading the append only file " + path_ + ": " + reader->error());
        case AofReader::Next::kDamaged:
          log_warning("Bad file format reading the append only file %s at offset %llu: %s: make a backup of your AOF file, "
                      "then use synap-server --check-aof --fix <filename.manifest>",
                      path_.c_str(), printable(reader->offset()), reader->error().c_str());
          return Status(StatusCode::kCorrupt, reader->error());
      }
    }
  }

  Status command(const Args& args) {
    const Command* found = load_.server->commands->find_call(args.span());
    if (found == nullptr || found->handler == nullptr) {
      log_warning("Unknown command '%.*s' reading the append only file %s", static_cast<int>(args[0].size()),
                  args[0].data(), path_.c_str());
      return Status(StatusCode::kCorrupt, "unknown command");
    }
    const auto argc = static_cast<int>(args.size());
    if (found->arity > 0 ? argc != found->arity : argc < -found->arity) {
      return failed("wrong number of arguments for '" + std::string(found->display_name()) + "'");
    }
    if (found->name == "multi") {
      if (in_block_) return failed("a transaction inside another");
      in_block_ = true;
      return {};
    }
    if (found->has(kRunsQueue)) {
      for (QueuedCommand& queued : std::exchange(block_, {})) run_one(queued.command, queued.args.args());
      in_block_ = false;
      return {};
    }
    if (in_block_) {
      block_.push_back({found, StoredArgs(args)});
    } else {
      run_one(found, args);
    }
    return {};
  }

  // An error reply means that the file does not fit the data: told, but as in Redis no reason to stop.
  void run_one(const Command* found, const Args& args) {
    OutputBuffer output;
    Reply reply(&output, 2);
    load_.runner->replay(&session_, found, args, &reply);
    if (!reply.error_replied() || std::exchange(error_told_, true)) return;
    log_warning("A command of the append only file %s was answered with an error: '%.*s': %.*s", path_.c_str(),
                static_cast<int>(found->display_name().size()), found->display_name().data(),
                static_cast<int>(reply.last_error_code().size()), reply.last_error_code().data());
  }

  // The file ends before its last command does.
  Status cut(bool last) {
    if (!last) return failed("the truncated file " + path_ + " is not the last file");
    if (!load_.server->config->current().aof_load_truncated) {
      log_warning("Unexpected end of file reading the append only file %s. You can: 1) Make a backup of your AOF file, then "
                  "use synap-server --check-aof --fix <filename.manifest>. 2) Alternatively you can set the "
                  "'aof-load-truncated' configuration option to yes and restart the server.",
                  path_.c_str());
      return Status(StatusCode::kCorrupt, "unexpected end of file");
    }
    log_warning("!!! Warning: short read while loading the AOF file %s!!!", path_.c_str());
    log_warning("AOF %s loaded anyway because aof-load-truncated is enabled: truncating it to its %llu valid bytes",
                path_.c_str(), printable(cut_at_));
    auto file = load_.files->open(path_, FileSystem::Mode::kAppend);
    Status status = file.ok() ? (*file)->truncate(cut_at_) : file.status();
    if (status.ok()) status = (*file)->sync();
    return status.ok() ? Status() : failed("error truncating the AOF file: " + status.detail());
  }

  Status failed(const std::string& why) {
    log_warning("Fatal error: %s: %s", path_.c_str(), why.c_str());
    return Status(StatusCode::kCorrupt, why);
  }

  const AofLoad& load_;
  const std::string path_;
  const uint64_t bytes_before_;
  Session session_{0};
  bool in_block_ = false;
  std::vector<QueuedCommand> block_;
  uint64_t cut_at_ = 0;
  bool error_told_ = false;
};

}  // namespace

Result<uint64_t> aof_total_bytes(FileSystem* files, const std::string& directory, const AofManifest& manifest) {
  uint64_t total = 0;
  std::vector<const AofFile*> parts;
  if (manifest.base) parts.push_back(&*manifest.base);
  for (const AofFile& increment : manifest.increments) parts.push_back(&increment);
  for (const AofFile* part : parts) {
    auto file = files->open(directory + "/" + part->name, FileSystem::Mode::kRead);
    const Result<uint64_t> size = file.ok() ? (*file)->size() : Result<uint64_t>(file.status());
    if (!size.ok()) {
      log_warning("Unable to obtain the AOF file %s length. stat: %s", part->name.c_str(), size.status().detail().c_str());
      return size.status();
    }
    total += *size;
  }
  return total;
}

Status load_aof(const AofLoad& load, RdbLoadResult* result) {
  const auto path = [&](const AofFile& file) { return load.directory + "/" + file.name; };
  uint64_t before = 0;
  const int64_t began_us = monotonic_us();
  const auto replay = [&](const AofFile& file, const char* kind, bool last) {
    const int64_t file_began_us = monotonic_us();
    const Status status = FileReplay(load, path(file), before).run(last, result);
    before = load.progress->bytes.load(std::memory_order_relaxed);
    if (status.ok()) {
      log_notice("DB loaded from %s file %s: %.3f seconds", kind, file.name.c_str(),
                 static_cast<double>(monotonic_us() - file_began_us) / 1e6);
    }
    return status;
  };
  if (load.manifest.base) {
    const Status status = replay(*load.manifest.base, "base", load.manifest.increments.empty());
    if (!status.ok()) return status;
  }
  for (const AofFile& increment : load.manifest.increments) {
    const Status status = replay(increment, "incr", &increment == &load.manifest.increments.back());
    if (!status.ok()) return status;
  }
  log_notice("DB loaded from append only file: %.3f seconds", static_cast<double>(monotonic_us() - began_us) / 1e6);
  return {};
}

}  // namespace synap
